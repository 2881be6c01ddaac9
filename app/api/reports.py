"""The report of an analysis, one printed page: as HTML and as PDF."""

from collections.abc import Mapping

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

from app import __version__
from app.adapters.bundle.manifest import Evaluation
from app.adapters.drawing.pictures import draw_overlay, shrink
from app.adapters.drawing.png import decode_png, encode_png
from app.api.addresses import LinksDep
from app.api.analyses import AnalysisDep, find_tissue
from app.api.previews import data_uri
from app.api.problems import problem_responses
from app.api.renderings import IN_TURN
from app.api.runtime import RepositoryDep, RuntimeDep
from app.api.templating import TEMPLATES
from app.core.errors import BundleError
from app.core.notices import NOTICE, VIEW_NAMES
from app.core.report import SCALE_PERCENT, Pictures, Report, describe_image, place_on_scale
from app.core.values import Analysis, Floats, GreyImage, Target, View
from app.service import AnalysisService

router = APIRouter(prefix="/v1/analyses/{analysis_id}", tags=["analyses"], dependencies=[IN_TURN])

_PICTURE_WIDTH = 420
_LONGEST_ADDRESS = 250
"""Host name and root path may be long; a longer one makes a code that no camera reads."""
PDF = "application/pdf"


@router.get(
    "/report",
    summary="Report, one printed page",
    response_class=HTMLResponse,
    responses=problem_responses(404, 422, 503),
)
def get_report(analysis: AnalysisDep, repository: RepositoryDep, runtime: RuntimeDep, link: LinksDep) -> HTMLResponse:
    """Render a stored analysis as one self-contained page."""
    return HTMLResponse(render_html(_report(analysis, repository, runtime, link)))


@router.get(
    "/report.pdf",
    summary="The same report as PDF",
    response_class=Response,
    responses={
        200: {"content": {PDF: {"schema": {"type": "string", "format": "binary"}}}, "description": "One A4 page"},
        **problem_responses(404, 422, 503),
    },
)
def get_report_pdf(analysis: AnalysisDep, repository: RepositoryDep, runtime: RuntimeDep, link: LinksDep) -> Response:
    """Render a stored analysis as one page to file; its QR code leads back to the analysis."""
    name = f'inline; filename="liver-pdff-{analysis.id}.pdf"'
    pdf = render_pdf(_report(analysis, repository, runtime, link))
    return Response(pdf, media_type=PDF, headers={"Content-Disposition": name})


def _report(analysis: Analysis, repository: RepositoryDep, runtime: RuntimeDep, link: LinksDep) -> Report:
    tissues = {view.view: decode_png(find_tissue(repository, analysis, view.view)) for view in analysis.estimate.views}
    address = link.absolute(f"/v1/analyses/{analysis.id}/report")
    shown = address if len(address) <= _LONGEST_ADDRESS else ""
    return make_report(analysis, tissues, _evaluation(runtime.service, analysis), shown)


def _evaluation(service: AnalysisService | BundleError, analysis: Analysis) -> Evaluation | None:
    """Give the figures of the bundle that answered, if it is the one that is loaded."""
    if isinstance(service, BundleError) or service.bundle.sha256 != analysis.bundle.sha256:
        return None
    return service.bundle.manifest.evaluation


def make_report(
    analysis: Analysis, tissues: Mapping[View, GreyImage], evaluation: Evaluation | None, address: str = ""
) -> Report:
    """Gather what a report shows.

    Parameters
    ----------
    analysis : Analysis
    tissues : mapping of View to ndarray of uint8, shape (rows, columns)
    evaluation : Evaluation or None
        Of the bundle that answered; None when it is not at hand.
    address : str
        Where the analysis is found; empty: nowhere.
    """
    pictures = {view.view: _pictures(tissues[view.view], view.cams[Target.GE5]) for view in analysis.estimate.views}
    return Report(analysis, pictures, operating_points(analysis, evaluation), address)


def operating_points(analysis: Analysis, evaluation: Evaluation | None) -> str:
    """Say what the calls mean: how often they are right, on people whom no head had seen."""
    if evaluation is None:
        return (
            "What the operating points mean stands in the model card of the bundle that answered; "
            "it is not the one that is loaded now."
        )
    averaged = evaluation.models["averaged"]
    simulated = " (simulated)" if analysis.bundle.synthetic else ""
    ge5, ge10 = evaluation.ge5, evaluation.ge10
    return (
        f"What the operating points mean: on {evaluation.participants} participants that no head had seen{simulated}, "
        f"the call ≥ 5 % found {_percent(ge5.sensitivity)} of those with it and cleared {_percent(ge5.specificity)} of "
        f"those without; the call ≥ 10 % {_percent(ge10.sensitivity)} and {_percent(ge10.specificity)}. The estimate "
        f"was off by {averaged.mean_absolute_error_percent:.1f} percentage points on average "
        f"(Spearman {averaged.spearman:.2f})."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def render_html(report: Report) -> str:
    """Write a report as a page that needs nothing else."""
    return TEMPLATES.get_template("report.html").render(
        report=report,
        analysis=report.analysis,
        notice=NOTICE,
        view_names=VIEW_NAMES,
        scale=SCALE_PERCENT,
        place=place_on_scale,
        describe_image=describe_image,
        data_uri=data_uri,
        version=__version__,
    )


def render_pdf(report: Report) -> bytes:
    """Write a report as PDF."""
    from app.adapters.drawing.report_pdf import draw_report  # its library takes long to load, and few ask for it

    return draw_report(report)


def _pictures(tissue: GreyImage, cam: Floats) -> Pictures:
    small = shrink(tissue, _PICTURE_WIDTH)
    return Pictures(encode_png(small), draw_overlay(small, cam, Target.GE5))
