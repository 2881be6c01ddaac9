"""Orthanc's entry point of the bridge: set ``PythonScript`` in orthanc.json to this file.

Orthanc calls back from its own threads and may hold locks then, so callbacks only set an event; all work is done in one
thread of ours. Its database answers from ORTHANC_STARTED on.
"""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import orthanc
from liver_pdff_bridge.errors import ArchiveFault, Gone
from liver_pdff_bridge.exchange import exchange
from liver_pdff_bridge.service import Service
from liver_pdff_bridge.settings import read_settings
from liver_pdff_bridge.worker import Worker

STOP_TIMEOUT_S = 5.0


class RestApi:
    """Orthanc's REST API, called within the process: no port, no password."""

    def get(self, path: str) -> bytes:
        """Read a resource."""
        return bytes(_translated(orthanc.RestApiGet, path))

    def post(self, path: str, content: bytes) -> bytes:
        """Store an object."""
        return bytes(_translated(orthanc.RestApiPost, path, content))

    def put(self, path: str, content: bytes) -> None:
        """Write a resource."""
        _translated(orthanc.RestApiPut, path, content)

    def delete(self, path: str) -> None:
        """Remove a resource."""
        _translated(orthanc.RestApiDelete, path)


class GlobalProperty:
    """A number in Orthanc's database."""

    def __init__(self, number: int) -> None:
        self._number = number

    def read(self) -> int | None:
        """Tell the number; None before the first was written."""
        text = _translated(orthanc.GetGlobalProperty, self._number, "")
        return int(text) if text else None

    def write(self, cursor: int) -> None:
        """Keep a number."""
        _translated(orthanc.SetGlobalProperty, self._number, str(cursor))


def _translated(call: Callable[..., Any], *arguments: Any) -> Any:
    """Turn Orthanc's error codes into ours."""
    try:
        return call(*arguments)
    except orthanc.OrthancException as error:
        code = error.args[0]
        if code in (orthanc.ErrorCode.UNKNOWN_RESOURCE, orthanc.ErrorCode.INEXISTENT_ITEM):
            raise Gone("the resource is gone") from error
        raise ArchiveFault(f"Orthanc's error {code}") from error


def _on_change(change: int, level: int, resource: str) -> None:  # noqa: ARG001 - Orthanc's signature
    if change == orthanc.ChangeType.STABLE_STUDY:
        worker.wake()
    elif change == orthanc.ChangeType.ORTHANC_STARTED:
        worker.start()
    elif change == orthanc.ChangeType.ORTHANC_STOPPED:
        worker.stop(STOP_TIMEOUT_S)


def _on_status(output: Any, uri: str, **request: Any) -> None:  # noqa: ARG001 - Orthanc's signature
    if request["method"] == "GET":
        status = {"requests": service.requests, **worker.status}
        output.AnswerBuffer(json.dumps(status, indent=2).encode(), "application/json")
    else:
        output.SendMethodNotAllowed("GET")


settings = read_settings(json.loads(orthanc.GetConfiguration()).get("LiverPdff"))
service = Service(settings.url, settings.authorization, settings.timeout_s)
archive = RestApi()
worker = Worker(
    archive,
    GlobalProperty(settings.global_property),
    partial(exchange, archive, service, metadata=settings.metadata, max_bytes=settings.max_instance_mib << 20),
    log=lambda line: orthanc.LogWarning(f"liver-pdff: {line}"),
    poll_s=settings.poll_s,
)
orthanc.RegisterOnChangeCallback(_on_change)
orthanc.RegisterRestCallback("/liver-pdff", _on_status)
