"""POST and GET /v1/analyses: read parts -> analyse -> respond."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import AwareDatetime, TypeAdapter, ValidationError

from app.adapters.drawing.overlays import overlay_png
from app.adapters.drawing.pictures import draw_overlay_pixels
from app.adapters.drawing.png import decode_png
from app.adapters.storage.audit_trail import Action, about, in_vain, seen
from app.adapters.storage.repository import AnalysisRepository
from app.api.access import ActorDep
from app.api.addresses import LinksDep
from app.api.problems import problem_responses
from app.api.renderings import IN_TURN
from app.api.runtime import AuditDep, RepositoryDep, RuntimeDep, ServiceDep
from app.api.schemas import AnalysisOut, AnalysisPage, analysis_out
from app.api.uploads import Form, FormFields, file_field, form_document, receive_form
from app.core.errors import InvalidRequest, UnknownResource
from app.core.values import Analysis, Floats, ScreenPixels, Target, View
from app.service import Part

router = APIRouter(prefix="/v1", tags=["analyses"])

FIELDS = FormFields(files=(*View, "instances"), texts=("allow_partial",), max_parts=64)
"""Far more parts than a study has views: enough to be told which of them are wrong."""
_FLAG = TypeAdapter(bool)
AnalysisId = Annotated[str, Path(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", examples=[str(UUID(int=0))])]
UNKNOWN = "No analysis has this id. GET /v1/analyses lists them."
PNG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}, "description": "PNG"}
}
LOCATION = {"Location": {"description": "Address of the stored analysis", "schema": {"type": "string"}}}


async def receive_study(request: Request, service: ServiceDep) -> Form:
    """Receive the form of a study."""
    return await receive_form(request, FIELDS, service.max_instance_bytes)


def read_parts(form: Form) -> tuple[Part, ...]:
    """Name each file by its field; a field's second is called ``hepatic_veins[2]``: none is overlooked."""
    return tuple(
        Part(field if view and number == 1 else f"{field}[{number}]", content, view)
        for field, view in ((field, None if field == "instances" else View(field)) for field in FIELDS.files)
        for number, content in enumerate(form.files[field], start=1)
    )


def read_allow_partial(form: Form) -> bool:
    """Read the form's flag; false if it is not there, or empty.

    Raises
    ------
    InvalidRequest
        If it is neither true nor false.
    """
    try:
        return _FLAG.validate_python(form.texts.get("allow_partial") or False)
    except ValidationError as error:
        raise InvalidRequest("allow_partial: must be true or false. The interface is described under /docs.") from error


@router.post(
    "/analyses",
    status_code=201,
    summary="Analyse the four views of one study",
    responses={
        200: {"model": AnalysisOut, "description": "The same question again: the stored analysis", "headers": LOCATION},
        201: {"headers": LOCATION},
        **problem_responses(400, 408, 413, 415, 422, 500, 503),
    },
    openapi_extra=form_document(
        {view: file_field("DICOM file that shows this view.") for view in View}
        | {
            "instances": {
                "type": "array",
                "items": {"type": "string", "format": "binary"},
                "default": [],
                "description": "DICOM files whose view is read from their attributes.",
            },
            "allow_partial": {
                "type": "boolean",
                "default": False,
                "description": "Average the views that are there.",
            },
        }
    ),
)
def post_analysis(
    service: ServiceDep,
    form: Annotated[Form, Depends(receive_study)],
    by: ActorDep,
    link: LinksDep,
    response: Response,
) -> AnalysisOut:
    """Send each view under its own field, or any number of files under `instances`.

    The answer is stored before it is given. Sending the same study again gives the same analysis, with status 200.
    """
    analysis, is_new = service.analyse(read_parts(form), by, allow_partial=read_allow_partial(form))
    response.status_code = 201 if is_new else 200
    response.headers["Location"] = link(f"/v1/analyses/{analysis.id}")
    return analysis_out(analysis, link)


@router.get("/analyses", summary="List analyses, newest first", responses=problem_responses(422, 503))
def list_analyses(
    repository: RepositoryDep,
    audit: AuditDep,
    by: ActorDep,
    link: LinksDep,
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
    return AnalysisPage(analyses=[analysis_out(analysis, link) for analysis in page], next_cursor=next_cursor)


def find_analysis(analysis_id: AnalysisId, repository: RepositoryDep, audit: AuditDep, by: ActorDep) -> Analysis:
    """Find an analysis for somebody, and record that they read it; or say that there is none."""
    analysis = repository.get(analysis_id)
    audit.record(by, [about(Action.READ, analysis) if analysis else in_vain(None, analysis_id)])
    if analysis is None:
        raise UnknownResource(UNKNOWN)
    return analysis


AnalysisDep = Annotated[Analysis, Depends(find_analysis)]


@router.get("/analyses/{analysis_id}", summary="One stored analysis", responses=problem_responses(404, 422, 503))
def get_analysis(analysis: AnalysisDep, link: LinksDep) -> AnalysisOut:
    """Give a stored analysis, as it was answered."""
    return analysis_out(analysis, link)


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
    dependencies=[IN_TURN],
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
