"""Bodies of STOW-RS, written by hand so that they can be wrong."""

from collections.abc import Iterator, Sequence
from typing import Any

import httpx2

BOUNDARY = "a-boundary.1"
CONTENT_TYPE = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
DICOM_PART = b"Content-Type: application/dicom\r\n"

REFERENCED, FAILED, OTHER = "00081199", "00081198", "0008119A"


def related(
    contents: Sequence[bytes], *, boundary: str = BOUNDARY, headers: bytes = DICOM_PART, end: bytes = b"--\r\n"
) -> bytes:
    """Write contents as the parts of a multipart/related body."""
    delimiter = b"--" + boundary.encode()
    parts = [delimiter + b"\r\n" + headers + b"\r\n" + content + b"\r\n" for content in contents]
    return b"".join(parts) + delimiter + end


def chunked(body: bytes, size: int) -> Iterator[bytes]:
    """Cut a body, so that a client sends it without saying how long it is."""
    return (body[at : at + size] for at in range(0, len(body), size))


def store(client: Any, contents: Sequence[bytes], path: str = "", **headers: str) -> httpx2.Response:
    """Post instances as one request."""
    answer: httpx2.Response = client.post(
        f"/dicom-web/studies{path}", content=related(contents), headers={"content-type": CONTENT_TYPE, **headers}
    )
    return answer


def uids(answer: httpx2.Response, sequence: str = REFERENCED) -> list[str]:
    """List the SOP Instance UIDs of a sequence of the answer."""
    return [item["00081155"]["Value"][0] for item in answer.json().get(sequence, {}).get("Value", [])]


def failure_reasons(answer: httpx2.Response, sequence: str = FAILED) -> list[int]:
    """List the Failure Reasons of a sequence of the answer."""
    return [item["00081197"]["Value"][0] for item in answer.json().get(sequence, {}).get("Value", [])]
