"""The texts that may name the view."""

from app.adapters.dicom.attributes import Attributes
from app.adapters.dicom.keywords import VIEW_ATTRIBUTES
from app.adapters.dicom.limits import ReadLimits


def read_view_texts(attributes: Attributes, limits: ReadLimits) -> tuple[str, ...]:
    """Collect the texts, each on one line of bounded length, most telling attribute first."""
    texts = [text for keyword, member in VIEW_ATTRIBUTES for text in _texts(attributes, keyword, member)]
    return tuple(text[: limits.max_text_length] for text in texts if text)


def _texts(attributes: Attributes, keyword: str, member: str | None) -> list[str]:
    if member is None:
        return [attributes.words(keyword)]
    return [item.words(member) for item in attributes.items(keyword)]
