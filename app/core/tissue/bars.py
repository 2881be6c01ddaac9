"""Bars and panels along a screen's borders: header, footer, soft keys, columns of parameters."""

from typing import Final

import numpy as np

from app.core.values import Floats, GreyImage, TissueBox

SMOOTH: Final = 2
"""Grey levels between neighbours of a line, at most: paint is smooth whatever its finish, and JPEG leaves it so."""
VISIBLE: Final = 12
"""Grey levels above the background: paint is brighter."""
PAINTED: Final = 0.5
"""Of a bar: so much of it is smooth paint, text and bevels included..."""
PAINTED_LINE: Final = 0.3
"""...and so much of each of its lines..."""
INTERRUPTION: Final = 4
"""...but for so few in a row: an edge, or a line of text from end to end."""
MAX_BAR: Final = 0.2
"""Of the picture's height or width: bars are narrower."""


def without_bars(level: GreyImage) -> TissueBox:
    """Return what a picture shows between its bars.

    A bar is smooth along its border, whether it is one flat colour, a gradient or bevelled; tissue is not. A picture
    that is smooth from border to border has no bar.

    Parameters
    ----------
    level : ndarray of uint8, shape (rows, columns)
        Brightness above the background.

    Returns
    -------
    TissueBox
        The whole picture, or what is left of it.
    """
    rows, columns = level.shape
    y0, y1 = _thickness(level), rows - _thickness(level[::-1])
    between = level[y0:y1].T
    return TissueBox(_thickness(between), y0, columns - _thickness(between[::-1]), y1)


def _thickness(level: GreyImage) -> int:
    """Count the lines of the bar at the top."""
    if not (_painted(level[: INTERRUPTION + 1]) >= PAINTED_LINE).any():
        return 0
    limit = int(MAX_BAR * len(level))
    share = _painted(level[: limit + INTERRUPTION])
    lines = np.flatnonzero(share >= PAINTED_LINE)
    gaps = np.flatnonzero(np.diff(lines) > INTERRUPTION)
    last = int(lines[gaps[0]] if len(gaps) else lines[-1])
    return last + 1 if last < limit and share[: last + 1].mean() >= PAINTED else 0


def _painted(level: GreyImage) -> Floats:
    """Return the share of each line that is visible and as bright as what stands before it."""
    before, after = level[:, :-1], level[:, 1:]
    step = np.maximum(before, after) - np.minimum(before, after)
    return np.asarray(np.count_nonzero((after > VISIBLE) & (step <= SMOOTH), axis=1) / after.shape[1])
