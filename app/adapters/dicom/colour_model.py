"""RGB or YCbCr: what the samples themselves say, where nothing in the file but one attribute does.

The two differ by more than a tint: black is (0, 0, 0) in RGB and (0, 128, 128) in YCbCr, and an ultrasound screen is
mostly black and grey. Neither check can mistake a screen that is labelled rightly; a picture without grey may pass them
although it is labelled wrongly.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.core.errors import UndecodablePixels

_EVERY: Final = 3  # rows and columns: enough to see it
_NEUTRAL: Final = 128
_STEP: Final = 3  # levels that lossy compression may move a neutral chroma
_OUTSIDE: Final = 20.0  # levels beyond black or white; rounding and lossy compression stay below
_GREY_SHARE: Final = 0.5
_OUTSIDE_SHARE: Final = 0.1


def unclipped_rgb(ybr: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Convert YBR_FULL to RGB by the inverse of PS3.3 C.7.6.3.1.2 (ITU-R BT.601, full range).

    Parameters
    ----------
    ybr : ndarray of uint8, shape (rows, columns, 3)

    Returns
    -------
    ndarray of float32, shape (rows, columns, 3)
        Beyond 0..255 where `ybr` is none that stands for a colour.
    """
    y, cb, cr = (ybr[..., channel].astype(np.float32) - zero for channel, zero in enumerate((0, 128, 128)))
    return np.stack((y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb), axis=-1)


def check_rgb(rgb: NDArray[np.uint8]) -> None:
    """Refuse YCbCr that is labelled RGB: half of the picture has neutral chroma, and another luminance.

    Raises
    ------
    UndecodablePixels
    """
    first, second, third = np.moveaxis(rgb[::_EVERY, ::_EVERY].astype(np.int16) - _NEUTRAL, -1, 0)
    is_grey = (np.abs(second) <= _STEP) & (np.abs(third) <= _STEP) & (np.abs(first) > 3 * _STEP)
    if is_grey.mean() > _GREY_SHARE:
        raise _mislabelled("RGB", "YCbCr")


def check_ycbcr(ybr: NDArray[np.uint8]) -> None:
    """Refuse RGB that is labelled YCbCr: a tenth of the picture would be darker than black or brighter than white.

    Raises
    ------
    UndecodablePixels
    """
    rgb = unclipped_rgb(ybr[::_EVERY, ::_EVERY])
    is_outside = ((rgb < -_OUTSIDE) | (rgb > 255 + _OUTSIDE)).any(axis=-1)
    if is_outside.mean() > _OUTSIDE_SHARE:
        raise _mislabelled("YCbCr", "RGB")


def _mislabelled(said: str, held: str) -> UndecodablePixels:
    return UndecodablePixels(
        f"(0028,0004) Photometric Interpretation, or a marker in the compressed stream, says that the samples are "
        f"{said}, but they are {held}. Export the object again from its source."
    )
