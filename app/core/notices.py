"""What every rendering of an answer says beside the numbers, in the same words."""

from app.core.values import Analysis, AnalysisWarning, BundleIdentity, Estimate, View

NOTICE = "Not a medical device. For research use; not for diagnosis."
LIMITS = "The method is known to underestimate PDFF above 30 % (Byra et al. 2021)."
SCORE = "Score of a classifier fitted with balanced classes; not calibrated to how frequent steatosis is."
SYNTHETIC = AnalysisWarning(
    "synthetic_bundle",
    "synthetic: not for clinical use. The heads of this bundle were fitted on simulated images.",
)
VIEW_NAMES = {
    View.HEPATIC_VEINS: "Hepatic veins",
    View.RIGHT_PORTAL_VEIN: "Right portal vein",
    View.RIGHT_POSTERIOR_PORTAL_VEIN: "Right posterior portal vein",
    View.LIVER_KIDNEY: "Liver / kidney",
}


def all_warnings(bundle: BundleIdentity, estimate: Estimate) -> tuple[AnalysisWarning, ...]:
    """List what concerns the whole answer; a synthetic bundle says so first."""
    return (*((SYNTHETIC,) if bundle.synthetic else ()), *estimate.warnings)


def remarks(analysis: Analysis) -> list[str]:
    """Say in words what the numbers cannot: the limits, and every warning of the answer and of its views."""
    estimate = analysis.estimate
    said = [LIMITS, *(warning.detail for warning in all_warnings(analysis.bundle, estimate))]
    return said + [f"{VIEW_NAMES[view.view]}: {warning.detail}" for view in estimate.views for warning in view.warnings]
