"""What is known of sectors: curved probes leave an arc at the top, and the two sides are alike."""

from typing import Final

import numpy as np

from app.core.tissue.background import THRESHOLDS
from app.core.tissue.geometry import Mask, share_of
from app.core.tissue.hull import Points, convex_hull, filled
from app.core.tissue.morphology import dilated
from app.core.values import GreyImage

TOP_SLOPE: Final = 0.35
"""The edge between the two upper corners is nearly level."""
TOP_SHARE: Final = 0.3
"""Of the height: the upper corners lie above this."""
MIN_TOP_EDGE: Final = 16
"""Pixels between the upper corners: less is the tip of a phased array."""

ARC_QUANTILE: Final = 0.15
"""Of the columns' estimates of the arc's depth: dark columns overestimate it, so a low one is right."""
MIN_ARC_DEPTH: Final = 2.0
"""Pixels: below, the probe's edge is straight."""
MAX_ARC_DEPTH: Final = 0.3
"""Of the distance between the corners: a half circle has 0.5, abdominal probes have less than 0.2."""

MAX_TILT: Final = 0.03
"""Of the height, between the upper corners of a symmetric sector: one lies lower where the probe lost the skin."""
FAINT: Final = 0.4
"""Of the silhouette's mean level: an edge brighter than this is the sector's own..."""
MIN_BLACK: Final = 0.45
"""...and so is one with fewer black pixels than this share..."""
SEAM: Final = 9
"""...where the edge is a strip of half as many fourths of a pixel, wide enough for a ragged one."""
MIN_FADED: Final = 0.003
"""Of the silhouette: a smaller difference between its halves is not worth a look."""


def without_arc(mask: Mask, hull: Points, drawn: Mask) -> Mask:
    """Cut off what lies between a curved probe and the straight line through its corners.

    The arc is taken as a parabola, so each column estimates its depth s: y = chord(x) + 4 s u (1 - u), u from 0 to 1.
    """
    edge = _top_edge(hull)
    if edge is None:
        return mask
    (x0, y0), (x1, y1) = edge.tolist()
    u = np.linspace(0, 1, x1 - x0 + 1)
    chord, shape = y0 + (y1 - y0) * u, 4 * u * (1 - u)
    column = (drawn & mask)[:, x0 : x1 + 1]
    rows_left = np.arange(len(mask), 0, -1, dtype=np.int16)[:, np.newaxis]
    first = len(mask) - (column * rows_left).max(axis=0).astype(np.int64)  # argmax along columns takes thrice the time
    middle = shape > 0.5  # near the corners a pixel of error becomes a large one of depth
    depth = float(np.quantile((first - chord)[middle] / shape[middle], ARC_QUANTILE))
    if not MIN_ARC_DEPTH <= depth <= MAX_ARC_DEPTH * (x1 - x0):
        return mask
    below = mask.copy()
    begins = np.ceil(chord + depth * shape - 1).astype(np.int16)
    below[:, x0 : x1 + 1] &= np.arange(len(mask), dtype=np.int16)[:, None] >= begins
    return below


def with_faded_sides(mask: Mask, hull: Points, within: Mask, distance: GreyImage) -> Mask:
    """Complete a side that has faded to black with the mirror image of the other one.

    Sectors are symmetric about the vertical through the middle of their upper edge. A side is completed only where
    the silhouette ends in the dark: a bright end is the true edge of a steered or a cut sector. What lies `within` the
    hull is no addition.
    """
    edge = _top_edge(hull)
    if edge is None or abs(edge[0, 1] - edge[1, 1]) > MAX_TILT * np.ptp(hull[:, 1]):
        return mask
    axis = int(edge[:, 0].sum())
    mirrored = np.stack([axis - hull[:, 0], hull[:, 1]], 1)
    whole = filled(convex_hull(np.concatenate([hull, mirrored])), mask.shape)
    left = np.arange(mask.shape[1]) < axis / 2
    added = whole & ~within
    for side in (left, ~left):
        extra = added & side
        if share_of(extra) > MIN_FADED * share_of(mask) and _ends_in_the_dark(mask, extra, distance):
            mask = mask | extra
    return mask


def _top_edge(hull: Points) -> Points | None:
    """Return the hull's level edge between its upper corners, left one first, or None for a pointed sector."""
    following = np.roll(hull, -1, axis=0)
    run, rise = np.abs(following - hull).T
    y = (hull[:, 1] + following[:, 1]) / 2
    high = y < hull[:, 1].min() + TOP_SHARE * np.ptp(hull[:, 1])
    length = np.where(high & (rise < TOP_SLOPE * run), run, 0)
    k = int(length.argmax())
    edge = np.stack([hull[k], following[k]])
    return edge[edge[:, 0].argsort()] if length[k] >= MIN_TOP_EDGE else None


def _ends_in_the_dark(mask: Mask, extra: Mask, distance: GreyImage) -> bool:
    """Tell whether the silhouette is faint where the extra part begins."""
    seen, new, level = mask[::4, ::4], extra[::4, ::4], distance[::4, ::4]
    seam = level[dilated(new, SEAM) & seen]
    if seam.size == 0:
        return False
    black = share_of(seam <= THRESHOLDS[-1])
    return black >= MIN_BLACK and float(seam.mean()) < FAINT * float(level[seen].mean())
