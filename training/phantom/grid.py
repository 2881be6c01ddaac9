"""The beam's own polar grid, and signed distances on it."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
"""One value per polar sample, shape (N_DEPTHS, N_LINES)."""
Point = tuple[float, float]
"""Centimetres to the right of the probe's middle and below its face."""

N_DEPTHS, N_LINES = 512, 256
PROBE_RADIUS_CM = 5.0
"""Radius of the curved array."""
HALF_ANGLE_RAD = float(np.deg2rad(35.0))
"""Half of the sector's opening angle."""
REACH_CM = 0.7
"""Distances to thin structures are exact up to here and capped beyond."""


@dataclass(frozen=True, slots=True, eq=False)
class PolarGrid:
    """Sample positions of a curved array.

    Attributes
    ----------
    depth_cm : float
        Depth of the last sample below the probe's face.
    x_cm, y_cm : ndarray of float32, shape (N_DEPTHS, N_LINES)
        To the right of the probe's middle, and below its face.
    z_cm : ndarray of float32, shape (N_DEPTHS, 1)
        Path along the line.
    angle_rad : ndarray of float32, shape (1, N_LINES)
        Of the line against the vertical.
    """

    depth_cm: float
    x_cm: Field
    y_cm: Field
    z_cm: Field
    angle_rad: Field

    @property
    def step_cm(self) -> float:
        """Distance of two samples on a line."""
        return self.depth_cm / (N_DEPTHS - 1)

    def window(self, points: NDArray[np.float64], pad_cm: float) -> tuple[slice, slice]:
        """Give a part of the grid that holds all that lies within `pad_cm` of the points, shape (n, 2)."""
        x, y = points[:, 0], points[:, 1] + PROBE_RADIUS_CM
        radius, angle = np.hypot(x, y), np.arctan2(x, y)
        z0, z1 = radius.min() - pad_cm - PROBE_RADIUS_CM, radius.max() + pad_cm - PROBE_RADIUS_CM
        spread = pad_cm / max(float(radius.min()), PROBE_RADIUS_CM)
        a0, a1 = (np.array([angle.min() - spread, angle.max() + spread]) / HALF_ANGLE_RAD + 1) / 2
        return _span(z0 / self.depth_cm, z1 / self.depth_cm, N_DEPTHS), _span(a0, a1, N_LINES)


def _span(start: float, stop: float, n: int) -> slice:
    """Turn fractions of an axis into a slice inside it."""
    first = int(np.clip(np.floor(start * (n - 1)), 0, n))
    return slice(first, int(np.clip(np.ceil(stop * (n - 1)) + 1, first, n)))


@lru_cache(maxsize=8)
def polar_grid(depth_cm: float) -> PolarGrid:
    """Build the grid of a depth setting."""
    z = np.linspace(0, depth_cm, N_DEPTHS, dtype=np.float32)[:, None]
    angle = np.linspace(-HALF_ANGLE_RAD, HALF_ANGLE_RAD, N_LINES, dtype=np.float32)[None, :]
    radius = z + np.float32(PROBE_RADIUS_CM)
    return PolarGrid(depth_cm, radius * np.sin(angle), radius * np.cos(angle) - PROBE_RADIUS_CM, z, angle)


@dataclass(frozen=True, slots=True, eq=False)
class Tube:
    """A vessel: a smooth curve with a radius.

    Attributes
    ----------
    points_cm : ndarray, shape (n, 2)
        x and y along the axis.
    radii_cm : ndarray, shape (n,)
    """

    points_cm: NDArray[np.float64]
    radii_cm: NDArray[np.float64]


def tube(start: Point, bend: Point, end: Point, radius_cm: float, end_radius_cm: float) -> Tube:
    """Make a vessel along a quadratic Bezier curve, tapering."""
    t = np.linspace(0, 1, 7)[:, None]
    curve = (1 - t) ** 2 * np.array(start) + 2 * t * (1 - t) * np.array(bend) + t**2 * np.array(end)
    return Tube(curve, np.linspace(radius_cm, end_radius_cm, 7))


def distance_to_tubes(grid: PolarGrid, tubes: list[Tube]) -> Field:
    """Signed distance to the nearest vessel wall, cm: negative inside, capped at `REACH_CM`."""
    distance = np.full(grid.x_cm.shape, REACH_CM, np.float32)
    for vessel in tubes:
        for i in range(len(vessel.radii_cm) - 1):
            _join(grid, distance, vessel.points_cm[i : i + 2], vessel.radii_cm[i : i + 2])
    return distance


def _join(grid: PolarGrid, distance: Field, ends: NDArray[np.float64], radii: NDArray[np.float64]) -> None:
    """Lower `distance` to that of one tapered capsule, in place."""
    window = grid.window(ends, float(radii.max()) + REACH_CM)
    x, y = grid.x_cm[window] - np.float32(ends[0, 0]), grid.y_cm[window] - np.float32(ends[0, 1])
    dx, dy = (np.float32(v) for v in ends[1] - ends[0])
    along = np.clip((x * dx + y * dy) / (dx * dx + dy * dy), 0, 1)
    radius = np.float32(radii[0]) + along * np.float32(radii[1] - radii[0])
    np.minimum(distance[window], np.hypot(x - along * dx, y - along * dy) - radius, out=distance[window])


def distance_to_ellipse(grid: PolarGrid, centre: Point, semi_cm: Point, tilt_rad: float = 0.0) -> Field:
    """Approximate signed distance to an ellipse, cm: exact on it and for a circle, negative inside.

    Parameters
    ----------
    grid : PolarGrid
    centre : tuple of float
        x and y, cm.
    semi_cm : tuple of float
        Semi-axes; the first lies along x before the tilt.
    tilt_rad : float
        Clockwise on the screen.
    """
    x, y = grid.x_cm - np.float32(centre[0]), grid.y_cm - np.float32(centre[1])
    cos, sin = np.float32(np.cos(tilt_rad)), np.float32(np.sin(tilt_rad))
    u, v = (x * cos + y * sin) / np.float32(semi_cm[0]), (y * cos - x * sin) / np.float32(semi_cm[1])
    return (np.hypot(u, v) - 1) * np.float32(min(semi_cm))
