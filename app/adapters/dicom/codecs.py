"""One frame of pixel data -> samples: one row of `DECODERS` for each transfer syntax that the service accepts.

Every decoder first reads the size out of the codestream's own header and refuses it when it contradicts the
DICOM attributes, so that nothing is allocated on a compressed stream's word alone; the codec then writes into an
array of exactly the promised shape. Colour is settled here too: what leaves is grey, palette indices, RGB or
YBR_FULL, whatever the codec did inside.

All JPEG processes go through libjpeg-turbo, JPEG-LS through CharLS, JPEG 2000 through OpenJPEG, RLE through
imagecodecs' own PackBits (bounded output; pydicom's grows as the stream asks), native samples through numpy.
"""

import struct
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Final

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from app.adapters.dicom.colour_model import check_ycbcr
from app.adapters.dicom.jpeg_headers import (
    JpegHeader,
    check_jpeg,
    check_jpeg2000,
    colour_of_jpeg,
    components_of_first_scan,
    contradiction,
    lacks_a_part,
    with_longer_scans,
)
from app.adapters.dicom.native import colour_as_stored, decode_native, interleaved, without_unused_bits
from app.adapters.dicom.pixel_format import JPEG2000_ONLY, YBR, DecodedFrame, PixelFormat, Samples
from app.adapters.dicom.transfer_syntaxes import NATIVE
from app.core.errors import UndecodablePixels
from app.core.values import AnalysisWarning, Content

_PACKBITS_SLACK: Final = 256
_RLE_HEADER_BYTES: Final = 64


def decode_frame(transfer_syntax_uid: str, frame: Content, pixel_format: PixelFormat) -> DecodedFrame:
    """Decode one frame.

    Parameters
    ----------
    transfer_syntax_uid : str
        A key of `DECODERS`.
    frame : bytes or memoryview
        One native frame, little endian, or one frame's joined fragments.
    pixel_format : PixelFormat

    Returns
    -------
    DecodedFrame

    Raises
    ------
    UndecodablePixels
        If the stream is damaged, cut short, or contradicts `pixel_format`.
    """
    try:
        if transfer_syntax_uid in NATIVE:
            return decode_native(frame, pixel_format)
        return DECODERS[transfer_syntax_uid](bytes(frame), pixel_format)
    except (RuntimeError, ValueError, IndexError, OverflowError, struct.error) as exc:
        # imagecodecs' errors are RuntimeErrors, one class per codec; a shape that does not fit is a ValueError
        raise UndecodablePixels(
            "The codec cannot decode (7FE0,0010) Pixel Data: send the object again, or uncompressed."
        ) from exc


def _rle(frame: bytes, fmt: PixelFormat) -> DecodedFrame:
    """RLE Lossless (PS3.5 Annex G): one PackBits segment per byte of a sample, most significant byte first."""
    planes = np.stack([_unpack_segment(segment, fmt) for segment in _rle_segments(frame, fmt)])
    sample_bytes = planes.reshape(fmt.samples_per_pixel, fmt.bits_allocated // 8, -1)
    value = sample_bytes[:, 0].astype(fmt.dtype)
    if fmt.bits_allocated == 16:
        value = (value << 8) | sample_bytes[:, 1]
    samples = interleaved(without_unused_bits(value, fmt), fmt, planar_configuration=1)
    return DecodedFrame(samples, colour_as_stored(fmt), _imagecodecs("packbits"))


def _rle_segments(frame: bytes, fmt: PixelFormat) -> Iterator[bytes]:
    count, *offsets = struct.unpack_from("<16L", frame)
    if count != fmt.samples_per_pixel * fmt.bits_allocated // 8:
        raise contradiction("the number of RLE segments")
    bounds = [*offsets[:count], len(frame)]
    if bounds[0] != _RLE_HEADER_BYTES or any(start >= end for start, end in pairwise(bounds)):
        raise ValueError("RLE segments that do not follow each other")
    return (frame[start:end] for start, end in pairwise(bounds))


def _unpack_segment(segment: bytes, fmt: PixelFormat) -> NDArray[np.uint8]:
    """Decode one segment; some encoders pad the decoded plane by a few bytes, which are dropped."""
    size = fmt.rows * fmt.columns
    decoded = imagecodecs.packbits_decode(segment, out=size + _PACKBITS_SLACK)
    return np.frombuffer(decoded, np.uint8, count=size)


def _jpeg_lossy(frame: bytes, fmt: PixelFormat) -> DecodedFrame:
    """JPEG Baseline and Extended (PS3.5 A.4.1, processes 1, 2 and 4)."""
    header = check_jpeg(frame, fmt, frozenset({0xC0, 0xC1}))
    if fmt.samples_per_pixel == 1:
        samples = _jpeg8(frame, fmt, header)
        return DecodedFrame(samples, fmt.photometric_interpretation, _imagecodecs("jpeg8"))
    coded = colour_of_jpeg(header, fmt)
    if coded == "YCbCr" and len(header.sampling) == 1:  # nobody shares the chroma of RGB
        check_ycbcr(_libjpeg(frame, fmt, header, coded, coded).astype(np.uint8, copy=False))
    samples = _jpeg8(frame, fmt, header, coded, "RGB")
    return DecodedFrame(samples, "RGB", _imagecodecs("jpeg8"), _colour_warnings(coded, fmt))


def _colour_warnings(coded: str, fmt: PixelFormat) -> tuple[AnalysisWarning, ...]:
    if (coded == "RGB") == (fmt.photometric_interpretation == "RGB"):
        return ()
    detail = f"(0028,0004) Photometric Interpretation contradicts the JPEG stream, which holds {coded}."
    return (AnalysisWarning("photometric_contradiction", detail),)


def _jpeg_lossless(frame: bytes, fmt: PixelFormat) -> DecodedFrame:
    """JPEG Lossless, process 14 (PS3.5 A.4.1): no colour transformation, so (0028,0004) alone tells the colour."""
    header = check_jpeg(frame, fmt, frozenset({0xC3}))
    # one name for both sides: libjpeg would otherwise guess a colour space and refuse to convert it
    same = "RGB" if fmt.samples_per_pixel == 3 else "GRAYSCALE"
    samples = _jpeg8(frame, fmt, header, same, same)
    return DecodedFrame(samples, colour_as_stored(fmt), _imagecodecs("jpeg8"))


def _jpeg8(
    frame: bytes, fmt: PixelFormat, header: JpegHeader, coded: str | None = None, wanted: str | None = None
) -> Samples:
    """Decode with libjpeg, which fills what is missing of a scan with grey and calls it a warning.

    Nothing tells of that warning; but bytes behind the scan change the picture only where the scan ends early, as it
    does when a fragment is lost.
    """
    samples = _libjpeg(frame, fmt, header, coded, wanted)
    if not np.array_equal(samples, _libjpeg(with_longer_scans(frame), fmt, header, coded, wanted)):
        raise lacks_a_part()
    return samples


def _libjpeg(frame: bytes, fmt: PixelFormat, header: JpegHeader, coded: str | None, wanted: str | None) -> Samples:
    room = _room(fmt, header.precision)
    decoded: Samples = imagecodecs.jpeg8_decode(frame, colorspace=coded, outcolorspace=wanted, out=room)
    return decoded


def _jpeg_ls(frame: bytes, fmt: PixelFormat) -> DecodedFrame:
    """JPEG-LS, lossless and near-lossless (PS3.5 A.4.3)."""
    header = check_jpeg(frame, fmt, frozenset({0xF7}))
    room = _room(fmt, header.precision)
    if components_of_first_scan(frame) != fmt.samples_per_pixel:
        # one scan for each plane (ITU-T T.87 C.2.3), which imagecodecs decodes by plane and returns colour last
        room = room.reshape(fmt.samples_per_pixel, fmt.rows, fmt.columns)
    samples = imagecodecs.jpegls_decode(frame, out=room)
    return DecodedFrame(samples, colour_as_stored(fmt), _imagecodecs("jpegls"))


def _jpeg2000(frame: bytes, fmt: PixelFormat) -> DecodedFrame:
    """JPEG 2000 Part 1, reversible and irreversible (PS3.5 A.4.4)."""
    stream = _codestream(frame)
    header = check_jpeg2000(stream, fmt)
    samples = imagecodecs.jpeg2k_decode(stream, out=_room(fmt, header.precision))
    # the multiple component transformation starts from RGB (ISO/IEC 15444-1 Annex G), so undoing it gives RGB
    if header.has_colour_transform:
        return DecodedFrame(samples, "RGB", _imagecodecs("jpeg2k"), _transform_warnings(fmt))
    if fmt.photometric_interpretation in JPEG2000_ONLY:  # so whether it is RGB or YCbCr, nothing tells
        raise contradiction("the component transformation", "(0028,0004) Photometric Interpretation")
    return DecodedFrame(samples, colour_as_stored(fmt), _imagecodecs("jpeg2k"))


def _transform_warnings(fmt: PixelFormat) -> tuple[AnalysisWarning, ...]:
    if fmt.photometric_interpretation not in YBR:
        return ()
    detail = "(0028,0004) Photometric Interpretation contradicts the JPEG 2000 stream, which was made from RGB."
    return (AnalysisWarning("photometric_contradiction", detail),)


def _codestream(frame: bytes) -> bytes:
    """Take the bare codestream; PS3.5 A.4.4 forbids the JP2 wrapper, which some writers leave on."""
    wrapped = frame[4:8] == b"jP  "
    start = frame.find(b"\xff\x4f\xff\x51") if wrapped else 0
    return frame[max(start, 0) :]


def _room(fmt: PixelFormat, precision: int) -> Samples:
    """Allocate what the attributes promise; a codec that finds another size than this raises."""
    return np.empty(fmt.shape, np.uint8) if precision <= 8 else np.empty(fmt.shape, np.uint16)


def _imagecodecs(codec: str) -> str:
    return f"imagecodecs {imagecodecs.__version__} {codec}"


Decoder = Callable[[bytes, PixelFormat], DecodedFrame]

DECODERS: Final[dict[str, Decoder]] = {
    **dict.fromkeys(NATIVE, decode_native),
    "1.2.840.10008.1.2.5": _rle,
    "1.2.840.10008.1.2.4.50": _jpeg_lossy,
    "1.2.840.10008.1.2.4.51": _jpeg_lossy,
    "1.2.840.10008.1.2.4.57": _jpeg_lossless,
    "1.2.840.10008.1.2.4.70": _jpeg_lossless,
    "1.2.840.10008.1.2.4.80": _jpeg_ls,
    "1.2.840.10008.1.2.4.81": _jpeg_ls,
    "1.2.840.10008.1.2.4.90": _jpeg2000,
    "1.2.840.10008.1.2.4.91": _jpeg2000,
}
"""Transfer syntax UID -> decoder: the allow-list of the service."""
