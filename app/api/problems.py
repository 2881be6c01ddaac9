"""Refusals as application/problem+json (RFC 9457): the table from error to status, and the handlers."""

import json
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from app.adapters.telemetry.logs import REQUEST_ID, REQUEST_ID_HEADER
from app.adapters.telemetry.metrics import Metrics
from app.core import errors
from app.core.errors import (
    AnalysisError,
    InternalError,
    InvalidRequest,
    UnknownResource,
    UploadTimeout,
    UploadTooLarge,
)

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
CHALLENGES = ('Bearer realm="liver-pdff"', 'Basic realm="liver-pdff", charset="UTF-8"')
"""Some programs send a password only when they are asked. Each has its own header line: Chrome reads only the first of
a line."""

STATUS: Mapping[type[AnalysisError], int] = {
    errors.EmptyUpload: 422,
    errors.UploadTooLarge: 413,
    errors.UploadTimeout: 408,
    errors.UnsupportedMediaType: 415,
    errors.MalformedMultipart: 400,
    errors.NotDicom: 415,
    errors.NotUltrasound: 422,
    errors.OwnResult: 422,
    errors.UnsupportedTransferSyntax: 422,
    errors.MissingAttribute: 422,
    errors.UndecodablePixels: 422,
    errors.ReadingTimeSpent: 422,
    errors.MixedStudies: 422,
    errors.MixedPatients: 422,
    errors.DuplicateInstance: 422,
    errors.DuplicateView: 422,
    errors.UnrecognisedView: 422,
    errors.IncompleteStudy: 422,
    errors.NoTissue: 422,
    errors.ColourDoppler: 422,
    errors.MultipleTissueRegions: 422,
    errors.InferenceFailed: 500,
    errors.NonFiniteOutput: 500,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.IssuerUnavailable: 503,
    errors.Overloaded: 503,
    errors.StorageUnavailable: 503,
    errors.UnknownResource: 404,
    errors.InvalidRequest: 422,
    errors.InvalidHost: 400,
    errors.NotAcceptable: 406,
    errors.InternalError: 500,
    errors.BundleUnreadable: 503,
    errors.ChecksumMismatch: 503,
    errors.SignatureMismatch: 503,
    errors.GraphMismatch: 503,
    errors.GoldenMismatch: 503,
    errors.ProviderUnavailable: 503,
}


class ProblemItem(BaseModel):
    """One thing that is wrong."""

    model_config = ConfigDict(extra="allow")
    code: str = Field(examples=["not_dicom"])
    detail: str = Field(examples=["The bytes are not a DICOM file. Export the image as DICOM and send that."])
    part: str | None = Field(None, examples=["hepatic_veins"], description="The form's name for the file.")


class Problem(ProblemItem):
    """A refusal: what is wrong, and what to change. Members beyond these depend on the code."""

    type: str = "about:blank"
    title: str = Field(examples=["Unsupported Media Type"])
    status: int = Field(examples=[415])
    errors: list[ProblemItem] = Field(description="Everything that is wrong with the request, this one first.")


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Document the refusals of a call for OpenAPI, with an example for each code."""
    return {status: _documented(status) for status in statuses}


def _documented(status: int) -> dict[str, Any]:
    codes = {error.code: error for error, its_status in STATUS.items() if its_status == status}
    examples = {code: {"summary": error.__doc__, "value": _example(error, status)} for code, error in codes.items()}
    schema = {"$ref": "#/components/schemas/Problem"}
    documented = {
        "description": HTTPStatus(status).phrase,
        "content": {MEDIA_TYPE: {"schema": schema, "examples": examples}},
    }
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        documented["headers"] = {"Retry-After": {"description": "seconds", "schema": {"type": "integer"}}}
    return documented


def _example(error: type[AnalysisError], status: int) -> dict[str, object]:
    item = {"code": error.code, "detail": error.__doc__}
    return {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, **item, "errors": [item]}


def add_problem_schema(document: dict[str, Any]) -> None:
    """Put the schemas that `problem_responses` refers to into an OpenAPI document, and what any call may answer."""
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    document["components"]["schemas"] |= {**schema.pop("$defs"), "Problem": schema}
    for operation in (each for operations in document["paths"].values() for each in operations.values()):
        operation["responses"].setdefault("400", _documented(400))


def problem_response(error: AnalysisError, challenges: Sequence[str] = CHALLENGES) -> JSONResponse:
    """Answer a refusal, listing everything else that is wrong with the request too.

    Parameters
    ----------
    error : AnalysisError
    challenges : sequence of str
        What is asked of somebody who is not authenticated.
    """
    status = STATUS[type(error)]
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        **_item(error),
        "errors": [_item(each) for each in (error, *error.also)],
    }
    response = JSONResponse(body, status, _headers(error), media_type=MEDIA_TYPE)
    for challenge in challenges if isinstance(error, errors.Unauthenticated) else ():
        response.headers.append("WWW-Authenticate", challenge)
    return response


def _headers(error: AnalysisError) -> dict[str, str]:
    retry_after_s = error.facts.get("retry_after_s")
    return {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}


def _item(error: AnalysisError) -> dict[str, object]:
    part = {} if error.part is None else {"part": error.part}
    return {"code": error.code, "detail": error.detail, **part, **error.facts}


def _from_framework(error: HTTPException) -> JSONResponse:
    """Give the framework's own refusals the same shape."""
    known: dict[int, AnalysisError] = {
        404: UnknownResource("There is nothing under this address. The interface is described under /docs."),
        408: UploadTimeout("The body did not arrive in time. Send it again over a faster connection."),
        413: UploadTooLarge("The request body is too large. Send fewer or smaller objects at once."),
    }
    if error.status_code in known:
        return problem_response(known[error.status_code])
    phrase = HTTPStatus(error.status_code).phrase
    item = {"code": phrase.lower().replace(" ", "_"), "detail": f"{phrase}. The interface is described under /docs."}
    body = {"type": "about:blank", "title": phrase, "status": error.status_code, **item, "errors": [item]}
    return JSONResponse(body, error.status_code, error.headers, media_type=MEDIA_TYPE)


def _invalid_request(error: RequestValidationError) -> InvalidRequest:
    """Name the parameters that are wrong, without repeating what was sent: it may hold a patient's data."""
    wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
    return InvalidRequest(f"{wrong}. The interface is described under /docs.")


def install_problem_handlers(app: FastAPI, metrics: Metrics) -> None:
    """Answer every refusal as problem+json, count it, and log what only the operator can mend."""

    def refuse(error: AnalysisError) -> JSONResponse:
        metrics.refusal(error.code)
        if STATUS[type(error)] >= HTTPStatus.INTERNAL_SERVER_ERROR:
            logger.error("refused code=%s cause=%s", error.code, _cause(error))
        return problem_response(error)

    @app.exception_handler(AnalysisError)
    def _analysis_error(_request: Request, error: AnalysisError) -> JSONResponse:
        return refuse(error)

    @app.exception_handler(HTTPException)
    def _http_exception(_request: Request, error: HTTPException) -> JSONResponse:
        answer = _from_framework(error)
        metrics.refusal(json.loads(bytes(answer.body))["code"])
        return answer

    @app.exception_handler(RequestValidationError)
    def _validation_error(_request: Request, error: RequestValidationError) -> JSONResponse:
        return refuse(_invalid_request(error))

    @app.exception_handler(Exception)
    def _unforeseen(_request: Request, error: Exception) -> JSONResponse:
        internal = InternalError("Something failed that nobody foresaw. Tell the operator, who finds it in the log.")
        internal.__cause__ = error
        answer = refuse(internal)
        answer.headers[REQUEST_ID_HEADER] = REQUEST_ID.get()  # this answer is made outside of `app.api.observation`
        return answer


def _cause(error: AnalysisError) -> str:
    """Name what happened below: the kind of failure, and the driver's first line, which holds no parameters."""
    cause = error.__cause__
    if cause is None:
        return "none"
    if isinstance(cause, OSError):
        return f"{type(cause).__name__} {cause.strerror}"
    driver = str(getattr(cause, "orig", None) or "").partition("\n")[0]
    return f"{type(cause).__name__} {driver}".strip()
