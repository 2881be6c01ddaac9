"""Health, metrics, the bundle and the documentation."""

import gc
import re
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from app.api.problems import STATUS
from app.core import errors
from app.core.errors import AnalysisError
from app.core.naming import language_rules, name_view
from app.core.naming.expressions import compiled
from app.main import create_app
from app.settings import Settings
from tests.api.test_analyses import post
from tests.conftest import ServiceFactory
from tests.factories import four_view_study, us_instance
from tests.stow import store


def leaves(kind: type[AnalysisError]) -> set[type[AnalysisError]]:
    below = kind.__subclasses__()
    return {kind} if not below else set().union(*map(leaves, below))


def test_a_service_that_has_stopped_holds_no_weights(serve: ServiceFactory) -> None:
    with serve() as client:
        service = weakref.ref(client.app.state.runtime.service)  # type: ignore[attr-defined] # Starlette's annotation
    gc.collect()
    assert service() is None


def test_every_refusal_has_a_status() -> None:
    assert leaves(AnalysisError) == set(STATUS)


def test_every_refusal_stands_in_the_drawn_tree() -> None:
    for error in leaves(AnalysisError):
        assert error.__name__ in (errors.__doc__ or "")


class TestReadiness:
    def test_no_request_waits_for_rules_to_be_compiled(self) -> None:
        compiled.cache_clear()
        create_app(Settings(view_languages="en,de"))
        before = compiled.cache_info().misses
        assert name_view("Lebervenen", language_rules(("en", "de")))
        assert compiled.cache_info().misses == before > 0

    def test_a_verified_bundle_is_ready(self, client: TestClient) -> None:
        assert client.get("/livez").json() == {"status": "alive"}
        assert client.get("/readyz").json() == {"status": "ready"}

    @pytest.mark.parametrize(
        "name",
        [
            "manifest.json",
            "manifest.sha256",
            "network.onnx",
            "heads.json",
            "MODEL_CARD.md",
            "golden/expected.json",
            "golden/liver_kidney.dcm",
        ],
    )
    def test_a_flipped_byte_is_found_and_its_file_named(
        self, serve: ServiceFactory, bundle_copy: Path, name: str
    ) -> None:
        content = bytearray((bundle_copy / name).read_bytes())
        content[len(content) // 2] ^= 1
        (bundle_copy / name).write_bytes(content)
        with serve(bundle=bundle_copy) as client:
            answer = client.get("/readyz")
            refused = post(client, four_view_study())
            assert client.get("/livez").is_success
        for problem in (answer, refused):
            assert problem.status_code == 503
            assert problem.json()["code"] == "checksum_mismatch"
            # the manifest's own hash stands beside it: damage to either shows as the manifest's
            assert problem.json()["file"] == ("manifest.json" if name == "manifest.sha256" else name)

    def test_a_missing_bundle_says_how_to_get_one(self, serve: ServiceFactory, tmp_path: Path) -> None:
        with serve(bundle=tmp_path) as client:
            problem = client.get("/readyz").json()
        assert problem["code"] == "bundle_unreadable"
        assert "make bundle" in problem["detail"]

    def test_a_stored_analysis_can_be_read_without_a_bundle(self, serve: ServiceFactory, tmp_path: Path) -> None:
        database_url = f"sqlite:///{tmp_path}/kept.db"
        with serve(database_url=database_url) as client:
            analysis = post(client, four_view_study()).json()
        with serve(database_url=database_url, bundle=tmp_path) as client:
            assert client.get(f"/v1/analyses/{analysis['id']}").json() == analysis

    @pytest.mark.parametrize("name", ["housekeeping", "refusals", "memory"])
    def test_a_task_that_keeps_failing_is_named_and_does_not_stop_answers(self, client: TestClient, name: str) -> None:
        background = client.app.state.runtime.background  # type: ignore[attr-defined] # Starlette's annotation
        with background.task(name, failing, 0.001, retry_s=0.001):
            wait_until(lambda: background.broken() == [name])
            answer = client.get("/readyz")
        assert (answer.status_code, answer.json()) == (200, {"status": "ready", "degraded": [name]})

    def test_without_a_pulse_nothing_is_ready(self, client: TestClient) -> None:
        background = client.app.state.runtime.background  # type: ignore[attr-defined] # Starlette's annotation
        with background.task("pulse", failing, 0.001, retry_s=0.001):
            wait_until(lambda: background.broken() == ["pulse"])
            answer = client.get("/readyz")
        assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
        assert "`pulse`" in answer.json()["detail"]
        assert "DOE" not in answer.text

    def test_livez_answers_while_a_study_is_computed(self, client: TestClient) -> None:
        worker = threading.Thread(target=lambda: [post(client, four_view_study(study=n)) for n in range(3)])
        worker.start()
        slowest_s = 0.0
        while worker.is_alive():
            started = time.perf_counter()
            assert client.get("/livez").is_success
            slowest_s = max(slowest_s, time.perf_counter() - started)
        worker.join()
        assert slowest_s < 1, "the event loop was blocked"


def failing(_stopping: threading.Event) -> None:
    raise KeyError("DOE^JANE")


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


class TestFailure:
    def test_what_nobody_foresaw_is_a_problem_too(
        self, bundle_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        app = create_app(Settings(bundle=bundle_folder, database_url=f"sqlite:///{tmp_path}/test.db"))

        @app.get("/broken")
        def broken() -> None:
            raise ZeroDivisionError("a secret of 1.2.3")

        with TestClient(app, raise_server_exceptions=False) as client:
            answer = client.get("/broken")
        assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
        assert "secret" not in answer.text
        assert "ZeroDivisionError" in caplog.text
        assert "secret" not in caplog.text

    def test_a_locked_database_is_named_in_the_log_and_says_when_to_come_back(
        self, serve: ServiceFactory, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("app.adapters.storage.database.SQLITE_BUSY_TIMEOUT_MS", 100)
        path = tmp_path / "locked.db"
        with serve(database_url=f"sqlite:///{path}") as client, closing(sqlite3.connect(path)) as other:
            other.execute("BEGIN IMMEDIATE")
            answer = post(client, four_view_study())
        assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
        assert int(answer.headers["retry-after"]) > 0
        assert "cause=OperationalError database is locked" in caplog.text
        assert "2.25." not in caplog.text, "a UID stands in the log"

    def test_a_file_that_is_no_database_keeps_the_service_from_being_ready(
        self, serve: ServiceFactory, tmp_path: Path
    ) -> None:
        path = tmp_path / "other.db"
        path.write_bytes(b"something else" * 1000)
        with serve(database_url=f"sqlite:///{path}") as client:
            assert client.get("/livez").is_success
            assert client.get("/readyz").json()["code"] == "storage_unavailable"
        assert path.read_bytes() == b"something else" * 1000


class TestMetrics:
    def test_every_outcome_and_stage_is_counted(self, client: TestClient) -> None:
        study = four_view_study()
        post(client, study)
        post(client, study)
        post(client, {})
        text = client.get("/metrics").text
        for outcome in ("created", "repeated", "empty_upload"):
            assert f'liver_pdff_analyses_total{{outcome="{outcome}"}} 1.0' in text
        assert 'liver_pdff_refusals_total{code="empty_upload"} 1.0' in text
        assert 'liver_pdff_refusals_total{code="overloaded"} 0.0' in text
        for stage in ("read", "estimate", "store"):
            assert re.search(rf'liver_pdff_stage_seconds_count{{stage="{stage}"}} [123]\.0', text)
        assert "liver_pdff_in_flight_analyses 0.0" in text
        assert 'liver_pdff_estimated_pdff_percent_count{scanner="other"} 1.0' in text
        assert 'liver_pdff_bundle_info{name="demo"' in text

    def test_scanners_are_told_apart_in_the_operators_words(self, serve: ServiceFactory) -> None:
        black = np.zeros((480, 640), np.uint8)
        told, untold = ({"ManufacturerModelName": name} for name in ("logiq e10", "Quixote 7"))
        with serve(scanner_models="S3000; LOGIQ E10") as client:
            assert post(client, four_view_study(attributes=told)).is_success
            assert store(client, list(four_view_study(study=2, attributes=told).values())).is_success
            assert post(client, four_view_study(study=3, attributes=untold)).is_success
            unusable = {"liver_kidney": us_instance(study=4, attributes=told, pixels=black)}
            assert client.post("/v1/analyses", files=unusable, data={"allow_partial": "true"}).is_client_error
            refused_first = {"hepatic_veins": b"no DICOM", **unusable}
            assert client.post("/v1/analyses", files=refused_first).is_client_error
            assert store(client, [us_instance(study=5, attributes=untold, pixels=black)]).is_success
            text = client.get("/metrics").text
        for scanner, count in (("LOGIQ E10", 2), ("other", 1), ("S3000", 0)):
            assert f'liver_pdff_estimated_pdff_percent_count{{scanner="{scanner}"}} {count}.0' in text
        for scanner, count in (("LOGIQ E10", 2), ("other", 1), ("S3000", 0)):
            assert f'liver_pdff_refused_images_total{{code="no_tissue",scanner="{scanner}"}} {count}.0' in text
        assert "Quixote" not in text

    def test_the_address_does_not_redirect(self, client: TestClient) -> None:
        answer = client.get("/metrics", follow_redirects=False)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/plain; version=")


class TestDescription:
    def test_the_bundle_shows_its_card_and_hashes(self, client: TestClient) -> None:
        bundle = client.get("/v1/bundle").json()
        assert bundle["synthetic"]
        assert "not for clinical use" in bundle["model_card"]
        assert set(bundle["manifest"]["files"]) >= {"network.onnx", "heads.json", "golden/expected.json"}

    def test_swagger_ui_comes_from_this_host(self, client: TestClient) -> None:
        page = client.get("/docs").text
        sources = re.findall(r'(?:src|href)="([^"]+)"', page)
        assert sources
        assert all(source.startswith("/") for source in sources)
        assert all(client.get(source).is_success for source in sources)

    def test_the_form_shows_four_files_and_a_list(self, client: TestClient) -> None:
        post = client.get("/openapi.json").json()["paths"]["/v1/analyses"]["post"]
        form = post["requestBody"]["content"]["multipart/form-data"]["schema"]
        assert list(form["properties"]) == [
            "hepatic_veins",
            "right_portal_vein",
            "right_posterior_portal_vein",
            "liver_kidney",
            "instances",
            "allow_partial",
        ]
        assert form["properties"]["instances"]["items"] == {"type": "string", "format": "binary"}

    @pytest.mark.parametrize(
        ("verb", "path", "status"),
        [
            ("POST", "/v1/analyses", 422),
            ("GET", "/v1/analyses", 200),
            ("GET", "/v1/analyses?cursor=x", 422),
            ("GET", "/v1/analyses/00000000-0000-0000-0000-000000000000/report", 404),
            ("GET", "/v1/studies/1.2", 404),
            ("GET", "/v1/studies/x", 422),
            ("GET", "/v1/bundle", 200),
            ("GET", "/metrics", 200),
            ("GET", "/readyz", 200),
        ],
    )
    def test_what_is_answered_stands_in_the_document(
        self, client: TestClient, verb: str, path: str, status: int
    ) -> None:
        answer = client.request(verb, path)
        document = client.get("/openapi.json").json()
        plain = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "{analysis_id}", path.partition("?")[0])
        plain = re.sub(r"/studies/.*", "/studies/{study_instance_uid}", plain)
        responses = document["paths"][plain][verb.lower()]["responses"]
        assert answer.status_code == status
        assert answer.headers["content-type"].partition(";")[0] in responses[str(status)]["content"]
        refusals = [each for code, each in responses.items() if int(code) >= 400]
        assert all(list(each["content"]) == ["application/problem+json"] for each in refusals)

    def test_head_is_get_without_a_body(self, client: TestClient) -> None:
        for path in ("/livez", "/readyz", "/v1/analyses"):
            head, get = client.head(path), client.get(path)
            assert (head.status_code, head.content) == (200, b"")
            assert head.headers["content-length"] == get.headers["content-length"]

    def test_an_unknown_address_is_a_problem(self, client: TestClient) -> None:
        answer = client.get("/nothing")
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_resource")
        wrong_verb = client.delete("/v1/analyses")
        assert (wrong_verb.status_code, wrong_verb.json()["code"]) == (405, "method_not_allowed")
