"""Bounds on uploads, at the level of ASGI or of a connection: what a client library would not let a test send."""

import asyncio
import json
import re
import socket
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from app.adapters.telemetry.metrics import Metrics
from app.api.limits import UploadLimits
from app.api.senders import BodyBounds
from app.core.errors import Overloaded
from app.settings import Settings
from training.demo import running_service

POST: Scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
BODY: Message = {"type": "http.request", "body": bytes(600), "more_body": True}
FIRST_BYTE_S = 0.08
END: Message = {"type": "http.request", "body": b"", "more_body": False}


async def read_body(_scope: Scope, receive: Receive, send: Send) -> None:
    """An application that reads all of its request, and answers what its middleware raises."""
    try:
        while (await receive()).get("more_body"):
            pass
    except Overloaded:
        await send({"type": "http.response.start", "status": 503, "headers": []})
        return
    await receive()  # as a server waits for a disconnect
    await send({"type": "http.response.start", "status": 201, "headers": []})


def messages(*parts: Message | float) -> Receive:
    """Give messages one after another; a number is a pause in seconds."""
    waiting = list(parts)

    async def receive() -> Message:
        while waiting and isinstance(pause := waiting[0], float):
            await asyncio.sleep(pause)
            waiting.pop(0)
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}  # type: ignore[return-value]  # pauses are gone

    return receive


def paced(message: Message, pause_s: float, count: int) -> Iterator[Message | float]:
    """A body that comes in pieces, with a pause behind each."""
    for _ in range(count):
        yield message
        yield pause_s
    yield END


def limits(app: Callable[[Scope, Receive, Send], Awaitable[None]] = read_body, max_in_flight: int = 1) -> UploadLimits:
    bounds = {"/large": BodyBounds(2000, 0.1, "Split it."), "/": BodyBounds(1000, 0.1, "Split it.")}
    return UploadLimits(app, Metrics(), max_in_flight=max_in_flight, first_byte_s=FIRST_BYTE_S, bounds=bounds)


def statuses(asked: UploadLimits, scope: Scope, *receives: Receive) -> list[int]:
    """Send requests at the same time and collect the statuses."""
    found: list[int] = []

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            found.append(message["status"])

    async def all_at_once() -> None:
        await asyncio.gather(*(asked(scope, receive, send) for receive in receives))

    asyncio.run(all_at_once())
    return found


def test_a_body_in_time_passes() -> None:
    assert statuses(limits(), POST, messages(BODY, END)) == [201]


def test_a_body_that_does_not_arrive_is_left() -> None:
    with pytest.raises(HTTPException) as caught:
        statuses(limits(), POST, messages(BODY, 0.5, END))
    assert caught.value.status_code == 408


def test_a_whole_body_may_be_computed_on_for_as_long_as_it_takes() -> None:
    assert statuses(limits(), POST, messages(BODY, END, 0.3)) == [201]


def test_a_body_that_turns_out_too_large_is_left() -> None:
    with pytest.raises(HTTPException) as caught:
        statuses(limits(), POST, messages(BODY, BODY, END))
    assert caught.value.status_code == 413


def test_a_body_that_says_it_is_too_large_is_not_read() -> None:
    scope = {**POST, "headers": [(b"content-length", b"1001")]}
    assert statuses(limits(), scope, messages()) == [413]


def test_a_request_without_a_path_is_bounded_too() -> None:
    """HTTP allows ``*`` in the place of a path (RFC 9112, 3.2.4)."""
    scope = {**POST, "path": "*", "headers": [(b"content-length", b"1001")]}
    assert statuses(limits(), scope, messages()) == [413]


def test_one_upload_too_many_is_refused_before_it_is_read() -> None:
    asked = limits(max_in_flight=2)
    late = [messages(BODY, 0.05, END) for _ in range(3)]
    assert sorted(statuses(asked, POST, *late)) == [201, 201, 503]
    assert statuses(asked, POST, messages(BODY, END)) == [201], "a place was not given back"


def test_a_body_that_does_not_begin_takes_no_place() -> None:
    async def answering(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await read_body(scope, receive, send)
        except HTTPException as error:
            await send({"type": "http.response.start", "status": error.status_code, "headers": []})

    silent = [messages(FIRST_BYTE_S * 5, BODY, END) for _ in range(3)]
    found = statuses(limits(answering, max_in_flight=1), POST, *silent, messages(0.02, BODY, END))
    assert sorted(found) == [201, 408, 408, 408]


def test_a_request_whose_body_nobody_wants_is_answered_without_it() -> None:
    async def not_found(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 404, "headers": []})

    assert statuses(limits(not_found), POST, messages(1.0, BODY)) == [404]


class TestGivingWay:
    """When all places are taken."""

    @pytest.fixture(autouse=True)
    def hurry(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("app.api.limits.STALLED_S", 0.2)
        monkeypatch.setattr("app.api.senders.SLOW_AFTER_S", 0.05)
        monkeypatch.setattr("app.api.limits.SLOW_BYTES_PER_S", 2000)

    @staticmethod
    def asked(clients: Sequence[Receive], last: float, max_in_flight: int) -> list[int]:
        """Let clients come one after another, then a quick one after so many seconds; a status for each, in order."""
        bounds = {"/": BodyBounds(1 << 20, 2, "")}
        asked = UploadLimits(read_body, Metrics(), max_in_flight=max_in_flight, first_byte_s=1, bounds=bounds)

        async def ask(number: int, receive: Receive) -> int:
            found: list[int] = []

            async def send(message: Message) -> None:
                found.extend([message["status"]] if message["type"] == "http.response.start" else [])

            await asyncio.sleep(number * 0.01 if number < len(clients) else last)
            try:
                await asked(POST, receive, send)
            except HTTPException as error:
                return error.status_code
            return found[0]

        async def all_of_them() -> list[int]:
            return await asyncio.gather(
                *(ask(number, receive) for number, receive in enumerate([*clients, messages(BODY, END)]))
            )

        return asyncio.run(all_of_them())

    def test_a_client_that_has_stalled(self) -> None:
        stalled = [messages(BODY, 1.0, END) for _ in range(2)]
        assert self.asked(stalled, last=0.4, max_in_flight=2) == [408, 201, 201]

    def test_not_one_that_sends(self) -> None:
        steady = [messages(*paced(BODY, 0.02, 20)) for _ in range(2)]
        assert self.asked(steady, last=0.15, max_in_flight=2) == [201, 201, 503]

    def test_the_slowest_of_too_many(self) -> None:
        small: Message = {**BODY, "body": b"x"}
        slow = [messages({**BODY, "body": bytes(100)}, *paced(small, 0.08, 6)) for _ in range(3)]
        slowest = messages(small, *paced(small, 0.08, 6))
        assert self.asked([*slow, slowest], last=0.25, max_in_flight=4) == [201, 201, 201, 408, 201]

    def test_slow_ones_keep_their_share(self) -> None:
        small: Message = {**BODY, "body": b"x"}
        slow = [messages(*paced(small, 0.08, 6)) for _ in range(3)]
        fast = messages(*paced(BODY, 0.02, 20))
        assert self.asked([*slow, fast], last=0.25, max_in_flight=4) == [201, 201, 201, 201, 503]

    def test_not_one_that_the_service_works_for(self) -> None:
        async def slow_work(scope: Scope, receive: Receive, send: Send) -> None:
            await read_body(scope, receive, send)
            await asyncio.sleep(0.5)

        found = statuses(limits(slow_work), POST, messages(BODY, END), messages(0.05, BODY, END))
        assert sorted(found) == [201, 503]


def test_reading_is_not_counted() -> None:
    get = {**POST, "method": "GET"}
    assert statuses(limits(), get, *[messages(0.02, END) for _ in range(5)]) == [201] * 5


@pytest.fixture(scope="module")
def hurried(bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HTTPConnection]:
    """A connection to a whole service that waits for a second at most."""
    limits = {"LIVER_PDFF_UPLOAD_TIMEOUT_S": "1", "LIVER_PDFF_KEEP_ALIVE_S": "1", "LIVER_PDFF_HEAD_TIMEOUT_S": "1"}
    folder = tmp_path_factory.mktemp("hurried")
    log = folder / "service.log"
    with running_service(bundle_folder, f"sqlite:///{folder}/test.db", log, environment=limits) as service:
        yield HTTPConnection("127.0.0.1", service.client.base_url.port, timeout=30)


def test_a_body_that_trickles_is_told_that_it_was_too_slow(hurried: HTTPConnection) -> None:
    """Its error is of the same family as a full disk's, which is a 503."""
    hurried.putrequest("POST", "/v1/analyses")
    hurried.putheader("Content-Type", "multipart/form-data; boundary=b")
    hurried.putheader("Content-Length", "1000")
    hurried.endheaders(b"--b\r\n")
    answer = hurried.getresponse()
    assert (answer.status, json.load(answer)["code"]) == (408, "upload_timeout")
    hurried.close()


def test_an_idle_connection_is_kept_for_as_long_as_was_said(hurried: HTTPConnection) -> None:
    hurried.request("GET", "/livez")
    assert hurried.getresponse().read()
    begin = time.monotonic()
    assert hurried.sock.recv(1) == b"", "the service closes it"
    assert 0.9 < time.monotonic() - begin < 10
    hurried.close()


def test_an_idle_connection_outlives_a_proxys() -> None:
    """nginx, ingress-nginx and load balancers keep theirs for 60 s, and lose a request on one that is closed first."""
    assert Settings().keep_alive_s > 60


class TestBeforeAnybodyIsAsked:
    """What a stranger sends, or does not, on a raw connection."""

    @staticmethod
    def connected(hurried: HTTPConnection) -> socket.socket:
        return socket.create_connection((hurried.host, hurried.port), timeout=20)

    @staticmethod
    def until_closed(connection: socket.socket) -> bytes:
        said = b""
        with connection, suppress(ConnectionResetError):
            while data := connection.recv(65536):
                said += data
        return said

    @pytest.mark.parametrize("line", [b"X: " + b"a" * 1000 + b"\r\n", b"a" * 4096, b"X: y\r\n"])
    def test_headers_without_end_are_431(self, hurried: HTTPConnection, line: bytes) -> None:
        before = self.count(hurried, "head_too_large")
        connection = self.connected(hurried)
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nX: ")
        with suppress(ConnectionResetError, BrokenPipeError):  # it may be closed while more is sent
            for _ in range(40_000_000 // len(line)):
                connection.sendall(line)
        said = self.until_closed(connection)
        assert not said or said.startswith(b"HTTP/1.1 431 ")  # a reset, for what was sent meanwhile, may take it along
        assert self.count(hurried, "head_too_large") == before + 1

    def test_trailers_without_end_close_the_connection(self, hurried: HTTPConnection) -> None:
        before = self.count(hurried, "head_too_large")
        connection = self.connected(hurried)
        connection.sendall(
            b"POST /v1/analyses HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n5\r\n--b\r\n\r\n0\r\nX: "
        )
        with suppress(ConnectionResetError, BrokenPipeError):
            for _ in range(10_000):
                connection.sendall(b"a" * 4096)
        self.until_closed(connection)
        assert self.count(hurried, "head_too_large") == before + 1

    def test_a_body_in_small_chunks_is_let_pass(self, hurried: HTTPConnection) -> None:
        connection = self.connected(hurried)
        connection.sendall(
            b"POST /v1/analyses HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: text/plain\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 30_000 + b"0\r\n\r\n"
        )
        assert self.until_closed(connection).startswith(b"HTTP/1.1 415 ")

    def test_headers_that_are_too_large_at_once_are_431(self, hurried: HTTPConnection) -> None:
        connection = self.connected(hurried)
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n" + b"X: " + b"a" * 70_000 + b"\r\n\r\n")
        head, _, body = self.until_closed(connection).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 431 ")
        assert json.loads(body)["code"] == "head_too_large"

    def test_large_headers_are_let_pass(self, hurried: HTTPConnection) -> None:
        connection = self.connected(hurried)
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: " + b"a" * 50_000 + b"\r\n\r\n")
        assert self.until_closed(connection).startswith(b"HTTP/1.1 200 ")

    def test_clients_that_send_no_body_keep_nobody_out(self, hurried: HTTPConnection) -> None:
        head = b"POST /dicom-web/studies HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n" + (
            b'Content-Type: multipart/related; type="application/dicom"; boundary=b\r\n\r\n'
        )
        silent = [self.connected(hurried) for _ in range(Settings().max_in_flight + 4)]
        for connection in silent:
            connection.sendall(head)
        hurried.request("POST", "/v1/analyses", b"x", {"Content-Type": "text/plain"})
        answer = hurried.getresponse()
        assert (answer.status, bool(answer.read())) == (415, True)
        assert all(self.status(connection) == 408 for connection in silent)

    @staticmethod
    def status(connection: socket.socket) -> int:
        with connection:
            return int(connection.recv(100).split()[1])

    def test_a_connection_that_says_nothing_is_closed(self, hurried: HTTPConnection) -> None:
        before = self.count(hurried, "silent")
        begin = time.monotonic()
        assert self.until_closed(self.connected(hurried)) == b""
        assert 0.9 < time.monotonic() - begin < 10
        assert self.count(hurried, "silent") == before + 1

    def test_headers_that_trickle_are_408(self, hurried: HTTPConnection) -> None:
        before = self.count(hurried, "head_too_slow")
        connection = self.connected(hurried)
        begin = time.monotonic()
        with suppress(ConnectionResetError, BrokenPipeError):
            for letter in b"GET /livez HTTP/1.1\r\nHost: xxxxxxxxxxxxxxxxxxxxxxxxxx":
                connection.sendall(bytes([letter]))
                time.sleep(0.05)
        assert self.until_closed(connection)[:13] in (b"", b"HTTP/1.1 408 ")
        assert time.monotonic() - begin < 10
        assert self.count(hurried, "head_too_slow") == before + 1

    def test_requests_that_follow_each_other_are_answered(self, hurried: HTTPConnection) -> None:
        connection = self.connected(hurried)
        for last in (b"", b"", b"Connection: close\r\n"):
            connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n" + last + b"\r\n")
            time.sleep(0.1)
        assert self.until_closed(connection).count(b"HTTP/1.1 200 ") == 3

    @staticmethod
    def count(hurried: HTTPConnection, reason: str) -> float:
        hurried.close()
        hurried.request("GET", "/metrics")
        text = hurried.getresponse().read().decode()
        hurried.close()
        found = re.search(rf'liver_pdff_closed_connections_total{{reason="{reason}"}} ([0-9.]+)', text)
        return float(found[1]) if found else 0
