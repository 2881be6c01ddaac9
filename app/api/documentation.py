"""/docs and /redoc: the interface described, without a script or a picture from another host."""

from functools import cache
from importlib.resources import files

from fastapi import APIRouter, Response
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from app.api.addresses import LinksDep

FILES = "/static-offline-docs"
SCRIPTS = StaticFiles(packages=[("fastapi_offline", "static")])

_MAKERS_LOGO = b"https://cdn.redoc.ly/redoc/logo-mini.svg"
_NO_PICTURE = b"data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def get_swagger_ui(link: LinksDep) -> HTMLResponse:
    """Show Swagger UI."""
    return get_swagger_ui_html(
        openapi_url=link("/openapi.json"),
        title="liver-pdff - Swagger UI",
        swagger_js_url=link(f"{FILES}/swagger-ui-bundle.js"),
        swagger_css_url=link(f"{FILES}/swagger-ui.css"),
        swagger_favicon_url=link(f"{FILES}/favicon.png"),
    )


@router.get("/redoc")
async def get_redoc(link: LinksDep) -> HTMLResponse:
    """Show ReDoc."""
    return get_redoc_html(
        openapi_url=link("/openapi.json"),
        title="liver-pdff - ReDoc",
        redoc_js_url=link(f"{FILES}/redoc.standalone.js"),
        redoc_favicon_url=link(f"{FILES}/favicon.png"),
        with_google_fonts=False,
    )


@router.get(f"{FILES}/redoc.standalone.js")
async def get_redoc_script() -> Response:
    """Give ReDoc, which would ask its maker for a logo."""
    return Response(_redoc_script(), media_type="text/javascript")


@cache
def _redoc_script() -> bytes:
    script = files("fastapi_offline").joinpath("static", "redoc.standalone.js").read_bytes()
    return script.replace(_MAKERS_LOGO, _NO_PICTURE)
