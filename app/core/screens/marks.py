"""Callipers, dotted lines and body marks inside the tissue: thin, bright or coloured, and straight."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from app.core.screens.strokes import CELL
from app.core.tissue.geometry import Mask
from app.core.tissue.morphology import Indices
from app.core.values import GreyImage

REACH: Final = 4
"""Pixels: a stroke is at most so wide."""
MIN_CONTRAST: Final = 100
"""Grey levels above what lies `REACH` pixels away on both sides."""
MIN_PIXELS: Final = 8
"""Of an upright and as many of a level stroke, in four cells: 98 of 100 callipers of 9 to 15 pixels have them, and of
98 phantoms without marks none."""


def has_marks(levels: Sequence[GreyImage], covered: GreyImage) -> bool:
    """Tell whether something is drawn in the tissue.

    Parameters
    ----------
    levels : sequence of ndarray of uint8, shape (rows, columns)
        As `app.core.screens.strokes.ink_levels` gives them.
    covered : ndarray of uint8, shape (ceil(rows / CELL), ceil(columns / CELL))
        How much of every cell is tissue, 0 to 255; only cells that are all tissue are looked at.
    """
    return any(_crossing(each, covered == 255) >= MIN_PIXELS for each in levels)


def _crossing(levels: GreyImage, tissue: Mask) -> int:
    """Count the pixels of upright and of level strokes in every four cells: the most of which there are both."""
    inner = np.s_[REACH:-REACH]
    middle = levels[inner, inner]
    level = _is_thin(levels[: -2 * REACH, inner], middle, levels[2 * REACH :, inner])
    if np.count_nonzero(level) < MIN_PIXELS:
        return 0
    upright = _is_thin(levels[inner, : -2 * REACH], middle, levels[inner, 2 * REACH :])
    return int(np.minimum(_in_four(_count(level, tissue)), _in_four(_count(upright, tissue))).max())


def _is_thin(before: GreyImage, levels: GreyImage, behind: GreyImage) -> Mask:
    """Mark what is much brighter than what lies `REACH` pixels away on both sides."""
    return np.asarray(levels - np.minimum(levels, np.maximum(before, behind)) >= MIN_CONTRAST)


def _count(thin: Mask, tissue: Mask) -> Indices:
    """Count the pixels in every cell of tissue. They are few, so counting them is faster than averaging blocks."""
    y, x = np.divmod(np.flatnonzero(thin), thin.shape[1])
    cell = (y + REACH) // CELL * tissue.shape[1] + (x + REACH) // CELL
    return np.bincount(cell, minlength=tissue.size).reshape(tissue.shape) * tissue


def _in_four(cells: Indices) -> Indices:
    """Add up every 2 x 2 cells."""
    fenced = np.pad(cells, ((0, 1), (0, 1)))
    return fenced[:-1, :-1] + fenced[1:, :-1] + fenced[:-1, 1:] + fenced[1:, 1:]
