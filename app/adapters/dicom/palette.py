"""Palette colour: three tables, plain or segmented (PS3.3 C.7.6.3.1.5, C.7.9.2)."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from app.adapters.dicom.attributes import Attributes, missing
from app.adapters.dicom.keywords import PALETTES
from app.adapters.dicom.lookup import LookupTable, has_descriptor, read_descriptor, read_table
from app.adapters.dicom.pixel_format import Samples
from app.core.errors import UndecodablePixels
from app.core.values import ScreenPixels

Palette = tuple[LookupTable, ...]
"""Red, green and blue."""


def read_palette(attributes: Attributes) -> Palette:
    """Read the three palettes."""
    absent = [keyword for keywords in PALETTES for keyword in _missing(attributes, *keywords)]
    if absent:
        raise missing(*absent)
    tables = tuple(_read_one(attributes, *keywords) for keywords in PALETTES)
    if all(int(table.entries.max()) < 256 for table in tables):
        # 8-bit entries whatever the descriptor says: it would be black otherwise, and writers do that
        return tuple(replace(table, bits=8) for table in tables)
    return tables


def coloured(indices: Samples, palette: Palette) -> ScreenPixels:
    """Look indices up; of entries with more than 8 bits the high ones are shown."""
    channels = [(table(indices) >> (table.bits - 8)).astype(np.uint8) for table in palette]
    return np.stack(channels, axis=-1)


def _missing(attributes: Attributes, descriptor: str, data: str, segmented: str) -> Iterator[str]:
    if not has_descriptor(attributes, descriptor):
        yield descriptor
    if not (attributes.raw(data) or attributes.raw(segmented)):
        yield data


def _read_one(attributes: Attributes, descriptor: str, data: str, segmented: str) -> LookupTable:
    table = read_table(attributes, descriptor, data)
    if table is not None:
        return table
    size, first, bits = read_descriptor(attributes, descriptor)
    written = attributes.raw(segmented)
    words = np.frombuffer(written[: len(written) // 2 * 2], "<u2").tolist() if bits > 8 else list(written)
    return LookupTable(first, np.asarray(expand_segments(words, size), np.uint16), bits)


def expand_segments(words: list[int], size: int) -> list[int]:
    """Expand a segmented palette (PS3.3 C.7.9.2.1 to C.7.9.2.3) to exactly `size` entries."""
    entries: list[int] = []
    for opcode, arguments in _segments(words):
        entries += arguments if opcode == 0 else _line(entries[-1], *arguments)
        if len(entries) >= size:
            return entries[:size]
    raise UndecodablePixels("A segmented palette has fewer entries than its descriptor says.")


def _line(start: int, length: int, end: int) -> list[int]:
    """Interpolate from the entry before, which is not repeated, to the end, which is included."""
    return [round(start + (end - start) * step / length) for step in range(1, length + 1)]


def _segments(words: list[int]) -> Iterator[tuple[int, list[int]]]:
    """Walk over discrete (0) and linear (1) segments, following each indirect one (2) once, as it may not nest."""
    at = 0
    while at < len(words):
        if words[at] == 2:
            count, low, high = words[at + 1 : at + 4]
            # counted in bytes from the first segment
            start = (low | high << 16) // 2
            yield from _direct_segments(words, start, count)
            at += 4
        else:
            yield from _direct_segments(words, at, 1)
            at += 2 + words[at + 1] if words[at] == 0 else 3


def _direct_segments(words: list[int], at: int, count: int) -> Iterator[tuple[int, list[int]]]:
    for _ in range(count):
        opcode, length = words[at], words[at + 1]
        if opcode not in (0, 1) or length == 0:  # segments without entries could go on for hours
            raise UndecodablePixels("A segmented palette has an empty segment, or one of unknown type.")
        size = length if opcode == 0 else 1
        values = words[at + 2 : at + 2 + size]
        yield opcode, values if opcode == 0 else [length, *values]
        at += 2 + size
