"""Convex outlines."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from app.core.tissue.geometry import Mask
from app.core.tissue.morphology import runs_of

Points = NDArray[np.int64]
"""Rows of (x, y), pixels."""


def hull_of(mask: Mask) -> Points:
    """Return the corners of the convex hull of the True pixels, of which there must be one."""
    return convex_hull(_row_ends(mask))


def convex_hull(points: Points) -> Points:
    """Return the convex hull's corners in order: the farthest point in every direction, a degree apart."""
    angle = np.deg2rad(np.arange(360, dtype=np.float32))[:, np.newaxis]
    x, y = points.T.astype(np.float32)
    farthest = np.argmax(np.cos(angle) * x + np.sin(angle) * y, axis=1)  # a product of matrices would start threads
    changes = farthest != np.roll(farthest, 1)
    return points[farthest[changes]] if changes.any() else points[:1]


def hull_area(mask: Mask) -> float:
    """Return the area inside the hull, by the shoelace formula."""
    x, y = hull_of(mask).T
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2


def filled(corners: Points, shape: tuple[int, ...]) -> Mask:
    """Draw a polygon with its edge."""
    image = Image.new("L", (shape[1], shape[0]))
    ImageDraw.Draw(image).polygon([(x, y) for x, y in corners.tolist()], fill=1, outline=1)
    return np.asarray(image) > 0


def _row_ends(mask: Mask) -> Points:
    """Return the first and last True pixel of every row."""
    runs = runs_of(mask)
    y, left = np.divmod(runs.starts, mask.shape[1] + 2)
    right = runs.ends % (mask.shape[1] + 2) - 1
    new = y[1:] != y[:-1]
    first, last = np.concatenate([[True], new]), np.concatenate([new, [True]])
    sides = np.stack([left[first], y[first]], 1), np.stack([right[last], y[last]], 1)
    return np.concatenate([_bulging(sides[0]), _bulging(sides[1][::-1])[::-1]])


def _bulging(side: Points) -> Points:
    """Drop most points that lie inside the outline, which a side of the picture, top to bottom on its left, shows."""
    for _ in range(8):
        before, after = side[1:-1] - side[:-2], side[2:] - side[1:-1]
        inside = before[:, 0] * after[:, 1] > before[:, 1] * after[:, 0]
        side = side[np.concatenate([[True], ~inside, [True]])]
    return side
