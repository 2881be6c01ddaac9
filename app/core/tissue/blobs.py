"""Of the drawn pixels the solid parts: no strokes, no ticks, no thin bars."""

from typing import Final

import numpy as np

from app.core.tissue.geometry import Mask, bounds, cut, share_of
from app.core.tissue.morphology import components, dilated, enlarged, eroded
from app.core.tissue.pictures import coverage
from app.core.values import GreyImage

CELLS: Final = 192
"""Cells along the shorter side of the grid on which blobs are cleaned: 4 pixels a cell on a 1024 x 768 screen."""
STROKE_CELLS: Final = 5
"""Text, ticks, callipers and body marks are drawn with strokes thinner than this many cells."""
TIP_CELLS: Final = 5
"""What the cleaning cut off the sector's acute corners is looked for in so many cells, centre included."""
MIN_SHARE: Final = 0.01
"""Of the largest blob: what a shadow cuts off from it is larger."""
MOST_BLOBS: Final = 12
"""A sector falls into fewer parts, and every part takes a fit."""
LINE: Final = 16
"""Pixels: rows are compared with those so far around them, where there is a line of text and a gap..."""
DARK_ROW: Final = 0.5
"""...and a row this much darker lies in the gap."""
RULED: Final = 0.2
"""Of the rows: text has a third of them in gaps, tissue 0.07 at most."""


def solid_blobs(level: GreyImage, threshold: int) -> list[Mask]:
    """Split what is drawn into its solid parts, the largest first, without those that are lines of text.

    Parameters
    ----------
    level : ndarray of uint8, shape (rows, columns)
        Brightness above the background.
    threshold : int
        What is brighter is drawn.

    Returns
    -------
    list of ndarray of bool, shape (rows, columns)
        The pixels of each.
    """
    drawn = level > threshold
    scale = max(1, round(min(drawn.shape) / CELLS))
    cells = coverage(drawn, scale) >= 128
    blobs = components(dilated(eroded(cells, STROKE_CELLS), STROKE_CELLS), MIN_SHARE, MOST_BLOBS)
    parts = [drawn & enlarged(dilated(blob, TIP_CELLS) & cells | blob, scale, drawn.shape) for blob in blobs]
    return [part for part in parts if not _is_ruled(cut(level, bounds(part)))]


def _is_ruled(level: GreyImage) -> bool:
    """Tell whether dark rows alternate with bright ones, as they do between lines of text that JPEG has smeared."""
    rows = level.sum(axis=1, dtype=np.uint32) / level.shape[1]  # a third of the time of taking the mean
    around = np.convolve(np.pad(rows, LINE // 2, mode="edge"), np.full(LINE + 1, 1 / (LINE + 1)), mode="valid")
    return share_of(rows < DARK_ROW * around) >= RULED
