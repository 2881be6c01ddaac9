"""What a browser may do with an answer."""

from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.addresses import route_path
from app.core.access import SIGN_IN

_EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # without it, forms of our own pages would come with `Origin: null`
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_ANSWER_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
"""For answers and the report, which is one page without a script."""
_DOCS_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; worker-src blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""Swagger UI starts with a script in the page; the page is the same for everybody and shows nothing that was sent."""
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
"""For pages whose scripts and styles are files of ours."""
_PAGES = ("/", "/analyses", SIGN_IN)
_DOCS = ("/docs", "/redoc", "/static-offline-docs/")


class SecurityHeaders:
    """Say on every answer what a browser may do with it.

    Parameters
    ----------
    app : ASGIApp
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and complete the answer's headers."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def complete(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in security_headers(scope).items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, complete)


def security_headers(scope: Scope) -> Mapping[str, str]:
    """Choose the headers of one answer."""
    path = route_path(scope)
    is_docs = path.startswith(_DOCS)
    policy = _DOCS_POLICY if is_docs else _PAGE_POLICY if path in _PAGES else _ANSWER_POLICY
    return {
        **_EVERYWHERE,
        "Content-Security-Policy": policy,
        **({"Strict-Transport-Security": "max-age=31536000"} if scope.get("scheme") == "https" else {}),
        **({} if is_docs else {"Cache-Control": "no-cache" if path.startswith("/static/") else "no-store"}),
    }
