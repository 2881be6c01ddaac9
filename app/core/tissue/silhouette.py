"""The silhouette: the shape of the tissue that a screen, or a declared region of it, shows."""

from typing import Final, NamedTuple

import numpy as np

from app.core.tissue.background import THRESHOLDS, brightest_channel, clean_thresholds, distance_from, find_background
from app.core.tissue.bars import without_bars
from app.core.tissue.blobs import solid_blobs
from app.core.tissue.edges import edges_of
from app.core.tissue.fit import ON_A_SIDE, fit_shape, sharpened
from app.core.tissue.geometry import Mask, bounds, cut, share_of
from app.core.tissue.panels import refuse_other_panels
from app.core.tissue.pictures import reduced
from app.core.tissue.shape import Shape, drawn, excess, placed, polar, rectangle, scaled, symmetric
from app.core.values import GreyImage, ScreenPixels

SEARCHED_SIDE: Final = 360
"""Pixels along the shorter side, at least: larger screens are searched at a half, a third... of their size."""
MIN_POINTS: Final = 40
"""Edges inside the picture: with fewer the tissue fills it from border to border."""
GOOD: Final = 0.5
"""Share of the edges that a shape explains. Of 36 real screens and 400 phantoms those with a dark side or a dark far
field have 0.55 at least, clean ones 0.9; forms, photographs and text have less than 0.4."""
DOUBTFUL: Final = 0.35
"""Between this and `GOOD` the crop is made, with a warning."""
CLEAN: Final = 0.8
"""Of the merit: no other threshold is tried."""
MIN_INSIDE: Final = 0.9
"""Of the blobs that it was fitted to: a shape holds this much of them."""
JOINS: Final = 0.95
"""Of a part that a shadow has cut off from the tissue: so much of it lies between the same arcs."""
WIDEST_RAD: Final = 1.1
"""Angle against the vertical beyond which no probe looks."""


MARK: Final = 200
"""Grey levels above the background: what is written beside the tissue is brighter, what has faded is not."""
MAX_MARKS: Final = 0.004
"""Of a side that is completed: with more than this, something else is drawn there."""


class Silhouette(NamedTuple):
    """A shape found in a picture.

    Attributes
    ----------
    shape : Shape
    explained : float
        Share of the edges that it explains.
    inside : float
        Share of what it was fitted to that lies inside.
    blob : Mask
        What it was fitted to.
    """

    shape: Shape
    explained: float
    inside: float
    blob: Mask

    @property
    def is_good(self) -> bool:
        """Whether the shape can be relied upon."""
        return self.explained >= GOOD and self.inside >= MIN_INSIDE

    @property
    def merit(self) -> float:
        """How one is chosen among several."""
        return self.explained * self.inside


def find_silhouette(screen: ScreenPixels) -> Silhouette | None:
    """Find the sector, or the rectangle of a linear probe, in a screen.

    Parameters
    ----------
    screen : ndarray of uint8, shape (rows, columns) or (rows, columns, 3)

    Returns
    -------
    Silhouette or None
        None if nothing solid is drawn.

    Raises
    ------
    MultipleTissueRegions
        If another panel of like size stands beside it.
    """
    scale = max(1, min(screen.shape[:2]) // SEARCHED_SIDE)
    small = reduced(screen, scale)
    window = without_bars(brightest_channel(small))
    found = _search(cut(small, window))
    if found is None:
        return None
    shape = scaled(placed(found.shape, window), scale)
    return found._replace(shape=shape)


def _search(screen: ScreenPixels) -> Silhouette | None:
    """Fit a shape at the lowest threshold at which a good one is found, else at the best one."""
    distance = distance_from(screen, find_background(screen) or (0,) * np.atleast_3d(screen).shape[2])
    best: Silhouette | None = None
    for threshold in clean_thresholds(distance):
        found = _joined(solid_blobs(distance > threshold), distance)
        if found and (best is None or found.merit > best.merit):
            best = found
        if best and best.merit >= CLEAN:
            break
    return best and best._replace(shape=_finished(best, distance))


def _finished(found: Silhouette, distance: GreyImage) -> Shape:
    """Draw the sides in to where the picture is bright, and complete one that the probe did not see."""
    if found.shape.is_box:
        return found.shape
    shape = sharpened(found.shape, edges_of(found.blob & (distance > THRESHOLDS[-1])))
    whole = symmetric(shape)
    added = drawn(whole, distance.shape) & ~drawn(shape, distance.shape)
    return shape if share_of(added & (distance > MARK)) > MAX_MARKS * share_of(added) else whole


def _joined(blobs: list[Mask], distance: GreyImage) -> Silhouette | None:
    """Fit a shape to the largest blob and to those that a shadow has cut off from it."""
    if not blobs:
        return None
    found = _fitted(blobs[0], distance)
    for blob in blobs[1:]:
        if found.is_good and not _continues(found.shape, blob):
            continue
        joint = _fitted(found.blob | blob, distance)
        if joint.merit > found.merit or (joint.is_good and _share_inside(blob, joint.shape) >= MIN_INSIDE):
            found = joint
    refuse_other_panels(found.blob, [blob for blob in blobs if not (blob & found.blob).any()])
    return found


def _continues(shape: Shape, blob: Mask) -> bool:
    """Tell whether a blob lies between the arcs of a sector, beside what the sector was fitted to."""
    y, x = np.nonzero(blob[::4, ::4])
    points = 4.0 * np.stack([x, y], axis=1)
    _, _, near, far = excess(shape, points)
    angle, _ = polar(points, np.array([shape.apex_x, shape.apex_y]), shape.aspect)
    between = (near < ON_A_SIDE) & (far < ON_A_SIDE) & (np.abs(angle) < WIDEST_RAD)
    return not shape.is_rectangle and share_of(between) >= JOINS


def _fitted(blob: Mask, distance: GreyImage) -> Silhouette:
    box, edges = bounds(blob), edges_of(blob)
    if len(edges.all) < MIN_POINTS:
        return Silhouette(rectangle(*box), 1.0, 1.0, blob)
    fit = fit_shape(edges, box, distance)
    return Silhouette(fit.shape, fit.explained, _share_inside(blob, fit.shape), blob)


def _share_inside(blob: Mask, shape: Shape) -> float:
    return np.count_nonzero(blob & drawn(shape, blob.shape)) / np.count_nonzero(blob)
