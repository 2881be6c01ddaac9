"""Callipers, dotted lines and body marks inside the tissue: thin, bright or coloured, and straight."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from app.core.screens.strokes import CELL
from app.core.tissue.geometry import Mask
from app.core.tissue.pictures import coverage
from app.core.values import Floats, GreyImage

REACH: Final = 4
"""Pixels: a stroke is at most so wide."""
MIN_CONTRAST: Final = 100
"""Grey levels above what lies `REACH` pixels away on both sides."""
MIN_PIXELS: Final = 8.0
"""Of an upright and as many of a level stroke, in four cells: 98 of 100 callipers of 9 to 15 pixels have them, and of
98 phantoms without marks none."""


def has_marks(levels: Sequence[GreyImage], tissue: Mask) -> bool:
    """Tell whether something is drawn in the tissue.

    Parameters
    ----------
    levels : sequence of ndarray of uint8, shape (rows, columns)
        As `app.core.screens.strokes.ink_levels` gives them.
    tissue : ndarray of bool, shape (rows, columns)
    """
    return any(_crossing(each, tissue) >= MIN_PIXELS for each in levels)


def _crossing(levels: GreyImage, tissue: Mask) -> float:
    """Count the pixels of upright and of level strokes in every four cells: the most of which there are both."""
    upright = _count(_is_thin(levels.T).T & tissue)
    level = _count(_is_thin(levels) & tissue)
    return float(np.minimum(upright, level).max())


def _is_thin(levels: GreyImage) -> Mask:
    """Mark what is much brighter than the rows `REACH` above and below."""
    thin = np.zeros(levels.shape, np.bool_)
    middle = levels[REACH:-REACH]
    around = np.maximum(levels[: -2 * REACH], levels[2 * REACH :])
    thin[REACH:-REACH] = middle - np.minimum(middle, around) >= MIN_CONTRAST
    return thin


def _count(mask: Mask) -> Floats:
    cells = np.pad(coverage(np.ascontiguousarray(mask), CELL).astype(np.float64), ((0, 1), (0, 1)))
    return (cells[:-1, :-1] + cells[1:, :-1] + cells[:-1, 1:] + cells[1:, 1:]) * (CELL**2 / 255)
