"""Who asks, and whether they may: decided before a body is read."""

import base64
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPMethod
from typing import Annotated, Any
from urllib.parse import urlencode

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from app.adapters.oidc import Issuer, is_token
from app.adapters.storage.api_keys import ApiKeys
from app.adapters.storage.refusals import UNKNOWN, Refusals
from app.adapters.storage.sessions import Sessions
from app.adapters.telemetry.metrics import Metrics
from app.api.addresses import root_path, route_path
from app.api.problems import CHALLENGES, problem_response, problem_responses
from app.core.access import ANYONE, SIGN_IN, Actor, Principal, required_scope
from app.core.errors import AnalysisError, Forbidden, Unauthenticated

logger = logging.getLogger(__name__)

SESSION_COOKIE = "liver_pdff_session"
_HOW = (
    "Send a key as `Authorization: Bearer KEY`, or as the password of HTTP Basic; `liver-pdff keys create` makes one."
)
TOKENS_AT_ONCE = 4
_READS = ("GET", "HEAD")
_SAFE = (*_READS, "OPTIONS")
_METHODS = frozenset(HTTPMethod)


@dataclass(frozen=True, slots=True, eq=False)
class Gatekeeper:
    """Tells whom a request's credential names.

    Attributes
    ----------
    keys : ApiKeys
    sessions : Sessions
    issuer : Issuer or None
    is_open : bool
        Whether everybody may do everything.
    verifying : CapacityLimiter
        Threads that verify tokens. They are not those of other work, which a slow issuer must not delay.
    """

    keys: ApiKeys
    sessions: Sessions
    issuer: Issuer | None
    is_open: bool
    verifying: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(TOKENS_AT_ONCE))

    async def identify(self, authorization: str | None, session: str | None) -> Principal:
        """Find the principal.

        Parameters
        ----------
        authorization : str or None
            The request's header.
        session : str or None
            Token of the session, from its cookie; the header counts before it.

        Raises
        ------
        Unauthenticated, IssuerUnavailable, StorageUnavailable
        """
        if self.is_open:
            return ANYONE
        if authorization is not None:
            return await self.recognise(read_credential(authorization))
        if session is None:
            raise Unauthenticated(f"This call needs a key. {_HOW}")
        principal = await run_in_threadpool(self.sessions.find, session)
        if principal is None:
            raise Unauthenticated("The session has ended. Sign in again.")
        return principal

    async def recognise(self, credential: str) -> Principal:
        """Tell whom a key or a token names.

        Raises
        ------
        Unauthenticated, IssuerUnavailable, StorageUnavailable
        """
        if self.issuer and is_token(credential):
            return await to_thread.run_sync(self.issuer.verify, credential, limiter=self.verifying)
        principal = await run_in_threadpool(self.keys.find, credential)
        if principal is None:
            raise Unauthenticated(f"The key is unknown or revoked. {_HOW}")
        return principal


def read_credential(authorization: str) -> str:
    """Take the key or token out of the header, from Bearer or from Basic's password.

    Raises
    ------
    Unauthenticated
        If it is neither.
    """
    scheme, _, credential = authorization.partition(" ")
    try:
        if scheme.lower() == "bearer":
            return credential.strip()
        if scheme.lower() == "basic":
            return base64.b64decode(credential, validate=True).decode().partition(":")[2]
    except ValueError as error:  # not base64, not ASCII, not UTF-8
        raise Unauthenticated(f"The Authorization header cannot be read. {_HOW}") from error
    raise Unauthenticated(f"The Authorization header is neither Bearer nor Basic. {_HOW}")


class AccessControl:
    """Let a request in, or refuse it; say who asked to whatever comes after.

    Parameters
    ----------
    app : ASGIApp
    metrics : Metrics
    routes : sequence of BaseRoute
        By whose templates refused calls are named on the audit trail.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, routes: Sequence[BaseRoute]) -> None:
        self.app = app
        self.metrics = metrics
        self.routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            scope.setdefault("state", {})
            scope["state"]["actor"] = await _admit(scope)
        except AnalysisError as refusal:
            await self._refuse(scope, refusal)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _refuse(self, scope: Scope, refusal: AnalysisError) -> Response:
        """Lead people who visit a page to where they sign in; tell programs, and put it on the trail.

        A browser that a script asks something would show its own window for a password if it were told of Basic.
        """
        headers = Headers(scope=scope)
        has_ended = SESSION_COOKIE in read_cookies(headers)
        is_unknown = isinstance(refusal, Unauthenticated)
        if is_unknown and scope["method"] in _READS and "text/html" in headers.get("accept", ""):
            return RedirectResponse(sign_in_address(scope, has_ended=has_ended), 303, {"Cache-Control": "no-store"})
        self._record(scope, refusal)
        is_a_pages = has_ended or "sec-fetch-mode" in headers or "origin" in headers
        return problem_response(refusal, CHALLENGES[:1] if is_a_pages else CHALLENGES)

    def _record(self, scope: Scope, refusal: AnalysisError) -> None:
        self.metrics.refusal(refusal.code)
        logger.info("refused code=%s method=%s", refusal.code, scope["method"])
        if isinstance(refusal, Unauthenticated | Forbidden):
            refusals: Refusals = scope["app"].state.runtime.refusals
            refusals.note(Actor(refusal.actor or UNKNOWN, address_of(scope)), refusal.code, self._call(scope))

    def _call(self, scope: Scope) -> str:
        """Name a call by its method and the template of its address: the address itself may hold a UID."""
        method = scope["method"] if scope["method"] in _METHODS else "another method"
        matching = (route for route in self.routes if route.matches(scope)[0] is not Match.NONE)
        return f"{method} {getattr(next(matching, None), 'path', 'unknown')}"


def sign_in_address(scope: Scope, *, has_ended: bool) -> str:
    """Give the address of the page to sign in on, which leads back to the one that was asked for."""
    query = scope["query_string"].decode("ascii", "replace")
    asked = route_path(scope) + (f"?{query}" if query else "")
    return f"{root_path(scope)}{SIGN_IN}?{urlencode({'next': asked} | ({'ended': 'true'} if has_ended else {}))}"


def read_cookies(headers: Headers) -> dict[str, str]:
    """Read the cookies of a request."""
    return cookie_parser("; ".join(headers.getlist("cookie")))


async def _admit(scope: Scope) -> Actor | None:
    """Give who asks, None where nobody need say; raise if they may not."""
    headers = Headers(scope=scope)
    _check_origin(scope, headers)
    needed = required_scope(scope["method"], route_path(scope))
    if needed is None:
        return None
    gatekeeper: Gatekeeper = scope["app"].state.runtime.gatekeeper
    principal = await gatekeeper.identify(headers.get("authorization"), read_cookies(headers).get(SESSION_COOKIE))
    scope["state"]["principal"] = principal
    if needed not in principal.scopes:
        refusal = Forbidden(f"The key or token does not have the scope {needed}.", needed_scope=needed)
        refusal.actor = principal.name
        raise refusal
    return Actor(principal.name, address_of(scope))


def address_of(scope: Scope) -> str:
    """Give the IP address of a request's client; empty if it has none."""
    client = scope.get("client")
    return client[0] if client else ""


def _check_origin(scope: Scope, headers: Headers) -> None:
    """Refuse what another site's page makes a browser send: the browser would add the user's password to it."""
    if scope["method"] not in _SAFE and not _is_our_own(scope["scheme"], headers):
        raise Forbidden("The request comes from another site's page. Send it from this service's own pages.")


def _is_our_own(scheme: str, headers: Headers) -> bool:
    """Tell whether a request comes from one of our pages, or from no page at all.

    Browsers send Sec-Fetch-Site over https and to the loopback only; over plain http there is only Origin. A proxy that
    ends TLS need not say so: the https page of our host is ours, too.
    """
    if site := headers.get("sec-fetch-site"):
        return site in ("none", "same-origin")
    origin, host = headers.get("origin"), headers.get("host", "")
    return origin is None or origin.lower() in (f"{scheme}://{host}", f"https://{host}")


async def get_principal(request: Request) -> Principal:
    """Give who asks, and what they may do, to a page that says so."""
    principal = request.state.principal
    assert isinstance(principal, Principal)  # noqa: S101 - as `get_actor`
    return principal


async def get_actor(request: Request) -> Actor:
    """Give who asks to an endpoint that records it."""
    actor = request.state.actor
    assert isinstance(actor, Actor)  # noqa: S101 - endpoints that ask need a scope, see required_scope
    return actor


PrincipalDep = Annotated[Principal, Depends(get_principal)]
ActorDep = Annotated[Actor, Depends(get_actor)]


def add_security(document: dict[str, Any]) -> None:
    """Say in an OpenAPI document which call needs which scope."""
    document["components"]["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "API key, or token of the configured issuer"},
        "password": {"type": "http", "scheme": "basic", "description": "Any name, and an API key as password"},
    }
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if scope := required_scope(method.upper(), path):
                operation["security"] = [{"key": []}, {"password": []}]
                operation["description"] = f"{operation.get('description', '')}\n\nNeeds the scope `{scope}`.".strip()
                for status, response in problem_responses(401, 403).items():
                    operation["responses"].setdefault(str(status), response)
