"""Colour Doppler, told from a tinted grey map."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.core.tissue.geometry import Mask, share_of
from app.core.tissue.morphology import eroded
from app.core.tissue.pictures import coverage, reduced
from app.core.values import ScreenPixels

COLOUR_STEP: Final = 48
"""Levels of R - G or B - G away from the map's tint: tints vary by less, colour flow by more than 100."""
COLOUR_LEAP: Final = 80
"""Levels between neighbouring tints, at most: blue, the steepest tint, rises 73 per step of luminance."""
LUMINANCE_32: Final = np.array([0.299, 0.587, 0.114]) / 8
"""Rec. 601 luminance in 32 steps."""
COLOUR_WIDTH: Final = 512
"""Pixels: the width at which colour is judged, at most."""
PATCH_CELLS: Final = 3
"""Coloured text, callipers and outlines are drawn with strokes thinner than this many cells; flow is not."""
MIN_FLOW_SHARE: Final = 0.0022
"""Of the tissue: what is left of large coloured text, callipers, a focus mark and a trace is 0.0019 at most after JPEG
of quality 60, and of vessels of 14 pixels that cover 1 % of the tissue 0.0044 at least..."""
MIN_DECLARED_FLOW_SHARE: Final = 0.0012
"""...and less is enough where the object says that it shows flow: vessels of 7 pixels leave 0.0016."""


def has_colour_flow(pixels: ScreenPixels, mask: Mask, declared: bool = False) -> bool:
    """Tell colour Doppler from a tinted grey map.

    In a tinted map the colour is a function of the level. So the map's tint is read from the pixels, as the median
    colour of every level, and what is far from it in compact patches is flow. An object that declares flow, by a
    region of data type 2 or by value 4 of its Image Type, is looked at more closely, but that does not count by
    itself: systems keep declaring it when the colour is switched off or no flow is seen, and then the picture is
    plain B-mode.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (rows, columns) or (rows, columns, 3)
    mask : ndarray of bool, shape (rows, columns)
        The tissue.
    declared : bool
        Whether the object declares flow.

    Returns
    -------
    bool
    """
    if pixels.ndim == 2:
        return False
    scale = -(-pixels.shape[1] // COLOUR_WIDTH)
    small = reduced(pixels, scale).astype(np.int16)
    if max(np.ptp(small[..., 1] - small[..., k]) for k in (0, 2)) <= COLOUR_STEP:
        return False
    inside = coverage(mask, scale) == 255
    patches = eroded(_off_tint(small) & inside, PATCH_CELLS)
    return share_of(patches) > (MIN_DECLARED_FLOW_SHARE if declared else MIN_FLOW_SHARE) * share_of(inside)


def _off_tint(rgb: NDArray[np.int16]) -> Mask:
    """Mark the pixels whose colour is far from the tint of their level."""
    chroma = rgb[..., (0, 2)] - rgb[..., 1:2]
    level = (rgb @ LUMINANCE_32).astype(np.int16)
    tint = _tint(chroma[::2, ::2], level[::2, ::2])
    return np.asarray((np.abs(chroma - tint[level]) > COLOUR_STEP).any(axis=2))


def _tint(chroma: NDArray[np.int16], level: NDArray[np.int16]) -> NDArray[np.int16]:
    """Return the map's colour (R - G, B - G) at 32 levels: medians, as far as they follow each other smoothly.

    Where flow outnumbers tissue, as at the bright end of power Doppler, the median leaps; the tint does not.
    """
    tint = np.zeros((32, 2), np.int16)
    for k in range(32):
        here = chroma[level == k]
        median = np.median(here, axis=0) if len(here) else tint[k - 1]
        follows = k == 0 or np.abs(median - tint[k - 1]).max() <= COLOUR_LEAP
        tint[k] = median if follows else tint[k - 1]
    return tint
