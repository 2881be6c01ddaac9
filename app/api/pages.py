"""Pages for people: the upload page, the list of analyses, the report."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import BeforeValidator

from app import __version__
from app.adapters.audit_trail import Action, about
from app.adapters.manifest import Evaluation
from app.adapters.pictures import draw_overlay, shrink
from app.adapters.png import decode_png, encode_png
from app.api.access import ActorDep
from app.api.analyses import AnalysisDep, find_tissue
from app.api.previews import data_uri
from app.api.problems import problem_responses
from app.api.runtime import AuditDep, RepositoryDep, RuntimeDep
from app.core.errors import BundleError
from app.core.notices import LIMITS, NOTICE, VIEW_NAMES, all_warnings
from app.core.values import Analysis, Floats, GreyImage, Target, View
from app.service import AnalysisService

router = APIRouter(tags=["analyses"])

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined
)
_PICTURE_WIDTH = 420
_ROWS = 50
Day = Annotated[date | None, BeforeValidator(lambda text: text or None)]


@router.get("/", include_in_schema=False)
def get_upload_page(runtime: RuntimeDep) -> HTMLResponse:
    """Show the page that takes a study by hand."""
    said = {"notice": NOTICE, "limits": LIMITS, "views": VIEW_NAMES, "version": __version__}
    return HTMLResponse(_TEMPLATES.get_template("upload.html").render(**said, **_readiness(runtime.service)))


@router.get("/analyses", include_in_schema=False)
def get_list_page(
    repository: RepositoryDep,
    audit: AuditDep,
    by: ActorDep,
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
    audit.record(by, (about(Action.READ, analysis) for analysis in found))
    asked = {"study": study, "first_day": first_day, "last_day": last_day}
    older = {name: value for name, value in {**asked, "cursor": next_cursor}.items() if value} if next_cursor else {}
    return HTMLResponse(
        _TEMPLATES.get_template("analyses.html").render(
            notice=NOTICE, analyses=found, older=f"/analyses?{urlencode(older)}" if older else None, **asked
        )
    )


def _readiness(service: AnalysisService | BundleError) -> dict[str, Any]:
    """Say which bundle answers, or why none does."""
    if isinstance(service, BundleError):
        return {"bundle": None, "refusal": service.detail, "max_instance_bytes": 0}
    return {"bundle": service.bundle.identity, "refusal": None, "max_instance_bytes": service.max_instance_bytes}


@router.get(
    "/v1/analyses/{analysis_id}/report",
    summary="Report, one printed page",
    response_class=HTMLResponse,
    responses=problem_responses(404, 422, 503),
)
def get_report(analysis: AnalysisDep, repository: RepositoryDep, runtime: RuntimeDep) -> HTMLResponse:
    """Render a stored analysis as one self-contained page."""
    tissues = {view.view: decode_png(find_tissue(repository, analysis, view.view)) for view in analysis.estimate.views}
    return HTMLResponse(render_report(analysis, tissues, _evaluation(runtime.service, analysis)))


def _evaluation(service: AnalysisService | BundleError, analysis: Analysis) -> Evaluation | None:
    """Give the figures of the bundle that answered, if it is the one that is loaded."""
    if isinstance(service, BundleError) or service.bundle.sha256 != analysis.bundle.sha256:
        return None
    return service.bundle.manifest.evaluation


def render_report(analysis: Analysis, tissues: Mapping[View, GreyImage], evaluation: Evaluation | None) -> str:
    """Write the report as one page that needs nothing else.

    Parameters
    ----------
    analysis : Analysis
    tissues : mapping of View to ndarray of uint8, shape (rows, columns)
    evaluation : Evaluation or None
        Of the bundle that answered; None when it is not at hand.
    """
    return _TEMPLATES.get_template("report.html").render(
        analysis=analysis,
        evaluation=evaluation,
        pictures={view.view: _pictures(tissues[view.view], view.cams[Target.GE5]) for view in analysis.estimate.views},
        warnings=all_warnings(analysis.bundle, analysis.estimate),
        notice=NOTICE,
        view_names=VIEW_NAMES,
        version=__version__,
    )


def _pictures(tissue: GreyImage, cam: Floats) -> dict[str, str]:
    small = shrink(tissue, _PICTURE_WIDTH)
    return {"tissue": data_uri(encode_png(small)), "overlay": data_uri(draw_overlay(small, cam, Target.GE5))}
