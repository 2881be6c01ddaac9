"""What a request's address is to the client: behind a proxy it is another than the one that arrives here."""

from collections.abc import Iterable
from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import Headers
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from app.adapters.telemetry.metrics import Metrics
from app.api.problems import problem_response
from app.core.addresses import PublicAddress, TrustedProxies, last_element, read_authority
from app.core.errors import InvalidHost


class Addresses:
    """Write into a request's scope the address that the client knows, and the client's own.

    After it the scope is as ASGI has it: `path` begins with `root_path`, whether the proxy took it away or not;
    `scheme`, `client` and the Host header are the client's. Starlette, its redirects and `Links` need nothing else.

    Parameters
    ----------
    app : ASGIApp
    metrics : Metrics
    public : PublicAddress
    proxies : TrustedProxies
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, public: PublicAddress, proxies: TrustedProxies) -> None:
        self.app = app
        self.metrics = metrics
        self.public = public
        self.proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse one whose Host header is not a host name."""
        if scope["type"] == "http":
            _add_root_path(scope, self.public.root_path)
            try:
                self._translate(scope)
            except InvalidHost as refusal:
                self.metrics.refusal(refusal.code)
                await problem_response(refusal)(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _translate(self, scope: Scope) -> None:
        """Believe a trusted proxy, and the public address more."""
        headers = Headers(scope=scope)
        peer, port = scope.get("client") or ("", 0)
        forwarded_host = ""
        if peer in self.proxies:
            client = self.proxies.find_client(peer, ",".join(headers.getlist("x-forwarded-for")).split(","))
            scope["client"] = (client, port if client == peer else 0)
            forwarded_host = last_element(headers.getlist("x-forwarded-host"))
            if (scheme := last_element(headers.getlist("x-forwarded-proto")).lower()) in ("http", "https"):
                scope["scheme"] = scheme
        authority = _authority(scope, headers.getlist("host"), forwarded_host)
        if self.public.authority:
            scope["scheme"], authority = self.public.scheme, self.public.authority
        if authority:
            others = [(name, value) for name, value in scope["headers"] if name != b"host"]
            scope["headers"] = [(b"host", authority.encode()), *others]


def _add_root_path(scope: Scope, root_path: str) -> None:
    path, raw_path = scope["path"], scope.get("raw_path") or b""
    if path == root_path:
        path, raw_path = f"{path}/", raw_path + b"/"
    elif not path.startswith(f"{root_path}/"):
        path, raw_path = root_path + path, root_path.encode() + raw_path
    scope["root_path"], scope["path"], scope["raw_path"] = root_path, path, raw_path


def _authority(scope: Scope, hosts: list[str], forwarded: str) -> str:
    """Give host and port, empty where HTTP/1.0 need not say them (RFC 9112, 3.2)."""
    if not hosts and scope.get("http_version") == "1.0" and not forwarded:
        return ""
    authority = read_authority(forwarded or hosts[0], scope["scheme"]) if len(hosts) == 1 else None
    if authority is None:
        raise InvalidHost("The Host header is missing, repeated, or is not a host name with an optional port.")
    return authority


def root_path(scope: Scope) -> str:
    """Give the path under which clients find everything; a mounted application has changed the scope's own."""
    return str(scope.get("app_root_path", scope.get("root_path", "")))


def route_path(scope: Scope) -> str:
    """Give the path that is routed: without the root path."""
    return str(scope["path"]).removeprefix(root_path(scope))


def check_free(root_path: str, routes: Iterable[BaseRoute]) -> None:
    """Raise ValueError if a root path begins as our own paths do: whether a proxy took it away could not be told."""
    own = {str(getattr(route, "path", "/")).split("/")[1] for route in routes}
    if root_path and (first := root_path.split("/")[1]) in own:
        raise ValueError(f"The service has paths of its own under /{first}: choose another LIVER_PDFF_ROOT_PATH.")


class Links:
    """Makes the addresses that are given to clients.

    Parameters
    ----------
    request : Request
    """

    def __init__(self, request: Request) -> None:
        self._root_path = root_path(request.scope)
        self._base_url = str(request.base_url).rstrip("/")

    def __call__(self, path: str) -> str:
        """Add the root path to one of our paths, for pages, JSON and headers: ``/liver/v1/analyses``."""
        return self._root_path + path

    def absolute(self, path: str) -> str:
        """Add scheme and host as well, for addresses on paper or in a file."""
        return self._base_url + path


async def get_links(request: Request) -> Links:
    """Give the links of one request."""
    return Links(request)


LinksDep = Annotated[Links, Depends(get_links)]
