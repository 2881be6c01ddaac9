"""Palette colour: three tables, plain or segmented (PS3.3 C.7.6.3.1.5, C.7.9.2)."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from app.adapters.dicom.attributes import Attributes, missing, quoted
from app.adapters.dicom.keywords import PALETTES
from app.adapters.dicom.lookup import (
    Descriptor,
    LookupTable,
    check_reach,
    contradiction,
    has_descriptor,
    read_descriptor,
    unpacked,
)
from app.adapters.dicom.pixel_format import Samples
from app.core.errors import UndecodablePixels
from app.core.values import ScreenPixels

Palette = tuple[LookupTable, ...]
"""Red, green and blue."""


def read_palette(attributes: Attributes, bits_stored: int) -> Palette:
    """Read the three palettes.

    Raises
    ------
    MissingAttribute
    UndecodablePixels
        If a table is damaged or contradicts its descriptor, or the descriptors contradict each other.
    """
    absent = [keyword for keywords in PALETTES for keyword in _missing(attributes, *keywords)]
    if absent:
        raise missing(*absent)
    descriptor = _common_descriptor(attributes, bits_stored)
    entries = _entries(attributes, descriptor)
    # 8-bit entries whatever the descriptor says: it would be black otherwise, and writers do that
    bits = 8 if all(int(table.max()) < 256 for table in entries) else descriptor.bits
    return tuple(LookupTable(descriptor.first_mapped, table, bits) for table in entries)


def coloured(indices: Samples, palette: Palette) -> ScreenPixels:
    """Look indices up; of entries with more than 8 bits the high ones are shown."""
    channels = [(table(indices) >> (table.bits - 8)).astype(np.uint8) for table in palette]
    return np.stack(channels, axis=-1)


def _missing(attributes: Attributes, descriptor: str, data: str, segmented: str) -> Iterator[str]:
    if not has_descriptor(attributes, descriptor):
        yield descriptor
    if not (attributes.raw(data) or attributes.raw(segmented)):
        yield data


def _common_descriptor(attributes: Attributes, bits_stored: int) -> Descriptor:
    """Read the descriptor that the three palettes must share (PS3.3 C.7.6.3.1.5)."""
    red, green, blue = (read_descriptor(attributes, keywords[0], (8, 16)) for keywords in PALETTES)
    if not red[1:] == green[1:] == blue[1:]:
        names = ", ".join(quoted(descriptor.keyword) for descriptor in (red, green, blue))
        raise contradiction(f"{names} contradict each other")
    check_reach(red, (0, (1 << bits_stored) - 1))
    return red


def _entries(attributes: Attributes, descriptor: Descriptor) -> list[NDArray[np.uint16]]:
    """Unpack or expand the entries of red, green and blue."""
    plain = {data: attributes.raw(data) for _, data, _ in PALETTES if attributes.raw(data)}
    tables = unpacked(plain, descriptor) if plain else {}
    return [
        tables[data] if data in tables else _expanded(segmented, attributes.raw(segmented), descriptor)
        for _, data, segmented in PALETTES
    ]


def _expanded(keyword: str, written: bytes, descriptor: Descriptor) -> NDArray[np.uint16]:
    if descriptor.bits > 8 and len(written) % 2:
        raise contradiction(f"{quoted(keyword)} has {len(written)} bytes, which is not a whole number of 16-bit words")
    words = list(written) if descriptor.bits == 8 else np.frombuffer(written, "<u2").tolist()
    entries = expand_segments(words, descriptor.size, is_bytes=descriptor.bits == 8, name=quoted(keyword))
    return np.asarray(entries, np.uint16)


def expand_segments(words: list[int], size: int, *, is_bytes: bool = False, name: str = "it") -> list[int]:
    """Expand a segmented palette (PS3.3 C.7.9.2.1 to C.7.9.2.3) to exactly `size` entries.

    Parameters
    ----------
    words : list of int
        Bytes, or 16-bit words.
    size : int
        Number of entries that the descriptor promises.
    is_bytes : bool
    name : str, optional
        Of the attribute, for messages.

    Raises
    ------
    UndecodablePixels
    """
    entries: list[int] = []
    try:
        for opcode, arguments in _segments(words, is_bytes=is_bytes):
            entries += arguments if opcode == 0 else _line(entries[-1], *arguments)
            if len(entries) > size:  # stop at once: a few words can ask for millions of entries
                break
    except (IndexError, ValueError) as exc:
        raise _unusable(f"{name} has a segment that is empty, cut short, of unknown type or without a start") from exc
    if len(entries) != size:
        how = "more" if len(entries) > size else "fewer"
        raise _unusable(f"{name} has {how} entries than the {size} that its descriptor promises")
    return entries


def _unusable(what: str) -> UndecodablePixels:
    return UndecodablePixels(f"A segmented palette cannot be used: {what}. Export the object again from its source.")


def _line(start: int, length: int, end: int) -> list[int]:
    """Interpolate from the entry before, which is not repeated, to the end, which is included."""
    return [round(start + (end - start) * step / length) for step in range(1, length + 1)]


def _segments(words: list[int], *, is_bytes: bool) -> Iterator[tuple[int, list[int]]]:
    """Walk over discrete (0) and linear (1) segments, following each indirect one (2) once, as it may not nest."""
    at = 0
    starts: set[int] = set()
    while at < len(words):
        if is_bytes and words[at:] == [0]:  # padding to an even length
            return
        if words[at] == 2:
            count, start, at = _indirect(words, at, is_bytes=is_bytes)
            if count == 0 or start not in starts:
                raise ValueError("an indirect segment that leads to none")
            yield from _direct_segments(words, start, count)
        else:
            starts.add(at)
            yield from _direct_segments(words, at, 1)
            at += 2 + words[at + 1] if words[at] == 0 else 3


def _indirect(words: list[int], at: int, *, is_bytes: bool) -> tuple[int, int, int]:
    """Read how many segments are repeated, where they start, and where the next segment stands.

    The start is a number of 32 bits, least significant part first, counted in bytes from the first segment.
    """
    bits, parts = (8, 4) if is_bytes else (16, 2)
    count, *offset = words[at + 1 : at + 2 + parts]
    if len(offset) != parts:
        raise ValueError("an indirect segment that is cut short")
    start = sum(part << bits * i for i, part in enumerate(offset))
    if start % (bits // 8):
        raise ValueError("an indirect segment that leads into a word")
    return count, start // (bits // 8), at + 2 + parts


def _direct_segments(words: list[int], at: int, count: int) -> Iterator[tuple[int, list[int]]]:
    for _ in range(count):
        opcode, length = words[at], words[at + 1]
        if opcode not in (0, 1) or length == 0:  # segments without entries could go on for hours
            raise ValueError("an empty segment, or one of unknown type")
        size = length if opcode == 0 else 1
        values = words[at + 2 : at + 2 + size]
        if len(values) != size:
            raise ValueError("a segment that is cut short")
        yield opcode, values if opcode == 0 else [length, *values]
        at += 2 + size
