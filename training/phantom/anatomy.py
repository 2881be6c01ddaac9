"""The four views as echo level and attenuation on the polar grid.

Coordinates are centimetres to the right of and below the middle of the probe's face. In the transverse views the
patient's right is on the left of the screen; in the sagittal view the head is.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d, zoom

from app.core.values import View
from training.phantom.grid import (
    N_DEPTHS,
    N_LINES,
    PROBE_RADIUS_CM,
    Field,
    Point,
    PolarGrid,
    Tube,
    distance_to_ellipse,
    distance_to_tubes,
    tube,
)
from training.phantom.physics import Body

BLOOD_ATTENUATION = 0.75
"""Against liver: the beam is wider than most vessels, so that little of blood's own low value is seen."""
SOFT_ATTENUATION = 0.6
LUNG_ATTENUATION = 1.3
BONE_ATTENUATION = 12.0
FLUID_DB = -34.0


@dataclass(frozen=True, slots=True, eq=False)
class Tissues:
    """What the beam meets; painted in place, back to front.

    Attributes
    ----------
    echo_db : ndarray of float32, shape (N_DEPTHS, N_LINES)
        Backscattered level; 0 is a lean liver.
    attenuation_db_per_cm_mhz : ndarray of float32, shape (N_DEPTHS, N_LINES)
        One way.
    """

    echo_db: Field
    attenuation_db_per_cm_mhz: Field

    def fill(self, inside: Field, echo_db: Field | float, attenuation: float) -> None:
        """Replace the tissue where `inside` is 1, partly where it is less."""
        self.echo_db[...] += inside * (echo_db - self.echo_db)
        self.attenuation_db_per_cm_mhz[...] += inside * (np.float32(attenuation) - self.attenuation_db_per_cm_mhz)

    def brighten(self, where: Field, by_db: float) -> None:
        """Raise the echo level."""
        self.echo_db[...] += np.float32(by_db) * where


def inside(distance_cm: Field, edge_cm: float = 0.04) -> Field:
    """Turn a signed distance into a soft mask: 1 inside, 0 outside."""
    mask: Field = 1 / (1 + np.exp(np.clip(distance_cm / np.float32(edge_cm), -30, 30)))
    return mask


def shell(distance_cm: Field, width_cm: float, offset_cm: float = 0.0) -> Field:
    """Mask a layer about a surface."""
    layer: Field = np.exp(-(((distance_cm - np.float32(offset_cm)) / np.float32(width_cm)) ** 2))
    return layer


def specular(grid: PolarGrid, distance_cm: Field) -> Field:
    """Squared cosine between beam and surface normal: walls across the beam shine, walls along it vanish."""
    slope = np.empty_like(distance_cm)
    slope[1:] = np.diff(distance_cm, axis=0) / np.float32(grid.step_cm)
    slope[0] = slope[1]
    np.minimum(slope * slope, 1, out=slope)
    return slope


class Painter:
    """Paints one view of one body.

    Parameters
    ----------
    rng : numpy.random.Generator
    grid : PolarGrid
    body : Body
    """

    def __init__(self, rng: np.random.Generator, grid: PolarGrid, body: Body) -> None:
        self.rng, self.grid, self.body = rng, grid, body
        self.tissues = self._liver()

    def near(self, x: float, y: float, spread_cm: float = 0.35) -> Point:
        """Place a landmark about where it usually lies in this body."""
        dx, dy = self.rng.normal(0, spread_cm, 2)
        return (x * self.body.size + dx, y * self.body.size + dy + 0.6 * (self.body.wall_cm - 1.9))

    def jitter(self, value: float, relative: float = 0.12) -> float:
        """Vary a size."""
        return value * float(np.exp(self.rng.normal(0, relative)))

    def chance(self, probability: float) -> bool:
        """Throw a coin."""
        return bool(self.rng.random() < probability)

    def _liver(self) -> Tissues:
        """Start with liver everywhere: fine structure, and slow unevenness that is no sign of fat."""
        grain = unit_noise(self.rng, (N_DEPTHS, N_LINES), (0.09 / self.grid.step_cm, 1.6))
        slow = zoom(self.rng.normal(0, 1.2, (6, 6)).astype(np.float32), (N_DEPTHS / 6, N_LINES / 6), order=1)
        structure = grain + 1.5 * np.maximum(grain - 1.5, 0)
        echo = self.body.liver_db + np.float32(self.body.texture_contrast_db) * structure + slow
        return Tissues(
            echo.astype(np.float32),
            np.full(echo.shape, self.body.attenuation_db_per_cm_mhz, np.float32),
        )

    def veins(self, tubes: list[Tube]) -> None:
        """Paint hepatic veins: dark, thin walls that show only across the beam."""
        self._vessels(tubes, wall_db=5.0, wall_cm=0.05, everywhere=0.1)

    def portal(self, tubes: list[Tube]) -> None:
        """Paint portal veins: dark, in a bright fibrous sheath."""
        self._vessels(tubes, wall_db=16.0, wall_cm=0.09, everywhere=0.55)

    def _vessels(self, tubes: list[Tube], wall_db: float, wall_cm: float, everywhere: float) -> None:
        distance = distance_to_tubes(self.grid, tubes)
        seen = self.body.vessel_contrast_db / 26
        edge_cm = self.body.vessel_edge_cm
        wall = shell(distance, wall_cm + edge_cm, wall_cm + 1.5 * edge_cm)
        facing = np.float32(everywhere) + np.float32(1 - everywhere) * specular(self.grid, distance)
        self.tissues.brighten(wall * facing, wall_db * seen)
        self._blood(inside(distance, edge_cm))

    def small_vessels(self, n: int) -> None:
        """Scatter peripheral vessels, some with a bright wall."""
        for paint, count in ((self.veins, n - n // 2), (self.portal, n // 2)):
            paint([self._twig() for _ in range(count)])

    def branch(self, start: Point, bend: Point, end: Point, radius_cm: float, end_radius_cm: float) -> Tube:
        """Make a vessel that wavers a little in course and calibre."""
        smooth = tube(start, bend, end, radius_cm, end_radius_cm)
        waver = self.rng.normal(0, 0.07, smooth.points_cm.shape)
        waver[[0, -1]] = 0  # branches meet where they were told to
        return Tube(smooth.points_cm + waver, smooth.radii_cm * self.rng.uniform(0.9, 1.1, len(smooth.radii_cm)))

    def _twig(self) -> Tube:
        x, y = self.rng.uniform(-5.5, 5.5), self.rng.uniform(3.2, 11.5)
        length, angle = self.rng.uniform(0.05, 1.2), self.rng.uniform(0, np.pi)
        end = (x + length * np.cos(angle), y + length * np.sin(angle))
        bend = ((x + end[0]) / 2 + 0.1, (y + end[1]) / 2)
        radius = self.rng.uniform(0.07, 0.17)
        return tube((x, y), bend, end, radius, radius * 0.7)

    def cava(self, centre: Point, semi_cm: Point) -> None:
        """Paint the inferior vena cava in cross-section."""
        distance = distance_to_ellipse(self.grid, centre, semi_cm, self.rng.normal(-0.2, 0.15))
        self.tissues.brighten(shell(distance, 0.08, 0.05) * specular(self.grid, distance), 7)
        self._blood(inside(distance, self.body.vessel_edge_cm))

    def _blood(self, lumen: Field) -> None:
        self.tissues.fill(lumen, self.body.clutter_db, BLOOD_ATTENUATION * self.body.attenuation_db_per_cm_mhz)

    def gallbladder(self, centre: Point) -> None:
        """Paint a gallbladder: free of echoes, thin wall, enhancement behind it."""
        semi = (self.jitter(1.0), self.jitter(1.7))
        distance = distance_to_ellipse(self.grid, centre, semi, self.rng.uniform(-0.6, 0.6))
        self.tissues.brighten(shell(distance, 0.08, 0.05), 6)
        self.tissues.fill(inside(distance, 0.05), FLUID_DB, 0.3 * self.body.attenuation_db_per_cm_mhz)

    def diaphragm(self, centre: Point, radius_cm: float) -> None:
        """Paint the diaphragm as a bright, uneven bowl, and the haze of mirrored echoes and lung behind it."""
        bend = unit_noise(self.rng, (1, N_LINES), (0, 18)) * np.float32(0.2)
        distance = distance_to_ellipse(self.grid, centre, (radius_cm, radius_cm * 0.97)) + bend
        streaks = 2 * unit_noise(self.rng, (1, N_LINES), (0, 2))
        self.tissues.fill(inside(-distance, 0.06), self.tissues.echo_db - 4 + streaks, LUNG_ATTENUATION)
        facing = specular(self.grid, distance) ** 2
        shine = 24 - 7 * np.abs(unit_noise(self.rng, (1, N_LINES), (0, 12)))
        self.tissues.brighten(shell(distance, self.jitter(0.20)) * facing * shine, 1.0)

    def back_muscle(self, centre: Point, tilt_rad: float) -> None:
        """Paint the muscle behind the kidney: darker than liver, with bright fibres along it."""
        distance = distance_to_ellipse(self.grid, (centre[0] + 2.0, centre[1] + 3.2), (8.0, 3.4), tilt_rad)
        fibres = unit_noise(self.rng, (N_DEPTHS, N_LINES), (0.07 / self.grid.step_cm, 14))
        self.tissues.fill(inside(distance, 0.15), -2 + 5 * fibres, SOFT_ATTENUATION)

    def kidney(self, centre: Point, semi_cm: Point, tilt_rad: float) -> None:
        """Paint a kidney: bright fatty capsule, fat-free cortex, dark pyramids, bright sinus."""
        distance = distance_to_ellipse(self.grid, centre, semi_cm, tilt_rad)
        edge = 0.04 + self.body.vessel_edge_cm
        capsule = shell(distance, 0.10 + 0.6 * edge, 0.05 + 1.5 * edge)
        self.tissues.brighten(capsule * specular(self.grid, distance), 15)
        cortex_db = self._with_clutter(self.body.kidney_db) + 0.4 * self._grain()
        self.tissues.fill(inside(distance, edge), cortex_db, SOFT_ATTENUATION)
        self._pyramids(centre, semi_cm, tilt_rad)
        self._sinus(centre, semi_cm, tilt_rad)

    def _pyramids(self, centre: Point, semi_cm: Point, tilt_rad: float) -> None:
        tubes = []
        for angle in np.linspace(0, 2 * np.pi, 9)[:-1] + self.rng.normal(0, 0.12, 8):
            u, v = 0.64 * semi_cm[0] * np.cos(angle), 0.62 * semi_cm[1] * np.sin(angle)
            x = centre[0] + u * np.cos(tilt_rad) - v * np.sin(tilt_rad)
            y = centre[1] + u * np.sin(tilt_rad) + v * np.cos(tilt_rad)
            tubes.append(tube((x, y), (x + 0.1, y), (x + 0.2, y), self.jitter(0.27), 0.25))
        mask = inside(distance_to_tubes(self.grid, tubes), 0.10)
        pyramid_db = self._with_clutter(self.body.kidney_db - self.jitter(6.0))
        self.tissues.fill(mask, pyramid_db, SOFT_ATTENUATION)

    def _sinus(self, centre: Point, semi_cm: Point, tilt_rad: float) -> None:
        ragged = unit_noise(self.rng, (N_DEPTHS, N_LINES), (10, 7)) * np.float32(0.22)
        semi = (0.55 * semi_cm[0], 0.34 * semi_cm[1])
        distance = distance_to_ellipse(self.grid, centre, semi, tilt_rad) + ragged
        self.tissues.fill(inside(distance, 0.10), self.body.kidney_db + 12 + 6 * ragged, SOFT_ATTENUATION)

    def _with_clutter(self, level_db: float) -> float:
        """Add the power of sound scattered in front: contrast with liver rises with fat, then is obscured.

        A kidney takes 3 dB less than a vessel, into which the sides of the beam reach.
        """
        return float(10 * np.log10(10 ** (level_db / 10) + 10 ** ((self.body.clutter_db - 3) / 10)))

    def _grain(self) -> Field:
        return unit_noise(self.rng, (N_DEPTHS, N_LINES), (3, 2))

    def bowel_gas(self, centre: Point) -> None:
        """Paint a gas-filled loop: a bright front with a dirty shadow behind."""
        distance = distance_to_ellipse(self.grid, centre, (self.jitter(1.3), self.jitter(0.7)))
        self.tissues.brighten(shell(distance, 0.15) * specular(self.grid, distance), 16)
        self.tissues.fill(inside(distance), self.tissues.echo_db, 4.0)

    def body_wall(self) -> None:
        """Paint skin, subcutaneous fat, muscle and the liver's capsule over the first centimetres."""
        wall = self.body.wall_cm
        n = round((wall + 1) / self.grid.step_cm)
        front = Tissues(self.tissues.echo_db[:n], self.tissues.attenuation_db_per_cm_mhz[:n])  # shares memory
        z = self.grid.z_cm[:n] + unit_noise(self.rng, (1, N_LINES), (0, 30)) * np.float32(0.06)
        streaks = unit_noise(self.rng, (n, N_LINES), (0.05 / self.grid.step_cm, 22))
        fat_cm = self.jitter(0.55, 0.1) * wall
        front.fill(inside(z - np.float32(wall)), 6 * streaks - 1, SOFT_ATTENUATION)
        front.fill(inside(z - np.float32(fat_cm)), 5 * streaks - 3, SOFT_ATTENUATION)
        for depth_cm, level_db in ((0.05, 16), (fat_cm, 9), (wall, 13)):
            front.brighten(shell(z, 0.07, depth_cm), level_db)

    def ribs(self, n: int) -> None:
        """Put ribs into the body wall; what lies behind them is in shadow."""
        for angle in self.rng.uniform(-0.9, 0.9, n) * self.grid.angle_rad.max():
            r = PROBE_RADIUS_CM + 0.7 * self.body.wall_cm
            centre = (r * float(np.sin(angle)), r * float(np.cos(angle)) - PROBE_RADIUS_CM)
            distance = distance_to_ellipse(self.grid, centre, (self.jitter(0.40), 0.30), -float(angle))
            self.tissues.brighten(shell(distance, 0.08) * specular(self.grid, distance), 10)
            self.tissues.fill(inside(distance), self.tissues.echo_db, BONE_ATTENUATION * self.rng.uniform(0.3, 1))


def unit_noise(rng: np.random.Generator, shape: tuple[int, int], sigma: tuple[float, float]) -> Field:
    """Draw Gaussian noise of unit variance, smoothed by `sigma` samples along depth and line."""
    noise = rng.standard_normal(shape, np.float32)
    for axis, width in enumerate(sigma):
        if width > 0:
            noise = gaussian_filter1d(noise, width, axis=axis, truncate=3, mode="wrap")
    result: Field = noise / np.float32(max(float(noise.std()), 1e-6))
    return result


def _hepatic_veins(p: Painter) -> None:
    """Paint three hepatic veins that meet at the inferior vena cava in front of the diaphragm."""
    p.small_vessels(8)
    p.diaphragm(p.near(0.5, 3.2), p.jitter(10.0, 0.02) * p.body.size)
    hub = p.near(1.2, 11.4)
    stem = (hub[0] - 0.2, hub[1] - 0.7)
    p.veins(
        [
            p.branch(stem, p.near(-2.3, 10.3), p.near(-6.6, 6.6), p.jitter(0.55), p.jitter(0.18)),
            p.branch(stem, p.near(-0.4, 8.6), p.near(-0.9, 4.4), p.jitter(0.48), p.jitter(0.16)),
            p.branch(stem, p.near(2.9, 9.6), p.near(4.9, 5.9), p.jitter(0.45), p.jitter(0.15)),
            p.branch(p.near(-2.9, 9.4), p.near(-3.2, 8.4), p.near(-3.0, 6.9), 0.24, 0.12),
        ]
    )
    p.cava(hub, (p.jitter(1.35), p.jitter(0.9)))


def _right_portal_vein(p: Painter) -> None:
    """Paint the right portal vein across the picture, parting into two branches, with the cava behind."""
    p.small_vessels(9)
    p.diaphragm(p.near(-0.4, 3.0), p.jitter(10.4, 0.02) * p.body.size)
    p.veins([p.branch(p.near(-2.0, 10.4), p.near(-1.0, 10.9), p.near(0.2, 11.2), p.jitter(0.35), p.jitter(0.4))])
    p.cava(p.near(2.4, 11.2), (p.jitter(1.15), p.jitter(0.8)))
    if p.chance(0.25):
        p.gallbladder(p.near(4.3, 6.0))
    fork = p.near(-0.6, 7.7)
    p.portal(
        [
            p.branch(p.near(5.8, 8.4), p.near(2.6, 7.0), fork, p.jitter(0.66), p.jitter(0.58)),
            p.branch(fork, p.near(-2.2, 6.9), p.near(-3.0, 4.3), p.jitter(0.42), p.jitter(0.17)),
            p.branch(fork, p.near(-2.8, 8.2), p.near(-5.4, 9.6), p.jitter(0.44), p.jitter(0.19)),
        ]
    )
    if p.chance(0.2):
        p.ribs(1)


def _right_posterior_portal_vein(p: Painter) -> None:
    """Paint the right posterior portal vein, sweeping deep and lateral, seen between ribs."""
    p.small_vessels(9)
    p.diaphragm(p.near(0.6, 2.6), p.jitter(11.0, 0.02) * p.body.size)
    p.veins([p.branch(p.near(-1.9, 5.6), p.near(-1.3, 5.4), p.near(-0.6, 5.3), p.jitter(0.3), p.jitter(0.26))])
    if p.chance(0.25):
        p.kidney(p.near(4.2, 11.6), (2.6, 1.9), -0.3)
    p.portal(
        [
            p.branch(p.near(3.4, 6.6), p.near(0.4, 7.2), p.near(-1.4, 8.7), p.jitter(0.55), p.jitter(0.42)),
            p.branch(p.near(-1.4, 8.7, 0.0), p.near(-3.2, 9.9), p.near(-5.2, 10.2), p.jitter(0.38), p.jitter(0.18)),
            p.branch(p.near(-0.8, 8.2, 0.1), p.near(-0.9, 9.6), p.near(-1.5, 11.2), p.jitter(0.26), p.jitter(0.13)),
        ]
    )
    if p.chance(0.2):
        p.gallbladder(p.near(4.6, 7.6))
    if p.chance(0.6):
        p.ribs(1 + p.chance(0.4))


def _liver_kidney(p: Painter) -> None:
    """Paint the right kidney behind the liver, its upper pole deeper and towards the head."""
    p.small_vessels(9)
    centre, tilt = p.near(2.4, 9.2), float(p.rng.normal(-0.35, 0.1))
    p.back_muscle(centre, tilt)
    p.diaphragm(p.near(1.4, 2.4), p.jitter(11.2, 0.02) * p.body.size)
    if p.chance(0.35):
        p.bowel_gas(p.near(6.8, 6.0))
    semi = (p.jitter(5.1, 0.06) * p.body.size, p.jitter(2.45, 0.07) * p.body.size)
    p.kidney(centre, semi, tilt)
    if p.chance(0.5):
        p.ribs(1 + p.chance(0.3))


_SCENES: dict[View, Callable[[Painter], None]] = {
    View.HEPATIC_VEINS: _hepatic_veins,
    View.RIGHT_PORTAL_VEIN: _right_portal_vein,
    View.RIGHT_POSTERIOR_PORTAL_VEIN: _right_posterior_portal_vein,
    View.LIVER_KIDNEY: _liver_kidney,
}


def paint_view(rng: np.random.Generator, grid: PolarGrid, body: Body, view: View) -> Tissues:
    """Paint a view of a body.

    Parameters
    ----------
    rng : numpy.random.Generator
        Decides the anatomy and what is in the way.
    grid : PolarGrid
    body : Body
    view : View

    Returns
    -------
    Tissues
    """
    painter = Painter(rng, grid, body)
    _SCENES[view](painter)
    painter.body_wall()
    return painter.tissues
