"""Guesses where a sector's apex may lie, from a few of the points each; a wrong guess costs nothing but time."""

from typing import Final

import numpy as np

from app.core.tissue.edges import Edges
from app.core.tissue.shape import FAR_AWAY
from app.core.values import Floats

CLOSE: Final = 2.0
"""Pixels: a point so close to a line or an arc lies on it."""
KEPT: Final = 4
"""Best lines of each side, and best arcs."""
MIN_POINTS: Final = 20
MIN_OPENING: Final = 0.15
"""Difference of the sides' slopes: a sector opens by 9 degrees at least."""
DEEPEST: Final = 0.25
"""Of the height: an apex lies above this."""
HIGHEST: Final = 20.0
"""Times the height above the picture, at most: beyond, a sector is a rectangle."""


def _spread(count: int, columns: int) -> Floats:
    """Spread points evenly over the unit cube (R2 sequence), the same ones always: nothing is left to chance."""
    ratio = {2: 1.32471795724474602596, 3: 1.22074408460575947536}[columns]
    steps = ratio ** -np.arange(1, columns + 1)
    return np.asarray((0.5 + np.arange(1, count + 1)[:, np.newaxis] * steps) % 1)


_PAIRS: Final = _spread(48, 2)
_TRIPLES: Final = np.sort(_spread(32, 3), axis=1)


def guess_apexes(edges: Edges, box: tuple[float, float, float, float]) -> Floats:
    """Guess apexes: where lines along both sides meet, centres of arcs along the bottom, and one far away.

    Parameters
    ----------
    edges : Edges
    box : tuple of float
        Bounds of what they are the edges of: x0, y0, x1, y1.

    Returns
    -------
    ndarray of float64, shape (n, 2)
        The last one is that of a rectangle.
    """
    x0, y0, x1, y1 = box
    guesses = np.concatenate([_meetings(_lines(edges.left, -1), _lines(edges.right, 1)), _centres(edges.bottom)])
    height = y1 - y0
    sensible = (guesses[:, 1] < y0 + DEEPEST * height) & (guesses[:, 1] > -HIGHEST * height)
    return np.concatenate([guesses[sensible], [((x0 + x1) / 2, -FAR_AWAY)]])


def _lines(points: Floats, outwards: int) -> Floats:
    """Fit lines x = slope * y + offset through pairs of points; the best leave few points outside.

    Returns
    -------
    ndarray of float64, shape (n, 2)
        Slopes and offsets.
    """
    if len(points) < MIN_POINTS:
        return np.empty((0, 2))
    first, second = np.moveaxis(points[(_PAIRS * len(points)).astype(np.intp)], 1, 0)
    rise = second[:, 1] - first[:, 1]
    apart = np.abs(rise) > 0.15 * np.ptp(points[:, 1])
    slope = (second[apart, 0] - first[apart, 0]) / rise[apart]
    offset = first[apart, 0] - slope * first[apart, 1]
    beyond = points[:, 0] - np.outer(slope, points[:, 1]) - offset[:, np.newaxis]
    beyond *= outwards / np.hypot(1, slope)[:, np.newaxis]
    return np.stack([slope, offset], axis=1)[_best(beyond)]


def _meetings(left: Floats, right: Floats) -> Floats:
    """Return where each line on the left meets each on the right, above the tissue."""
    left, right = np.repeat(left, len(right), axis=0), np.tile(right, (len(left), 1))
    opens = right[:, 0] - left[:, 0] > MIN_OPENING
    left, right = left[opens], right[opens]
    y = (left[:, 1] - right[:, 1]) / (right[:, 0] - left[:, 0])
    return np.stack([left[:, 0] * y + left[:, 1], y], axis=1)


def _centres(points: Floats) -> Floats:
    """Return the centres of circles through triples of points, those with most points on them and few outside."""
    if len(points) < MIN_POINTS:
        return np.empty((0, 2))
    a, b, c = np.moveaxis(points[(_TRIPLES * len(points)).astype(np.intp)], 1, 0)
    sides, squares = (b - c, c - a, a - b), ((a**2).sum(1), (b**2).sum(1), (c**2).sum(1))
    twice = 2 * (a[:, 0] * sides[0][:, 1] + b[:, 0] * sides[1][:, 1] + c[:, 0] * sides[2][:, 1])
    bent = np.abs(twice) > 1
    x, y = (
        sign * sum(square * side[:, axis] for square, side in zip(squares, sides, strict=True))[bent] / twice[bent]
        for axis, sign in ((1, 1), (0, -1))
    )
    centres = np.stack([x, y], axis=1)
    radius = np.hypot(*(a[bent] - centres).T)
    above = y < a[bent, 1]
    centres, radius = centres[above], radius[above]
    beyond = np.hypot(points[:, 0] - centres[:, :1], points[:, 1] - centres[:, 1:]) - radius[:, np.newaxis]
    return np.asarray(centres[_best(beyond)])


def _best(beyond: Floats) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Rank guesses by the points on them less the points beyond them, given how far outside each point lies."""
    score = (np.abs(beyond) < CLOSE).sum(axis=1) - (beyond > CLOSE).sum(axis=1)
    return np.asarray(np.argsort(-score, kind="stable")[:KEPT])
