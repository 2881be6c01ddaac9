"""One frame before and after decoding: what the attributes say of it, and its samples."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.core.values import AnalysisWarning

Samples = NDArray[np.uint8] | NDArray[np.uint16]

ONE_SAMPLE: Final = frozenset({"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"})
YBR: Final = frozenset({"YBR_FULL", "YBR_FULL_422"})
JPEG2000_ONLY: Final = frozenset({"YBR_ICT", "YBR_RCT"})
PHOTOMETRICS: Final = ONE_SAMPLE | {"RGB"} | YBR | JPEG2000_ONLY
"""Every (0028,0004) Photometric Interpretation that is accepted."""


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """The Image Pixel Module's description of one frame (PS3.3 C.7.6.3).

    Attributes
    ----------
    rows, columns : int
        (0028,0010), (0028,0011).
    samples_per_pixel : int
        (0028,0002): 1 or 3.
    bits_allocated, bits_stored : int
        (0028,0100): 8 or 16; (0028,0101).
    photometric_interpretation : str
        (0028,0004): one of `PHOTOMETRICS`.
    planar_configuration : int
        (0028,0006): 0 pixel by pixel, 1 plane by plane; says something about native data only.
    """

    rows: int
    columns: int
    samples_per_pixel: int
    bits_allocated: int
    bits_stored: int
    photometric_interpretation: str
    planar_configuration: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the decoded frame: (rows, columns) or (rows, columns, 3)."""
        size = (self.rows, self.columns)
        return size if self.samples_per_pixel == 1 else (*size, self.samples_per_pixel)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Little endian type of one native sample."""
        return np.dtype("<u1" if self.bits_allocated == 8 else "<u2")

    @property
    def native_bytes(self) -> int:
        """Length of one uncompressed frame, bytes; YBR_FULL_422 shares chroma between two pixels."""
        samples = 2 if self.photometric_interpretation == "YBR_FULL_422" else self.samples_per_pixel
        return self.rows * self.columns * samples * self.bits_allocated // 8


@dataclass(frozen=True, slots=True, eq=False)
class DecodedFrame:
    """One frame, uncompressed.

    Attributes
    ----------
    samples : ndarray of uint8 or uint16, shape (rows, columns) or (rows, columns, 3)
    photometric_interpretation : str
        What the samples now mean: one of the one-sample values, ``"RGB"`` or ``"YBR_FULL"``.
    decoder : str
        Library, version and codec.
    warnings : tuple of AnalysisWarning
        Where the codestream contradicted (0028,0004).
    """

    samples: Samples
    photometric_interpretation: str
    decoder: str
    warnings: tuple[AnalysisWarning, ...] = ()
