"""What an operator sees of a request: its id in every line and in the answer, one line at its end, spans if wanted."""

import json
import logging
import re
import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from app.adapters.telemetry.logs import REQUEST_ID
from app.core.values import View
from tests.conftest import ServiceFactory
from tests.factories import four_view_study, us_instance
from training.demo import running_service

ID = "0b8f6e3c-5a51-4c1e-9a64-0e5b1f1f7a11"
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SMALL: dict[str, Any] = {"rows": 240, "columns": 320}


def send(client: Any, **headers: str) -> Any:
    files = {str(view): content for view, content in four_view_study(**SMALL).items()}
    return client.post("/v1/analyses", files=files, headers=headers)


class TestRequestId:
    @pytest.mark.parametrize("given", [ID, TRACE, ID.upper()])
    def test_a_senders_own_is_taken(self, client: TestClient, given: str) -> None:
        assert client.get("/livez", headers={"X-Request-ID": given}).headers["x-request-id"] == given

    @pytest.mark.parametrize("given", ["", "1.2.840.113619.2", "Quixote", "1234567890", ID + "\u00e9", ID * 2])
    def test_what_could_be_a_patients_number_is_not(self, client: TestClient, given: str) -> None:
        answered = client.get("/livez", headers={b"X-Request-ID": given.encode()}).headers["x-request-id"]
        assert uuid.UUID(answered)
        assert answered != given

    def test_refusals_have_one_too(self, client: TestClient) -> None:
        for answer in (client.get("/nothing"), client.post("/v1/analyses"), client.get("/v1/studies/x")):
            assert answer.is_client_error
            assert uuid.UUID(answer.headers["x-request-id"])

    def test_a_fault_can_be_found_by_it(self, serve: ServiceFactory, monkeypatch: pytest.MonkeyPatch) -> None:
        logged: list[str] = []

        def fail(*_: object, **__: object) -> None:
            raise RuntimeError("nobody foresaw it")

        with serve() as client:
            monkeypatch.setattr("app.adapters.storage.repository.AnalysisRepository.page", fail)
            monkeypatch.setattr("app.api.problems.logger.error", lambda *_: logged.append(REQUEST_ID.get()))
            quiet = TestClient(client.app, raise_server_exceptions=False)
            answer = quiet.get("/v1/analyses", headers={"X-Request-ID": ID})
        assert (answer.status_code, answer.headers["x-request-id"]) == (500, ID)
        assert logged == [ID], "the line is written outside of the middleware, and names the request all the same"


def test_a_request_is_one_line_that_names_no_study(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        client.get("/v1/studies/1.2.840.113619")
        client.get("/v1/analyses?study_instance_uid=1.2.840.113619")
        client.get("/1.2.840.113619")
        client.get("/livez")
    said = [record.getMessage() for record in caplog.records if record.name == "app.api.observation"]
    beginnings = [
        "request method=GET route=/v1/studies/{study_instance_uid} status=404 elapsed_ms=",
        "request method=GET route=/v1/analyses status=200 elapsed_ms=",
        "request method=GET route=unknown status=404 elapsed_ms=",
    ]
    assert [line[: len(beginning)] for line, beginning in zip(said, beginnings, strict=True)] == beginnings


def test_lines_are_objects_for_a_collector(bundle_folder: Path, tmp_path: Path) -> None:
    log = tmp_path / "service.log"
    settings = {"LIVER_PDFF_LOG_FORMAT": "json"}
    with running_service(bundle_folder, f"sqlite:///{tmp_path}/test.db", log, environment=settings) as service:
        assert send(service.client, **{"X-Request-ID": ID}).status_code == 201
        assert service.client.post("/v1/analyses", files={"instances": us_instance()}).is_client_error
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert all({"time", "level", "logger", "message", "request_id"} <= line.keys() for line in lines)
    mine = [line for line in lines if line["request_id"] == ID]
    assert [line.get("outcome") or line.get("status") for line in mine] == ["created", 201]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}", line["time"]) for line in lines)


@pytest.fixture
def collector() -> Iterator[tuple[str, list[Any]]]:
    """Take spans by OTLP over HTTP as a collector does; gives its address, and what has come in."""
    received: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            received.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", received
        server.shutdown()


def test_spans_tell_stages_and_no_study(bundle_folder: Path, tmp_path: Path, collector: tuple[str, list[Any]]) -> None:
    address, received = collector
    settings = {
        "LIVER_PDFF_TRACES": "true",
        "OTEL_EXPORTER_OTLP_ENDPOINT": address,
        "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
    }
    log = tmp_path / "service.log"
    with running_service(bundle_folder, f"sqlite:///{tmp_path}/test.db", log, environment=settings) as service:
        study = send(service.client, traceparent=f"00-{TRACE}-{PARENT}-01").json()["study_instance_uid"]
        assert service.client.get(f"/v1/studies/{study}").is_success
    scopes = [scope for each in received for spans in each.resource_spans for scope in spans.scope_spans]
    spans = [span for scope in scopes for span in scope.spans]
    [posted] = [span for span in spans if span.name == "POST /v1/analyses"]
    assert (posted.trace_id.hex(), posted.parent_span_id.hex()) == (TRACE, PARENT)
    stages = {span.name for span in spans if span.parent_span_id == posted.span_id}
    assert stages == {"read", "estimate", "store"}
    assert "GET /v1/studies/{study_instance_uid}" in {span.name for span in spans}
    assert study not in str(received)
    assert View.LIVER_KIDNEY not in str(received)


def test_spans_are_not_forgotten_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    from app.adapters.telemetry.traces import tracing

    monkeypatch.setitem(__import__("sys").modules, "opentelemetry.sdk.resources", None)
    with pytest.raises(ValueError, match=r"liver-pdff\[traces\]"), tracing(wanted=True):
        pass


def test_without_the_setting_nothing_is_traced() -> None:
    from app.adapters.telemetry.traces import request_span, span

    with request_span("GET", httpx2.Headers()) as traced, span("read") as current:
        traced.end("/", 200)
        assert current is None
