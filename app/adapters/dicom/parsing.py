"""pydicom's parsers, bounded: file meta and data set."""

from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Final, NamedTuple

from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

from app.adapters.dicom.attributes import Attributes, missing, tag_of
from app.adapters.dicom.guard import damaged
from app.adapters.dicom.keywords import IDENTITY, KEPT
from app.adapters.dicom.limits import ReadLimits
from app.adapters.dicom.pixel_element import UNDEFINED_LENGTH, PixelElement, cut_short
from app.adapters.dicom.transfer_syntaxes import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from app.core.errors import NotDicom

_PREAMBLE_BYTES: Final = 128
_PIXEL_DATA: Final = 0x7FE00010
_STUDY_INSTANCE_UID: Final = 0x0020000D
_ALWAYS_THERE: Final = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "Modality")
_ITEMS_AND_DELIMITERS: Final = 0xFFFE  # the group of what may stand in sequences and encapsulated pixel data alone

Stop = Callable[[int, str | None, int], bool]
"""Tag, VR and length of an element to whether parsing ends before its value."""


class ParserStream(BytesIO):
    """A file in memory that is tired after so many reads: the parser's work is bounded by it."""

    def __init__(self, data: bytes, max_reads: int) -> None:
        super().__init__(data)
        self.data = data
        self.ended_early = False
        self._reads_left = max_reads

    def read(self, size: int | None = -1, /) -> bytes:
        """Read, while the budget lasts."""
        self._reads_left -= 1
        if self._reads_left < 0:
            raise NotDicom("The object has more data elements than an ultrasound image has reason to.")
        data = super().read(size)
        self.ended_early = self.ended_early or 0 < len(data) < (size or 0)
        return data


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
    meta = Attributes(_parsed(stream, EXPLICIT_VR_LITTLE_ENDIAN, lambda tag, _vr, _length: tag >> 16 != 2))
    transfer_syntax_uid = meta.text("TransferSyntaxUID")
    if not transfer_syntax_uid:
        raise missing("TransferSyntaxUID")
    return FileMeta(transfer_syntax_uid, meta.text("MediaStorageSOPClassUID"), meta.text("MediaStorageSOPInstanceUID"))


def parse_identity(stream: ParserStream, transfer_syntax_uid: str) -> Attributes:
    """Parse what says which object this is, and stop before what may be long, in any object.

    The standard sorts by tag (PS3.5 7.1). Where something is missing it may stand farther behind, out of order.
    """
    start = stream.tell()
    attributes = _parse_kept(stream, transfer_syntax_uid, _STUDY_INSTANCE_UID + 1)
    if all(map(attributes.has_value, _ALWAYS_THERE)):
        return attributes
    stream.seek(start)
    return _parse_kept(stream, transfer_syntax_uid, _PIXEL_DATA)


def _parse_kept(stream: ParserStream, transfer_syntax_uid: str, end: int) -> Attributes:
    return Attributes(_parsed(stream, transfer_syntax_uid, lambda tag, _vr, _length: tag >= end, IDENTITY))


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

    attributes = Attributes(_parsed(stream, transfer_syntax_uid, is_at_or_behind_pixel_data, KEPT))
    if not found and stream.ended_early:
        raise cut_short()
    attributes.drop_larger_than(limits.max_value_bytes)
    return attributes, found[-1] if found else None


def _parsed(stream: ParserStream, transfer_syntax_uid: str, stop: Stop, keywords: Iterable[str] = ()) -> Dataset:
    """Parse up to an element; items and delimiters outside of a sequence are damage (PS3.5 7.5), not its end."""
    has_stopped = False

    def stops(tag: int, vr: str | None, length: int) -> bool:
        nonlocal has_stopped
        if tag >> 16 == _ITEMS_AND_DELIMITERS:
            raise damaged()
        has_stopped = stop(tag, vr, length)
        return has_stopped

    dataset = read_dataset(
        stream,
        is_implicit_VR=transfer_syntax_uid == IMPLICIT_VR_LITTLE_ENDIAN,
        is_little_endian=transfer_syntax_uid != EXPLICIT_VR_BIG_ENDIAN,
        stop_when=stops,
        specific_tags=[tag_of(keyword) for keyword in keywords] or None,
    )
    # pydicom takes an Item Delimitation Item for the end of the data set, and does not ask
    if not has_stopped and stream.tell() < len(stream.data):
        raise damaged()
    return dataset
