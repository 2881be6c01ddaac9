"""A study that fills up: which image stands for each view, and whether the study can be analysed.

All of it is derived from what was received, so the order in which instances arrive cannot matter.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import combinations

from app.core.pipeline import image_key
from app.core.values import AnalysisWarning, Crop, ImageKey, View

CHOICE_RULE = (
    "Of several images of a view, the one taken last stands for it; of those, the one with the highest "
    "(0020,0013) Instance Number; of those, the one with the greatest (0008,0018) SOP Instance UID. "
    "What an image does not say counts as least."
)


class ChoiceReason(StrEnum):
    """Which part of `CHOICE_RULE` decided."""

    ONLY_IMAGE = "only_image"
    TAKEN_LAST = "taken_last"
    HIGHEST_INSTANCE_NUMBER = "highest_instance_number"
    GREATEST_SOP_INSTANCE_UID = "greatest_sop_instance_uid"


@dataclass(frozen=True, slots=True)
class ReceivedImage:
    """What is known of a received image of a view, without its pixels.

    Attributes
    ----------
    view : View
    key : ImageKey
    taken_at : str
        Date and time of the image, digits that sort; empty if the object does not say.
    instance_number : int or None
        (0020,0013).
    warnings : tuple of AnalysisWarning
    """

    view: View
    key: ImageKey
    taken_at: str = ""
    instance_number: int | None = None
    warnings: tuple[AnalysisWarning, ...] = ()


def received_image(view: View, crop: Crop) -> ReceivedImage:
    """Keep of a crop what a choice is made by."""
    return ReceivedImage(view, image_key(crop), crop.origin.taken_at, crop.origin.instance_number, crop.warnings)


@dataclass(frozen=True, slots=True)
class ReceivedInstance:
    """What is known of a received instance: either an image of a view, or the reason why it is none.

    Attributes
    ----------
    study_instance_uid, sop_instance_uid, sop_class_uid : str
        (0020,000D), (0008,0018), (0008,0016).
    content_sha256 : str
        Of the bytes that were received.
    received_at : datetime
        When this content was received first, UTC.
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
    image: ReceivedImage | None = None
    reason: AnalysisWarning | None = None
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """The image that stands for a view.

    Attributes
    ----------
    image : ReceivedImage
    reason : ChoiceReason
        What put it before the next.
    """

    image: ReceivedImage
    reason: ChoiceReason


def choose_images(images: Iterable[ReceivedImage]) -> dict[View, Choice]:
    """Choose for each view the image that stands for it, by `CHOICE_RULE`; their order does not matter.

    Returns
    -------
    dict of View to Choice
        The views that have an image, in the order of `View`.
    """
    candidates: dict[View, list[ReceivedImage]] = defaultdict(list)
    for image in images:
        candidates[image.view].append(image)
    return {view: _choose(candidates[view]) for view in View if view in candidates}


def _choose(candidates: list[ReceivedImage]) -> Choice:
    best, *others = sorted(candidates, key=_rank, reverse=True)
    return Choice(best, _reason(best, others[0]) if others else ChoiceReason.ONLY_IMAGE)


def _rank(image: ReceivedImage) -> tuple[str, int, str]:
    number = -1 if image.instance_number is None else image.instance_number
    return image.taken_at, number, image.key.sop_instance_uid


def _reason(best: ReceivedImage, next_best: ReceivedImage) -> ChoiceReason:
    if best.taken_at != next_best.taken_at:
        return ChoiceReason.TAKEN_LAST
    if best.instance_number != next_best.instance_number:
        return ChoiceReason.HIGHEST_INSTANCE_NUMBER
    return ChoiceReason.GREATEST_SOP_INSTANCE_UID


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
    for (first, one), (second, other) in combinations(standing_images(choices).items(), 2):
        if one.tissue_sha256 == other.tissue_sha256:
            detail = f"{first} and {second} are the same picture. Send another picture for one of them."
            return AnalysisWarning("duplicate_instance", detail)
    return None
