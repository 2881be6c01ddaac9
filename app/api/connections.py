"""Bounds that uvicorn does not have: on a request's headers, on what comes behind an answer, and on unread answers.

They apply before authentication: an application sees a request only once its headers are complete.
"""

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any, Final

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

logger = logging.getLogger(__name__)

MAX_HEAD_BYTES: Final = 64 * 1024
"""Of request line and headers, and of trailers. Browsers send a few hundred, cookies and tokens a few thousand."""
MAX_PIPELINED: Final = 32
"""Requests that wait for the answer to an earlier one on their connection. Browsers and common clients send none."""
UNREAD_S: Final = 60.0
"""Time for the client to read what has been written, once the buffers are full."""
_REFUSED: Final = {
    "malformed_http": (400, "Bad Request", "The bytes are not an HTTP request."),
    "head_too_large": (431, "Request Header Fields Too Large", "The request's headers have more than 64 KiB."),
    "head_too_slow": (408, "Request Timeout", "The request's headers did not arrive in time."),
}


def bounded_connections(head_timeout_s: float, on_closed: Callable[[str], None]) -> type[HttpToolsProtocol]:
    """Make the protocol that uvicorn speaks.

    Parameters
    ----------
    head_timeout_s : float
        For a request's headers to arrive, counted from the connection or from their first byte; and for the rest of a
        body that was answered before it was complete.
    on_closed : callable
        Called with the reason when one is closed: ``malformed_http``, ``head_too_large``, ``head_too_slow``,
        ``too_many_requests``, ``silent``, ``leftover`` or ``unread``.
    """

    class Bounded(_BoundedProtocol):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self._head_timeout_s, self._on_closed = head_timeout_s, on_closed

    return Bounded


class _BoundedProtocol(HttpToolsProtocol):
    _head_timeout_s: float
    _on_closed: Callable[[str], None]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._in_head = True
        self._received = 0  # bytes since the parser last completed headers, a chunk's size or a piece of a body
        self._fields = 0  # bytes of this request's headers and trailers
        self._is_refused = False
        self._head_timer: asyncio.TimerHandle | None = None
        self._unread_timer: asyncio.TimerHandle | None = None
        self._answering: RequestResponseCycle | None = None  # `cycle` is the last one, which may wait for this one

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop(self._head_timer)
        self._stop(self._unread_timer)
        if self._answering:  # else its answer would be written to a closed connection: a fault of the service's
            self._answering.disconnected = True
            self._answering.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        if self._in_head and self._head_timer is None:
            self._await_head()
        self._received += len(data)
        super().data_received(data)
        if len(self.pipeline) > MAX_PIPELINED:
            self._close("too_many_requests")
        elif max(self._received, self._fields) > MAX_HEAD_BYTES:
            self._refuse("head_too_large")
        elif not self._in_head and self._head_timer is None and self.cycle and self.cycle.response_complete:
            self._await_head()  # uvicorn waits for the rest of this body without end

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words, which ours stand for
        """Refuse bytes that are not HTTP as every other refusal is written, and not in the middle of an answer."""
        self._refuse("malformed_http")

    def on_message_begin(self) -> None:
        if len(self.pipeline) > MAX_PIPELINED:  # a piece of 64 KiB may hold 2000; `data_received` refuses them
            self._is_refused = True
        else:
            super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields += len(name) + len(value)
        if self._fields <= MAX_HEAD_BYTES and not self._is_refused:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._stop(self._head_timer)
        self._head_timer = None
        self._in_head = False
        if self._fields > MAX_HEAD_BYTES or self._is_refused:
            self._is_refused = True  # `data_received` answers it
            return
        self._received = 0
        super().on_headers_complete()

    def on_chunk_header(self) -> None:
        self._received = 0

    def on_body(self, body: bytes) -> None:
        self._received = 0
        if not self._is_refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_head = True
        if self._is_refused:
            return
        self._received = self._fields = 0
        super().on_message_complete()
        if self._head_timer:  # a leftover: from here on the connection is idle
            self._stop(self._head_timer)
            self._head_timer = None
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread_timer = self._unread_timer or self.loop.call_later(UNREAD_S, self._give_up)

    def resume_writing(self) -> None:
        self._stop(self._unread_timer)
        self._unread_timer = None
        super().resume_writing()

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(self._head_timeout_s, self._too_slow)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def _too_slow(self) -> None:
        if not self._in_head:
            self._close("leftover")
        elif self._received:
            self._refuse("head_too_slow")
        else:
            self._close("silent")

    def _give_up(self) -> None:
        self._tell("unread")
        self.transport.abort()

    def _refuse(self, code: str) -> None:
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete:  # else it would stand in the middle of another answer
            self.transport.write(_answer(code))
        self._close(code)

    def _close(self, reason: str) -> None:
        self._is_refused = True
        self._tell(reason)
        self.transport.close()

    def _tell(self, reason: str) -> None:
        logger.info("connection closed: %s", reason)
        self._on_closed(reason)

    @staticmethod
    def _stop(timer: asyncio.TimerHandle | None) -> None:
        if timer:
            timer.cancel()


def _answer(code: str) -> bytes:
    """Write a refusal as `app.api.problems` would, for a request that the application never sees."""
    status, title, detail = _REFUSED[code]
    item = {"code": code, "detail": detail}
    body = json.dumps({"type": "about:blank", "title": title, "status": status, **item, "errors": [item]}).encode()
    head = (
        f"HTTP/1.1 {status} {title}\r\nContent-Type: application/problem+json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
