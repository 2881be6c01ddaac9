"""Where a screen may hold writing: places with more sharp edges than tissue has. Cheap, and generous."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from app.core.tissue.geometry import Mask, area, bounds, cut
from app.core.tissue.morphology import dilated
from app.core.tissue.pictures import reduced, to_grey, to_image, without_idle_colour
from app.core.values import Floats, GreyImage, ScreenPixels, TissueBox

CELL: Final = 8
"""Pixels a side: edges are counted in cells, `WORD_CELLS` of them side by side."""
WORD_CELLS: Final = 5
MAX_STEP: Final = 64
"""Grey levels: a larger step between neighbours counts as this, so that a single edge is not taken for writing."""
MIN_STEP: Final = 5.0
"""Mean step between neighbours, grey levels, outside the tissue, where a smooth background has 0."""
MIN_STEP_IN_TISSUE: Final = 10.0
"""Of 98 phantoms without letters 4 have as much somewhere; of 400 names in tissue one, thin and grey, has less..."""
MIN_STEP_RATIO: Final = 3.0
"""...and sharper speckle more: so letters have so many times the median of their tissue, too."""
MIN_STEP_ABOVE: Final = 12.0
"""Grey levels above it, if that is less: noise is even, so letters stand out of it wherever they are."""
MAX_STEPS: Final = 2.0
"""Times that: a cell counts for no more, so that the wall of a vessel, which fills one or two, is not a word."""
MAX_SEARCHED_PIXELS: Final = 240_000
"""In all pieces: finding text in so many takes 0.22 s. Where more may hold letters, the likelier part is searched;
where edges are sharp all over a picture, nothing is."""
DOUBTS: Final = (1.0, 1.5, 2.0, 3.0, 5.0)
"""So many times what marks a cell, until what is marked is little enough."""
MARGIN_CELLS: Final = 2
"""Around every place, so that the reader sees whole letters and some of what is around them."""


def ink_levels(pixels: ScreenPixels) -> list[GreyImage]:
    """Return what ink may stand out in: brightness and, where a screen has colours, colourfulness.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (rows, columns) or (rows, columns, 3)

    Returns
    -------
    list of ndarray of uint8, shape (rows, columns)
    """
    pixels = without_idle_colour(pixels)
    return [pixels] if pixels.ndim == 2 else [to_grey(pixels), _colourfulness(pixels)]


def likeness(levels: Sequence[GreyImage], covered: GreyImage) -> Floats:
    """Tell how much every cell of a screen looks as if it held letters, inside the tissue and outside.

    Parameters
    ----------
    levels : sequence of ndarray of uint8, shape (rows, columns)
        As `ink_levels` gives them.
    covered : ndarray of uint8, shape (ceil(rows / CELL), ceil(columns / CELL))
        How much of every cell is tissue, 0 to 255.

    Returns
    -------
    ndarray of float64, shape (ceil(rows / CELL), ceil(columns / CELL))
        1 and more where it may be so.
    """
    steps = np.max([_mean_steps(each) for each in levels], axis=0).astype(np.float64)
    inside, deep = covered > 0, covered == 255  # the tissue's own edge counts on neither side of it
    typical = float(np.median(steps[inside])) if inside.any() else 0.0
    least = max(MIN_STEP_IN_TISSUE, min(MIN_STEP_RATIO * typical, typical + MIN_STEP_ABOVE))
    within = np.where(deep, np.minimum(steps, MAX_STEPS * least), 0)
    without = np.where(inside, 0, steps)
    return np.where(inside, _with_neighbours(within) / least, _with_neighbours(without) / MIN_STEP)


def pieces(likeness: Floats) -> list[TissueBox]:
    """Cut what may hold letters, with a margin, into boxes that do not touch, of `MAX_SEARCHED_PIXELS` in all.

    Parameters
    ----------
    likeness : ndarray of float64
        As `likeness` gives it.

    Returns
    -------
    list of TissueBox
        In pixels; those at the right and the lower edge may reach beyond the screen.
    """
    for doubt in DOUBTS:
        wide = dilated(likeness >= doubt, 2 * MARGIN_CELLS + 1)
        boxes = [TissueBox(*(CELL * edge for edge in box)) for box in _cut(wide, 0, 0)]
        if sum(map(area, boxes)) <= MAX_SEARCHED_PIXELS:
            return boxes
    return []


def _colourfulness(pixels: ScreenPixels) -> GreyImage:
    red, green, blue = (np.asarray(channel) for channel in to_image(pixels).split())  # contiguous: ten times as fast
    highest = np.maximum(np.maximum(red, green), blue)
    return np.asarray(highest - np.minimum(np.minimum(red, green), blue))


def _mean_steps(levels: GreyImage) -> GreyImage:
    """Average the steps between horizontal neighbours in every cell, from every second row: strokes span more rows."""
    rows = levels[::2]
    steps = np.zeros_like(rows)
    left, right = rows[:, :-1], rows[:, 1:]
    steps[:, 1:] = np.maximum(left, right) - np.minimum(left, right)
    largest = np.full(rows.shape[1], MAX_STEP, np.uint8)  # a row is ten times as fast as a scalar in numpy
    return reduced(np.minimum(steps, largest), (CELL, CELL // 2))


def _with_neighbours(steps: Floats) -> Floats:
    """Average each cell with those to its left and right."""
    reach, columns = WORD_CELLS // 2, steps.shape[1]
    fenced = np.pad(steps, ((0, 0), (reach, reach)))
    return np.asarray(sum(fenced[:, k : k + columns] for k in range(WORD_CELLS)) / WORD_CELLS)


def _cut(cells: Mask, x: int, y: int) -> Iterator[TissueBox]:
    """Cut along empty rows and columns until none is left; x and y say where the cells begin."""
    if not cells.any():
        return
    box = bounds(cells)
    tight = cut(cells, box)
    x, y = x + box.x0, y + box.y0
    rows, columns = (_gap(np.asarray(tight.any(axis=axis))) for axis in (1, 0))
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
