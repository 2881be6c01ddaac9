"""python-multipart's only door of ours: multipart/related (RFC 2387) as it streams in, one part in memory at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from app.core.errors import MalformedMultipart, UnsupportedMediaType, UploadTooLarge

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

DICOM_MEDIA_TYPE: Final = "application/dicom"
MAX_PREAMBLE_BYTES: Final = 64 * 1024
"""Text before the first boundary is to be ignored (RFC 2046, 5.1.1), but not without end."""
_STEP_BYTES: Final = 64 * 1024
"""So many bytes are parsed at once: as tiny as parts may be, few are complete at the same time."""


@dataclass(frozen=True, slots=True, eq=False)
class RelatedPart:
    """One part.

    Attributes
    ----------
    media_type : str
        What its own Content-Type says, without parameters; that of the whole body's ``type`` if it says nothing.
    content : bytes
        At most one byte more than the limit: enough to see that it is too large.
    """

    media_type: str
    content: bytes


def read_boundary(content_type: str) -> bytes:
    """Find the boundary in a Content-Type, quoted or bare.

    Raises
    ------
    UnsupportedMediaType
        If it is not multipart/related of type application/dicom.
    MalformedMultipart
        If there is no boundary.
    """
    media_type, parameters = parse_options_header(content_type)
    related_type = parameters.get(b"type", b"").decode("latin-1").lower()
    if media_type != b"multipart/related" or related_type != DICOM_MEDIA_TYPE:
        raise UnsupportedMediaType(f'Send the instances as multipart/related; type="{DICOM_MEDIA_TYPE}".')
    if not parameters.get(b"boundary"):
        raise MalformedMultipart("The Content-Type names no boundary.")
    return parameters[b"boundary"]


class RelatedReader:
    """Cuts a body into its parts while it arrives.

    Parameters
    ----------
    boundary : bytes
    max_part_bytes : int
        Of a larger part only the beginning is kept.
    max_parts : int

    Raises
    ------
    MalformedMultipart
        From `feed` and `close`, if the body is not what its boundary promises.
    UploadTooLarge
        From `feed`, if there are too many parts.
    """

    def __init__(self, boundary: bytes, *, max_part_bytes: int, max_parts: int) -> None:
        self._max_part_bytes = max_part_bytes
        self._max_parts = max_parts
        self._delimiter = b"--" + boundary
        self._preamble: bytes | None = b""
        self._headers: dict[bytes, bytes] = {}
        self._field, self._value = b"", b""
        self._content = bytearray()
        self._complete: list[RelatedPart] = []
        self._count = 0
        self._ended = False
        try:
            self._parser = MultipartParser(boundary, self._callbacks())
        except FormParserError as error:
            raise MalformedMultipart("The boundary is too long.") from error

    def feed(self, data: bytes) -> Iterator[RelatedPart]:
        """Give the parts that are complete with these bytes."""
        for start in range(0, len(data), _STEP_BYTES):
            self._write(self._behind_preamble(data[start : start + _STEP_BYTES]))
            complete, self._complete = self._complete, []
            yield from complete

    def close(self) -> None:
        """Make sure that the body ended with its last boundary."""
        if not self._ended:
            raise MalformedMultipart("The body ends before its closing boundary: send it again.")

    def _write(self, data: bytes) -> None:
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise MalformedMultipart("The parts of the body cannot be told apart by its boundary.") from error

    def _behind_preamble(self, data: bytes) -> bytes:
        """Keep bytes back until the first boundary at the beginning of a line."""
        if self._preamble is None:
            return data
        self._preamble += data
        at = (b"\n" + self._preamble).find(b"\n" + self._delimiter)
        if at < 0:
            if len(self._preamble) > MAX_PREAMBLE_BYTES:
                raise MalformedMultipart("The body does not begin with its boundary.")
            return b""
        rest, self._preamble = self._preamble[at:], None
        return rest

    def _callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_part_data": self._data,
            "on_part_end": self._end_part,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self._count += 1
        if self._count > self._max_parts:
            raise UploadTooLarge(
                f"The body has more than {self._max_parts} parts. Send the instances in several requests.",
                limit_parts=self._max_parts,
            )
        self._headers = {}

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers[self._field.lower()] = self._value
        self._field, self._value = b"", b""

    def _data(self, data: bytes, start: int, end: int) -> None:
        room = self._max_part_bytes + 1 - len(self._content)
        self._content += data[start : min(end, start + room)]

    def _end_part(self) -> None:
        content_type = self._headers.get(b"content-type", DICOM_MEDIA_TYPE.encode()).decode("latin-1")
        media_type, _ = parse_options_header(content_type)
        self._complete.append(RelatedPart(media_type.decode("latin-1"), bytes(self._content)))
        self._content.clear()

    def _end(self) -> None:
        self._ended = True
