"""Which frame is taken, and its bytes as they are coded."""

from app.adapters.dicom.attributes import Attributes
from app.adapters.dicom.fragments import frame_of
from app.adapters.dicom.limits import ReadLimits
from app.adapters.dicom.pixel_element import PixelElement, cut_short
from app.adapters.dicom.pixel_format import PixelFormat
from app.adapters.dicom.transfer_syntaxes import NATIVE
from app.core.errors import UndecodablePixels
from app.core.values import AnalysisWarning, Content


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
    count = _said_count(attributes)
    if count is None or not 0 <= count <= limits.max_frames:
        raise UndecodablePixels(
            f"(0028,0008) Number of Frames must be a whole number between 1 and {limits.max_frames}: "
            "export the object again from its source."
        )
    count = count or 1  # nobody sends an object without a frame, and pydicom reads it so
    if wanted is not None:
        return wanted, count
    representative = attributes.integer("RepresentativeFrameNumber") or 0
    return (representative if 0 < representative <= count else (count + 1) // 2), count


def frame_warnings(attributes: Attributes) -> tuple[AnalysisWarning, ...]:
    """Say that the frames are not counted."""
    if _said_count(attributes) != 0:
        return ()
    detail = "(0028,0008) Number of Frames is 0; the pixel data is that of one frame."
    return (AnalysisWarning("frames_not_counted", detail),)


def _said_count(attributes: Attributes) -> int | None:
    return attributes.integer("NumberOfFrames") if attributes.has_value("NumberOfFrames") else 1


def cut_frame(
    element: PixelElement, attributes: Attributes, fmt: PixelFormat, number: int, count: int, limits: ReadLimits
) -> tuple[Content, tuple[AnalysisWarning, ...]]:
    """Cut one frame out of (7FE0,0010) Pixel Data: native by arithmetic, encapsulated by its fragments."""
    is_native = element.transfer_syntax_uid in NATIVE
    if is_native == element.is_encapsulated:
        raise UndecodablePixels(
            "(0002,0010) Transfer Syntax UID contradicts (7FE0,0010) Pixel Data: compressed data must be "
            "encapsulated, and uncompressed data must not."
        )
    if not is_native:
        return frame_of(element, attributes, number, count, limits.max_fragments)
    _check_native_length(element, fmt, count)
    return element.cut((number - 1) * fmt.native_bytes, fmt.native_bytes), ()


def _check_native_length(element: PixelElement, fmt: PixelFormat, count: int) -> None:
    if element.start + element.length > len(element.data):
        raise cut_short()
    if fmt.photometric_interpretation == "YBR_FULL_422" and fmt.columns % 2:
        raise UndecodablePixels("(0028,0011) Columns must be even for uncompressed YBR_FULL_422.")
    expected = count * fmt.native_bytes
    # more is as wrong as less: of two frames that are counted as one, or of rows that are counted too short, another
    # picture would be shown; one byte makes the length even
    if element.length not in (expected, expected + expected % 2):
        raise UndecodablePixels(
            f"(7FE0,0010) Pixel Data has {element.length} bytes, but (0028,0010) Rows, (0028,0011) Columns, "
            "(0028,0002) Samples per Pixel, (0028,0100) Bits Allocated, (0028,0008) Number of Frames and (0028,0004) "
            f"Photometric Interpretation ask for {expected}. Export the object again from its source."
        )
