"""Where what is drawn ends: the points that a shape is fitted to."""

from typing import NamedTuple

import numpy as np

from app.core.tissue.geometry import Mask, row_ends
from app.core.values import Floats

POINTS_A_SIDE = 130
"""Points to take at least, of each side. With a third fewer, three of 18 real screens are cropped wrongly."""


class Edges(NamedTuple):
    """The ends of a mask's rows and columns, each of shape (n, 2) as x and y; edges of pixels have whole numbers.

    An end at the border of the picture is left out: what is cut off there ends elsewhere.

    Attributes
    ----------
    left, right : ndarray of float64
        Of rows.
    top, bottom : ndarray of float64
        Of columns.
    """

    left: Floats
    right: Floats
    top: Floats
    bottom: Floats

    @property
    def all(self) -> Floats:
        """All of them, shape (n, 2)."""
        return np.concatenate(self)


def edges_of(mask: Mask) -> Edges:
    """Find the ends of every row and every column, or of each second or third where there are many."""
    left, right = _ends(mask)
    top, bottom = _ends(mask.T)
    return Edges(left, right, top[:, ::-1], bottom[:, ::-1])


def _ends(mask: Mask) -> tuple[Floats, Floats]:
    """Return the beginnings and the ends of rows, those at the border left out."""
    lines = np.flatnonzero(mask.any(axis=1))
    lines = lines[:: max(1, len(lines) // POINTS_A_SIDE)]
    first, last = row_ends(mask[lines])
    ends = (first, first > 0), (last, last < mask.shape[1])
    begins, stops = (np.stack([at[kept], lines[kept] + 0.5], axis=1) for at, kept in ends)
    return begins, stops
