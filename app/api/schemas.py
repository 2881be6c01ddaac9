"""Response bodies; units stand in the field names."""

from collections.abc import Callable
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from app.core.choice import ChoiceReason
from app.core.notices import NOTICE, SCORE, all_warnings
from app.core.unrecognised import WHERE_RULES_ARE, LookedAt
from app.core.values import Analysis, Estimate, View, ViewEstimate, ViewSource


class _Out(BaseModel):
    model_config = ConfigDict(from_attributes=True, frozen=True)


_SOURCE = "What told the view: the sender's form field, a DICOM attribute, or the text on the screen."


class WarningOut(_Out):
    """Something that the reader of the answer should know."""

    code: str
    detail: str


class BundleOut(_Out):
    """Which bundle answered."""

    name: str
    version: str
    sha256: str
    synthetic: bool
    precision: str = Field(description="Of the backbone's arithmetic: fp32 or int8. The heads were fitted on it.")


class EstimateOut(_Out):
    """The averaged multiview model's answer."""

    pdff_percent: float
    probability_ge5: float = Field(description=SCORE)
    probability_ge10: float = Field(description=SCORE)
    threshold_ge5: float = Field(description="The bundle's operating point: at or above it, steatosis_ge5 is true.")
    threshold_ge10: float = Field(description="The bundle's operating point: at or above it, steatosis_ge10 is true.")
    steatosis_ge5: bool
    steatosis_ge10: bool
    views_used: list[View]


class ViewOut(_Out):
    """What one view says."""

    view: View
    view_source: ViewSource | None = Field(description=f"{_SOURCE} Null in analyses from before this was noted.")
    sop_instance_uid: str
    frame_number: int
    pdff_percent: float
    probability_ge5: float = Field(description=SCORE)
    probability_ge10: float = Field(description=SCORE)
    tissue_box: tuple[int, int, int, int]
    tissue_source: Literal["region", "image"]
    decoder: str
    overlay_url: str
    tissue_url: str
    warnings: list[WarningOut]


class AnalysisOut(_Out):
    """One answered study."""

    id: str
    study_instance_uid: str
    created_at: datetime
    complete: bool
    notice: str = NOTICE
    bundle: BundleOut
    estimate: EstimateOut
    views: list[ViewOut]
    warnings: list[WarningOut]
    dicom_urls: list[str] = Field(
        description="The answer as DICOM: report, summary page, an overlay for each view. Empty where the images "
        "did not say which objects they are (SOP Class and Series Instance UID)."
    )
    fhir_url: str


class AnalysisPage(_Out):
    """Analyses, newest first."""

    analyses: list[AnalysisOut]
    next_cursor: str | None


class CandidateOut(_Out):
    """A received image that may stand for its view."""

    sop_instance_uid: str
    view_source: ViewSource = Field(description=_SOURCE)
    frame_number: int
    taken_at: str | None = Field(description="Date and time of the image, DICOM's digits.")
    instance_number: int | None
    received_at: datetime
    warnings: list[WarningOut]


class StudyViewOut(_Out):
    """The images of one view that were received one by one."""

    view: View
    chosen: str = Field(description="(0008,0018) of the image that stands for the view.")
    chosen_because: ChoiceReason
    candidates: list[CandidateOut]


class SetAsideOut(_Out):
    """A received instance that no analysis uses."""

    sop_instance_uid: str
    sop_class_uid: str
    received_at: datetime
    code: str
    detail: str
    looked_at: list[LookedAt] = Field(description="Where the name of a view was looked for; not what was read there.")


class AnalysisReference(_Out):
    """A stored analysis, in short."""

    id: str
    created_at: datetime
    complete: bool
    url: str


class StudyOut(_Out):
    """What the service knows of a study."""

    study_instance_uid: str
    views_in: list[View]
    views_missing: list[View]
    choice_rule: str
    view_rules: str = Field(WHERE_RULES_ARE, description="Where a site writes rules for the names that it uses.")
    received: list[StudyViewOut] = Field(description="Views received one by one (STOW-RS), and what stands for each.")
    set_aside: list[SetAsideOut] = Field(
        description="Accepted, but not an image of one of the four views: the newest 100, newest first."
    )
    set_aside_total: int = Field(description="How many were set aside, those that are not listed included.")
    refused: list[SetAsideOut] = Field(
        description="Would be a view, but could not be used; the sender was told. The newest 100, newest first."
    )
    refused_total: int = Field(description="How many were refused, those that are not listed included.")
    waiting_for: WarningOut | None = Field(description="What keeps the received images from being analysed.")
    analysis: AnalysisOut | None = Field(description="The current one: of the images that stand for the views now.")
    superseded: list[AnalysisReference] = Field(description="The study's other analyses, newest first.")


class BundleDescription(BundleOut):
    """The bundle with all it says of itself."""

    manifest: dict[str, object]
    model_card: str
    screens_are_read: bool = Field(description="Whether text on the screen can name a view: the extra is installed.")


class PreviewOut(_Out):
    """What one file shows, before it is submitted."""

    study_instance_uid: str
    sop_instance_uid: str
    frame_number: int
    view: View | None = Field(
        description="By its own attributes or its screen; null if they do not name exactly one view. Attributes that "
        "describe the whole examination are weighed when the study is sent."
    )
    view_source: ViewSource | None = Field(description=_SOURCE)
    tissue_box: tuple[int, int, int, int]
    thumbnail: str = Field(description="The tissue crop, at most 480 pixels wide: a data URI of a PNG.")
    warnings: list[WarningOut]


class Health(_Out):
    """A probe's answer."""

    status: str


class Readiness(Health):
    """Whether studies can be analysed, and what fails beside that."""

    degraded: list[str] = Field(
        [],
        description="Background tasks that keep failing although studies are answered; see the log and the alerts. "
        "Omitted if empty.",
    )


def analysis_out(analysis: Analysis, link: Callable[[str], str]) -> AnalysisOut:
    """Write a stored analysis as a response.

    Parameters
    ----------
    analysis : Analysis
    link : callable
        Makes an address for the client of one of our paths: `app.api.addresses.Links`.
    """
    estimate, address = analysis.estimate, link(f"/v1/analyses/{analysis.id}")
    return AnalysisOut(
        id=analysis.id,
        study_instance_uid=estimate.study_instance_uid,
        created_at=analysis.created_at,
        complete=estimate.complete,
        bundle=BundleOut.model_validate(analysis.bundle),
        estimate=_estimate_out(estimate),
        views=[_view_out(address, view) for view in estimate.views],
        warnings=[WarningOut.model_validate(warning) for warning in all_warnings(analysis.bundle, estimate)],
        dicom_urls=_dicom_urls(address, estimate),
        fhir_url=f"{address}/fhir",
    )


def _dicom_urls(address: str, estimate: Estimate) -> list[str]:
    """Name every result object of an analysis; none if its images cannot be referenced."""
    if not estimate.is_referable:
        return []
    overlays = [f"{address}/views/{view.view}/overlay.dcm" for view in estimate.views]
    return [f"{address}/sr.dcm", f"{address}/summary.dcm", *overlays]


def _estimate_out(estimate: Estimate) -> EstimateOut:
    return EstimateOut(
        pdff_percent=estimate.pdff_percent,
        probability_ge5=estimate.probability_ge5,
        probability_ge10=estimate.probability_ge10,
        threshold_ge5=estimate.thresholds.ge5,
        threshold_ge10=estimate.thresholds.ge10,
        steatosis_ge5=estimate.steatosis_ge5,
        steatosis_ge10=estimate.steatosis_ge10,
        views_used=[view.view for view in estimate.views],
    )


def _view_out(address: str, view: ViewEstimate) -> ViewOut:
    base = f"{address}/views/{view.view}"
    return ViewOut(
        view=view.view,
        view_source=view.view_source,
        sop_instance_uid=view.sop_instance_uid,
        frame_number=view.frame_number,
        pdff_percent=view.pdff_percent,
        probability_ge5=view.probability_ge5,
        probability_ge10=view.probability_ge10,
        tissue_box=tuple(view.tissue_box),
        tissue_source=view.tissue_source,
        decoder=view.decoder,
        overlay_url=f"{base}/overlay.png",
        tissue_url=f"{base}/tissue.png",
        warnings=[WarningOut.model_validate(warning) for warning in view.warnings],
    )
