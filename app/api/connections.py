"""Bounds that uvicorn does not have: on the size and the time of a request's headers, and on unread answers.

They apply before authentication: an application sees a request only once its headers are complete.
"""

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

logger = logging.getLogger(__name__)

MAX_HEAD_BYTES: Final = 64 * 1024
"""Of request line and headers, and of trailers. Browsers send a few hundred, cookies and tokens a few thousand."""
UNREAD_S: Final = 60.0
"""Time for the client to read what has been written, once the buffers are full."""
LEFT_OVER_S: Final = 60.0
"""Time for the rest of a body to arrive that has been answered before its end, so that the client reads the answer."""
_REFUSED: Final = {
    "head_too_large": (431, "Request Header Fields Too Large", "The request's headers have more than 64 KiB."),
    "head_too_slow": (408, "Request Timeout", "The request's headers did not arrive in time."),
}


def bounded_connections(head_timeout_s: float, on_closed: Callable[[str], None]) -> type[HttpToolsProtocol]:
    """Make the protocol that uvicorn speaks.

    Parameters
    ----------
    head_timeout_s : float
        For a request's headers to arrive, counted from the connection or from their first byte.
    on_closed : callable
        Called with the reason when one is closed: ``head_too_large``, ``head_too_slow``, ``silent``, ``unread``
        or ``left_over``.
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
        self._left_over_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop(self._head_timer)
        self._stop(self._unread_timer)
        self._stop(self._left_over_timer)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        if self._in_head and self._head_timer is None:
            self._await_head()
        self._received += len(data)
        super().data_received(data)
        self._bound_left_over()
        if max(self._received, self._fields) > MAX_HEAD_BYTES:
            self._refuse("head_too_large")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields += len(name) + len(value)
        if self._fields <= MAX_HEAD_BYTES:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._stop(self._head_timer)
        self._head_timer = None
        self._in_head = False
        if self._fields > MAX_HEAD_BYTES:
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
        self._stop(self._left_over_timer)
        self._left_over_timer = None
        if self._is_refused:
            return
        self._received = self._fields = 0
        super().on_message_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread_timer = self._unread_timer or self.loop.call_later(UNREAD_S, self._give_up)

    def resume_writing(self) -> None:
        self._stop(self._unread_timer)
        self._unread_timer = None
        super().resume_writing()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._bound_left_over()

    def _bound_left_over(self) -> None:
        """Wait for the rest of a body only for a while if it has been answered already."""
        is_answered = self.cycle is not None and self.cycle.response_complete
        if is_answered and not self._in_head and self._left_over_timer is None:
            self._left_over_timer = self.loop.call_later(LEFT_OVER_S, self._close, "left_over")

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(self._head_timeout_s, self._too_slow)

    def _too_slow(self) -> None:
        if self._received:
            self._refuse("head_too_slow")
        else:
            self._close("silent")

    def _give_up(self) -> None:
        self._tell("unread")
        self.transport.abort()

    def _refuse(self, code: str) -> None:
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
