"""The texts that may name the view."""

from typing import Final

from app.adapters.dicom.attributes import Attributes
from app.adapters.dicom.keywords import CODED_VIEWS, EXAMINATION_ATTRIBUTES, IMAGE_ATTRIBUTES
from app.adapters.dicom.limits import ReadLimits
from app.core.values import View, ViewTexts

_MODIFIERS: Final = {
    "ViewCodeSequence": "ViewModifierCodeSequence",
    "AnatomicRegionSequence": "AnatomicRegionModifierSequence",
    "PrimaryAnatomicStructureSequence": "PrimaryAnatomicStructureModifierSequence",
}
"""Of a code: the sequence in each of its items that says more."""
_LATERALITIES: Final = {"R": "right", "L": "left"}
"""Of `ImageLaterality`; both and unpaired say nothing."""
_SIDED: Final = ("AnatomicRegionSequence", "PrimaryAnatomicStructureSequence")
"""What (0020,0062) Image Laterality is the side of."""


def read_view_texts(attributes: Attributes, limits: ReadLimits) -> ViewTexts:
    """Collect the texts, each on one line of bounded length."""
    side = _side(attributes)
    image = [text for keyword in IMAGE_ATTRIBUTES for text in _texts(attributes, keyword, side)]
    examination = {keyword: _words(attributes, keyword) for keyword in EXAMINATION_ATTRIBUTES}
    longest = limits.max_text_length
    return ViewTexts(
        tuple(text if isinstance(text, View) else text[:longest] for text in image if text)[: limits.max_texts],
        {keyword: text[:longest] for keyword, text in examination.items() if text},
    )


def _side(attributes: Attributes) -> str:
    letter = attributes.text("ImageLaterality") or attributes.text("Laterality")
    return _LATERALITIES.get(letter, "")


def _words(attributes: Attributes, keyword: str) -> str:
    if keyword.endswith("Sequence"):
        return " ".join(item.words("CodeMeaning") for item in attributes.items(keyword))
    return attributes.words(keyword)


def _texts(attributes: Attributes, keyword: str, side: str) -> list[str]:
    if keyword.endswith("Sequence"):
        return [text for item in attributes.items(keyword) for text in _coded(item, keyword, side)]
    return [attributes.words(keyword)]


def _coded(item: Attributes, keyword: str, side: str) -> list[str]:
    """Give a code's view, if it has one and nothing modifies it, and its meaning with all that modifies it."""
    modifiers = item.items(_MODIFIERS[keyword]) if keyword in _MODIFIERS else []
    sides = [side] if side and keyword in _SIDED else []
    words = [item.words("CodeMeaning"), *(each.words("CodeMeaning") for each in modifiers), *sides]
    view = CODED_VIEWS.get((item.text("CodingSchemeDesignator"), item.text("CodeValue")))
    meaning = " ".join(filter(None, words))
    return [view, meaning] if view and not modifiers and not sides else [meaning]
