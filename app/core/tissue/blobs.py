"""Of the drawn pixels the solid parts: no strokes, no ticks, no thin bars."""

from typing import Final

from app.core.tissue.geometry import Mask
from app.core.tissue.morphology import components, dilated, enlarged, eroded
from app.core.tissue.pictures import coverage

CELLS: Final = 192
"""Cells along the shorter side of the grid on which blobs are cleaned: 4 pixels a cell on a 1024 x 768 screen."""
STROKE_CELLS: Final = 5
"""Text, ticks, callipers and body marks are drawn with strokes thinner than this many cells."""
TIP_CELLS: Final = 5
"""What the cleaning cut off the sector's acute corners is looked for in so many cells, centre included."""
MIN_SHARE: Final = 0.01
"""Of the largest blob: what a shadow cuts off from it is larger."""


def solid_blobs(drawn: Mask) -> list[Mask]:
    """Split what is drawn into its solid parts, the largest first.

    Parameters
    ----------
    drawn : ndarray of bool, shape (rows, columns)

    Returns
    -------
    list of ndarray of bool, shape (rows, columns)
        The pixels of each.
    """
    scale = max(1, round(min(drawn.shape) / CELLS))
    cells = coverage(drawn, scale) >= 128
    blobs = components(dilated(eroded(cells, STROKE_CELLS), STROKE_CELLS), MIN_SHARE)
    return [drawn & enlarged(dilated(blob, TIP_CELLS) & cells | blob, scale, drawn.shape) for blob in blobs]
