"""POST and GET /v1/analyses: read parts -> analyse -> respond."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, File, Form, Path, Query, Response, UploadFile
from pydantic import AwareDatetime, BeforeValidator

from app.adapters.drawing.overlays import overlay_png
from app.adapters.drawing.pictures import draw_overlay_pixels
from app.adapters.drawing.png import decode_png
from app.adapters.storage.audit_trail import Action, about, in_vain, seen
from app.adapters.storage.repository import AnalysisRepository
from app.api.access import ActorDep
from app.api.problems import problem_responses
from app.api.runtime import AuditDep, RepositoryDep, RuntimeDep, ServiceDep
from app.api.schemas import AnalysisOut, AnalysisPage, analysis_out
from app.api.uploads import FormDep, read_parts
from app.core.errors import UnknownResource
from app.core.values import Analysis, Floats, ScreenPixels, Target, View

router = APIRouter(prefix="/v1", tags=["analyses"])

MAX_FILES = 64
"""Far more than a study has views: enough to be told which of them are wrong."""


def _without_blanks(values: list[object]) -> list[object]:
    """Drop the empty text that Swagger UI sends for a list nobody filled."""
    return [value for value in values if value != ""]


# Without the schema extra, Swagger UI shows no file picker for a list.
InstanceFiles = Annotated[
    list[UploadFile],
    BeforeValidator(_without_blanks),
    File(
        description="DICOM files whose view is read from their attributes.",
        json_schema_extra={"items": {"type": "string", "format": "binary"}},
    ),
]
ViewFile = Annotated[UploadFile | None, File(description="DICOM file that shows this view.")]
AnalysisId = Annotated[str, Path(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", examples=[str(UUID(int=0))])]
UNKNOWN = "No analysis has this id. GET /v1/analyses lists them."
PNG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}, "description": "PNG"}
}
LOCATION = {"Location": {"description": "Address of the stored analysis", "schema": {"type": "string"}}}


@router.post(
    "/analyses",
    status_code=201,
    summary="Analyse the four views of one study",
    responses={
        200: {"model": AnalysisOut, "description": "The same question again: the stored analysis", "headers": LOCATION},
        201: {"headers": LOCATION},
        **problem_responses(408, 413, 415, 422, 500, 503),
    },
    form_limits={"max_files": MAX_FILES, "max_fields": 16},
)
def post_analysis(
    service: ServiceDep,
    form: FormDep,
    by: ActorDep,
    response: Response,
    hepatic_veins: ViewFile = None,
    right_portal_vein: ViewFile = None,
    right_posterior_portal_vein: ViewFile = None,
    liver_kidney: ViewFile = None,
    instances: InstanceFiles = [],
    allow_partial: Annotated[bool, Form(description="Average the views that are there.")] = False,
) -> AnalysisOut:
    """Send each view under its own field, or any number of files under `instances`.

    The answer is stored before it is given. Sending the same study again gives the same analysis, with status 200.
    """
    # The file parameters describe the form and check its types; what they hold is read from the form itself,
    # which shows every file of a field.
    parts = read_parts(form, service.max_instance_bytes)
    analysis, is_new = service.analyse(parts, by, allow_partial=allow_partial)
    response.status_code = 201 if is_new else 200
    response.headers["Location"] = f"/v1/analyses/{analysis.id}"
    return analysis_out(analysis)


@router.get("/analyses", summary="List analyses, newest first", responses=problem_responses(422, 503))
def list_analyses(
    repository: RepositoryDep,
    audit: AuditDep,
    by: ActorDep,
    study_instance_uid: Annotated[str | None, Query(pattern=r"^[0-9.]{1,64}$", description="(0020,000D)")] = None,
    since: Annotated[AwareDatetime | None, Query(description="Made at this time or later")] = None,
    before: Annotated[AwareDatetime | None, Query(description="Made earlier than this time")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(max_length=200, description="`next_cursor` of the last page")] = None,
) -> AnalysisPage:
    """Give one page of analyses."""
    page, next_cursor = repository.page(
        study_instance_uid=study_instance_uid, limit=limit, cursor=cursor, since=since, before=before
    )
    audit.record(by, seen(page, study_instance_uid))
    return AnalysisPage(analyses=[analysis_out(analysis) for analysis in page], next_cursor=next_cursor)


def find_analysis(analysis_id: AnalysisId, repository: RepositoryDep, audit: AuditDep, by: ActorDep) -> Analysis:
    """Find an analysis for somebody, and record that they read it; or say that there is none."""
    analysis = repository.get(analysis_id)
    audit.record(by, [about(Action.READ, analysis) if analysis else in_vain(None, analysis_id)])
    if analysis is None:
        raise UnknownResource(UNKNOWN)
    return analysis


AnalysisDep = Annotated[Analysis, Depends(find_analysis)]


@router.get("/analyses/{analysis_id}", summary="One stored analysis", responses=problem_responses(404, 422, 503))
def get_analysis(analysis: AnalysisDep) -> AnalysisOut:
    """Give a stored analysis, as it was answered."""
    return analysis_out(analysis)


@router.delete(
    "/analyses/{analysis_id}",
    status_code=204,
    summary="Delete an analysis for good",
    responses=problem_responses(404, 422, 503),
)
def delete_analysis(analysis_id: AnalysisId, runtime: RuntimeDep, by: ActorDep) -> None:
    """Delete its rows and crops, and what was received of its study one by one. The audit trail keeps who did it."""
    if not runtime.retention.delete(analysis_id, by):
        raise UnknownResource(UNKNOWN)


@router.get(
    "/analyses/{analysis_id}/views/{view}/overlay.png",
    summary="Class activation map over the tissue",
    response_class=Response,
    responses={**PNG, **problem_responses(404, 422, 503)},
)
def get_overlay(analysis: AnalysisDep, view: View, repository: RepositoryDep, target: Target = Target.GE5) -> Response:
    """Draw the signed map of one head: red speaks for more fat, blue for less; a scale gives limits and unit."""
    return _png(overlay_png(find_tissue(repository, analysis, view), find_cam(analysis, view, target), target))


@router.get(
    "/analyses/{analysis_id}/views/{view}/tissue.png",
    summary="The tissue crop",
    response_class=Response,
    responses={**PNG, **problem_responses(404, 422, 503)},
)
def get_tissue(analysis: AnalysisDep, view: View, repository: RepositoryDep) -> Response:
    """Give the crop that was analysed: all that is kept of an image."""
    return _png(find_tissue(repository, analysis, view))


def find_tissue(repository: AnalysisRepository, analysis: Analysis, view: View) -> bytes:
    """Find a stored crop, or say that there is none."""
    if content := repository.tissue_png(analysis.id, view):
        return content
    raise UnknownResource(f"The analysis has no view {view}. GET /v1/analyses lists them.")


def overlay_pixels(repository: AnalysisRepository, analysis: Analysis, view: View, target: Target) -> ScreenPixels:
    """Draw one map over its crop, or say that there is none."""
    tissue = decode_png(find_tissue(repository, analysis, view))
    return draw_overlay_pixels(tissue, find_cam(analysis, view, target), target)


def find_cam(analysis: Analysis, view: View, target: Target) -> Floats:
    """Find the map of one head, of a view that the analysis has, shape (7, 7)."""
    return next(each for each in analysis.estimate.views if each.view == view).cams[target]


def _png(content: bytes) -> Response:
    """Answer a picture. Browsers must not cache it: it may be deleted, or the key revoked."""
    return Response(content, media_type="image/png", headers={"Cache-Control": "no-store"})
