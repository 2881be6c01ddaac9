"""/login and /logout: a key in, a session cookie out, for people who use the pages."""

import re
from typing import Annotated, Final
from urllib.parse import parse_qs

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app.adapters.multipart import read_value
from app.adapters.storage.refusals import UNKNOWN
from app.api.access import SESSION_COOKIE, address_of, read_cookies
from app.api.addresses import Links, LinksDep, root_path
from app.api.runtime import RuntimeDep
from app.api.templating import TEMPLATES
from app.core.access import SIGN_IN, SIGN_OUT, Actor
from app.core.errors import AccessError, UnsupportedMediaType, UploadTooLarge
from app.core.notices import NOTICE

router = APIRouter(include_in_schema=False)

FORM_MEDIA_TYPE: Final = "application/x-www-form-urlencoded"
MAX_FORM_BYTES: Final = 16 << 10
"""A token may have some thousand."""
_PATH: Final = re.compile(r"/(?![/\\\\])[!-~]*")
_ENDED: Final = "Your session has ended. Sign in again."


@router.get(SIGN_IN)
async def get_sign_in_page(
    link: LinksDep,
    runtime: RuntimeDep,
    asked: Annotated[str, Query(alias="next", max_length=2000)] = "/",
    ended: bool = False,
) -> Response:
    """Show the page that asks for a key; without authentication there is nothing to sign in to."""
    if runtime.gatekeeper.is_open:
        return RedirectResponse(link("/"), 303)
    return _page(link, own_path(asked), _ENDED if ended else "", 200)


@router.post(SIGN_IN)
async def sign_in(request: Request, link: LinksDep, runtime: RuntimeDep) -> Response:
    """Begin a session, and lead to the page that was asked for."""
    form = await receive_fields(request)
    asked = own_path(form.get("next", "/"))
    try:
        principal = await runtime.gatekeeper.recognise(form.get("key", "").strip())
    except AccessError as refusal:
        runtime.metrics.refusal(refusal.code)
        runtime.refusals.note(Actor(UNKNOWN, address_of(request.scope)), refusal.code, f"POST {SIGN_IN}")
        return _page(link, asked, _why(refusal), 401)
    token = await run_in_threadpool(runtime.gatekeeper.sessions.open, principal, address_of(request.scope))
    response = RedirectResponse(link(asked), 303)
    response.set_cookie(
        SESSION_COOKIE,
        token,
        path=root_path(request.scope) or "/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )
    return response


@router.post(SIGN_OUT)
async def sign_out(request: Request, link: LinksDep, runtime: RuntimeDep) -> Response:
    """End the session, and lead to the page to sign in on."""
    if token := read_cookies(request.headers).get(SESSION_COOKIE):
        await run_in_threadpool(runtime.gatekeeper.sessions.close, token, address_of(request.scope))
    response = RedirectResponse(link(SIGN_IN), 303)
    response.delete_cookie(SESSION_COOKIE, path=root_path(request.scope) or "/")
    return response


async def receive_fields(request: Request) -> dict[str, str]:
    """Receive a form without files; of a repeated field the first.

    Raises
    ------
    UnsupportedMediaType, UploadTooLarge
    """
    if read_value(request.headers.get("content-type", ""))[0] != FORM_MEDIA_TYPE:
        raise UnsupportedMediaType(f"Send the form as {FORM_MEDIA_TYPE}.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            raise UploadTooLarge("The form is larger than 16 KiB.", limit_bytes=MAX_FORM_BYTES)
    return {name: values[0] for name, values in parse_qs(bytes(body).decode("utf-8", "replace")).items()}


def own_path(asked: str) -> str:
    """Return the path if it is one of this service, else that of the first page."""
    return asked if _PATH.fullmatch(asked) else "/"


def _why(refusal: AccessError) -> str:
    return refusal.detail if "retry_after_s" in refusal.facts else "This key is unknown, or was revoked."


def _page(link: Links, asked: str, problem: str, status: int) -> HTMLResponse:
    page = TEMPLATES.get_template("login.html").render(
        link=link, asked=asked, problem=problem, notice=NOTICE, account=None
    )
    return HTMLResponse(page, status)
