"""What the samples look like on a screen."""

import numpy as np
from numpy.typing import NDArray

from app.adapters.dicom.colour_model import check_rgb, check_ycbcr, unclipped_rgb
from app.adapters.dicom.grey_scale import grey_scale
from app.adapters.dicom.header import Header
from app.adapters.dicom.palette import coloured
from app.adapters.dicom.pixel_format import DecodedFrame, Samples
from app.core.values import ScreenPixels


def displayed(decoded: DecodedFrame, header: Header) -> ScreenPixels:
    """Turn samples into uint8 grey levels or RGB, contiguous."""
    photometric = decoded.photometric_interpretation
    if photometric == "RGB":
        pixels = decoded.samples
        check_rgb(decoded.samples.astype(np.uint8, copy=False))
    elif photometric == "YBR_FULL":
        ybr = decoded.samples.astype(np.uint8, copy=False)
        check_ycbcr(ybr)
        pixels = to_rgb(ybr)
    elif photometric == "PALETTE COLOR":
        pixels = coloured(decoded.samples, header.tables.palette)
    else:
        pixels = _grey(decoded.samples, header)
    return np.ascontiguousarray(pixels, dtype=np.uint8)


def to_rgb(ybr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Convert YBR_FULL to RGB.

    Parameters
    ----------
    ybr : ndarray of uint8, shape (rows, columns, 3)

    Returns
    -------
    ndarray of uint8, shape (rows, columns, 3)
    """
    levels: NDArray[np.uint8] = np.clip(np.rint(unclipped_rgb(ybr)), 0, 255).astype(np.uint8)
    return levels


def _grey(samples: Samples, header: Header) -> ScreenPixels:
    """Show grey samples; the grey scale is worked out once for each value that can be stored."""
    levels = grey_scale(header.pixel_format.bits_stored, header.tables.modality, header.tables.voi)
    if header.pixel_format.photometric_interpretation == "MONOCHROME1":  # the lowest value is white
        levels = 255 - levels
    if samples.dtype == np.uint8 and np.array_equal(levels, np.arange(256)):
        return samples.astype(np.uint8, copy=False)
    return levels[np.minimum(samples, len(levels) - 1)]
