"""The service's HTTP interface, as far as the bridge uses it."""

import json
import ssl
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from liver_pdff_bridge.errors import NotAnalysed, ServiceRefused, ServiceUnavailable

_LATER = frozenset({408, 429, 502, 503, 504})
_MAX_ANSWER = 256 << 20
_MAX_RETRY_AFTER_S = 300.0


@dataclass(frozen=True, slots=True)
class Stored:
    """How many instances the service accepted and refused."""

    accepted: int
    refused: int


class Service:
    """A liver-pdff somewhere.

    Parameters
    ----------
    url : str
        Without ``/dicom-web``.
    authorization : str
        Value of the header; empty: none.
    timeout_s : float
        For a connection, and for each pause in an answer.
    """

    def __init__(self, url: str, authorization: str, timeout_s: float) -> None:
        address = urlsplit(url)
        self._secure = address.scheme == "https"
        self._host = address.netloc
        self._prefix = address.path.rstrip("/")
        self._headers = {"Authorization": authorization} if authorization else {}
        self._timeout_s = timeout_s
        self.requests = 0

    def store(self, files: Iterable[bytes], count: int) -> Stored:
        """Send instances in one request of STOW-RS (PS3.18 10.5); one at a time is in memory.

        An answer that does not tell of every instance does not count: it may come from a proxy.

        Parameters
        ----------
        files : iterable of bytes
            Read while the request is being sent.
        count : int

        Raises
        ------
        ServiceUnavailable, ServiceRefused
        """
        boundary = uuid.uuid4().hex
        kind = f'multipart/related; type="application/dicom"; boundary={boundary}'
        headers = {"Content-Type": kind, "Accept": "application/dicom+json"}
        status, answer = self._request("POST", "/dicom-web/studies", headers, _related(files, boundary))
        if status not in (200, 202, 409):
            raise _refusal(status, answer)
        body = _json(answer)
        accepted = _length(body, "00081199")  # Referenced SOP Sequence
        refused = _length(body, "00081198") + _length(body, "0008119A")  # Failed SOP, Other Failures Sequence
        if accepted + refused != count:
            raise ServiceRefused(f"the answer to STOW-RS tells of {accepted + refused} instances, not of {count}")
        return Stored(accepted, refused)

    def results(self, study_instance_uid: str) -> list[str] | None:
        """List the result objects of a study's current analysis; None while views are missing or cannot be used.

        Raises
        ------
        NotAnalysed
            If nothing is missing: the analysis failed, or the service was killed before it.
        ServiceUnavailable, ServiceRefused
        """
        status, answer = self._request("GET", f"/v1/studies/{study_instance_uid}")
        if status == 404 and _json(answer).get("code") == "unknown_resource":
            return None
        if status != 200:
            raise _refusal(status, answer)
        try:
            return _results(_json(answer))
        except KeyError as error:
            raise ServiceRefused(f"the answer has no {error}: is the service of another version?") from error

    def fetch(self, path: str) -> bytes:
        """Read a result object, which the service names with the path under which a proxy offers it.

        Raises
        ------
        ServiceUnavailable, ServiceRefused
        """
        path = path.removeprefix(self._prefix) if path.startswith(f"{self._prefix}/") else path
        status, answer = self._request("GET", path, {"Accept": "application/dicom"})
        if status != 200:
            raise _refusal(status, answer)
        return answer

    def _request(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: Iterable[bytes] | None = None
    ) -> tuple[int, bytes]:
        self.requests += 1
        connection = self._connection()
        try:
            _send(connection, method, self._prefix + path, self._headers | (headers or {}), body)
            response = connection.getresponse()
            answer = response.read(_MAX_ANSWER)
        except (OSError, HTTPException) as error:
            raise ServiceUnavailable(f"the service does not answer: {type(error).__name__}") from error
        finally:
            connection.close()
        if response.status in _LATER:
            raise ServiceUnavailable(f"the service answered {response.status}", _retry_after_s(response))
        return response.status, answer

    def _connection(self) -> HTTPConnection:
        """Open a connection of http.client, which asks no proxy that the environment may name."""
        if self._secure:
            return HTTPSConnection(self._host, timeout=self._timeout_s, context=ssl.create_default_context())
        return HTTPConnection(self._host, timeout=self._timeout_s)


def _send(
    connection: HTTPConnection, method: str, path: str, headers: dict[str, str], body: Iterable[bytes] | None
) -> None:
    connection.connect()
    try:
        connection.request(method, path, body=body, headers=headers)
    except (BrokenPipeError, ConnectionResetError):
        return  # it answered before it had read all: the answer says why, or reading it fails


def _related(files: Iterable[bytes], boundary: str) -> Iterator[bytes]:
    for content in files:
        yield f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        yield content
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()


def _json(answer: bytes) -> dict[str, Any]:
    try:
        body = json.loads(answer)
    except ValueError as error:
        raise ServiceRefused("the answer is not JSON: is that address a liver-pdff?") from error
    if not isinstance(body, dict):
        raise ServiceRefused("the answer is no JSON object: is that address a liver-pdff?")
    return body


def _results(study: dict[str, Any]) -> list[str] | None:
    if study["analysis"] is not None:
        return [str(url) for url in study["analysis"]["dicom_urls"]]
    if not study["views_missing"] and not study["waiting_for"]:
        raise NotAnalysed("every view is in, but the study is not analysed")
    return None


def _length(body: dict[str, Any], tag: str) -> int:
    return len(body.get(tag, {}).get("Value", ()))


def _refusal(status: int, answer: bytes) -> ServiceRefused:
    """Name the status and the problem's code (RFC 9457); details stay with the service."""
    try:
        code = json.loads(answer).get("code", "")
    except (ValueError, AttributeError):
        code = ""
    return ServiceRefused(f"the service answered {status} {code}".rstrip())


def _retry_after_s(response: HTTPResponse) -> float:
    try:
        return min(float(response.headers.get("Retry-After", "0")), _MAX_RETRY_AFTER_S)
    except ValueError:  # a date: nobody needs that precision
        return 0.0
