"""The silhouette: the outline of the tissue that a screen, or a declared region of it, shows."""

from typing import Final, NamedTuple

import numpy as np

from app.core.tissue.background import Colour, clean_thresholds, distance_from, find_background, without_bars
from app.core.tissue.blobs import main_blob
from app.core.tissue.geometry import Mask, bounds, cut, share_of, size
from app.core.tissue.hull import Points, filled, hull_of
from app.core.tissue.morphology import enlarged
from app.core.tissue.pictures import MIN_SIDE, reduced, texture
from app.core.tissue.sector import with_faded_sides, without_arc
from app.core.values import ScreenPixels, TissueBox

SEARCHED_SIDE: Final = 360
"""Pixels along the shorter side, at least: larger screens are searched at a half, a third... of their size."""
MIN_TISSUE_SHARE: Final = 0.04
"""Of the searched rectangle: a smaller blob is a logo or a body mark."""
MIN_TEXTURE: Final = 0.02
"""Share of horizontal neighbours that differ: a sector that is black but for its near field has 0.05, a form 0."""
SOLID: Final = 0.9
"""Share of its convex outline that a solid blob covers."""


class _Outline(NamedTuple):
    """A blob's outline.

    Attributes
    ----------
    solidity : float
        Share of it that the blob covers.
    mask : Mask
        What lies inside.
    hull : Points
        Its convex corners, before the arc of a curved probe was cut off...
    within : Mask
        ...and what lies inside them.
    """

    solidity: float
    mask: Mask
    hull: Points
    within: Mask


def find_silhouette(screen: ScreenPixels) -> Mask | None:
    """Find the sector, or the rectangle of a linear probe, in a screen.

    Parameters
    ----------
    screen : ndarray of uint8, shape (rows, columns) or (rows, columns, 3)

    Returns
    -------
    ndarray of bool, shape (rows, columns), or None
        True in the silhouette, which has no holes; None if there is no tissue.

    Raises
    ------
    MultipleTissueRegions
        If two panels of like size stand side by side.
    """
    if min(screen.shape[:2]) < MIN_SIDE:
        return None
    scale = max(1, min(screen.shape[:2]) // SEARCHED_SIDE)
    small = reduced(screen, scale)
    searched = without_bars(small)
    found = _search(cut(small, searched))
    if found is None:
        return None
    mask = np.zeros(small.shape[:2], np.bool_)
    cut(mask, searched)[...] = found
    mask = enlarged(mask, scale, screen.shape[:2])
    return mask if min(size(bounds(mask))) >= MIN_SIDE else None


def find_tissue_box(screen: ScreenPixels) -> TissueBox | None:
    """Return the tight bounds of `find_silhouette`, or None."""
    mask = find_silhouette(screen)
    return None if mask is None else bounds(mask)


def _search(screen: ScreenPixels) -> Mask | None:
    """Find the silhouette in a screen without bars."""
    background = find_background(screen)
    mask = np.ones(screen.shape[:2], np.bool_) if background is None else _outlined(screen, background)
    return mask if mask is not None and _is_tissue(mask, screen) else None


def _is_tissue(mask: Mask, screen: ScreenPixels) -> bool:
    """Tell a silhouette from a logo, a form or a thumbnail."""
    return bool(share_of(mask) >= MIN_TISSUE_SHARE) and texture(cut(screen, bounds(mask))) >= MIN_TEXTURE


def _outlined(screen: ScreenPixels, background: Colour) -> Mask | None:
    """Outline what is drawn, at the lowest threshold that makes it solid, else at the one that makes it most solid."""
    distance = distance_from(screen, background)
    best: _Outline | None = None
    for threshold in clean_thresholds(distance):
        outline = _outline_of(distance > threshold)
        if outline is not None and (best is None or outline.solidity > best.solidity):
            best = outline
        if best is not None and best.solidity >= SOLID:
            break
    return None if best is None else with_faded_sides(best.mask, best.hull, best.within, distance)


def _outline_of(drawn: Mask) -> _Outline | None:
    blob = main_blob(drawn)
    if blob is None:
        return None
    hull = hull_of(blob)
    within = filled(hull, blob.shape)
    mask = without_arc(within, hull, drawn)
    return _Outline(float(np.count_nonzero(blob) / np.count_nonzero(mask)), mask, hull, within)
