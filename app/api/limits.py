"""Bounds on requests that bring a body: how many at once, how large, how slow. Kept while the body streams in."""

from collections.abc import Mapping
from http import HTTPMethod

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.adapters.telemetry.metrics import Metrics
from app.api.addresses import route_path
from app.api.problems import problem_response
from app.api.senders import SLOW_BYTES_PER_S, STALLED_S, BodyBounds, Sender
from app.core.errors import Overloaded, UploadTooLarge

RETRY_AFTER_S = 2


class UploadLimits:
    """Refuse an upload before it costs memory, and take it on only once its body comes.

    When all places are taken, a client that has stalled gives way to the next, and slow clients hold three quarters of
    the places at most. A body that announces itself too large is not read; one that turns out so, or does not arrive in
    time, is left. Starlette's own middleware bounds the size only, and answers in plain text.

    Parameters
    ----------
    app : ASGIApp
    metrics : Metrics
    max_in_flight : int
        Uploads received or analysed at once.
    first_byte_s : float
        For a body to begin.
    bounds : mapping of str to BodyBounds
        By the beginning of the path, most specific first; the last is everything's.
    """

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics,
        *,
        max_in_flight: int,
        first_byte_s: float,
        bounds: Mapping[str, BodyBounds],
    ) -> None:
        self.app = app
        self.metrics = metrics
        self.max_in_flight = max_in_flight
        self.first_byte_s = first_byte_s
        self.bounds = bounds
        self._senders: set[Sender] = set()  # only the event loop changes it: no lock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http" or scope["method"] != HTTPMethod.POST:
            await self.app(scope, receive, send)
            return
        path, (*_, everythings) = route_path(scope), self.bounds.values()
        bounds = next((each for prefix, each in self.bounds.items() if path.startswith(prefix)), everythings)
        if refusal := _announced_too_large(scope, bounds) or self._refusal():
            self.metrics.refusal(refusal.code)
            await problem_response(refusal)(scope, receive, send)
        else:
            await self._pass_on(scope, Sender(receive, bounds), send)

    async def _pass_on(self, scope: Scope, sender: Sender, send: Send) -> None:
        """Pass a request on; it takes a place when the application has asked for its body, and that has begun."""

        async def receive() -> Message:
            if not sender.has_begun:
                await sender.await_first(self.first_byte_s)
                self._take_place(sender)
            return await sender.receive()

        try:
            await self.app(scope, receive, send)
        finally:
            self._senders.discard(sender)

    def _refusal(self) -> Overloaded | None:
        if self._is_free() or self._leaver():
            return None
        return Overloaded("The service is busy. Send the same request again later.", retry_after_s=RETRY_AFTER_S)

    def _take_place(self, sender: Sender) -> None:
        if refusal := self._refusal():
            raise refusal
        if not self._is_free() and (leaver := self._leaver()):
            leaver.stop()
            self._senders.discard(leaver)
        self._senders.add(sender)

    def _is_free(self) -> bool:
        return len(self._senders) < self.max_in_flight

    def _leaver(self) -> Sender | None:
        """Find a client that has to give its place to the next, now that all are taken."""
        stalled = max(self._senders, key=lambda each: each.stalled_s)
        if stalled.stalled_s > STALLED_S:
            return stalled
        slow = [each for each in self._senders if each.bytes_per_s < SLOW_BYTES_PER_S]
        has_too_many = len(slow) > self.max_in_flight * 3 // 4
        return min(slow, key=lambda each: each.bytes_per_s) if has_too_many else None


def _announced_too_large(scope: Scope, bounds: BodyBounds) -> UploadTooLarge | None:
    announced = dict(scope["headers"]).get(b"content-length", b"0")
    if not announced.isdigit() or int(announced) <= bounds.max_bytes:
        return None
    return UploadTooLarge(
        f"The request body is larger than {bounds.max_bytes >> 20} MiB. {bounds.hint}", limit_bytes=bounds.max_bytes
    )


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
