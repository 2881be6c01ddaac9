"""Which of several images stands for each view of a study; their order does not matter."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from app.core.evidence import Evidence, Recognition, recognise
from app.core.pipeline import image_key
from app.core.values import AnalysisWarning, Crop, ImageKey, Origin, View
from app.core.views import other_images, told

CHOICE_RULE = (
    "Of several images of a view, the best named one stands for it: one that a text names by the view and nothing else "
    "before one whose text says more; then one that a text of the image itself names before one that its screen names, "
    "and that before one that a text of the examination names. Of those, the one taken last; of those, the one with "
    "the highest (0020,0013) Instance Number; of those, the one with the greatest (0008,0018) SOP Instance UID. "
    "What an image does not say counts as least."
)


class ChoiceReason(StrEnum):
    """Which part of `CHOICE_RULE` decided."""

    ONLY_IMAGE = "only_image"
    BETTER_NAMED = "better_named"
    TAKEN_LAST = "taken_last"
    HIGHEST_INSTANCE_NUMBER = "highest_instance_number"
    GREATEST_SOP_INSTANCE_UID = "greatest_sop_instance_uid"


@dataclass(frozen=True, slots=True)
class ReceivedImage:
    """What is known of a received image that shows, or may show, a view, without its pixels.

    Attributes
    ----------
    key : ImageKey
    origin : Origin
    warnings : tuple of AnalysisWarning
    """

    key: ImageKey
    origin: Origin
    warnings: tuple[AnalysisWarning, ...] = ()


def received_image(crop: Crop) -> ReceivedImage:
    """Keep of a crop what a choice is made by."""
    return ReceivedImage(image_key(crop), crop.origin, crop.warnings)


@dataclass(frozen=True, slots=True)
class ShownView:
    """An image and the view that it shows among the images of its study.

    Attributes
    ----------
    image : ReceivedImage
    recognition : Recognition
    """

    image: ReceivedImage
    recognition: Recognition


def shown_views(seen: Iterable[tuple[Evidence, ReceivedImage | None]]) -> list[ShownView]:
    """Tell which view each image of one study shows.

    Parameters
    ----------
    seen : iterable of tuple of Evidence and ReceivedImage or None
        Every image of the study that is there; None of one that cannot be used, whose texts count all the same.
    """
    pairs = list(seen)
    recognised = recognise([evidence for evidence, _ in pairs])
    return [
        ShownView(image, recognition)
        for (_, image), recognition in zip(pairs, recognised, strict=True)
        if image and recognition
    ]


@dataclass(frozen=True, slots=True)
class Choice:
    """The image that stands for a view.

    Attributes
    ----------
    image : ReceivedImage
    reason : ChoiceReason
        What put it before the next.
    recognition : Recognition
    remarks : tuple of AnalysisWarning
        What is to be remarked of the choice.
    """

    image: ReceivedImage
    reason: ChoiceReason
    recognition: Recognition
    remarks: tuple[AnalysisWarning, ...] = ()


def choose_images(shown: Iterable[ShownView]) -> dict[View, Choice]:
    """Choose for each view the image that stands for it, by `CHOICE_RULE`; their order does not matter.

    Returns
    -------
    dict of View to Choice
        The views that have an image, in the order of `View`.
    """
    candidates: dict[View, list[ShownView]] = defaultdict(list)
    for each in shown:
        candidates[each.recognition.view].append(each)
    return {view: _choose(candidates[view]) for view in View if view in candidates}


def _choose(candidates: list[ShownView]) -> Choice:
    best, *others = sorted(candidates, key=_rank, reverse=True)
    reason = _reason(best, others[0]) if others else ChoiceReason.ONLY_IMAGE
    lesser = sum(each.recognition.clarity < best.recognition.clarity for each in others)
    remarks = (other_images(best.recognition.view, lesser),) if lesser else ()
    return Choice(best.image, reason, best.recognition, remarks)


def _rank(shown: ShownView) -> tuple[tuple[bool, int], str, int, str]:
    image = shown.image
    number = -1 if image.origin.instance_number is None else image.origin.instance_number
    return shown.recognition.clarity, image.origin.taken_at, number, image.key.sop_instance_uid


def _reason(first: ShownView, second: ShownView) -> ChoiceReason:
    best, next_best = first.image, second.image
    if first.recognition.clarity != second.recognition.clarity:
        return ChoiceReason.BETTER_NAMED
    if best.origin.taken_at != next_best.origin.taken_at:
        return ChoiceReason.TAKEN_LAST
    if best.origin.instance_number != next_best.origin.instance_number:
        return ChoiceReason.HIGHEST_INSTANCE_NUMBER
    return ChoiceReason.GREATEST_SOP_INSTANCE_UID


def stand(crop: Crop, choice: Choice) -> Crop:
    """Note on the crop of a standing image what told its view, and what is to be remarked of the choice."""
    return told(crop, choice.recognition, *choice.remarks)
