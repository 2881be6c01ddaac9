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
    inner = np.s_[REACH:-REACH]
    level = _is_thin(levels[: -2 * REACH, inner], levels[inner, inner], levels[2 * REACH :, inner])
    if not level.any():
        return 0.0
    upright = _is_thin(levels[inner, : -2 * REACH], levels[inner, inner], levels[inner, 2 * REACH :])
    return float(np.minimum(*(_count(thin & tissue[inner, inner]) for thin in (level, upright))).max())


def _is_thin(before: GreyImage, levels: GreyImage, behind: GreyImage) -> Mask:
    """Mark what is much brighter than what lies `REACH` pixels away on both sides."""
    return np.asarray(levels - np.minimum(levels, np.maximum(before, behind)) >= MIN_CONTRAST)


def _count(mask: Mask) -> Floats:
    cells = np.pad(coverage(mask, CELL).astype(np.float64), ((0, 1), (0, 1)))
    return (cells[:-1, :-1] + cells[1:, :-1] + cells[:-1, 1:] + cells[1:, 1:]) * (CELL**2 / 255)
