"""The averaged multiview model."""

from collections.abc import Sequence
from statistics import fmean

from app.core.values import AnalysisWarning, Estimate, Thresholds, View, ViewEstimate

UNDERESTIMATED_ABOVE_PERCENT = 30.0
"""Byra et al. 2021 report a bias of about -15 % where MRI-PDFF exceeds 30 % (Fig. 4)."""
COMPARABLE_WITHIN_PERCENT = 10.0
"""Views further apart than this hardly show the same liver: the paper averages views that agree broadly."""


def combine_views(study_instance_uid: str, views: Sequence[ViewEstimate], thresholds: Thresholds) -> Estimate:
    """Average the outputs of the views' models.

    Parameters
    ----------
    study_instance_uid : str
    views : sequence of ViewEstimate
        One to four, at most one a view.
    thresholds : Thresholds
        Operating points of the averaged probabilities.

    Returns
    -------
    Estimate

    References
    ----------
    .. [1] Byra et al., J Ultrasound Med 2021: "the outputs of models trained separately for each view were
       averaged to give the final estimate".
    """
    ordered = tuple(sorted(views, key=lambda estimate: list(View).index(estimate.view)))
    pdff_percent = fmean(estimate.pdff_percent for estimate in ordered)
    ge5 = fmean(estimate.probability_ge5 for estimate in ordered)
    ge10 = fmean(estimate.probability_ge10 for estimate in ordered)
    return Estimate(
        study_instance_uid=study_instance_uid,
        pdff_percent=pdff_percent,
        probability_ge5=ge5,
        probability_ge10=ge10,
        steatosis_ge5=ge5 >= thresholds.ge5,
        steatosis_ge10=ge10 >= thresholds.ge10,
        thresholds=thresholds,
        views=ordered,
        warnings=(
            *_incompleteness(ordered),
            *out_of_range(pdff_percent),
            *_underestimation(pdff_percent),
            *_disagreement(ordered),
            *_contradiction(pdff_percent, 5, called=ge5 >= thresholds.ge5),
            *_contradiction(pdff_percent, 10, called=ge10 >= thresholds.ge10),
        ),
    )


def _underestimation(pdff_percent: float) -> list[AnalysisWarning]:
    if pdff_percent <= UNDERESTIMATED_ABOVE_PERCENT:
        return []
    return [
        AnalysisWarning(
            "likely_underestimated", "The method is known to underestimate PDFF above 30 %: read as >= 30 %."
        )
    ]


def out_of_range(pdff_percent: float) -> list[AnalysisWarning]:
    """Say so when a linear head leaves the scale; the number itself is never bent."""
    if 0 <= pdff_percent <= 100:
        return []
    return [
        AnalysisWarning(
            "pdff_out_of_range", "The linear model left the scale of 0 to 100 %: read it as the nearest end."
        )
    ]


def _incompleteness(views: Sequence[ViewEstimate]) -> list[AnalysisWarning]:
    missing = [view for view in View if view not in {estimate.view for estimate in views}]
    if not missing:
        return []
    return [
        AnalysisWarning(
            "partial_study",
            f"Averaged over {len(views)} of 4 views; missing: {', '.join(missing)}. "
            "The operating points were set on all four.",
        )
    ]


def _disagreement(views: Sequence[ViewEstimate]) -> list[AnalysisWarning]:
    values = [estimate.pdff_percent for estimate in views]
    spread = max(values) - min(values)
    if spread <= COMPARABLE_WITHIN_PERCENT:
        return []
    return [AnalysisWarning("views_disagree", f"The views' PDFF estimates lie {spread:.1f} percentage points apart.")]


def _contradiction(pdff_percent: float, cutoff_percent: int, *, called: bool) -> list[AnalysisWarning]:
    """Say so when the regression and the classifier, which are separate models, fall on different sides."""
    if called == (pdff_percent >= cutoff_percent):
        return []
    side = "at or above" if called else "below"
    return [
        AnalysisWarning(
            "models_disagree",
            f"The classifier calls PDFF {side} {cutoff_percent} %, the regression estimates {pdff_percent:.1f} %.",
        )
    ]
