"""The silhouette: the shape of the tissue that a screen, or a declared region of it, shows."""

from typing import Final, NamedTuple

import numpy as np

from app.core.errors import NoTissue
from app.core.tissue.background import THRESHOLDS, brightest_channel, clean_thresholds, distance_from, find_background
from app.core.tissue.bars import without_bars
from app.core.tissue.blobs import solid_blobs
from app.core.tissue.edges import edges_of
from app.core.tissue.fit import ON_A_SIDE, fit_shape, sharpened
from app.core.tissue.geometry import Mask, bounds, cut, share_of
from app.core.tissue.panels import panels_among, refuse_seam, refuse_several, stand_side_by_side
from app.core.tissue.pictures import reduced
from app.core.tissue.shape import Shape, drawn, excess, placed, polar, rectangle, scaled, symmetric
from app.core.values import GreyImage, ScreenPixels

SEARCHED_SIDE: Final = 360
"""Pixels along the shorter side, at least: larger screens are searched at a half, a third... of their size."""
MIN_POINTS: Final = 40
"""Edges inside the picture: with fewer the tissue fills it from border to border."""
GOOD: Final = 0.5
"""Share of the edges that a shape explains. Real screens and phantoms with a dark side or a dark far field have 0.48 at
least, clean ones 0.9; a disc has 0.25."""
DOUBTFUL: Final = 0.35
"""Between this and `GOOD` the crop is made, with a warning."""
CLEAN: Final = 0.8
"""Of the merit: no other threshold is tried."""
MIN_INSIDE: Final = 0.9
"""Of the blobs that it was fitted to: a shape holds this much of them."""
MIN_DOUBTFUL_INSIDE: Final = 0.75
"""With less the shape is refused."""
JOINS: Final = 0.95
"""Of a part that a shadow has cut off from the tissue: so much of it lies between the same arcs."""
COARSE: Final = 4
"""Each so many-th pixel tells where a blob lies."""
WIDEST_RAD: Final = 1.1
"""Angle against the vertical beyond which no probe looks."""


NECK: Final = 0.5
"""Of the height of either half: two panels that touch are thinner where they do."""
SMALLER_HALF: Final = 0.25
"""Of both: panels have like sizes."""
APART: Final = 0.2
"""Of the picture's width: the apexes of two panels; those of two parts of one sector are the same."""
MARK: Final = 200
"""Grey levels above the background: what is written beside the tissue is brighter, what has faded is not."""
MAX_MARKS: Final = 0.004
"""Of a side that is completed: with more than this, something else is drawn there."""


MIN_TISSUE_SHARE: Final = 0.04
"""Of the picture: what is smaller is a logo, a body mark or a word."""


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
    def is_clean(self) -> bool:
        """Whether there is nothing to doubt."""
        return self.merit >= CLEAN

    @property
    def merit(self) -> float:
        """How one is chosen among several."""
        return self.explained * self.inside


def find_silhouette(screen: ScreenPixels) -> Silhouette:
    """Find the sector, or the rectangle of a linear probe, in a screen.

    Parameters
    ----------
    screen : ndarray of uint8, shape (rows, columns) or (rows, columns, 3)

    Returns
    -------
    Silhouette

    Raises
    ------
    NoTissue
        If nothing solid is drawn.
    MultipleTissueRegions
        If another panel of like size stands beside it.
    """
    scale = max(1, min(screen.shape[:2]) // SEARCHED_SIDE)
    small = reduced(screen, scale)
    window = without_bars(brightest_channel(small))
    found = _search(cut(small, window))
    if found is None:
        raise NoTissue("The image shows no tissue: send one that shows B-mode tissue.")
    shape = scaled(placed(found.shape, window), scale)
    return found._replace(shape=shape)


def _search(screen: ScreenPixels) -> Silhouette | None:
    """Fit a shape at the lowest threshold at which a good one is found, else at the best one."""
    distance = distance_from(screen, find_background(screen) or (0,) * np.atleast_3d(screen).shape[2])
    best: Silhouette | None = None
    for threshold in clean_thresholds(distance):
        found = _joined(solid_blobs(distance, threshold), distance)
        if found and (best is None or found.merit > best.merit):
            best = found
        if best and best.is_clean:
            break
    return best and best._replace(shape=_finished(best, distance))


def _finished(found: Silhouette, distance: GreyImage) -> Shape:
    """Draw the sides in to where the picture is bright, and complete one that the probe did not see."""
    if found.shape.is_rectangle and share_of(found.blob) >= MIN_TISSUE_SHARE:
        refuse_seam(distance, bounds(found.blob))
    if found.shape.is_box:
        return found.shape
    shape = sharpened(found.shape, edges_of(found.blob & (distance > THRESHOLDS[-1])))
    whole = symmetric(shape)
    if whole is shape:
        return shape
    added = drawn(whole, distance.shape) & ~drawn(shape, distance.shape)
    return shape if share_of(added & (distance > MARK)) > MAX_MARKS * share_of(added) else whole


def _joined(blobs: list[Mask], distance: GreyImage) -> Silhouette | None:
    """Fit a shape to the largest blob and to those that a shadow has cut off from it."""
    if not blobs:
        return None
    found, others = _fitted(blobs[0], distance), []
    for blob in blobs[1:]:
        joint = _joint(found, blob, distance)
        others += [] if joint else [blob]
        found = joint or found
    if share_of(found.blob) < MIN_TISSUE_SHARE:  # a form's boxes and words are too small to be panels
        return found
    panels = panels_among(others, found.blob, distance)
    strips = _strips(found, panels, distance) if panels else None
    refuse_several(1 if strips else 1 + len(panels), "The picture shows several panels of tissue.")
    found = strips or found
    if not found.is_clean:
        _refuse_halves(found.blob, distance)
    return found


def _strips(found: Silhouette, panels: list[Mask], distance: GreyImage) -> Silhouette | None:
    """Fit one sector to all that stands side by side: shadows can leave strips that are no sector one by one."""
    if not all(stand_side_by_side(found.blob, panel) for panel in panels):
        return None
    whole = _fitted(np.logical_or.reduce([found.blob, *panels]), distance)
    return whole if whole.is_good and not whole.shape.is_rectangle else None


def _refuse_halves(blob: Mask, distance: GreyImage) -> None:
    """Raise `MultipleTissueRegions` where a blob is thin in the middle, and both halves are sectors of their own."""
    height = np.count_nonzero(blob, axis=0)
    third = len(height) // 3
    at = third + int(height[third : 2 * third].argmin())
    if height[at] > NECK * min(height[:at].max(), height[at:].max()):
        return
    left = np.arange(blob.shape[1]) < at
    parts = [blob & side for side in (left, ~left)]
    if min(map(np.count_nonzero, parts)) < SMALLER_HALF * np.count_nonzero(blob):
        return
    halves = [_fitted(part, distance) for part in parts]
    apart = abs(halves[0].shape.apex_x - halves[1].shape.apex_x)
    if all(half.is_good for half in halves) and apart > APART * blob.shape[1]:
        refuse_several(2, "The picture shows two panels that touch.")


def _joint(found: Silhouette, blob: Mask, distance: GreyImage) -> Silhouette | None:
    """Fit one shape to what was found and to one more blob; None if the blob is something else."""
    if found.is_good and not _continues(found.shape, blob):
        return None
    joint = _fitted(found.blob | blob, distance)
    belongs = joint.is_good and _share_inside(blob, joint.shape) >= MIN_INSIDE
    return joint if belongs or joint.merit > found.merit else None


def _continues(shape: Shape, blob: Mask) -> bool:
    """Tell whether a blob lies between the arcs of a sector, beside what the sector was fitted to."""
    y, x = np.nonzero(blob[::COARSE, ::COARSE])
    points = COARSE * np.stack([x, y], axis=1).astype(np.float64)
    _, _, near, far = excess(shape, points)
    angle, _ = polar(points, np.array([shape.apex_x, shape.apex_y]), shape.aspect)
    between = (near < ON_A_SIDE) & (far < ON_A_SIDE) & (np.abs(angle) < WIDEST_RAD)
    return not shape.is_rectangle and between.size > 0 and share_of(between) >= JOINS


def _fitted(blob: Mask, distance: GreyImage) -> Silhouette:
    box, edges = bounds(blob), edges_of(blob)
    if len(edges.all) < MIN_POINTS:
        return Silhouette(rectangle(*box), 1.0, 1.0, blob)
    fit = fit_shape(edges, box, distance)
    return Silhouette(fit.shape, fit.explained, _share_inside(blob, fit.shape), blob)


def _share_inside(blob: Mask, shape: Shape) -> float:
    few = blob[::COARSE, ::COARSE]
    return float(few[drawn(scaled(shape, 1 / COARSE), few.shape)].sum() / max(1, int(few.sum())))
