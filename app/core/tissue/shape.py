"""The few shapes that tissue has on a screen, as one: the sector of an array, seen from its apex.

In polar coordinates about the apex, where the two sides meet, a sector is a rectangle: it lies between two angles and
two radii. With the apex far away it is a plain rectangle, as linear arrays draw it; cut by a window it is a trapezoid,
or a sector whose bottom or sides the scanner cuts off.
"""

from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from app.core.tissue.geometry import Mask
from app.core.values import Floats, TissueBox

FAR_AWAY: Final = 1e7
"""Pixels: an apex at this distance makes a rectangle; over 1,000 pixels its sides part by a tenth of a pixel."""
ARC_POINTS: Final = 65
"""Points along an arc that is drawn: of 800 pixels and 70 degrees its chords are 0.1 pixels off."""


MAX_ASKEW_RAD: Final = 0.05
"""Between the angles of both sides: below, the difference is not worth a look."""


class Window(NamedTuple):
    """Where a shape is cut off by straight lines, pixels."""

    x0: float
    y0: float
    x1: float
    y1: float


EVERYWHERE: Final = Window(-np.inf, -np.inf, np.inf, np.inf)


@dataclass(frozen=True, slots=True)
class Shape:
    """A sector, a rectangle, or a trapezoid.

    Attributes
    ----------
    apex_x, apex_y : float
        Where its sides meet, pixels; edges of pixels have whole numbers.
    left_rad, right_rad : float
        Its sides' angles against the vertical, positive to the right.
    near, far : float
        Its arcs' radii, pixels.
    aspect : float
        Height of a pixel over its width: 1 on the scanner's own screen, up to 1.1 after a video recorder.
    window : Window
    """

    apex_x: float
    apex_y: float
    left_rad: float
    right_rad: float
    near: float
    far: float
    aspect: float = 1.0
    window: Window = EVERYWHERE

    @property
    def parameters(self) -> Floats:
        """The numbers that a fit moves, shape (7,)."""
        numbers = (self.apex_x, self.apex_y, self.left_rad, self.right_rad, self.near, self.far, self.aspect)
        return np.array(numbers)

    @property
    def is_rectangle(self) -> bool:
        """Whether its sides are parallel."""
        return self.apex_y <= -FAR_AWAY / 2

    @property
    def is_box(self) -> bool:
        """Whether its window alone says where it ends."""
        return self.is_rectangle and bool(np.isfinite(self.window).all())


def rectangle(x0: float, y0: float, x1: float, y1: float) -> Shape:
    """Give the shape of a box."""
    middle = (x0 + x1) / 2
    return Shape(
        middle,
        -FAR_AWAY,
        (x0 - middle) / FAR_AWAY,
        (x1 - middle) / FAR_AWAY,
        y0 + FAR_AWAY,
        y1 + FAR_AWAY,
        window=Window(x0, y0, x1, y1),
    )


def polar(points: Floats, apex: Floats, aspect: float | Floats = 1.0) -> tuple[Floats, Floats]:
    """Turn points, shape (n, 2), into angles and radii about apexes, shape (..., 2): each of shape (..., n)."""
    dx = (points[:, 0] - apex[..., :1]) * aspect
    dy = points[:, 1] - apex[..., 1:2]
    return np.arctan2(dx, dy), np.hypot(dx, dy)


def excess(shape: Shape, points: Floats) -> Floats:
    """Tell how far points lie outside each of the four sides: left, right, near and far.

    Parameters
    ----------
    shape : Shape
    points : ndarray, shape (n, 2)

    Returns
    -------
    ndarray of float64, shape (4, n)
        Pixels; negative inside.
    """
    angle, radius = polar(points, np.array([shape.apex_x, shape.apex_y]), shape.aspect)
    sides = ((shape.left_rad - angle) * radius, (angle - shape.right_rad) * radius, shape.near - radius)
    return np.stack([*sides, radius - shape.far])


def scaled(shape: Shape, scale: float) -> Shape:
    """Give the shape on a picture that has `scale` times as many pixels along each side."""
    return replace(
        shape,
        apex_x=shape.apex_x * scale,
        apex_y=shape.apex_y * scale,
        near=shape.near * scale,
        far=shape.far * scale,
        window=Window(*(edge * scale for edge in shape.window)),
    )


def placed(shape: Shape, box: TissueBox) -> Shape:
    """Give a shape that was found in a part of a picture on the whole of it; it ends where that part ends."""
    x0, y0, x1, y1 = shape.window
    shifted = Window(x0 + box.x0, y0 + box.y0, x1 + box.x0, y1 + box.y0)
    window = Window(*np.maximum(shifted[:2], box[:2]).tolist(), *np.minimum(shifted[2:], box[2:]).tolist())
    return replace(shape, apex_x=shape.apex_x + box.x0, apex_y=shape.apex_y + box.y0, window=window)


def symmetric(shape: Shape) -> Shape:
    """Give a sector two sides at the same angle, the wider one's: probes look as far to the left as to the right.

    A sector that is a little askew, as on a picture that somebody turned, is left as it is.
    """
    widest = max(-shape.left_rad, shape.right_rad)
    looks_aside = shape.left_rad >= 0 or shape.right_rad <= 0
    if looks_aside or shape.is_rectangle or abs(shape.left_rad + shape.right_rad) < MAX_ASKEW_RAD:
        return shape
    return replace(shape, left_rad=-widest, right_rad=widest)


def drawn(shape: Shape, size: tuple[int, ...]) -> Mask:
    """Draw the shape.

    Parameters
    ----------
    shape : Shape
    size : tuple of int
        Rows and columns of the picture.

    Returns
    -------
    ndarray of bool, shape (rows, columns)
    """
    image = Image.new("L", (size[1], size[0]))
    corners = _outline(shape) - 0.5  # to Pillow, whole numbers are the middles of pixels
    ImageDraw.Draw(image).polygon([(x, y) for x, y in corners.tolist()], fill=1, outline=1)
    mask = np.array(image).view(np.bool_)
    x0, y0, x1, y1 = (int(edge) for edge in np.clip(shape.window, 0, max(size)).round())
    mask[:y0] = mask[y1:] = False
    mask[:, :x0] = mask[:, x1:] = False
    return mask


def _outline(shape: Shape) -> NDArray[np.float64]:
    """Walk along the near arc, then back along the far one, shape (2 * ARC_POINTS, 2)."""
    angle = np.linspace(shape.left_rad, shape.right_rad, ARC_POINTS)
    angles, radii = np.concatenate([angle, angle[::-1]]), np.repeat([shape.near, shape.far], ARC_POINTS)
    x = shape.apex_x + radii * np.sin(angles) / shape.aspect
    return np.stack([x, shape.apex_y + radii * np.cos(angles)], axis=1)
