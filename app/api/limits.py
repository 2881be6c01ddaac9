"""Bounds on requests that bring a body: how many at once, how large, how slow. Kept while the body streams in."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPMethod

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.adapters.telemetry.metrics import Metrics
from app.api.addresses import route_path
from app.api.problems import problem_response
from app.core.errors import AnalysisError, Overloaded, UploadTooLarge

RETRY_AFTER_S = 2


@dataclass(frozen=True, slots=True)
class BodyBounds:
    """What one kind of request may bring.

    Attributes
    ----------
    max_bytes : int
    timeout_s : float
        For the whole body to arrive; the time that the service takes for what has arrived is not counted.
    hint : str
        What to do about a body that is too large.
    """

    max_bytes: int
    timeout_s: float
    hint: str


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
    bounds : mapping of str to BodyBounds
        By the beginning of the path, most specific first; the last is everything's.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, *, max_in_flight: int, bounds: Mapping[str, BodyBounds]) -> None:
        self.app = app
        self.metrics = metrics
        self.max_in_flight = max_in_flight
        self.bounds = bounds
        self._in_flight = 0  # only the event loop counts: no lock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http" or scope["method"] != HTTPMethod.POST:
            await self.app(scope, receive, send)
            return
        path, (*_, everythings) = route_path(scope), self.bounds.values()
        bounds = next((each for prefix, each in self.bounds.items() if path.startswith(prefix)), everythings)
        if refusal := self._refusal(scope, bounds):
            self.metrics.refusal(refusal.code)
            await problem_response(refusal)(scope, receive, send)
        else:
            await self._admitted(scope, _bounded(receive, bounds), send)

    def _refusal(self, scope: Scope, bounds: BodyBounds) -> AnalysisError | None:
        if self._in_flight >= self.max_in_flight:
            return Overloaded("The service is busy. Send the same request again later.", retry_after_s=RETRY_AFTER_S)
        if _announced_bytes(scope) > bounds.max_bytes:
            return UploadTooLarge(
                f"The request body is larger than {bounds.max_bytes >> 20} MiB. {bounds.hint}",
                limit_bytes=bounds.max_bytes,
            )
        return None

    async def _admitted(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._in_flight += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._in_flight -= 1


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


def _bounded(receive: Receive, bounds: BodyBounds) -> Receive:
    """Count what arrives, and the time that is spent waiting for it."""
    received, waited_s, complete = 0, 0.0, False
    clock = asyncio.get_running_loop().time

    async def bounded() -> Message:
        nonlocal received, waited_s, complete
        if complete:  # only a disconnect can follow, whenever it likes
            return await receive()
        started = clock()
        try:
            async with asyncio.timeout(bounds.timeout_s - waited_s):
                message = await receive()
        except TimeoutError as error:
            raise HTTPException(408) from error
        waited_s += clock() - started
        received += len(message.get("body", b""))
        complete = not message.get("more_body", False)
        if received > bounds.max_bytes:
            raise HTTPException(413)
        return message

    return bounded


def _announced_bytes(scope: Scope) -> int:
    announced = dict(scope["headers"]).get(b"content-length", b"0")
    return int(announced) if announced.isdigit() else 0
