"""What an operator sees of each request: an id that stands in every line of it, one line at its end, a span."""

import logging
import re
import time
import uuid
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.adapters.telemetry.logs import REQUEST_ID, REQUEST_ID_HEADER
from app.adapters.telemetry.traces import request_span
from app.api.addresses import route_path

logger = logging.getLogger(__name__)

_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}")
"""A sender's own id is taken if it is a UUID: anything else could be a patient's number, and would stand in the log."""
_QUIET: Final = ("/livez", "/readyz", "/metrics", "/static", "/static-offline-docs")
_UNROUTED: Final = "unknown"


class Observation:
    """Watch every request. Outermost, so that refusals are seen as well.

    Parameters
    ----------
    app : ASGIApp
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = _request_id(headers)
        status = 500  # until an answer begins
        started = time.perf_counter()

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = request_id
            await send(message)

        REQUEST_ID.set(request_id)  # never taken back: its task ends with it, and a fault is logged further out
        with request_span(scope["method"], headers) as traced:
            try:
                await self.app(scope, receive, observed)
            finally:
                traced.end(_route(scope), status)
                _log(scope, status, started)


def _request_id(headers: Headers) -> str:
    given = headers.get(REQUEST_ID_HEADER, "")
    return given if _UUID.fullmatch(given) else str(uuid.uuid4())


def _route(scope: Scope) -> str:
    """Name the template of the address; the address itself may hold a UID."""
    return str(getattr(scope.get("route"), "path", _UNROUTED))


def _log(scope: Scope, status: int, started: float) -> None:
    said = {
        "method": scope["method"],
        "route": _route(scope),
        "status": status,
        "elapsed_ms": round(1000 * (time.perf_counter() - started)),
    }
    level = logging.DEBUG if route_path(scope).startswith(_QUIET) else logging.INFO
    logger.log(level, "request %s", " ".join(f"{name}={value}" for name, value in said.items()), extra=said)
