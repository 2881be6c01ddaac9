"""Where a screen may hold writing: places with more sharp edges than tissue has. Cheap, and generous."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from app.core.tissue.geometry import Mask, bounds, cut
from app.core.tissue.morphology import dilated
from app.core.tissue.pictures import coverage, reduced, to_grey, to_image, without_idle_colour
from app.core.values import Floats, GreyImage, ScreenPixels, TissueBox

CELL: Final = 8
"""Pixels a side: edges are counted in cells, three of them side by side."""
MAX_STEP: Final = 64
"""Grey levels: a larger step between neighbours counts as this, so that a single edge is no writing."""
MIN_STEP: Final = 9.0
"""Mean step of three cells with writing, grey levels: letters have 10 to 40, a smooth background 0, speckle 2 to 6..."""
MIN_STEP_RATIO: Final = 2.5
"""...and sharper speckle up to 12: so letters have so many times the median of their tissue, too."""
MARGIN_CELLS: Final = 2
"""Around every place, so that the reader sees whole letters and some of what is around them."""


def written_cells(pixels: ScreenPixels, tissue: Mask) -> Mask:
    """Mark the cells of a screen that may hold letters, inside the tissue and outside.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (rows, columns) or (rows, columns, 3)
    tissue : ndarray of bool, shape (rows, columns)

    Returns
    -------
    ndarray of bool, shape (ceil(rows / CELL), ceil(columns / CELL))
    """
    steps = _steps(without_idle_colour(pixels))
    inside = coverage(tissue, CELL) > 0
    typical = float(np.median(steps[inside])) if inside.any() else 0.0
    least = np.where(inside, max(MIN_STEP, MIN_STEP_RATIO * typical), MIN_STEP)
    return np.asarray(_with_neighbours(steps) >= least)


def pieces(cells: Mask) -> list[TissueBox]:
    """Cut what the marked cells, with a margin, hold into boxes that do not touch.

    Parameters
    ----------
    cells : ndarray of bool
        As `written_cells` gives them.

    Returns
    -------
    list of TissueBox
        In pixels; those at the right and the lower edge may reach beyond the screen.
    """
    wide = dilated(cells, 2 * MARGIN_CELLS + 1)
    return [TissueBox(*(CELL * edge for edge in box)) for box in _cut(wide, 0, 0)]


def _steps(pixels: ScreenPixels) -> Floats:
    """Average, in every cell, how much a pixel differs from the one to its left; colour counts as brightness does."""
    steps = _differences(to_grey(pixels))
    if pixels.ndim == 3:
        steps = np.maximum(steps, _differences(_colourfulness(pixels)))
    return reduced(steps, CELL).astype(np.float64)


def _colourfulness(pixels: ScreenPixels) -> GreyImage:
    red, green, blue = (np.asarray(channel) for channel in to_image(pixels).split())  # contiguous: ten times as fast
    highest = np.maximum(np.maximum(red, green), blue)
    return np.asarray(highest - np.minimum(np.minimum(red, green), blue))


def _differences(levels: GreyImage) -> GreyImage:
    differences = np.zeros_like(levels)
    left, right = levels[:, :-1], levels[:, 1:]
    differences[:, 1:] = np.maximum(left, right) - np.minimum(left, right)
    return np.minimum(differences, np.uint8(MAX_STEP))


def _with_neighbours(steps: Floats) -> Floats:
    """Average each cell with those to its left and right."""
    fenced = np.pad(steps, ((0, 0), (1, 1)))
    return np.asarray((fenced[:, :-2] + fenced[:, 1:-1] + fenced[:, 2:]) / 3)


def _cut(cells: Mask, x: int, y: int) -> Iterator[TissueBox]:
    """Cut along empty rows and columns until none is left; x and y say where the cells begin."""
    if not cells.any():
        return
    box = bounds(cells)
    tight = cut(cells, box)
    x, y = x + box.x0, y + box.y0
    rows, columns = _gap(tight.any(axis=1)), _gap(tight.any(axis=0))
    if rows:
        yield from _cut(tight[:rows], x, y)
        yield from _cut(tight[rows:], x, y + rows)
    elif columns:
        yield from _cut(tight[:, :columns], x, y)
        yield from _cut(tight[:, columns:], x + columns, y)
    else:
        yield TissueBox(x, y, x + tight.shape[1], y + tight.shape[0])


def _gap(used: Mask) -> int:
    """Return where the first gap begins; 0 if there is none. The ends are in use."""
    return int(np.argmin(used)) if not used.all() else 0
