"""Attributes by keyword, as plain values, and the standard's names for them in messages."""

import re
from functools import cache
from typing import Any, Final, cast

from pydicom.datadict import dictionary_description, tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag
from pydicom.uid import UID

from app.adapters.dicom.guard import LIBRARY_ERRORS
from app.adapters.dicom.transfer_syntaxes import swap_words
from app.core.errors import MissingAttribute, UndecodablePixels

_UID: Final = re.compile(r"[0-9]+(\.[0-9]+)+")


class Attributes:
    """A data set, or one item of a sequence. A value that pydicom cannot convert is as good as none.

    Values are converted when they are asked for, so ask inside `guard.quiet`.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._dropped: set[BaseTag] = set()

    def __len__(self) -> int:
        return len(self._dataset)

    def has_value(self, keyword: str) -> bool:
        """Whether there is a first value, sensible or not."""
        return self._first(keyword) not in (None, "")

    def text(self, keyword: str) -> str:
        """Take the first value of a text, without padding; empty if there is none."""
        value = self._first(keyword)
        return value.strip(" \0") if isinstance(value, str) else ""

    def values(self, keyword: str) -> list[str]:
        """Take all values of a text."""
        value = self._value(keyword)
        values = value if isinstance(value, MultiValue) else [value]
        return [str(one) for one in values if one is not None]

    def said(self, keyword: str) -> str:
        """Take a text without DICOM's padding and unchanged otherwise (PS3.5 6.2); backslashes join its values."""
        return "\\".join(value.rstrip(" \0").lstrip(" ") for value in self.values(keyword))

    def words(self, keyword: str) -> str:
        """Take all values of a text on one line."""
        return " ".join(" ".join(self.values(keyword)).split())

    def number(self, keyword: str) -> float | None:
        """Take the first value of a number."""
        try:
            return float(self._first(keyword))
        except LIBRARY_ERRORS:
            return None

    def integer(self, keyword: str) -> int | None:
        """Take the first value of a number that is whole."""
        number = self.number(keyword)
        return int(number) if number is not None and number.is_integer() else None

    def items(self, keyword: str) -> list["Attributes"]:
        """Take the items of a sequence."""
        try:
            return [Attributes(item) for item in self._value(keyword) or ()]
        except LIBRARY_ERRORS:
            return []

    def first_item(self, keyword: str) -> "Attributes | None":
        """Take the first item of a sequence that must not be passed over; None if there is none.

        Raises
        ------
        UndecodablePixels
            If the sequence is there and cannot be read.
        """
        element = self._element(tag_of(keyword))  # before its items replace its bytes
        is_there = tag_of(keyword) in self._dropped or (element is not None and bool(element.value))
        items = self.items(keyword)
        if is_there and not items:
            raise UndecodablePixels(f"{quoted(keyword)} is damaged: export the object again from its source.")
        return items[0] if items else None

    def raw(self, keyword: str) -> bytes:
        """Take a value as it is written, but little endian; pydicom leaves big endian words as they are."""
        element = self._element(tag_of(keyword))
        value = element.value if element is not None else b""
        if not isinstance(value, bytes):
            return b""
        is_big = isinstance(element, RawDataElement) and not element.is_little_endian and element.VR != "OB"
        return swap_words(value) if is_big else value

    def vr(self, keyword: str) -> str | None:
        """Take the value representation as written; None if the syntax is implicit, or the attribute missing."""
        element = self._element(tag_of(keyword))
        return None if element is None else element.VR

    def drop_larger_than(self, max_value_bytes: int) -> None:
        """Drop values that no honest object has, before they are converted."""
        for tag in list(self._dataset.keys()):
            element = self._element(tag)
            if isinstance(element, RawDataElement) and len(element.value or b"") > max_value_bytes:
                del self._dataset[tag]
                self._dropped.add(tag)

    def _element(self, tag: BaseTag) -> RawDataElement | DataElement | None:
        """Take an element as it was read: raw until its value is asked for (pydicom's annotation hides that)."""
        return cast(RawDataElement | DataElement | None, self._dataset.get_item(tag))

    def _value(self, keyword: str) -> Any:
        tag = tag_of(keyword)
        if self._element(tag) is None:  # most attributes are absent, and raising KeyError is slow
            return None
        try:
            return self._dataset[tag].value
        except LIBRARY_ERRORS:
            return None

    def _first(self, keyword: str) -> Any:
        value = self._value(keyword)
        if isinstance(value, MultiValue):
            return value[0] if len(value) else None
        return value


@cache
def tag_of(keyword: str) -> BaseTag:
    """Look a keyword's tag up."""
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(keyword)
    return BaseTag(tag)


def quoted(keyword: str) -> str:
    """Quote an attribute, such as ``(0028,0010) Rows``."""
    tag = tag_of(keyword)
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X}) {dictionary_description(tag)}"


def missing(*keywords: str) -> MissingAttribute:
    """Make the refusal that names the attributes that are missing, empty or invalid."""
    return MissingAttribute(
        f"The object lacks a valid {', '.join(map(quoted, keywords))}: send it as the scanner made it.",
        missing_attributes=list(keywords),
    )


def is_uid(text: str) -> bool:
    """Check a UID's letters and length (PS3.5 9.1); leading zeros are let pass, as scanners write them."""
    return len(text) <= 64 and _UID.fullmatch(text) is not None


def uid_name(uid: str) -> str:
    """Return a UID's name in the standard, else the UID itself; what is none is not repeated."""
    return str(UID(uid).name) if is_uid(uid) else "an invalid UID"
