"""The transfer syntaxes (PS3.5 Annex A) that parsing and pixel data must tell apart."""

from typing import Final

import numpy as np

IMPLICIT_VR_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2"
EXPLICIT_VR_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2.1"
EXPLICIT_VR_BIG_ENDIAN: Final = "1.2.840.10008.1.2.2"
RLE_LOSSLESS: Final = "1.2.840.10008.1.2.5"
NATIVE: Final = (IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN)


def swap_words(data: bytes) -> bytes:
    """Turn 16-bit words round; an odd byte at the end is dropped."""
    return np.frombuffer(data[: len(data) // 2 * 2], "<u2").byteswap().tobytes()
