"""STOW-RS (PS3.18 10.5): a body of any number of instances in, what became of each out."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from starlette.concurrency import run_in_threadpool

from app.adapters.multipart import DICOM_MEDIA_TYPE, MultipartReader, read_boundary
from app.api.access import ActorDep
from app.api.bodies import ReceivedPart, draining, receive_parts
from app.api.dicom_json import MEDIA_TYPE, store_response
from app.api.problems import problem_responses
from app.api.runtime import RuntimeDep, StudiesDep
from app.core.access import Actor
from app.core.errors import MalformedMultipart, NotAcceptable, UnsupportedMediaType
from app.looking import Seen
from app.studies import Receipt, StudyService

logger = logging.getLogger(__name__)

PREFIX = "/dicom-web"
router = APIRouter(prefix=PREFIX, tags=["DICOMweb"])

Uid = Annotated[str, Path(pattern=r"^[0-9.]{1,64}$", description="(0020,000D)", examples=["1.2.840.113619.2"])]
ACCEPTABLE = {MEDIA_TYPE, "application/json", "application/*", "*/*"}

_RESPONSE: dict[str, Any] = {"content": {MEDIA_TYPE: {"schema": {"type": "object"}}}}
DOCUMENTED: dict[str, Any] = {
    "response_class": Response,
    "responses": {
        200: {**_RESPONSE, "description": "Every instance was accepted"},
        202: {**_RESPONSE, "description": "Some instances were accepted, others failed"},
        409: {**_RESPONSE, "description": "No instance was accepted"},
        **problem_responses(400, 406, 408, 413, 415, 422, 503),
    },
    "openapi_extra": {
        "requestBody": {
            "required": True,
            "content": {
                f'multipart/related; type="{DICOM_MEDIA_TYPE}"': {"schema": {"type": "string", "format": "binary"}}
            },
        }
    },
}


@router.post("/studies", summary="Store instances of any studies (STOW-RS)", **DOCUMENTED)
async def store_instances(request: Request, runtime: RuntimeDep, studies: StudiesDep, by: ActorDep) -> Response:
    """Send any subset of a study's instances, in any order, as often as wanted.

    What shows one of the four views is cropped and kept; what is none of them is accepted and set aside, and
    `GET /v1/studies/{study_instance_uid}` says why. When the fourth view is in, the study is analysed.
    """
    return await _store(request, runtime.max_stow_parts, studies, by, None)


@router.post("/studies/{study_instance_uid}", summary="Store instances of one study (STOW-RS)", **DOCUMENTED)
async def store_instances_of_study(
    study_instance_uid: Uid, request: Request, runtime: RuntimeDep, studies: StudiesDep, by: ActorDep
) -> Response:
    """As without the UID; an instance of another study fails."""
    return await _store(request, runtime.max_stow_parts, studies, by, study_instance_uid)


async def _store(request: Request, max_parts: int, studies: StudyService, by: Actor, study_uid: str | None) -> Response:
    check_accept(", ".join(request.headers.getlist("accept")) or "*/*")
    reader = MultipartReader(read_boundary(request.headers.get("content-type", "")), max_parts=max_parts)
    receipts: list[Receipt] = []
    body = request.stream()
    parts = receive_parts(body, reader, studies.max_instance_bytes)
    try:
        async with draining(body):
            await _receive_all(parts, studies, by, study_uid, receipts)
    finally:  # whatever went wrong with the rest: what is kept by now may be a whole study
        await run_in_threadpool(studies.settle, _studies(receipts), by)
    if not receipts:
        raise MalformedMultipart("The body has no part.")
    refused = sum(each.refusal is not None for each in receipts)
    logger.info("stow accepted=%d refused=%d", len(receipts) - refused, refused)
    return store_response(receipts)


async def _receive_all(
    parts: AsyncIterator[ReceivedPart], studies: StudyService, by: Actor, study_uid: str | None, receipts: list[Receipt]
) -> None:
    """Look at as many parts at once as there are readers, and keep what is seen in the order of the parts."""
    looking: deque[asyncio.Task[Seen]] = deque()

    async def keep_next() -> None:
        seen = await looking[0]
        receipts.append(await run_in_threadpool(studies.keep, seen, by))
        looking.popleft()

    try:
        async for part in parts:
            looking.append(asyncio.create_task(run_in_threadpool(_look, studies, part, study_uid)))
            if len(looking) == studies.at_once:
                await keep_next()
    finally:  # what came whole is kept, whatever comes behind it
        try:
            while looking:
                await keep_next()
        finally:
            await asyncio.gather(*looking, return_exceptions=True)


def _look(studies: StudyService, part: ReceivedPart, study_uid: str | None) -> Seen:
    if part.head.media_type not in ("", DICOM_MEDIA_TYPE):  # what a part does not say, the body's type has said
        return Seen(None, refusal=UnsupportedMediaType.code)
    return studies.look(part.content, study_uid)


def _studies(receipts: list[Receipt]) -> set[str]:
    """Name the studies of which something was accepted."""
    return {each.identity.study_instance_uid for each in receipts if each.identity and not each.refusal}


def check_accept(accept: str) -> None:
    """Raise NotAcceptable unless the client takes the answer's media type; parameters and weights are let pass."""
    ranges = {each.partition(";")[0].strip().lower() for each in accept.split(",")}
    if not ranges & ACCEPTABLE:
        raise NotAcceptable(f"The answer is {MEDIA_TYPE}. Accept that, or */*.")
