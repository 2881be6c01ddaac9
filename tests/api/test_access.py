"""Who may do what: every documented call with every scope, and what stands on every answer."""

import base64
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient

from app.adapters.storage.api_keys import ApiKeys
from app.adapters.storage.audit_trail import study_digest
from app.adapters.storage.database import open_current
from app.core.access import AccessScope, Actor, required_scope
from app.settings import Settings
from tests.api.test_analyses import Files, post
from tests.conftest import ServiceFactory
from tests.factories import four_view_study

OPERATOR = Actor("cli:test")
PAGES = ("/", "/analyses", "/static/upload.js")
OPEN = {("GET", "/livez"), ("GET", "/readyz")}


@dataclass
class Guarded:
    """A service that asks for keys, and one key for each scope."""

    client: TestClient
    keys: dict[AccessScope, str]

    def headers(self, *scopes: AccessScope) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys[scopes[0]]}"} if scopes else {}


@pytest.fixture(scope="module")
def guarded(serve: ServiceFactory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    url = f"sqlite:///{tmp_path_factory.mktemp('guarded') / 'test.db'}"
    with serve(database_url=url, authentication="required") as client, open_current(url) as database:
        keys = ApiKeys(database.engine)
        yield Guarded(client, {scope: keys.create(scope, [scope], OPERATOR) for scope in AccessScope})


def documented_calls(client: TestClient) -> list[tuple[str, str]]:
    paths = client.get("/openapi.json").json()["paths"]
    return [(method.upper(), path) for path, operations in paths.items() for method in operations]


def address(path: str) -> str:
    values = {
        "analysis_id": "0" * 8 + "-0000" * 3 + "-" + "0" * 12,
        "view": "liver_kidney",
        "study_instance_uid": "1.2",
    }
    return path.format(**values)


NUL_IN_A_KEY = "Basic " + base64.b64encode(b"x:liverpdff_0123\x00567_secret").decode()
"""PostgreSQL takes no such text."""


class TestScopes:
    def test_no_call_is_open_but_health_and_documentation(self, guarded: Guarded) -> None:
        calls = documented_calls(guarded.client)
        assert len(calls) >= 15
        for method, path in calls:
            answer = guarded.client.request(method, address(path))
            if (method, path) in OPEN:
                assert answer.is_success
                continue
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), path
            assert answer.headers["www-authenticate"].startswith("Bearer")

    def test_pages_ask_who_comes_and_their_scripts_do_not(self, guarded: Guarded) -> None:
        for path in ("/", "/analyses"):
            assert guarded.client.get(path).status_code == 401
            assert "Basic" in guarded.client.get(path).headers["www-authenticate"]
            assert guarded.client.get(path, headers=guarded.headers(AccessScope.READ)).is_success
        assert guarded.client.get("/static/upload.js").is_success

    def test_a_call_takes_its_scope_and_no_other(self, guarded: Guarded) -> None:
        for method, path in documented_calls(guarded.client):
            needed = required_scope(method, path)
            for scope in AccessScope:
                answer = guarded.client.request(method, address(path), headers=guarded.headers(scope))
                if needed in (None, scope):
                    assert answer.status_code not in (401, 403), (method, path, scope)
                else:
                    assert (answer.status_code, answer.json()["needed_scope"]) == (403, needed), (method, path, scope)

    def test_an_unknown_address_tells_nothing_without_a_key(self, guarded: Guarded) -> None:
        assert guarded.client.get("/nothing").status_code == 401
        assert guarded.client.get("/nothing", headers=guarded.headers(AccessScope.READ)).status_code == 404
        assert guarded.client.put("/v1/analyses").status_code == 401

    def test_the_key_may_be_basics_password(self, guarded: Guarded) -> None:
        key = base64.b64encode(f"anyone:{guarded.keys[AccessScope.READ]}".encode()).decode()
        assert guarded.client.get("/v1/analyses", headers={"Authorization": f"Basic {key}"}).is_success

    @pytest.mark.parametrize(
        "header",
        [
            "",
            "Bearer",
            "Bearer x",
            "Basic %%",
            "Basic /w==",
            "Basic é",
            "Bearer é",
            "Digest x",
            "Bearer a.b.c",
            NUL_IN_A_KEY,
        ],
    )
    def test_an_unreadable_header_is_401(self, guarded: Guarded, header: str) -> None:
        answer = guarded.client.get("/v1/analyses", headers={b"Authorization": header.encode("latin-1")})
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")

    def test_each_way_to_say_who_one_is_has_a_line(self, guarded: Guarded) -> None:
        """Chrome finds no second scheme in one line."""
        challenges = guarded.client.get("/").headers.get_list("www-authenticate")
        assert [each.split()[0] for each in challenges] == ["Bearer", "Basic"]

    def test_the_document_says_which_scope(self, guarded: Guarded) -> None:
        paths = guarded.client.get("/openapi.json").json()["paths"]
        assert "security" not in paths["/livez"]["get"]
        post_analysis = paths["/v1/analyses"]["post"]
        assert post_analysis["security"] == [{"key": []}, {"password": []}]
        assert "scope `submit`" in post_analysis["description"]
        assert {"401", "403"} <= set(post_analysis["responses"])

    def test_neither_key_nor_address_stands_in_the_log(
        self, guarded: Guarded, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        guarded.client.get("/v1/studies/1.2.840", headers=guarded.headers(AccessScope.METRICS))
        guarded.client.get("/v1/studies/1.2.840", headers={"Authorization": "Bearer liverpdff_0_secret"})
        own = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("app"))
        assert "forbidden" in own
        assert "liverpdff_" not in own
        assert "1.2.840" not in own


class TestAudit:
    def test_who_submitted_read_and_deleted(self, guarded: Guarded) -> None:
        client, study = guarded.client, four_view_study(study=40)
        before = last_id(guarded)
        submit, read, admin = (
            guarded.headers(scope) for scope in (AccessScope.SUBMIT, AccessScope.READ, AccessScope.ADMIN)
        )
        made = send(client, study, submit).json()
        assert send(client, study, submit).status_code == 200
        url = f"/v1/analyses/{made['id']}"
        for path in ("", "/report", "/fhir", "/views/liver_kidney/overlay.png", "/views/liver_kidney/tissue.png"):
            assert client.get(url + path, headers=read).is_success
        assert client.get(f"/v1/studies/{made['study_instance_uid']}", headers=read).is_success
        assert client.get("/v1/analyses?limit=1", headers=read).is_success
        assert client.delete(url, headers=admin).status_code == 204
        assert client.delete(url, headers=admin).status_code == 404
        events = trail(guarded, before)
        assert [each["action"] for each in events] == ["submit", "repeat", *["read"] * 7, "delete", "export"]
        assert {each["subject"] for each in events[:-1]} == {made["id"]}
        assert events[0]["bundle_sha256"] == made["bundle"]["sha256"]
        names = {scope: f"key:{key.split('_')[1]}" for scope, key in guarded.keys.items()}
        assert events[0]["actor"] == names[AccessScope.SUBMIT]
        assert events[2]["actor"] == names[AccessScope.READ]
        assert events[-2]["actor"] == names[AccessScope.ADMIN]
        assert events[0]["address"] == "testclient"
        assert made["study_instance_uid"] not in json.dumps(events)

    @pytest.mark.parametrize(
        ("method", "path", "key", "expected"),
        [
            ("GET", "/v1/studies/1.2.840.9", "", ("unknown", "unauthenticated: GET /v1/studies/{study_instance_uid}")),
            ("GET", "/nothing/1.2.840.9", "Bearer x", ("unknown", "unauthenticated: GET unknown")),
            ("BREW", "/v1/analyses", "", ("unknown", "unauthenticated: another method /v1/analyses")),
            ("DELETE", "/v1/analyses/{analysis_id}", "read", ("read", "forbidden: DELETE /v1/analyses/{analysis_id}")),
            ("POST", "/dicom-web/studies", "read", ("read", "forbidden: POST /dicom-web/studies")),
            ("GET", "/metrics", "submit", ("submit", "forbidden: GET /metrics")),
        ],
    )
    def test_refused_attempts_are_told(
        self, guarded: Guarded, method: str, path: str, key: str, expected: tuple[str, str]
    ) -> None:
        before = last_id(guarded)
        scope = AccessScope(key) if key in set(AccessScope) else None
        headers = guarded.headers(scope) if scope else {"Authorization": key} if key else {}
        for _ in range(3):
            assert guarded.client.request(method, address(path), headers=headers).status_code in (401, 403)
        events = trail(guarded, before)
        actor = f"key:{guarded.keys[scope].split('_')[1]}" if scope else expected[0]
        refused = [each for each in events if each["action"] == "refuse"]
        assert {(each["actor"], each["detail"], each["address"]) for each in refused} == {
            (actor, expected[1], "testclient")
        }
        assert sum(each.get("times", 1) for each in refused) == 3
        assert events[-1]["action"] == "export"
        assert "1.2.840" not in json.dumps(events)

    def test_another_sites_page_is_told(self, guarded: Guarded) -> None:
        before = last_id(guarded)
        assert guarded.client.post("/v1/analyses", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
        assert trail(guarded, before)[0]["detail"] == "forbidden: POST /v1/analyses"

    @pytest.mark.parametrize(
        "path",
        [
            "/v1/analyses?study_instance_uid=1.2.3",
            "/analyses?study=1.2.3",
            "/v1/studies/1.2.3",
            "/v1/analyses?since=2199-01-01T00:00:00Z",
            "/v1/analyses/{analysis_id}",
            "/v1/analyses/{analysis_id}/report",
        ],
    )
    def test_a_search_that_found_nothing_is_told(self, guarded: Guarded, path: str) -> None:
        before = last_id(guarded)
        guarded.client.get(address(path), headers=guarded.headers(AccessScope.READ))
        (found,) = [each for each in trail(guarded, before) if each["action"] != "export"]
        assert found["action"] == "search"
        assert found.get("study_digest", "") == (study_digest("1.2.3") if "1.2.3" in path else "")

    def test_a_refusal_is_one_whatever_the_database_does(self, serve: ServiceFactory, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path}/test.db"
        with serve(database_url=url, authentication="required") as client:
            with open_current(url) as database:
                database.downgrade("0003")
            assert [client.get("/v1/analyses").status_code for _ in range(3)] == [401] * 3

    def test_a_refused_study_leaves_no_event(self, guarded: Guarded) -> None:
        before = last_id(guarded)
        send(guarded.client, {}, guarded.headers(AccessScope.SUBMIT))
        assert [each["action"] for each in trail(guarded, before)] == ["export"]

    def test_an_open_service_names_nobody(self, client: TestClient) -> None:
        post(client, four_view_study())
        lines = [json.loads(line) for line in client.get("/v1/audit").text.splitlines()]
        assert [(each["action"], each["actor"]) for each in lines] == [("submit", "anyone"), ("export", "anyone")]

    def test_since_needs_a_zone(self, client: TestClient) -> None:
        assert client.get("/v1/audit", params={"since": "2026-01-01T00:00:00"}).status_code == 422
        assert client.get("/v1/audit", params={"since": "2126-01-01T00:00:00Z"}).text == ""


def send(client: TestClient, files: Files, headers: dict[str, str]) -> httpx2.Response:
    return client.post("/v1/analyses", files={name: (name, data) for name, data in files.items()}, headers=headers)


def trail(guarded: Guarded, after_id: int) -> list[dict[str, Any]]:
    answer = guarded.client.get("/v1/audit", params={"after_id": after_id}, headers=guarded.headers(AccessScope.ADMIN))
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


def last_id(guarded: Guarded) -> int:
    return int(trail(guarded, 0)[-1]["id"])


class TestBrowser:
    def test_another_sites_page_cannot_send(self, client: TestClient) -> None:
        for headers, status in (
            ({"Sec-Fetch-Site": "cross-site"}, 403),
            ({"Sec-Fetch-Site": "same-site"}, 403),
            ({"Sec-Fetch-Site": "same-origin"}, 422),
            ({"Origin": "http://elsewhere.example"}, 403),  # all that a browser says over plain http
            ({"Origin": "null"}, 403),
            ({"Origin": "http://[::1"}, 403),
            ({"Origin": "http://testserver"}, 422),
            ({}, 422),
        ):
            assert client.post("/v1/analyses", headers=headers).status_code == status

    def test_nothing_is_shared_with_other_origins(self, client: TestClient) -> None:
        answer = client.get("/v1/analyses", headers={"Origin": "https://elsewhere.example"})
        assert not [name for name in answer.headers if name.startswith("access-control")]

    @pytest.mark.parametrize("path", [*PAGES, "/livez", "/docs", "/v1/analyses", "/nothing", "/metrics"])
    def test_every_answer_says_what_a_browser_may_do_with_it(self, client: TestClient, path: str) -> None:
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "same-origin"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "strict-transport-security" not in headers

    def test_what_was_sent_is_never_kept_by_a_cache(self, client: TestClient) -> None:
        made = post(client, four_view_study()).json()
        pictures = made["views"][0]["tissue_url"], made["views"][0]["overlay_url"]
        for url in (f"/v1/analyses/{made['id']}", *pictures):
            assert client.get(url).headers["cache-control"] == "no-store"

    def test_scripts_are_asked_for_again_after_an_upgrade(self, client: TestClient) -> None:
        script = client.get("/static/upload.js")
        assert script.headers["cache-control"] == "no-cache"
        unchanged = client.get("/static/upload.js", headers={"If-None-Match": script.headers["etag"]})
        assert unchanged.status_code == 304


class TestExposure:
    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "pdff.hospital.example"])
    def test_an_open_service_does_not_listen_to_the_network(self, host: str) -> None:
        with pytest.raises(ValueError, match="LIVER_PDFF_AUTHENTICATION=required"):
            Settings(host=host).check_exposure()
        Settings(host=host, authentication="required").check_exposure()
        Settings(host=host, open_to_the_network=True).check_exposure()

    @pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.9.9.9"])
    def test_the_loopback_may_be_open(self, host: str) -> None:
        Settings(host=host).check_exposure()

    @pytest.mark.parametrize(
        "settings",
        [
            {"tls_key": "key.pem"},
            {"oidc_issuer": "https://issuer.example", "authentication": "required"},
            {"oidc_issuer": "https://issuer.example", "oidc_audience": "x"},
            {"oidc_issuer": "http://issuer.example", "oidc_audience": "x", "authentication": "required"},
        ],
    )
    def test_half_a_setting_is_refused(self, settings: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=r"go together|does nothing|by https"):
            Settings(**settings)
