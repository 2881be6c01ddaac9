"""A study that fills up: what was received of it, which views that shows, and whether it can be analysed.

All of it is derived from what was received, so the order in which instances arrive cannot matter.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import combinations

from app.core.choice import Choice, ReceivedImage, ShownView, shown_views
from app.core.evidence import Evidence
from app.core.patients import different_patients
from app.core.unrecognised import why_unrecognised
from app.core.values import Analysis, AnalysisWarning, ImageKey, Origin, View, ViewSource


@dataclass(frozen=True, slots=True)
class ReceivedInstance:
    """What is known of a received instance: either an image that may show a view, or the reason why it shows none.

    Attributes
    ----------
    study_instance_uid, sop_instance_uid, sop_class_uid : str
        (0020,000D), (0008,0018), (0008,0016).
    content_sha256 : str
        Of the bytes that were received.
    received_at : datetime
        When this content was received first, UTC.
    evidence : Evidence or None
        What names its view; None of an object that is not an ultrasound image.
    looked_by : str
        Digest of how it was looked at; see `app.core.evidence.digest_look`.
    image : ReceivedImage or None
    reason : AnalysisWarning or None
        Code and sentence; one of `image` and `reason` is there.
    refused : bool
        Whether the sender was told to send something else; otherwise an instance without image was set aside.
    """

    study_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    content_sha256: str
    received_at: datetime
    evidence: Evidence | None = None
    looked_by: str = ""
    image: ReceivedImage | None = None
    reason: AnalysisWarning | None = None
    refused: bool = False


def views_of(images: Iterable[ReceivedInstance], others: Iterable[Evidence] = ()) -> list[ShownView]:
    """Tell which views the received images of one study show.

    Parameters
    ----------
    images : iterable of ReceivedInstance
    others : iterable of Evidence
        Of the study's images that cannot be used: their texts count all the same.
    """
    seen = [(each.evidence, each.image) for each in images if each.evidence]
    return shown_views([*seen, *((evidence, None) for evidence in others)])


def standing_origins(choices: Mapping[View, Choice]) -> dict[View, Origin]:
    """Tell what the images that stand for the views say of patient, study and series."""
    return {view: choice.image.origin for view, choice in choices.items()}


def standing_images(choices: Mapping[View, Choice]) -> dict[View, ImageKey]:
    """Name the images that stand for the views."""
    return {view: choice.image.key for view, choice in choices.items()}


def obstacle(choices: Mapping[View, Choice], *, allow_partial: bool = False) -> AnalysisWarning | None:
    """Say what keeps the standing images from being analysed; None if nothing does.

    Parameters
    ----------
    choices : mapping of View to Choice
    allow_partial : bool
        Whether one view is enough.
    """
    missing = [view for view in View if view not in choices]
    if missing and not (allow_partial and choices):
        return AnalysisWarning("incomplete_study", f"Missing: {', '.join(missing)}.")
    if mixed := different_patients({view: origin.study for view, origin in standing_origins(choices).items()}):
        detail = f"The images name {mixed}. Correct them in the archive and send them again."
        return AnalysisWarning("mixed_patients", detail)
    for (first, one), (second, other) in combinations(standing_images(choices).items(), 2):
        if one.tissue_sha256 == other.tissue_sha256:
            detail = f"{first} and {second} are the same picture. Send another picture for one of them."
            return AnalysisWarning("duplicate_instance", detail)
    return None


def not_shown(images: Iterable[ReceivedInstance], shown: Iterable[ShownView]) -> list[ReceivedInstance]:
    """List the images that might have shown a view and show none, each with the reason."""
    views = {each.image.key.sop_instance_uid for each in shown}
    return [
        replace(each, reason=_unrecognised(each.evidence or Evidence()))
        for each in images
        if each.sop_instance_uid not in views
    ]


def _unrecognised(evidence: Evidence) -> AnalysisWarning:
    return AnalysisWarning("unrecognised_view", why_unrecognised(evidence))


def is_of_views(analysis: Analysis, received: Collection[str], shown: Iterable[ShownView]) -> bool:
    """Tell whether received images still show the views that an analysis took them for.

    A text of the examination that told the first images of a study apart may turn out to be on all of them. What the
    sender declared stands.

    Parameters
    ----------
    analysis : Analysis
    received : collection of str
        SOP Instance UIDs of its images that were received one by one.
    shown : iterable of ShownView
    """
    now = {each.image.key.sop_instance_uid: each.recognition.view for each in shown}
    return all(
        view.view_source in (None, ViewSource.SENDER)
        or view.sop_instance_uid not in received
        or now.get(view.sop_instance_uid) == view.view
        for view in analysis.estimate.views
    )
