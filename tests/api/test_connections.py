"""What becomes of a connection whose bytes are no HTTP, ask for another protocol, or come behind an answer."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPResponse
from pathlib import Path
from typing import NamedTuple

import pytest

from training.demo import running_service

LIMITS = {"LIVER_PDFF_UPLOAD_TIMEOUT_S": "2", "LIVER_PDFF_KEEP_ALIVE_S": "2", "LIVER_PDFF_HEAD_TIMEOUT_S": "2"}
SLOW_S = 10
"""An end after this is none of a limit's."""


class Service(NamedTuple):
    port: int
    log: Path

    def connected(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=SLOW_S)

    def answers(self, data: bytes) -> bytes:
        """Send bytes and read until the service closes."""
        said = b""
        with self.connected() as connection:
            connection.sendall(data)
            with suppress(ConnectionResetError):
                while got := connection.recv(65536):
                    said += got
        return said


def whole_answer(connection: socket.socket) -> int:
    """Read one answer, head and body; give its status."""
    with HTTPResponse(connection) as answer:
        answer.begin()
        answer.read()
        return answer.status


@pytest.fixture(scope="module")
def service(bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("connections")
    log, database = folder / "service.log", f"sqlite:///{folder}/test.db"
    with running_service(bundle_folder, database, log, environment=LIMITS) as running:
        yield Service(int(running.client.base_url.port or 0), log)


@pytest.mark.parametrize("line", [b"G\xc9T / HTTP/1.1", "GET /é HTTP/1.1".encode(), b"GET http:/// HTTP/1.1"])
def test_what_is_no_http_is_told_so_as_a_problem(service: Service, line: bytes) -> None:
    head, _, body = service.answers(line + b"\r\nHost: x\r\n\r\n").partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"Content-Type: application/problem+json" in head
    assert json.loads(body)["code"] == "malformed_http"
    assert "Traceback" not in service.log.read_text()


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("target", [b"/nothing", b"/v1/analyses", b"/v1/bundle"])
def test_garbage_behind_requests_is_no_fault_of_the_service(service: Service, target: bytes, count: int) -> None:
    """The connection is closed while an answer is being made: that raises no alert and writes no traceback."""
    for _ in range(10):
        service.answers(count * (b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % target) + b"\0garbage\r\n\r\n")
    time.sleep(0.2)  # for what is still being answered
    log = service.log.read_text()
    assert "internal_error" not in log
    assert "Traceback" not in log


@pytest.mark.parametrize(("count", "answered"), [(30, 30), (2000, 1)])
def test_few_requests_wait_for_others_on_their_connection(service: Service, count: int, answered: int) -> None:
    """Two thousand fit into what is read at once; they held up everybody for a quarter of a second."""
    request = b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"
    said = service.answers((count - 1) * request + request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    found = said.count(b"HTTP/1.1 404 ")
    assert found == count if answered == count else found <= answered
    assert ("connection closed: too_many_requests" in service.log.read_text()) == (count > answered)


@pytest.mark.parametrize("method", [b"GET", b"POST"])
def test_nothing_is_upgraded_to_websockets(service: Service, method: bytes) -> None:
    """With a body behind it, one was waited for without end."""
    started = time.monotonic()
    said = service.answers(
        method + b" /nothing HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nContent-Length: 5\r\n\r\nhello"
    )
    assert said.startswith(b"HTTP/1.1 404 ")
    assert time.monotonic() - started < SLOW_S


def test_after_a_late_body_the_connection_is_as_good_as_any(service: Service) -> None:
    request = b"POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"
    with service.connected() as connection:
        for _ in range(8):  # together they take longer than a limit
            connection.sendall(request)
            assert whole_answer(connection) == 404
            connection.sendall(b"x" * 5)
            time.sleep(0.3)
            connection.sendall(b"x" * 5)
        assert connection.recv(65536) == b"", "idle, it is closed"


def test_the_rest_of_a_body_that_was_answered_already_is_not_waited_for_without_end(service: Service) -> None:
    with service.connected() as connection:
        connection.sendall(b"POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
        assert whole_answer(connection) == 404
        connection.sendall(b"x")  # takes back the time that an idle connection has
        assert connection.recv(65536) == b"", "it is closed"
