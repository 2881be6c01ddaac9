"""Pages for people: the report."""

from base64 import b64encode
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.adapters.pictures import draw_overlay, shrink
from app.adapters.png import decode_png, encode_png
from app.api.analyses import AnalysisDep, find_tissue
from app.api.problems import problem_responses
from app.api.runtime import RepositoryDep
from app.core.notices import NOTICE, VIEW_NAMES, all_warnings
from app.core.values import Target

router = APIRouter(prefix="/v1", tags=["analyses"])

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined
)
_PICTURE_WIDTH = 420


@router.get(
    "/analyses/{analysis_id}/report",
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
        pictures[view.view] = {"tissue": _data_uri(encode_png(tissue)), "overlay": _data_uri(overlay)}
    return HTMLResponse(_render("report.html", analysis=analysis, pictures=pictures))


def _render(template: str, **context: Any) -> str:
    warnings = all_warnings(context["analysis"].bundle, context["analysis"].estimate)
    return _TEMPLATES.get_template(template).render(**context, warnings=warnings, notice=NOTICE, view_names=VIEW_NAMES)


def _data_uri(png: bytes) -> str:
    return f"data:image/png;base64,{b64encode(png).decode()}"
