"""Uncompressed samples, and what they share with codecs that change neither their layout nor their colour."""

import numpy as np

from app.adapters.dicom.pixel_format import JPEG2000_ONLY, YBR, DecodedFrame, PixelFormat, Samples
from app.core.errors import UndecodablePixels
from app.core.values import Content


def decode_native(frame: Content, fmt: PixelFormat) -> DecodedFrame:
    """Uncompressed samples (PS3.5 8.1), already little endian."""
    samples = np.frombuffer(frame, dtype=fmt.dtype, count=fmt.native_bytes * 8 // fmt.bits_allocated)
    decoder = f"numpy {np.__version__}"
    if fmt.photometric_interpretation == "YBR_FULL_422":
        return DecodedFrame(_repeat_chroma(samples, fmt), "YBR_FULL", decoder)
    samples = interleaved(without_unused_bits(samples, fmt), fmt, fmt.planar_configuration)
    return DecodedFrame(samples, colour_as_stored(fmt), decoder)


def without_unused_bits(samples: Samples, fmt: PixelFormat) -> Samples:
    """Clear the bits above (0028,0101) Bits Stored, where old objects keep overlays (PS3.5 8.1.2)."""
    if fmt.bits_stored == 8 * samples.itemsize:
        return samples
    return samples & samples.dtype.type((1 << fmt.bits_stored) - 1)


def interleaved(samples: Samples, fmt: PixelFormat, planar_configuration: int) -> Samples:
    """Give the samples the frame's shape, colour last."""
    if fmt.samples_per_pixel == 1 or planar_configuration == 0:
        return samples.reshape(fmt.shape)
    return np.moveaxis(samples.reshape(fmt.samples_per_pixel, fmt.rows, fmt.columns), 0, -1)


def colour_as_stored(fmt: PixelFormat) -> str:
    """Name the colour of samples that no codec transformed; full resolution chroma is YBR_FULL."""
    if fmt.photometric_interpretation in JPEG2000_ONLY:
        raise UndecodablePixels(
            f"(0028,0004) Photometric Interpretation {fmt.photometric_interpretation} belongs to JPEG 2000: "
            "set it to RGB if the pixel data was decompressed."
        )
    return "YBR_FULL" if fmt.photometric_interpretation in YBR else fmt.photometric_interpretation


def _repeat_chroma(samples: Samples, fmt: PixelFormat) -> Samples:
    """Native YBR_FULL_422 is Y0 Y1 Cb Cr for each pair of pixels (PS3.3 C.7.6.3.1.2); chroma is repeated."""
    pairs = samples.reshape(fmt.rows, fmt.columns // 2, 4)
    full = pairs[..., [0, 2, 3, 1, 2, 3]]
    return full.reshape(fmt.shape)
