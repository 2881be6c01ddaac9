"""Encapsulated pixel data (PS3.5 A.4): its items, and which of them hold one frame.

A frame is one fragment or several. Three things tell where frames begin: the offset tables, the number of fragments
where it is that of the frames, and the marker that a JPEG, JPEG-LS or JPEG 2000 stream begins with. Where the fragments
alone leave no choice, a wrong offset table changes nothing and is passed over with a warning; elsewhere it is refused
(decision 23).
"""

import struct
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

from app.adapters.dicom.attributes import Attributes, quoted
from app.adapters.dicom.pixel_element import PixelElement
from app.adapters.dicom.transfer_syntaxes import RLE_LOSSLESS
from app.core.errors import UndecodablePixels
from app.core.values import AnalysisWarning

_ITEM: Final = struct.Struct("<LL")
_ITEM_TAG: Final = 0xE000FFFE  # (FFFE,E000), its two words read as one
_DELIMITER_TAG: Final = 0xE0DDFFFE  # (FFFE,E0DD)
_ITEM_TAG_BYTES: Final = b"\xfe\xff\x00\xe0"
_STREAM_STARTS: Final = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  ")
"""JPEG and JPEG-LS; JPEG 2000; JPEG 2000 in the wrapper that PS3.5 A.4.4 forbids."""
_EXPORT: Final = "Export the object again from its source."


class Item(NamedTuple):
    """One item of the pixel data: offsets in the file of its tag, of its value and behind it."""

    at: int
    start: int
    end: int


@dataclass(frozen=True, slots=True, eq=False)
class Fragments:
    """The items of the pixel data.

    Attributes
    ----------
    data : bytes
        The whole file.
    basic_table : bytes
        Value of the first item.
    items : list of Item
        All others, in their order.
    """

    data: bytes
    basic_table: bytes
    items: list[Item]

    @property
    def full(self) -> list[Item]:
        """Those that hold anything."""
        return [item for item in self.items if item.end > item.start]

    def starts_stream(self, item: Item) -> bool:
        """Tell whether a fragment begins as a codestream does, which no fragment in the middle of one can."""
        return self.data.startswith(_STREAM_STARTS, item.start, item.end)


@dataclass(frozen=True, slots=True)
class OffsetTable:
    """Where the frames begin, as the object says.

    Attributes
    ----------
    name : str
    offsets : tuple of int
        Counted from the first fragment's item tag.
    fault : str
        What is wrong with it, or nothing.
    """

    name: str
    offsets: tuple[int, ...]
    fault: str = ""


def frame_of(
    element: PixelElement, attributes: Attributes, number: int, count: int, max_items: int
) -> tuple[bytes, tuple[AnalysisWarning, ...]]:
    """Join the fragments of one frame.

    Parameters
    ----------
    element : PixelElement
        Encapsulated.
    attributes : Attributes
        Hold the extended offset table, if there is one.
    number, count : int
        The frame, counted from 1, and (0028,0008) Number of Frames.
    max_items : int
        Most fragments that are looked at.

    Raises
    ------
    UndecodablePixels
        If the items are damaged, or it cannot be told for certain which of them hold the frame.
    """
    fragments = _read_fragments(element, max_items)
    tables = _offset_tables(attributes, fragments, count)
    frames = _frames(fragments, tables, count, is_rle=element.transfer_syntax_uid == RLE_LOSSLESS)
    frame = frames[number - 1]
    for item in frame:
        _check_swallows_none(fragments.data, item)
    return b"".join(fragments.data[item.start : item.end] for item in frame), _warnings(tables)


def _read_fragments(element: PixelElement, max_items: int) -> Fragments:
    """Walk over all items to their delimiter; without one, what stood behind them is lost."""
    items: list[Item] = []
    at = element.start
    while at + _ITEM.size <= len(element.data):
        tag, length = _ITEM.unpack_from(element.data, at)
        if tag == _DELIMITER_TAG:
            return _divided(element.data, items)
        if tag != _ITEM_TAG:
            raise _refusal("a fragment of (7FE0,0010) Pixel Data has a wrong length, or the last one no delimiter")
        items.append(Item(at, at + _ITEM.size, at + _ITEM.size + length))
        if len(items) > max_items:
            raise _refusal(f"(7FE0,0010) Pixel Data has more than {max_items} fragments")
        at = items[-1].end
    raise UndecodablePixels(
        "The object is cut short, or a fragment of (7FE0,0010) Pixel Data has a wrong length: send the whole file "
        "again."
    )


def _divided(data: bytes, items: list[Item]) -> Fragments:
    """Tell the Basic Offset Table, which is always there and may be empty, from the fragments."""
    if not items:
        raise _refusal("(7FE0,0010) Pixel Data holds no fragment")
    fragments = Fragments(data, data[items[0].start : items[0].end], items[1:])
    if fragments.starts_stream(items[0]):
        raise _refusal("(7FE0,0010) Pixel Data begins with a fragment where its Basic Offset Table must stand")
    if not fragments.full:
        raise _refusal("(7FE0,0010) Pixel Data holds no fragment, or its Basic Offset Table has a wrong length")
    return fragments


def _frames(fragments: Fragments, tables: list[OffsetTable], count: int, *, is_rle: bool) -> list[list[Item]]:
    """Divide the fragments among the frames."""
    full = fragments.full
    starts = full if is_rle else [item for item in full if fragments.starts_stream(item)]
    wrong = [table for table in tables if table.fault]
    if count == 1 and len(starts) <= 1:
        return [full]  # a single frame is all there is (PS3.5 A.4)
    if len(full) < count or (is_rle and len(full) > count):  # an RLE frame is one fragment (PS3.5 A.4.2)
        raise _other_count(count, f"{len(full)} fragments")
    if len(full) == count and (len(starts) == count or (tables and not wrong)):
        return [[item] for item in full]
    if wrong and count > 1:
        raise _refusal(f"the {wrong[0].name} is wrong: {wrong[0].fault}")
    if tables and count > 1:
        return _divided_at(full, [fragments.items[0].at + offset for offset in tables[0].offsets])
    if len(starts) != count or starts[0] != full[0]:
        raise _other_count(count, f"{len(starts)} frames")
    return _divided_at(full, [item.at for item in starts])


def _divided_at(full: list[Item], places: list[int]) -> list[list[Item]]:
    ends = [*places[1:], full[-1].end]
    return [[item for item in full if start <= item.at < end] for start, end in zip(places, ends, strict=True)]


def _offset_tables(attributes: Attributes, fragments: Fragments, count: int) -> list[OffsetTable]:
    """Read the tables that are there, and what is wrong with them."""
    offsets, lengths = attributes.raw("ExtendedOffsetTable"), attributes.raw("ExtendedOffsetTableLengths")
    tables = [_extended(fragments, offsets, lengths, count)] if offsets or lengths else []
    return [*tables, _basic(fragments, count)] if fragments.basic_table else tables


def _basic(fragments: Fragments, count: int) -> OffsetTable:
    name, table = "Basic Offset Table of (7FE0,0010) Pixel Data", fragments.basic_table
    if len(table) != 4 * count:
        return OffsetTable(
            name, (), f"it has {len(table)} bytes, but (0028,0008) Number of Frames promises {4 * count}"
        )
    offsets = struct.unpack(f"<{count}L", table)
    return OffsetTable(name, offsets, _fault(fragments, offsets))


def _extended(fragments: Fragments, offsets: bytes, lengths: bytes, count: int) -> OffsetTable:
    """Read (7FE0,0001) and (7FE0,0002), which allow one fragment a frame alone (PS3.3 C.7.6.3.1.8)."""
    name = quoted("ExtendedOffsetTable")
    for keyword, table in (("ExtendedOffsetTable", offsets), ("ExtendedOffsetTableLengths", lengths)):
        if len(table) != 8 * count:
            fault = f"{quoted(keyword)} has {len(table)} bytes, but (0028,0008) Number of Frames promises {8 * count}"
            return OffsetTable(name, (), fault)
    places, sizes = (struct.unpack(f"<{count}Q", table) for table in (offsets, lengths))
    if fault := _fault(fragments, places):
        return OffsetTable(name, places, fault)
    held = {item.at - fragments.items[0].at: item.end - item.start for item in fragments.items}
    # fragments are padded to an even length, which the lengths of frames do not count
    if len(fragments.full) != count or any(
        held[at] - size not in (0, 1) for at, size in zip(places, sizes, strict=True)
    ):
        return OffsetTable(name, places, f"{quoted('ExtendedOffsetTableLengths')} are not those of the fragments")
    return OffsetTable(name, places)


def _fault(fragments: Fragments, offsets: tuple[int, ...]) -> str:
    first = fragments.items[0].at
    places = {item.at - first for item in fragments.items}
    if offsets[0] != 0 or any(one >= next_one for one, next_one in pairwise(offsets)):
        return "its offsets do not ascend from 0"
    if not places.issuperset(offsets):
        return "an offset is not that of a fragment"
    starts = {item.at - first for item in fragments.full if fragments.starts_stream(item)}
    return "" if starts.issubset(offsets) else "a frame begins where it has no offset"


def _check_swallows_none(data: bytes, item: Item) -> None:
    """Refuse a fragment that holds another item up to its own end: its length was that of less."""
    at = data.find(_ITEM_TAG_BYTES, item.start, item.end)
    while at >= 0:
        end = at + _ITEM.size + int.from_bytes(data[at + 4 : at + 8], "little")
        if end == item.end or (end < item.end and data.startswith(_ITEM_TAG_BYTES, end)):
            raise _refusal("a fragment of (7FE0,0010) Pixel Data has a wrong length: it holds the next one")
        at = data.find(_ITEM_TAG_BYTES, at + 1, item.end)


def _warnings(tables: list[OffsetTable]) -> tuple[AnalysisWarning, ...]:
    wrong = [table.name for table in tables if table.fault]
    if not wrong:
        return ()
    detail = f"The {' and the '.join(wrong)} is wrong; it was ignored, because the fragments leave no choice."
    return (AnalysisWarning("offset_table_ignored", detail),)


def _other_count(count: int, held: str) -> UndecodablePixels:
    return _refusal(f"(0028,0008) Number of Frames is {count}, but (7FE0,0010) Pixel Data holds {held}")


def _refusal(what: str) -> UndecodablePixels:
    return UndecodablePixels(f"The frames cannot be told apart: {what}. {_EXPORT}")
