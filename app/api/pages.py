"""Pages for people: the upload page and the list of analyses."""

from datetime import UTC, date, datetime, time
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse
from pydantic import BeforeValidator

from app import __version__
from app.adapters.storage.audit_trail import seen
from app.api.access import ActorDep, PrincipalDep
from app.api.addresses import LinksDep
from app.api.runtime import AuditDep, RepositoryDep, RuntimeDep
from app.api.templating import TEMPLATES
from app.core.access import ANYONE, AccessScope, Principal
from app.core.errors import BundleError
from app.core.notices import LIMITS, NOTICE, VIEW_NAMES
from app.service import AnalysisService

router = APIRouter(tags=["analyses"])

_ROWS = 50
Day = Annotated[date | None, BeforeValidator(lambda text: text or None)]


@router.get("/", include_in_schema=False)
def get_upload_page(runtime: RuntimeDep, link: LinksDep, principal: PrincipalDep) -> HTMLResponse:
    """Show the page that takes a study by hand."""
    may_submit = AccessScope.SUBMIT in principal.scopes
    said = {
        "link": link,
        "account": read_account(principal),
        "may_submit": may_submit,
        "notice": NOTICE,
        "limits": LIMITS,
        "views": VIEW_NAMES,
        "version": __version__,
    }
    return HTMLResponse(TEMPLATES.get_template("upload.html").render(**said, **_readiness(runtime.service)))


@router.get("/analyses", include_in_schema=False)
def get_list_page(
    repository: RepositoryDep,
    audit: AuditDep,
    by: ActorDep,
    principal: PrincipalDep,
    link: LinksDep,
    study: Annotated[str, Query(pattern=r"^[0-9.]{0,64}$")] = "",
    first_day: Day = None,
    last_day: Day = None,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> HTMLResponse:
    """List analyses, newest first; an empty field of the form asks for nothing."""
    found, next_cursor = repository.page(
        study_instance_uid=study or None,
        limit=_ROWS,
        cursor=cursor,
        since=datetime.combine(first_day, time.min, UTC) if first_day else None,
        before=datetime.combine(last_day, time.max, UTC) if last_day else None,
    )
    audit.record(by, seen(found, study))
    asked = {"study": study, "first_day": first_day, "last_day": last_day}
    older = {name: value for name, value in {**asked, "cursor": next_cursor}.items() if value} if next_cursor else {}
    return HTMLResponse(
        TEMPLATES.get_template("analyses.html").render(
            link=link,
            account=read_account(principal),
            notice=NOTICE,
            analyses=found,
            older=link(f"/analyses?{urlencode(older)}") if older else None,
            **asked,
        )
    )


def read_account(principal: Principal) -> Principal | None:
    """Give whom a page says it was opened by; nobody where nobody signs in."""
    return None if principal is ANYONE else principal


def _readiness(service: AnalysisService | BundleError) -> dict[str, Any]:
    """Say which bundle answers, or why none does."""
    if isinstance(service, BundleError):
        return {"bundle": None, "refusal": service.detail, "max_instance_bytes": 0}
    return {"bundle": service.bundle.identity, "refusal": None, "max_instance_bytes": service.max_instance_bytes}
