"""POST /v1/previews: what one file shows, for whoever wants to look before sending a study."""

from base64 import b64encode
from typing import Annotated

from fastapi import APIRouter, Depends, Request

from app.adapters.drawing.pictures import shrink
from app.adapters.drawing.png import encode_png
from app.api.access import ActorDep
from app.api.problems import problem_responses
from app.api.runtime import ServiceDep
from app.api.schemas import PreviewOut, WarningOut
from app.api.uploads import FormFields, file_field, form_document, receive_form
from app.core.errors import InvalidRequest
from app.core.evidence import Recognition
from app.core.values import Content, Crop

router = APIRouter(prefix="/v1", tags=["analyses"])

FIELDS = FormFields(files=("file",))
_WIDTH = 480


async def receive_file(request: Request, service: ServiceDep) -> Content:
    """Receive the form's only file.

    Raises
    ------
    InvalidRequest
        If there is none.
    """
    form = await receive_form(request, FIELDS, service.max_instance_bytes)
    if not form.files["file"]:
        raise InvalidRequest("file: must be there. The interface is described under /docs.")
    return form.files["file"][0]


@router.post(
    "/previews",
    summary="Look at one file: its view, its tissue, what is wrong with it",
    responses=problem_responses(400, 408, 413, 415, 422, 500, 503),
    openapi_extra=form_document({"file": file_field("DICOM file.")}, required=FIELDS.files),
)
def post_preview(service: ServiceDep, content: Annotated[Content, Depends(receive_file)], _by: ActorDep) -> PreviewOut:
    """Nothing is stored, no number is estimated; a refusal is the one that the study would get for this file."""
    recognition, crop = service.preview(content)
    return preview_out(recognition, crop)


def preview_out(recognition: Recognition | None, crop: Crop) -> PreviewOut:
    """Write what was seen as a response."""
    return PreviewOut(
        study_instance_uid=crop.study_instance_uid,
        sop_instance_uid=crop.sop_instance_uid,
        frame_number=crop.frame_number,
        view=recognition and recognition.view,
        view_source=recognition and recognition.source,
        tissue_box=tuple(crop.tissue.box),
        thumbnail=data_uri(encode_png(shrink(crop.tissue.pixels, _WIDTH))),
        warnings=[WarningOut.model_validate(warning) for warning in crop.warnings],
    )


def data_uri(png: bytes) -> str:
    """Write a picture so that it can stand inside a page."""
    return f"data:image/png;base64,{b64encode(png).decode()}"
