"""GET /v1/audit: the audit trail as JSON lines."""

import json
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime

from app.adapters.storage.audit_trail import Action, Event, Record
from app.api.access import ActorDep
from app.api.problems import problem_responses
from app.api.runtime import RuntimeDep

router = APIRouter(prefix="/v1", tags=["system"])

MEDIA_TYPE = "application/x-ndjson"
_DOCUMENTED: dict[int | str, dict[str, Any]] = {
    200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}, "description": "One JSON object a line"}
}


@router.get(
    "/audit",
    summary="Who did what: the audit trail",
    response_class=StreamingResponse,
    responses={**_DOCUMENTED, **problem_responses(422, 503)},
)
def get_audit(
    runtime: RuntimeDep,
    by: ActorDep,
    since: Annotated[AwareDatetime | None, Query(description="At this time or later")] = None,
    after_id: Annotated[int, Query(ge=0, le=2**63 - 1, description="With a higher `id`")] = 0,
) -> StreamingResponse:
    """Give the trail, oldest first; that it was asked for is its last line."""
    runtime.refusals.write()
    runtime.audit.record(by, [Event(Action.EXPORT)])
    return StreamingResponse(write_lines(runtime.audit.records(since, after_id)), media_type=MEDIA_TYPE)


def write_lines(records: Iterator[Record]) -> Iterator[str]:
    """Write records as JSON lines."""
    return (json.dumps(record.document()) + "\n" for record in records)
