"""Multipart bodies of both kinds, form-data (RFC 7578) and related (RFC 2387), cut into parts while they arrive.

The framing is that of RFC 2046, 5.1.1, with all it allows: a preamble, an epilogue, blanks behind a boundary, folded
headers, parts without headers. The readers at hand refuse some of that, accept a body without its end, or know one of
the two kinds only.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from app.core.errors import MalformedMultipart, UnsupportedMediaType, UploadTooLarge

DICOM_MEDIA_TYPE: Final = "application/dicom"
MAX_PREAMBLE_BYTES: Final = 64 * 1024
MAX_HEAD_BYTES: Final = 8 * 1024
"""Of one part's headers."""
MAX_PADDING_BYTES: Final = 1024
"""Blanks behind a boundary."""
_MAX_BOUNDARY_BYTES: Final = 256
"""The standard allows 70."""
_STEP_BYTES: Final = 64 * 1024
"""So many bytes are searched at once: as tiny as parts may be, few are complete at the same time."""
_FOLD: Final = re.compile(rb"\r\n[ \t]+")
_HEADER: Final = re.compile(rb"([!#-'*+\-.0-9A-Z^-z|~]+)[ \t]*:[ \t]*(.*)", re.DOTALL)
_PARAMETER: Final = re.compile(r';\s*+([^\s=;]++)\s*+=\s*+(?:"((?:[^"\\]++|\\.)*+)(?:"|$)|([^\s;]*+))', re.DOTALL)


@dataclass(frozen=True, slots=True)
class PartHead:
    """What a part says of itself.

    Attributes
    ----------
    media_type : str
        Without parameters, in lower case; empty if it is not said.
    name : str
        Of the form's field; empty in other bodies.
    has_filename : bool
        Whether a file name is given, other than an empty one.
    """

    media_type: str = ""
    name: str = ""
    has_filename: bool = False


@dataclass(frozen=True, slots=True)
class PartEnd:
    """A part is complete."""


Piece = PartHead | bytes | PartEnd


class MultipartReader:
    """Cuts a body into its parts.

    Parameters
    ----------
    boundary : str
    max_parts : int

    Raises
    ------
    MalformedMultipart
        Here, and from `feed` and `close`, if the body is not what its boundary promises.
    UploadTooLarge
        From `feed`, if there are too many parts.
    """

    def __init__(self, boundary: str, *, max_parts: int) -> None:
        if not boundary:
            raise MalformedMultipart("The Content-Type names no boundary.")
        self._delimiter = b"\r\n--" + boundary.encode("latin-1", "replace")
        if len(self._delimiter) > _MAX_BOUNDARY_BYTES:
            raise MalformedMultipart("The boundary is too long.")
        self._max_parts = max_parts
        self._buffer = b""
        self._passed_bytes = 0  # of the preamble
        self._count = 0
        self._state = self._preamble

    def feed(self, data: bytes) -> Iterator[Piece]:
        """Take bytes of the body.

        Yields
        ------
        PartHead, bytes or PartEnd
            The head of each part, its content in pieces of any length, its end.
        """
        for start in range(0, len(data), _STEP_BYTES):
            self._buffer += data[start : start + _STEP_BYTES]
            before = None
            while before != (self._state, len(self._buffer)):
                before = (self._state, len(self._buffer))
                yield from self._state()

    def close(self) -> None:
        """Make sure that the body ended with its last boundary."""
        if self._state != self._epilogue:
            raise MalformedMultipart("The body ends before its closing boundary: send it again.")

    def _preamble(self) -> Iterator[Piece]:
        """Pass over what stands before the first boundary, which may be the first line or follow a bare line feed."""
        if not self._passed_bytes:
            self._buffer = b"\n" + self._buffer
        delimiter = self._delimiter[1:]
        at = self._buffer.find(delimiter)
        passed = at if at >= 0 else max(len(self._buffer) - len(delimiter) + 1, 0)
        self._passed_bytes += passed + 1
        if self._passed_bytes > MAX_PREAMBLE_BYTES:
            raise MalformedMultipart("The body does not begin with its boundary.")
        self._buffer = self._buffer[passed:]
        if at >= 0:
            skipped = self._read_line_end(len(delimiter))
            self._buffer = self._buffer[skipped:]
        yield from ()

    def _content(self) -> Iterator[Piece]:
        at = self._buffer.find(self._delimiter)
        ready = at if at >= 0 else max(len(self._buffer) - len(self._delimiter) + 1, 0)
        if at == 0:
            ready = self._read_line_end(len(self._delimiter))
            if self._state != self._content:
                yield PartEnd()
        if ready:
            yield self._buffer[:ready]
            self._buffer = self._buffer[ready:]

    def _read_line_end(self, length: int) -> int:
        """Read what stands behind a boundary at the beginning of the buffer.

        Returns
        -------
        int
            The boundary's length if the line goes on, so that it is none; 0 if it is one, or cannot be told yet.
        """
        rest = self._buffer[length : length + MAX_PADDING_BYTES]
        text = rest.lstrip(b" \t")
        if rest.startswith(b"--"):
            self._buffer, self._state = b"", self._epilogue
        elif text.startswith(b"\r\n"):
            self._begin_part(length + len(rest) - len(text))
        elif len(rest) == MAX_PADDING_BYTES or (text not in (b"", b"\r") and rest != b"-"):
            return length
        return 0

    def _begin_part(self, line_end: int) -> None:
        """Go on behind a boundary; the end of its line stays in the buffer, for a part without headers."""
        self._count += 1
        if self._count > self._max_parts:
            raise UploadTooLarge(
                f"The body has more parts than this call takes, {self._max_parts}. Send fewer at once.",
                limit_parts=self._max_parts,
            )
        self._buffer, self._state = self._buffer[line_end:], self._head

    def _head(self) -> Iterator[Piece]:
        end = self._buffer.find(b"\r\n\r\n")
        if (len(self._buffer) if end < 0 else end) > MAX_HEAD_BYTES:
            raise MalformedMultipart(f"A part of the body has more than {MAX_HEAD_BYTES >> 10} KiB of headers.")
        if end >= 0:
            yield read_head(self._buffer[2:end])
            self._buffer, self._state = self._buffer[end + 4 :], self._content

    def _epilogue(self) -> Iterator[Piece]:
        self._buffer = b""
        yield from ()


def read_head(lines: bytes) -> PartHead:
    """Read the headers of a part.

    Raises
    ------
    MalformedMultipart
        If a line is not a header.
    """
    headers = {}
    for line in _FOLD.sub(b" ", lines).split(b"\r\n") if lines else ():
        found = _HEADER.fullmatch(line)
        if found is None:
            raise MalformedMultipart("A part of the body has a header that cannot be read.")
        headers[found[1].lower()] = found[2].decode("latin-1")
    media_type, _ = read_value(headers.get(b"content-type", ""))
    _, disposition = read_value(headers.get(b"content-disposition", ""))
    filename = disposition.get("filename", "") or disposition.get("filename*", "")
    return PartHead(media_type, disposition.get("name", ""), bool(filename))


def read_value(header: str) -> tuple[str, dict[str, str]]:
    """Split a header into its value, in lower case, and its parameters, quoted or bare (RFC 2045, 5.1)."""
    parameters: dict[str, str] = {}
    for name, quoted, bare in _PARAMETER.findall(header):
        parameters.setdefault(name.lower(), re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL) or bare)
    return header.partition(";")[0].strip().lower(), parameters


def read_boundary(content_type: str) -> str:
    """Find the boundary of a body of instances; empty if there is none.

    Raises
    ------
    UnsupportedMediaType
        If the body is not multipart/related of type application/dicom.
    """
    media_type, parameters = read_value(content_type)
    if media_type != "multipart/related" or parameters.get("type", "").lower() != DICOM_MEDIA_TYPE:
        raise UnsupportedMediaType(f'Send the instances as multipart/related; type="{DICOM_MEDIA_TYPE}".')
    return parameters.get("boundary", "")


def whole_contents(pieces: Iterable[Piece], max_part_bytes: int) -> Iterator[bytes]:
    """Give each part's content; of a larger one a byte more than the limit."""
    content = bytearray()
    for piece in pieces:
        if isinstance(piece, bytes):
            content += piece[: max_part_bytes + 1 - len(content)]
        elif isinstance(piece, PartEnd):
            yield bytes(content)
            content.clear()
