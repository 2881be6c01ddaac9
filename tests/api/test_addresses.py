"""Behind a proxy: links under its path, addresses as it tells them if it is trusted, the same access as without it."""

import json
import logging
import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

import anyio
import pytest
from fastapi.testclient import TestClient

from app.adapters.storage.api_keys import ApiKeys
from app.adapters.storage.database import open_current
from app.core.access import AccessScope, Actor
from app.main import create_app
from app.settings import Settings
from tests.api.test_analyses import post
from tests.conftest import ServiceFactory
from tests.factories import four_view_study
from tests.stow import store

ROOT = "/liver"
PUBLIC = "https://pacs.example.org/liver"
PROXY = ("127.0.0.1", 40000)
OUTSIDER = ("192.0.2.9", 40000)
FORWARDED = {"X-Forwarded-Host": "pacs.example.org", "X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7"}
STRIPS, PASSES = "", ROOT
"""What the proxy leaves of the path."""


@pytest.fixture(scope="module")
def service(serve: ServiceFactory) -> Iterator[TestClient]:
    """A service under /liver, with one analysis."""
    with serve(root_path=ROOT) as client:
        post(client, four_view_study())
        yield client


@pytest.fixture(scope="module")
def public(serve: ServiceFactory) -> Iterator[TestClient]:
    """A service that knows its address, with one analysis."""
    with serve(public_url=PUBLIC) as client:
        post(client, four_view_study())
        yield client


def seen_from(client: TestClient, peer: tuple[str, int]) -> TestClient:
    """Ask the same service from another address."""
    return TestClient(client.app, client=peer, follow_redirects=False)


def analysis_of(client: TestClient) -> Any:
    return client.get("/v1/analyses").json()["analyses"][0]


def addresses_in(document: Any) -> list[str]:
    """Every text of a JSON document that is an address of ours."""
    if isinstance(document, dict):
        return [found for value in document.values() for found in addresses_in(value)]
    if isinstance(document, list):
        return [found for value in document for found in addresses_in(value)]
    return [document] if isinstance(document, str) and re.match(r"/(?!/)\S+$", document) else []


def links_in(page: str) -> list[str]:
    """Addresses of ours in a page: attributes, and the texts of Swagger UI's script."""
    found = re.findall(r"""(?:href|src|action|data-root-path|spec-url)=["'](/[^"']*)["']""", page)
    return found + re.findall(r"""["'](/(?!/)[\w./-]+)["']""", page)


def pdf_links(content: bytes) -> list[str]:
    return [each.decode() for each in re.findall(rb"/URI \((http[^)]*)\)", content)]


class TestUnderAPath:
    @pytest.mark.parametrize("left", [STRIPS, PASSES])
    @pytest.mark.parametrize("path", ["/", "/analyses", "/docs", "/redoc"])
    def test_every_link_of_a_page_leads_somewhere(self, service: TestClient, left: str, path: str) -> None:
        page = service.get(left + path)
        links = links_in(page.text)
        assert len(links) >= 2
        for link in links:
            assert link.startswith(f"{ROOT}/") or link == ROOT, link
            assert service.get(link).is_success, link
            assert service.get(link.removeprefix(ROOT) or "/").is_success, link

    def test_every_address_in_an_answer_leads_somewhere(self, service: TestClient) -> None:
        analysis = analysis_of(service)
        uid = analysis["study_instance_uid"]
        study = service.get(f"/v1/studies/{uid}").json()
        for document in (analysis, service.get(ROOT + "/v1/analyses").json(), study):
            found = addresses_in(document)
            assert len(found) == 4 * 2 + 6 + 1
            for address in found:
                assert address.startswith(f"{ROOT}/v1/analyses/")
                assert service.get(address).is_success
                assert service.get(address.removeprefix(ROOT)).is_success

    def test_superseded_analyses_are_named_too(self, serve: ServiceFactory) -> None:
        with serve(root_path=ROOT) as client:
            post(client, four_view_study())
            post(client, four_view_study(rows=440))
            uid = analysis_of(client)["study_instance_uid"]
            [older] = client.get(f"/v1/studies/{uid}").json()["superseded"]
            assert client.get(older["url"]).json()["id"] == older["id"]
            assert older["url"].startswith(ROOT)

    @pytest.mark.parametrize("left", [STRIPS, PASSES])
    def test_location_names_the_new_analysis(self, service: TestClient, left: str) -> None:
        files = {str(view): content for view, content in four_view_study().items()}
        answer = service.post(f"{left}/v1/analyses", files=files)
        assert answer.status_code == 200
        assert answer.headers["location"] == f"{ROOT}/v1/analyses/{answer.json()['id']}"

    @pytest.mark.parametrize("left", [STRIPS, PASSES])
    @pytest.mark.parametrize("path", ["/v1/analyses/", "/docs/", "/analyses/"])
    def test_a_slash_too_many_is_redirected_to_the_same_path(self, service: TestClient, left: str, path: str) -> None:
        answer = service.get(left + path, follow_redirects=False)
        assert answer.headers["location"] == f"http://testserver{ROOT}{path.rstrip('/')}"

    def test_the_path_itself_is_the_page(self, service: TestClient) -> None:
        assert service.get(ROOT).text == service.get(f"{ROOT}/").text == service.get("/").text

    def test_the_document_says_where_calls_go(self, service: TestClient, client: TestClient) -> None:
        for left in (STRIPS, PASSES):
            document = service.get(f"{left}/openapi.json").json()
            assert document["servers"] == [{"url": ROOT}]
            assert "/v1/analyses" in document["paths"]
        assert "servers" not in client.get("/openapi.json").json()

    def test_pages_have_the_policy_of_pages(self, service: TestClient, client: TestClient) -> None:
        for path in ("/", "/analyses", "/docs", "/static/upload.js", "/v1/analyses", "/livez"):
            expected = client.get(path).headers
            for left in (STRIPS, PASSES):
                headers = service.get(left + path).headers
                for name in ("content-security-policy", "cache-control"):
                    assert headers.get(name) == expected.get(name), (left, path)

    def test_probes_stay_out_of_the_log(self, service: TestClient, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO, "app.api.observation")
        for left in (STRIPS, PASSES):
            for path in ("/livez", "/static/upload.js"):
                service.get(left + path)
        assert caplog.records == []
        service.get(f"{ROOT}/v1/analyses")
        assert "route=/v1/analyses " in caplog.text

    @pytest.mark.parametrize("left", [STRIPS, PASSES])
    def test_studies_may_be_larger_than_forms(self, serve: ServiceFactory, left: str) -> None:
        with serve(root_path=ROOT, max_body_mib=1, max_stow_mib=3) as client:
            body = bytes(2 << 20)
            assert client.post(f"{left}/v1/analyses", content=body).status_code == 413
            assert client.post(f"{left}/dicom-web/studies", content=body).status_code == 415

    def test_stow_is_answered(self, service: TestClient) -> None:
        assert store(service, list(four_view_study(study=9).values())).status_code == 200

    def test_a_path_that_begins_with_the_same_letters_is_another(self) -> None:
        client = TestClient(create_app(Settings(root_path="/live")))
        for path in ("/livez", "/live/livez"):
            assert client.get(path).is_success

    @pytest.mark.parametrize("path", ["/v1", "/static/x", "/docs", "/analyses", "/dicom-web", "/openapi.json"])
    def test_a_path_of_our_own_is_refused(self, path: str) -> None:
        with pytest.raises(ValueError, match="choose another LIVER_PDFF_ROOT_PATH"):
            create_app(Settings(root_path=path))

    @pytest.mark.parametrize(
        ("name", "value"),
        [("ROOT_PATH", "liver/"), ("PUBLIC_URL", "pacs.example.org"), ("TRUSTED_PROXIES", "the proxy")],
    )
    def test_nonsense_is_refused_at_the_start(self, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
        monkeypatch.setenv(f"LIVER_PDFF_{name}", value)
        with pytest.raises(ValueError, match=f"LIVER_PDFF_{name}|{name.lower()}"):
            Settings()


@pytest.fixture(scope="module")
def guarded(serve: ServiceFactory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, str]]:
    """A service under /liver that asks for keys, and a key that may read only."""
    url = f"sqlite:///{tmp_path_factory.mktemp('guarded') / 'test.db'}"
    with serve(database_url=url, authentication="required", root_path=ROOT) as client, open_current(url) as database:
        yield client, ApiKeys(database.engine).create("reader", [AccessScope.READ], Actor("cli:test"))


class TestAccess:
    @pytest.mark.parametrize("left", [STRIPS, PASSES])
    def test_the_same_paths_are_open_and_no_other(self, guarded: tuple[TestClient, str], left: str) -> None:
        client, key = guarded
        for path in ("/livez", "/readyz", "/docs", "/openapi.json", "/static/upload.js"):
            assert client.get(left + path).is_success, path
        for path in ("/", "/analyses", "/v1/analyses", "/metrics", "/v1/audit", "/v1/bundle"):
            assert client.get(left + path).status_code == 401, path
        reader = {"Authorization": f"Bearer {key}"}
        assert client.get(f"{left}/v1/analyses", headers=reader).is_success
        for path in ("/metrics", "/v1/audit"):
            assert client.get(left + path, headers=reader).status_code == 403, path

    @pytest.mark.parametrize(
        "path",
        ["/liver/liver/metrics", "/liver/livez/../metrics", "/liver/static/../metrics", "/liver/static/..%2fmetrics",
         "/liver/static/%2e%2e/metrics", "/liver//metrics", "//liver/metrics", "//metrics", "/liver/./metrics",
         "/livermetrics", "/liverlivez/../metrics", "/liver/liver/../metrics", "/liver/liver/..", "/liver%2fmetrics",
         "/%6civer/metrics", "/liver/%6detrics", "/liver/metrics/", "/liver/metrics%00", "/LIVER/metrics",
         "/liver/static-offline-docs/../v1/audit", "/liver/livez/v1/audit", "/livez/../v1/audit", "/liver/v1//audit",
         "/liver;/metrics", "/liver/liver/liver/metrics", "/static/liver/metrics", "/liver/static/liver/v1/audit"],
    )  # fmt: skip
    def test_no_spelling_of_a_path_shows_what_needs_another_key(
        self, guarded: tuple[TestClient, str], path: str
    ) -> None:
        client, key = guarded
        for headers in ([], [("authorization", f"Bearer {key}")]):
            answer = ask(client, path, [("host", "x"), *headers])
            assert answer[0] in (307, 401, 403, 404), (answer, headers)
            assert b"liver_pdff_" not in answer[1]

    def test_no_spelling_opens_more_than_without_a_root_path(self, guarded: tuple[TestClient, str]) -> None:
        client, _ = guarded
        assert ask(client, "/liver/livez", [("host", "x")])[0] == 200
        assert ask(client, "/liver/liver/livez", [("host", "x")])[0] == 401


def ask(client: TestClient, path: str, headers: Sequence[tuple[str, str]], version: str = "1.1") -> tuple[int, bytes]:
    """Ask for a path exactly as it is written: httpx would resolve its dots. Uvicorn decodes once."""
    sent: list[Any] = []
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": version,
        "method": "GET",
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in headers],
        "client": OUTSIDER,
        "server": ("x", 80),
    }

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    anyio.run(client.app, scope, receive, send)
    return sent[0]["status"], b"".join(each.get("body", b"") for each in sent[1:])


class TestWhatProxiesSay:
    def addresses(self, client: TestClient, headers: dict[str, str]) -> set[str]:
        """Where the report, its PDF and a redirect say that they lead."""
        base = urlsplit(analysis_of(client)["fhir_url"]).path.removesuffix("/fhir")
        page = client.get(f"{base}/report", headers=headers).text
        shown = re.findall(r'<dd><a href="(http[^"]*)/v1/analyses/[^/]*/report">', page)
        printed = pdf_links(client.get(f"{base}/report.pdf", headers=headers).content)
        redirected = client.get("/analyses/", headers=headers).headers["location"]
        assert len(shown) == len(printed) == 1
        return {shown[0], printed[0].partition("/v1/")[0], redirected.removesuffix("/analyses")}

    def test_a_trusted_proxys_word_makes_addresses(self, service: TestClient) -> None:
        assert self.addresses(seen_from(service, PROXY), FORWARDED) == {PUBLIC}

    def test_anybody_elses_does_not(self, service: TestClient) -> None:
        assert self.addresses(seen_from(service, OUTSIDER), FORWARDED) == {"http://testserver/liver"}

    def test_without_its_word_the_host_that_was_asked_counts(self, service: TestClient) -> None:
        asked = {"Host": "Pacs.example.org:8443"}
        assert self.addresses(seen_from(service, PROXY), asked) == {"http://pacs.example.org:8443/liver"}

    @pytest.mark.parametrize("peer", [PROXY, OUTSIDER])
    def test_a_public_address_is_what_it_says_whoever_asks(self, public: TestClient, peer: tuple[str, int]) -> None:
        wrong = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"}
        assert self.addresses(seen_from(public, peer), wrong) == {PUBLIC}

    def test_networks_may_be_trusted(self, serve: ServiceFactory) -> None:
        with serve(root_path=ROOT, trusted_proxies="192.0.2.0/24") as client:
            post(client, four_view_study())
            assert self.addresses(seen_from(client, OUTSIDER), FORWARDED) == {PUBLIC}
            assert self.addresses(seen_from(client, PROXY), FORWARDED) == {"http://testserver/liver"}

    @pytest.mark.parametrize(
        ("peer", "forwarded_for", "address"),
        [
            (PROXY, "192.0.2.7", "192.0.2.7"),
            (PROXY, "Zebedee", "127.0.0.1"),
            (PROXY, "x" * 5000, "127.0.0.1"),
            (PROXY, "<script>, 192.0.2.7", "192.0.2.7"),
            (OUTSIDER, "192.0.2.7", "192.0.2.9"),
        ],
    )
    def test_only_addresses_get_on_the_trail(
        self, service: TestClient, peer: tuple[str, int], forwarded_for: str, address: str
    ) -> None:
        client = seen_from(service, peer)
        client.get("/v1/analyses", headers={"X-Forwarded-For": forwarded_for})
        assert json.loads(client.get("/v1/audit").text.splitlines()[-2])["address"] == address

    def test_encryption_by_a_trusted_proxy_is_encryption(self, service: TestClient) -> None:
        for peer, is_encrypted in ((PROXY, True), (OUTSIDER, False)):
            headers = seen_from(service, peer).get("/livez", headers=FORWARDED).headers
            assert ("strict-transport-security" in headers) == is_encrypted


class TestHost:
    @pytest.mark.parametrize("host", ["a<b>&c", "a b", "", "x" * 3000, "a:port", "a/b", "u@a", "é", "a,b"])
    def test_what_is_no_host_is_refused(self, service: TestClient, host: str) -> None:
        answer = service.get("/v1/analyses", headers={b"Host": host.encode("latin-1")})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_host")
        assert answer.headers["x-request-id"]
        assert answer.headers["x-content-type-options"]

    @pytest.mark.parametrize("host", ["a<b>&c", "a b", "u@a"])
    def test_a_proxys_is_looked_at_as_closely(self, service: TestClient, host: str) -> None:
        for peer, status in ((PROXY, 400), (OUTSIDER, 200)):
            answer = seen_from(service, peer).get("/v1/analyses", headers={"X-Forwarded-Host": host})
            assert answer.status_code == status

    @pytest.mark.parametrize(
        ("hosts", "version", "status"),
        [([], "1.1", 400), (["a", "b"], "1.1", 400), (["a", "a"], "1.1", 400), ([], "1.0", 200), (["a"], "1.0", 200)],
    )
    def test_there_is_one_but_in_the_oldest_requests(
        self, service: TestClient, hosts: list[str], version: str, status: int
    ) -> None:
        assert ask(service, "/livez", [("host", each) for each in hosts], version)[0] == status

    @pytest.mark.parametrize("host", ["127.0.0.1:8000", "[::1]:8000", "pacs_1", "pacs.example.org.", "PACS:80"])
    def test_names_and_addresses_are_taken(self, service: TestClient, host: str) -> None:
        assert service.get("/v1/analyses", headers={"Host": host}).is_success


class TestOrigin:
    """Over plain http a browser says nothing but the origin of the page."""

    @pytest.mark.parametrize(
        ("peer", "headers", "is_ours"),
        [
            (PROXY, {"Host": "upstream:8000", **FORWARDED, "Origin": "https://pacs.example.org"}, True),
            (PROXY, {"Host": "pacs.example.org", "Origin": "https://pacs.example.org"}, True),
            (PROXY, {"Host": "pacs.example.org:80", "Origin": "http://pacs.example.org"}, True),
            (PROXY, {"Host": "upstream:8000", **FORWARDED, "Origin": "http://pacs.example.org"}, False),
            (PROXY, {"Host": "upstream:8000", **FORWARDED, "Origin": "http://upstream:8000"}, False),
            (PROXY, {"Host": "upstream:8000", **FORWARDED, "Origin": "https://evil.example"}, False),
            (OUTSIDER, {"Host": "upstream:8000", **FORWARDED, "Origin": "https://pacs.example.org"}, False),
            (OUTSIDER, {"Host": "upstream:8000", "Origin": "http://upstream:8000"}, True),
            (OUTSIDER, {"Host": "upstream:8000", "Origin": "http://upstream:8001"}, False),
            (OUTSIDER, {"Host": "upstream:8000", "Origin": "null"}, False),
        ],
    )
    def test_it_is_compared_with_the_address_that_the_browser_knows(
        self, service: TestClient, peer: tuple[str, int], headers: dict[str, str], is_ours: bool
    ) -> None:
        answer = seen_from(service, peer).post("/v1/analyses", headers=headers)
        assert answer.status_code == (422 if is_ours else 403)

    @pytest.mark.parametrize(
        ("origin", "is_ours"),
        [
            ("https://pacs.example.org", True),
            ("http://pacs.example.org", False),
            ("http://upstream:8000", False),
            ("https://pacs.example.org.evil.example", False),
            ("https://evil.example", False),
        ],
    )
    def test_a_proxy_that_says_nothing_needs_the_public_address(
        self, public: TestClient, origin: str, is_ours: bool
    ) -> None:
        answer = public.post("/v1/analyses", headers={"Host": "upstream:8000", "Origin": origin})
        assert answer.status_code == (422 if is_ours else 403)
