"""pydicom's parsers, bounded: file meta, data set, fragments of a frame."""

from io import BytesIO
from typing import Final, NamedTuple

from pydicom.encaps import get_frame
from pydicom.filereader import read_dataset

from app.adapters.dicom.attributes import Attributes, missing, tag_of
from app.adapters.dicom.guard import LIBRARY_ERRORS
from app.adapters.dicom.keywords import IDENTITY, KEPT
from app.adapters.dicom.limits import ReadLimits
from app.adapters.dicom.pixel_element import UNDEFINED_LENGTH, PixelElement, cut_short
from app.adapters.dicom.transfer_syntaxes import EXPLICIT_VR_BIG_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from app.core.errors import NotDicom, UndecodablePixels

_PREAMBLE_BYTES: Final = 128
_PIXEL_DATA: Final = 0x7FE00010
_STUDY_INSTANCE_UID: Final = 0x0020000D


class ParserStream(BytesIO):
    """A file in memory that is tired after so many reads: the parser's work is bounded by it."""

    def __init__(self, data: bytes, max_reads: int) -> None:
        super().__init__(data)
        self.data = data
        self._reads_left = max_reads

    def read(self, size: int | None = -1, /) -> bytes:
        """Read, while the budget lasts."""
        self._reads_left -= 1
        if self._reads_left < 0:
            raise NotDicom("The object has more data elements than an ultrasound image has reason to.")
        return super().read(size)


class FileMeta(NamedTuple):
    """What the file says of its object before any of it is parsed (PS3.10 7.1); all but the first may be empty.

    Attributes
    ----------
    transfer_syntax_uid, sop_class_uid, sop_instance_uid : str
        (0002,0010), (0002,0002), (0002,0003).
    """

    transfer_syntax_uid: str
    sop_class_uid: str
    sop_instance_uid: str


def parse_file_meta(stream: ParserStream) -> FileMeta:
    """Read group 0002 alone (PS3.10 7.1), so that the transfer syntax is known before anything is parsed by it.

    pydicom's own `dcmread` inflates the Deflated syntax, without a bound, before it can be asked.
    """
    if stream.read(_PREAMBLE_BYTES + 4)[_PREAMBLE_BYTES:] != b"DICM":
        raise NotDicom(
            "The file is not DICOM: it does not begin with a 128-byte preamble and DICM. Export the image from the "
            "scanner or the archive as DICOM, not as a picture, a video, a PDF or an archive of files."
        )
    dataset = read_dataset(
        stream, is_implicit_VR=False, is_little_endian=True, stop_when=lambda tag, _vr, _length: tag >> 16 != 2
    )
    meta = Attributes(dataset)
    transfer_syntax_uid = meta.text("TransferSyntaxUID")
    if not transfer_syntax_uid:
        raise missing("TransferSyntaxUID")
    return FileMeta(transfer_syntax_uid, meta.text("MediaStorageSOPClassUID"), meta.text("MediaStorageSOPInstanceUID"))


def parse_identity(stream: ParserStream, transfer_syntax_uid: str) -> Attributes:
    """Parse what says which object this is, and stop before what may be long, in any object (PS3.6 sorts by tag)."""
    dataset = read_dataset(
        stream,
        is_implicit_VR=transfer_syntax_uid == IMPLICIT_VR_LITTLE_ENDIAN,
        is_little_endian=transfer_syntax_uid != EXPLICIT_VR_BIG_ENDIAN,
        stop_when=lambda tag, _vr, _length: tag > _STUDY_INSTANCE_UID,
        specific_tags=[tag_of(keyword) for keyword in IDENTITY],
    )
    return Attributes(dataset)


def parse_dataset(
    stream: ParserStream, transfer_syntax_uid: str, limits: ReadLimits
) -> tuple[Attributes, PixelElement | None]:
    """Parse what stands before the pixel data, keep what `KEPT` names, and find the pixel data.

    The pixel data itself is not read: a cine of a hundred frames is sliced for one of them later.
    """
    found: list[PixelElement] = []

    def is_at_or_behind_pixel_data(tag: int, vr: str | None, length: int) -> bool:
        if tag == _PIXEL_DATA:
            found.append(PixelElement(stream.data, transfer_syntax_uid, vr, length, stream.tell()))
        elif length != UNDEFINED_LENGTH and stream.tell() + length > len(stream.data):
            raise cut_short()
        return tag >= _PIXEL_DATA

    dataset = read_dataset(
        stream,
        is_implicit_VR=transfer_syntax_uid == IMPLICIT_VR_LITTLE_ENDIAN,
        is_little_endian=transfer_syntax_uid != EXPLICIT_VR_BIG_ENDIAN,
        stop_when=is_at_or_behind_pixel_data,
        specific_tags=[tag_of(keyword) for keyword in KEPT],
    )
    attributes = Attributes(dataset)
    attributes.drop_larger_than(limits.max_value_bytes)
    return attributes, found[-1] if found else None


def join_fragments(element: PixelElement, index: int, count: int, offset_tables: tuple[bytes, bytes] | None) -> bytes:
    """Join the fragments of one frame (PS3.5 A.4), found by the extended or the basic offset table, or by count."""
    stream = BytesIO(element.data)
    stream.seek(element.start)
    try:
        return get_frame(stream, index, number_of_frames=count, extended_offsets=offset_tables)
    except LIBRARY_ERRORS as exc:
        raise UndecodablePixels(
            "The frames of (7FE0,0010) Pixel Data cannot be told apart: it is cut short, or its offset table or "
            "(0028,0008) Number of Frames is wrong."
        ) from exc
