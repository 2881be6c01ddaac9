"""Letters inside the tissue: replaced by the speckle around them, so that no name is kept in a crop."""

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.core.tissue.geometry import Mask, cut, intersection, row_ends, whole
from app.core.values import GreyImage, TissueBox

OUTLINE: Final = 4
"""Pixels around a line's box that are replaced, too: outlines, shadows and the noise of JPEG."""


def sector_of(pixels: GreyImage) -> Mask:
    """Return the shape of a crop's tissue, of which dark pixels are part: what has tissue on all four sides.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (rows, columns)
        0 outside the shape.
    """
    lit = pixels > 0
    left, right = (end.astype(np.uint16)[:, np.newaxis] for end in row_ends(lit))  # compared faster than int64
    top, bottom = (end.astype(np.uint16) for end in row_ends(np.ascontiguousarray(lit.T)))
    y, x = np.arange(lit.shape[0], dtype=np.uint16)[:, np.newaxis], np.arange(lit.shape[1], dtype=np.uint16)
    return np.asarray((x >= left) & (x < right) & (y >= top) & (y < bottom))


def without(pixels: GreyImage, lines: Iterable[TissueBox]) -> GreyImage:
    """Fill lines of text with the tissue above and below them, mirrored at their edges.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (rows, columns)
        0 outside the tissue's shape; not changed.
    lines : iterable of TissueBox
        In pixels of the crop.

    Returns
    -------
    ndarray of uint8, shape (rows, columns)
    """
    written = np.zeros(pixels.shape, np.bool_)
    for line in lines:
        cut(written, _with_outline(line, whole(pixels)))[...] = True
    sector = sector_of(pixels)
    usable = sector & ~written
    if not usable.any():
        return np.zeros_like(pixels)
    filled = pixels.copy()
    filled[written] = np.median(pixels[usable])
    rows, columns = np.nonzero(written & sector)
    for source in _mirrored(written, rows, columns):
        can = (source >= 0) & (source < len(pixels))
        can[can] = usable[source[can], columns[can]]
        filled[rows[can], columns[can]] = pixels[source[can], columns[can]]
    return filled * sector


def _mirrored(written: Mask, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Iterable[NDArray[np.intp]]:
    """Mirror rows at the lower, then at the upper edge of what is written; the nearer edge comes last.

    Yields
    ------
    ndarray of int
        For every pixel, a row that may stand for it.
    """
    above, below = _rows_since(written)[rows, columns], np.flip(_rows_since(np.flip(written, 0)), 0)[rows, columns]
    up, down = rows - 2 * above + 1, rows + 2 * below - 1
    yield np.where(above < below, down, up)
    yield np.where(above < below, up, down)


def _rows_since(written: Mask) -> NDArray[np.intp]:
    """Count, for every written pixel, the rows up to the last that is not, itself included."""
    number = np.arange(len(written))[:, np.newaxis]
    return np.asarray(number - np.maximum.accumulate(np.where(written, -1, number), axis=0))


def _with_outline(line: TissueBox, limits: TissueBox) -> TissueBox:
    wide = TissueBox(line.x0 - OUTLINE, line.y0 - OUTLINE, line.x1 + OUTLINE, line.y1 + OUTLINE)
    return intersection(wide, limits)
