"""Pages for people: the upload page and the report."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app import __version__
from app.adapters.pictures import draw_overlay, shrink
from app.adapters.png import decode_png, encode_png
from app.api.analyses import AnalysisDep, find_tissue
from app.api.previews import data_uri
from app.api.problems import problem_responses
from app.api.runtime import RepositoryDep, RuntimeDep
from app.core.errors import AnalysisError
from app.core.notices import LIMITS, NOTICE, VIEW_NAMES, all_warnings
from app.core.values import Target

router = APIRouter(tags=["analyses"])

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined
)
_PICTURE_WIDTH = 420


@router.get("/", include_in_schema=False)
def get_upload_page(runtime: RuntimeDep) -> HTMLResponse:
    """Show the page that takes a study by hand."""
    service = runtime.service
    is_ready = not isinstance(service, AnalysisError)
    page = _TEMPLATES.get_template("upload.html").render(
        notice=NOTICE,
        limits=LIMITS,
        views=VIEW_NAMES,
        version=__version__,
        bundle=service.bundle.identity if is_ready else None,
        refusal=None if is_ready else service.detail,
        max_instance_bytes=service.max_instance_bytes if is_ready else 0,
    )
    return HTMLResponse(page)


@router.get(
    "/v1/analyses/{analysis_id}/report",
    summary="Report, one printed page",
    response_class=HTMLResponse,
    responses=problem_responses(404, 422, 503),
)
def get_report(analysis: AnalysisDep, repository: RepositoryDep) -> HTMLResponse:
    """Render a stored analysis as one self-contained page."""
    pictures = {}
    for view in analysis.estimate.views:
        tissue = shrink(decode_png(find_tissue(repository, analysis, view.view)), _PICTURE_WIDTH)
        overlay = draw_overlay(tissue, view.cams[Target.GE5], Target.GE5)
        pictures[view.view] = {"tissue": data_uri(encode_png(tissue)), "overlay": data_uri(overlay)}
    return HTMLResponse(_render("report.html", analysis=analysis, pictures=pictures))


def _render(template: str, **context: Any) -> str:
    warnings = all_warnings(context["analysis"].bundle, context["analysis"].estimate)
    return _TEMPLATES.get_template(template).render(**context, warnings=warnings, notice=NOTICE, view_names=VIEW_NAMES)
