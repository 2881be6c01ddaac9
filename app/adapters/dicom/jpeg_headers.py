"""What JPEG, JPEG-LS and JPEG 2000 streams say of themselves, compared with the DICOM attributes before decoding."""

import re
import struct
from collections.abc import Iterator
from itertools import pairwise
from typing import Final, Literal, NamedTuple

from app.adapters.dicom.pixel_format import PixelFormat
from app.core.errors import UndecodablePixels

_START_OF_FRAME: Final = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}  # without DHT, JPG, DAC
_LOSSLESS: Final = 0xC3
_JPEG_LS: Final = 0xF7
_START_OF_SCAN: Final = 0xDA
_RESTART_INTERVAL: Final = 0xDD
_END_OF_IMAGE: Final = 0xD9
_SIZ: Final = 0x51
_COD: Final = 0x52
_FILL: Final = 0xFF
_BEHIND_A_SCAN: Final = re.compile(rb"\xff(?=[\xc0-\xcf\xd8-\xfe])")
"""Any marker but one of restart: in a scan's data zero follows 0xFF (ITU-T T.81 B.1.1.5), or less than 0x80 (T.87)."""
_RESTARTS: Final = bytes(range(0xD0, 0xD8))
_RESTART: Final = re.compile(rb"\xff([\xd0-\xd7])")
_BEHIND_SCANS: Final = bytes(range(1, 255)) * 2
_STREAM_STARTS: Final = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51")


class JpegHeader(NamedTuple):
    """What a JPEG or JPEG-LS stream says of itself before its first scan (ITU-T T.81 B.2.2)."""

    process: int
    precision: int
    rows: int
    columns: int
    component_ids: bytes
    sampling: frozenset[int]
    adobe_transform: int | None
    is_jfif: bool
    restart_interval: int


class Jpeg2000Header(NamedTuple):
    """What a JPEG 2000 codestream says of itself (ISO/IEC 15444-1 A.5.1, A.6.1)."""

    precision: int
    has_colour_transform: bool


def check_jpeg(frame: bytes, fmt: PixelFormat, processes: frozenset[int]) -> JpegHeader:
    """Refuse a stream that is not of the transfer syntax, not of the promised size, or has no end."""
    if not frame.startswith(b"\xff\xd8"):
        raise _no_start("JPEG or JPEG-LS")
    header = _jpeg_header(frame)
    if header.process not in processes:
        raise contradiction("the coding process", "(0002,0010) Transfer Syntax UID")
    _check_size(fmt, (header.rows, header.columns), len(header.component_ids), header.precision)
    _check_end(frame, _end_of_jpeg(frame))
    if header.process != _JPEG_LS:  # whose decoder notices
        _check_restarts(frame, header)
    return header


def with_longer_scans(frame: bytes) -> bytes:
    """Put bytes behind the data of each scan: a decoder reaches them only where data is missing."""
    ends = [end for _, end in _scans(frame)]
    return _BEHIND_SCANS.join(frame[start:end] for start, end in pairwise((0, *ends, len(frame))))


def components_of_first_scan(frame: bytes) -> int:
    """Count the components that the first scan interleaves (ITU-T T.81 B.2.3)."""
    return next(body for marker, body in _segments(frame) if marker == _START_OF_SCAN)[0]


def colour_of_jpeg(header: JpegHeader, fmt: PixelFormat) -> Literal["YCbCr", "RGB"]:
    """Say whether a lossy JPEG holds YCbCr or RGB.

    The codestream is believed before (0028,0004), which transcoders forget to update; in this order: shared
    chroma is always YCbCr; Adobe's APP14 says which; the component names R, G, B; a JFIF file is YCbCr by
    definition (ITU-T T.871); else the attribute decides.
    """
    if len(header.sampling) > 1:
        return "YCbCr"
    if header.adobe_transform is not None:
        return "YCbCr" if header.adobe_transform else "RGB"
    if header.component_ids.upper() == b"RGB":
        return "RGB"
    return "YCbCr" if header.is_jfif or fmt.photometric_interpretation != "RGB" else "RGB"


def check_jpeg2000(stream: bytes, fmt: PixelFormat) -> Jpeg2000Header:
    """Refuse a codestream that is not of the promised size, or that no ultrasound system writes."""
    if not stream.startswith(b"\xff\x4f"):
        raise _no_start("JPEG 2000")
    segments = _segments(stream)
    marker, siz = next(segments)
    if marker != _SIZ:
        raise ValueError("no JPEG 2000 codestream")
    x1, y1, x0, y0, count = struct.unpack_from(">2x4L16xH", siz)
    depth, *spacing = siz[36:39]
    if siz[36 : 36 + 3 * count] != siz[36:39] * count or spacing != [1, 1] or depth & 0x80:
        raise contradiction("a component's sign or resolution")
    _check_size(fmt, (y1 - y0, x1 - x0), count, depth + 1)
    cod = next(body for marker, body in segments if marker == _COD)
    _check_end(stream, _end_of_jpeg2000(stream))
    return Jpeg2000Header(depth + 1, fmt.samples_per_pixel == 3 and cod[4] == 1)


def _no_start(name: str) -> UndecodablePixels:
    return UndecodablePixels(
        f"A frame of (7FE0,0010) Pixel Data does not begin as a {name} stream: a fragment is lost, or (0002,0010) "
        "Transfer Syntax UID is wrong. Export the object again from its source."
    )


def _check_end(stream: bytes, end: int | None) -> None:
    """Refuse a stream that ends early, or that another one follows; other bytes behind it are padding."""
    if end is None:
        raise UndecodablePixels("(7FE0,0010) Pixel Data is cut short: a frame has no end. Send it again.")
    if any(start in stream[end:] for start in _STREAM_STARTS):
        raise UndecodablePixels(
            "(7FE0,0010) Pixel Data holds more frames than (0028,0008) Number of Frames says: one is followed by "
            "another. Export the object again from its source."
        )


def _end_of_jpeg(frame: bytes) -> int | None:
    """Find what stands behind the end-of-image marker; None if there is none."""
    places = [at for at, marker in _markers(frame) if marker == _END_OF_IMAGE]
    return places[0] + 2 if places else None


def _scans(frame: bytes) -> list[tuple[int, int]]:
    """Find where scans begin, with their headers, and end."""
    return [(at, end) for (at, marker), (end, _) in pairwise(_markers(frame)) if marker == _START_OF_SCAN]


def _check_restarts(frame: bytes, header: JpegHeader) -> None:
    """Refuse a stream whose restart markers do not count 0 to 7 round, or are too few (ITU-T T.81 B.2.1, B.2.4.4)."""
    scans = _scans(frame)
    for start, end in scans:
        counted = b"".join(_RESTART.findall(frame, start, end))
        if counted != (_RESTARTS * (len(counted) // 8 + 1))[: len(counted)]:
            raise lacks_a_part()
        if len(scans) == 1 and header.restart_interval and len(counted) + 1 != _restart_intervals(header):
            raise lacks_a_part()


def _restart_intervals(header: JpegHeader) -> int:
    """Count the restart intervals of a single scan (ITU-T T.81 A.2, H.1.1)."""
    is_grey = len(header.component_ids) == 1  # whose sampling factors mean nothing
    across, down = (1, 1) if is_grey else (max(s >> 4 for s in header.sampling), max(s & 15 for s in header.sampling))
    if not (across and down):
        raise ValueError("a sampling factor of zero")
    block = 1 if header.process == _LOSSLESS else 8
    units = -(-header.columns // (block * across)) * -(-header.rows // (block * down))
    return -(-units // header.restart_interval)


def _markers(frame: bytes) -> Iterator[tuple[int, int]]:
    """Walk over the markers of a JPEG or JPEG-LS stream, scans included, to its end or to damage."""
    at = 2
    while at + 2 <= len(frame) and frame[at] == 0xFF:
        marker = frame[at + 1]
        if marker == _FILL:
            at += 1
            continue
        yield at, marker
        if marker == _END_OF_IMAGE:
            return
        at += 2 + int.from_bytes(frame[at + 2 : at + 4], "big")
        if marker == _START_OF_SCAN:
            found = _BEHIND_A_SCAN.search(frame, at)
            at = found.start() if found else len(frame)


def _end_of_jpeg2000(stream: bytes) -> int | None:
    """Walk over the tile-parts to the end of the codestream (ISO/IEC 15444-1 A.4.2); None if it is cut short."""
    at = 2
    while stream[at : at + 2] not in (b"\xff\x90", b""):
        at += 2 + int.from_bytes(stream[at + 2 : at + 4], "big")
    while stream.startswith(b"\xff\x90", at):
        length = int.from_bytes(stream[at + 6 : at + 10], "big")
        if length == 0:  # the last one goes on to the end marker, which cannot stand in its data
            end = stream.find(b"\xff\xd9", at + 12)
            return end + 2 if end >= 0 else None
        at += max(length, 12)
    # some encoders leave the end marker out; then nothing may follow
    return at + 2 if stream.startswith(b"\xff\xd9", at) else at if at == len(stream) else None


def contradiction(what: str, attribute: str = "the Image Pixel attributes") -> UndecodablePixels:
    """Make the refusal of a stream that says other things of itself than the attributes do."""
    return UndecodablePixels(
        f"(7FE0,0010) Pixel Data contradicts {attribute}: {what} in the compressed stream differs. "
        "Export the object again from its source."
    )


def lacks_a_part() -> UndecodablePixels:
    """Make the refusal of a stream that is not cut off, but shorter than its picture."""
    return UndecodablePixels(
        "(7FE0,0010) Pixel Data is cut short: a frame has an end, but lacks a part before it. Send it again."
    )


def _jpeg_header(frame: bytes) -> JpegHeader:
    """Read the segments in front of the first scan (ITU-T T.81 B.2.2)."""
    adobe_transform, is_jfif, interval, start_of_frame = None, False, 0, None
    for marker, body in _segments(frame):
        if marker == _START_OF_SCAN:
            break
        if marker == 0xEE and body.startswith(b"Adobe"):
            adobe_transform = body[11]
        if marker == _RESTART_INTERVAL:
            interval = int.from_bytes(body[:2], "big")
        is_jfif = is_jfif or (marker == 0xE0 and body.startswith(b"JFIF"))
        start_of_frame = (marker, body) if marker in _START_OF_FRAME else start_of_frame
    if start_of_frame is None:
        raise ValueError("no start-of-frame marker")
    process, body = start_of_frame
    precision, rows, columns, count = struct.unpack_from(">BHHB", body)
    ids, sampling = body[6 : 6 + 3 * count : 3], frozenset(body[7 : 6 + 3 * count : 3])
    return JpegHeader(process, precision, rows, columns, ids, sampling, adobe_transform, is_jfif, interval)


def _segments(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """Walk over the marker segments behind the first marker; JPEG, JPEG-LS and JPEG 2000 share their layout."""
    at = 2
    while True:
        mark, marker, length = struct.unpack_from(">BBH", stream, at)
        if mark != 0xFF:
            raise ValueError("expected a marker")
        if marker == 0xFF:  # fill byte (ITU-T T.81 B.1.1.2)
            at += 1
            continue
        yield marker, stream[at + 4 : at + 2 + length]
        at += 2 + length


def _check_size(fmt: PixelFormat, size: tuple[int, int], components: int, precision: int) -> None:
    if size != (fmt.rows, fmt.columns):
        raise contradiction("the image size", "(0028,0010) Rows and (0028,0011) Columns")
    if components != fmt.samples_per_pixel:
        raise contradiction("the number of components", "(0028,0002) Samples per Pixel")
    if precision > fmt.bits_allocated:
        raise contradiction("the sample precision", "(0028,0100) Bits Allocated")
