"""The stored answer in the forms that other systems keep: DICOM and FHIR."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from app.adapters import dicom_results
from app.adapters.drawing.png import decode_png
from app.adapters.drawing.summary_page import draw_summary
from app.adapters.fhir import fhir_bundle
from app.api.analyses import AnalysisDep, find_tissue, overlay_pixels
from app.api.problems import problem_responses
from app.api.renderings import IN_TURN
from app.api.runtime import RepositoryDep
from app.core.errors import UnknownResource
from app.core.values import Analysis, Target, View

router = APIRouter(prefix="/v1/analyses/{analysis_id}", tags=["results"], dependencies=[IN_TURN])

DICOM: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/dicom": {"schema": {"type": "string", "format": "binary"}}}, "description": "DICOM"}
}
FHIR: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/fhir+json": {"schema": {"type": "object"}}}, "description": "A FHIR R4 Bundle"}
}
_ERRORS = problem_responses(404, 422, 503)


def find_referable(analysis: AnalysisDep) -> Analysis:
    """Find an analysis whose images other objects can refer to."""
    if not analysis.estimate.is_referable:
        raise UnknownResource(
            "The images of this analysis have no (0008,0016) SOP Class UID or (0020,000E) Series Instance UID, so no "
            "DICOM object can refer to them. Send images that have both."
        )
    return analysis


ReferableAnalysis = Annotated[Analysis, Depends(find_referable)]


@router.get("/sr.dcm", summary="Structured report (TID 1500)", response_class=Response, responses={**DICOM, **_ERRORS})
def get_report_object(analysis: ReferableAnalysis) -> Response:
    """Write the numbers as Comprehensive 3D SR. The same analysis makes the same object, SOP Instance UID included."""
    return _dicom(dicom_results.write_report(analysis))


@router.get("/summary.dcm", summary="Summary page", response_class=Response, responses={**DICOM, **_ERRORS})
def get_summary_object(analysis: ReferableAnalysis, repository: RepositoryDep) -> Response:
    """Draw the answer as one page, a Secondary Capture."""
    tissues = {view.view: decode_png(find_tissue(repository, analysis, view.view)) for view in analysis.estimate.views}
    return _dicom(dicom_results.write_summary(analysis, draw_summary(analysis, tissues)))


@router.get(
    "/views/{view}/overlay.dcm",
    summary="Class activation map over the tissue, as DICOM",
    response_class=Response,
    responses={**DICOM, **_ERRORS},
)
def get_overlay_object(
    analysis: ReferableAnalysis, view: View, repository: RepositoryDep, target: Target = Target.GE5
) -> Response:
    """Draw what `overlay.png` shows as a Secondary Capture."""
    pixels = overlay_pixels(repository, analysis, view, target)
    return _dicom(dicom_results.write_overlay(analysis, view, target, pixels))


@router.get("/fhir", summary="FHIR R4 Bundle", response_class=Response, responses={**FHIR, **_ERRORS})
def get_fhir(analysis: AnalysisDep) -> Response:
    """Write the numbers as DiagnosticReport, Observations and Device."""
    return _identifying(fhir_bundle(analysis), "application/fhir+json")


def _dicom(content: bytes) -> Response:
    return _identifying(content, "application/dicom")


def _identifying(content: bytes, media_type: str) -> Response:
    """Answer what names a patient: no cache may keep it."""
    return Response(content, media_type=media_type, headers={"Cache-Control": "no-store"})
