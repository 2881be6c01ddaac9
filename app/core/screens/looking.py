"""The whole look at a screen: what its annotations name, and a crop without letters."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np

from app.core.naming import ViewRule
from app.core.screens.annotations import HEADER_SHARE, annotation_boxes, joined_boxes, name_screen
from app.core.screens.letters import sector_of, without
from app.core.screens.marks import has_marks
from app.core.screens.strokes import CELL, ink_levels, likeness, pieces
from app.core.screens.values import Line, TextReader
from app.core.tissue.geometry import Mask, area, cut, intersection, shifted, size, whole
from app.core.tissue.pictures import coverage
from app.core.values import AnalysisWarning, Crop, ScreenNaming, ScreenPixels, Tissue, TissueBox

NAMING_DOUBT: Final = 1.4
"""A short label in the tissue has fewer edges than a name: where a screen is read, so much less is enough."""
MAX_LINE_HEIGHT: Final = 0.12
"""Of a screen's shorter side: what is higher is an organ's edge or a body mark."""
WORD: Final = 6
"""Heights of a line, or cells: so far to both sides of a place is searched for the rest of a name."""
MAX_SEARCHES: Final = 4
MIN_CONFIDENCE: Final = 0.7
"""Of a line: what is read with less is not believed."""
MAX_LINES: Final = 24
"""Annotations: a screen with more is a worksheet, and names nothing."""


class Look(NamedTuple):
    """What a first look at a crop's tissue, in a few milliseconds, leaves to be looked at.

    Attributes
    ----------
    places : tuple of TissueBox
        Where letters may lie, in pixels of the crop; most images have no such place.
    marked : bool
        Whether callipers or the like are drawn in it.
    """

    places: tuple[TissueBox, ...]
    marked: bool


def look(pixels: ScreenPixels, tissue: Tissue) -> Look:
    """Look for what is drawn or written in the tissue.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (rows, columns) or (rows, columns, 3)
        The screen.
    tissue : Tissue
    """
    levels = ink_levels(_part(pixels, tissue.box))
    covered = coverage(sector_of(tissue.pixels[::2, ::2]), CELL // 2)  # every second row and column is enough for cells
    found = pieces(likeness(levels, covered) * (covered > 0))
    places = tuple(intersection(piece, whole(tissue.pixels)) for piece in found)
    return Look(places, has_marks(levels, covered))


def cleaned(crop: Crop, pixels: ScreenPixels, seen: Look, reader: TextReader | None) -> Crop:
    """Fill the letters in a crop's tissue, and warn of them and of marks.

    Parameters
    ----------
    crop : Crop
        As it was cut from the screen.
    pixels : ndarray of uint8, shape (rows, columns) or (rows, columns, 3)
        The screen.
    seen : Look
    reader : TextReader or None
        Tells letters from bright tissue; without it all the places are filled.
    """
    lines = _letters(_part(pixels, crop.tissue.box), seen.places, reader) if reader else list(seen.places)
    warnings = (*crop.warnings, *_marks(letters=bool(lines), others=seen.marked, sure=reader is not None))
    if not lines:
        return replace(crop, warnings=warnings)
    return replace(crop, tissue=replace(crop.tissue, pixels=without(crop.tissue.pixels, lines)), warnings=warnings)


def read_screen(pixels: ScreenPixels, tissue: Tissue, reader: TextReader, rules: Sequence[ViewRule]) -> ScreenNaming:
    """Tell which view the annotations on a screen name. Nothing else that is read leaves this function.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (rows, columns) or (rows, columns, 3)
    tissue : Tissue
        Of this screen, as it was cropped.
    reader : TextReader
    rules : sequence of ViewRule

    Returns
    -------
    ScreenNaming
    """
    rows = len(pixels)
    covered = coverage(_on_screen(tissue, pixels), CELL)
    may_be = likeness(ink_levels(pixels), covered) * NAMING_DOUBT
    may_be[: int(min(HEADER_SHARE * rows, tissue.box.y0)) // CELL] = 0
    lines = joined_boxes(_found(pixels, pieces(may_be), reader))
    boxes = annotation_boxes(lines, tissue.box, rows)
    if len(boxes) > MAX_LINES:
        return ScreenNaming(None)
    readings = ((box, reader.read(_part(pixels, box))) for box in boxes)
    return name_screen([Line(box, text) for box, (text, sure) in readings if sure >= MIN_CONFIDENCE], rules)


def unread(crop: Crop) -> Crop:
    """Say that the screen had to be read, and could not be."""
    detail = "The text on the screen could not be read in the time and memory that it gets."
    return replace(crop, warnings=(*crop.warnings, AnalysisWarning("screen_not_read", detail)))


def _letters(pixels: ScreenPixels, places: Sequence[TissueBox], reader: TextReader) -> list[TissueBox]:
    """Find all the letters around some places: first there, then to both sides of what was found, as far as it goes."""
    lines: list[TissueBox] = []
    found = _found(pixels, joined_boxes([_widened(place, CELL) for place in places]), reader)
    for _ in range(MAX_SEARCHES):
        lines = joined_boxes([*lines, *found])
        if not found:
            break
        wider = [_widened(line, size(line)[1]) for line in lines]
        found = [line for line in _found(pixels, wider, reader) if not any(_holds(known, line) for known in lines)]
    return lines


def _widened(box: TissueBox, unit: int) -> TissueBox:
    """Add what a word, and half of a line, may take."""
    return TissueBox(box.x0 - WORD * unit, box.y0 - unit // 2, box.x1 + WORD * unit, box.y1 + unit // 2)


def _holds(known: TissueBox, line: TissueBox) -> bool:
    return area(intersection(known, line)) > 0.8 * area(line)


def _found(pixels: ScreenPixels, places: Sequence[TissueBox], reader: TextReader) -> list[TissueBox]:
    """Find the lines in parts of a screen; what is higher than letters are is left out."""
    inside = [intersection(place, whole(pixels)) for place in places]
    lines = [shifted(line, place.x0, place.y0) for place in inside for line in reader.find(_part(pixels, place))]
    return [line for line in lines if size(line)[1] <= MAX_LINE_HEIGHT * min(pixels.shape[:2])]


def _part(pixels: ScreenPixels, box: TissueBox) -> ScreenPixels:
    return np.ascontiguousarray(cut(pixels, box))


def _on_screen(tissue: Tissue, pixels: ScreenPixels) -> Mask:
    mask = np.zeros(pixels.shape[:2], np.bool_)
    cut(mask, tissue.box)[...] = sector_of(tissue.pixels)
    return mask


def _marks(*, letters: bool, others: bool, sure: bool) -> tuple[AnalysisWarning, ...]:
    said = []
    if letters:
        found = "Letters lay in the tissue" if sure else "What may be letters lay in the tissue"
        said.append(f"{found} and were replaced by the speckle around them.")
    if others:
        said.append("Marks, such as callipers or a body mark, lie in the tissue.")
    if not said:
        return ()
    said.append("They can move the estimate: send the image without annotations if there is one.")
    return (AnalysisWarning("marks_in_tissue", " ".join(said)),)
