"""Which frame is taken, and its bytes as they are coded."""

import struct
from typing import Final

from app.adapters.dicom.attributes import Attributes
from app.adapters.dicom.limits import ReadLimits
from app.adapters.dicom.parsing import join_fragments
from app.adapters.dicom.pixel_element import PixelElement, cut_short
from app.adapters.dicom.pixel_format import PixelFormat
from app.adapters.dicom.transfer_syntaxes import NATIVE
from app.core.errors import UndecodablePixels
from app.core.values import Content

_ITEM: Final = struct.Struct("<LL")
_ITEM_TAG: Final = 0xE000FFFE  # (FFFE,E000), its two words read as one


def choose_frame(attributes: Attributes, limits: ReadLimits, wanted: int | None = None) -> tuple[int, int]:
    """Choose (0028,6010) Representative Frame Number (PS3.3 C.7.6.6) when it is valid, else the middle frame.

    Parameters
    ----------
    attributes : Attributes
    limits : ReadLimits
    wanted : int, optional
        Counted from 1: this frame instead.

    Returns
    -------
    tuple of int
        The frame, counted from 1, and the number of frames.
    """
    count = attributes.integer("NumberOfFrames") if attributes.has_value("NumberOfFrames") else 1
    if count is None or not 0 < count <= limits.max_frames:
        raise UndecodablePixels(f"(0028,0008) Number of Frames must be between 1 and {limits.max_frames}.")
    if wanted is not None:
        return wanted, count
    representative = attributes.integer("RepresentativeFrameNumber") or 0
    return (representative if 0 < representative <= count else (count + 1) // 2), count


def cut_frame(element: PixelElement, attributes: Attributes, fmt: PixelFormat, number: int, count: int) -> Content:
    """Cut one frame out of (7FE0,0010) Pixel Data: native by arithmetic, encapsulated by its offset tables."""
    is_native = element.transfer_syntax_uid in NATIVE
    if is_native == element.is_encapsulated:
        raise UndecodablePixels(
            "(0002,0010) Transfer Syntax UID contradicts (7FE0,0010) Pixel Data: compressed data must be "
            "encapsulated, and uncompressed data must not."
        )
    if is_native:
        _check_native_length(element, fmt, count)
        return element.cut((number - 1) * fmt.native_bytes, fmt.native_bytes)
    _check_delimited(element)
    return join_fragments(element, number - 1, count, _extended_offset_tables(attributes))


def _check_native_length(element: PixelElement, fmt: PixelFormat, count: int) -> None:
    if element.start + element.length > len(element.data):
        raise cut_short()
    if fmt.photometric_interpretation == "YBR_FULL_422" and fmt.columns % 2:
        raise UndecodablePixels("(0028,0011) Columns must be even for uncompressed YBR_FULL_422.")
    expected = count * fmt.native_bytes
    # samples that were never shared, or no longer are, would be read as the wrong colours
    is_unshared = fmt.photometric_interpretation == "YBR_FULL_422" and 2 * element.length >= 3 * expected
    if element.length < expected or is_unshared:
        raise UndecodablePixels(
            "(7FE0,0010) Pixel Data has not the length that Rows, Columns, Samples per Pixel, Bits Allocated, "
            "Number of Frames and Photometric Interpretation ask for."
        )


def _check_delimited(element: PixelElement) -> None:
    """Walk over the fragments to their delimiter (PS3.5 A.4); without one, frames behind the chosen one are lost."""
    at = element.start
    while at + 8 <= len(element.data):
        tag, length = _ITEM.unpack_from(element.data, at)
        if tag != _ITEM_TAG:
            break
        at += 8 + length
    else:
        raise cut_short()


def _extended_offset_tables(attributes: Attributes) -> tuple[bytes, bytes] | None:
    offsets, lengths = attributes.raw("ExtendedOffsetTable"), attributes.raw("ExtendedOffsetTableLengths")
    return (offsets, lengths) if offsets and lengths else None
