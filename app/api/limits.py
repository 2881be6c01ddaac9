"""Bounds on requests that bring a body: how many at once, how large, how slow. Kept while the body streams in."""

import asyncio
from http import HTTPMethod

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.adapters.metrics import Metrics
from app.api.problems import problem_response
from app.core.errors import AnalysisError, Overloaded, UploadTooLarge

RETRY_AFTER_S = 2


class UploadLimits:
    """Refuse an upload before it costs memory.

    A body that announces itself too large is not read; one that turns out so, or does not arrive in time, is left.
    Starlette's own middleware bounds the size only, and answers in plain text.

    Parameters
    ----------
    app : ASGIApp
    metrics : Metrics
    max_in_flight : int
        Uploads received or analysed at once.
    max_body_bytes : int
    timeout_s : float
        For the whole body.
    """

    def __init__(
        self, app: ASGIApp, metrics: Metrics, *, max_in_flight: int, max_body_bytes: int, timeout_s: float
    ) -> None:
        self.app = app
        self.metrics = metrics
        self.max_in_flight = max_in_flight
        self.max_body_bytes = max_body_bytes
        self.timeout_s = timeout_s
        self._in_flight = 0  # only the event loop counts: no lock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http" or scope["method"] != HTTPMethod.POST:
            await self.app(scope, receive, send)
        elif refusal := self._refusal(scope):
            self.metrics.refusal(refusal.code)
            await problem_response(refusal)(scope, receive, send)
        else:
            await self._admitted(scope, receive, send)

    def _refusal(self, scope: Scope) -> AnalysisError | None:
        if self._in_flight >= self.max_in_flight:
            return Overloaded("The service is busy. Send the same request again later.", retry_after_s=RETRY_AFTER_S)
        if _announced_bytes(scope) > self.max_body_bytes:
            return UploadTooLarge(
                f"The request body is larger than {self.max_body_bytes >> 20} MiB. "
                "Send the four views of one study, a single frame each.",
                limit_bytes=self.max_body_bytes,
            )
        return None

    async def _admitted(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._in_flight += 1
        try:
            await self.app(scope, self._bounded(receive), send)
        finally:
            self._in_flight -= 1

    def _bounded(self, receive: Receive) -> Receive:
        received, complete = 0, False
        deadline = asyncio.get_running_loop().time() + self.timeout_s

        async def bounded() -> Message:
            nonlocal received, complete
            if complete:  # only a disconnect can follow, whenever it likes
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError as error:
                raise HTTPException(408) from error
            received += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if received > self.max_body_bytes:
                raise HTTPException(413)
            return message

        return bounded


class HeadAsGet:
    """Answer HEAD wherever GET is answered, with the same headers and no body (RFC 9110, 9.3.2)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Ask as GET, and keep the body back."""
        if scope["type"] != "http" or scope["method"] != HTTPMethod.HEAD:
            await self.app(scope, receive, send)
            return

        async def headers_only(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        await self.app({**scope, "method": HTTPMethod.GET.value}, receive, headers_only)


def _announced_bytes(scope: Scope) -> int:
    announced = dict(scope["headers"]).get(b"content-length", b"0")
    return int(announced) if announced.isdigit() else 0
