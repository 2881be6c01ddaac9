"""People sign in on a page with their key, and a cookie speaks for them until it ends."""

import re
from collections.abc import Iterator
from datetime import timedelta
from http.cookies import SimpleCookie

import httpx2
import pytest
from fastapi.testclient import TestClient

from app.adapters.storage import known
from app.adapters.storage.api_keys import ApiKeys
from app.adapters.storage.database import Database, open_current
from app.adapters.storage.sessions import Sessions
from app.api.access import SESSION_COOKIE
from app.api.sign_in import MAX_FORM_BYTES, own_path
from app.core.access import AccessScope, Actor, Principal
from tests.conftest import ServiceFactory

OPERATOR = Actor("cli:test")
PAGE = {"Accept": "text/html,application/xhtml+xml"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Service:
    """A service that asks for keys, seen by a browser that keeps no cookie by itself."""

    def __init__(self, client: TestClient, database: Database) -> None:
        self.client, self.keys = client, ApiKeys(database.engine)

    def key(self, *scopes: AccessScope) -> str:
        return self.keys.create("somebody", scopes or [AccessScope.READ], OPERATOR)

    def sign_in(self, key: str, **form: str) -> httpx2.Response:
        answer = self.client.post("/login", data={"key": key, **form}, follow_redirects=False)
        self.client.cookies.clear()
        return answer

    def visit(self, path: str, session: str | None = None, headers: dict[str, str] = PAGE) -> httpx2.Response:
        cookie = {} if session is None else {"Cookie": f"other=1; {SESSION_COOKIE}={session}"}
        return self.client.get(path, headers=headers | cookie, follow_redirects=False)

    def actions(self) -> list[tuple[str, str]]:
        key = self.key(AccessScope.ADMIN)
        lines = self.client.get("/v1/audit", headers={"Authorization": f"Bearer {key}"}).text.splitlines()
        found = [re.search(r'"actor": ?"([^"]+)".*"action": ?"(sign_\w+)"', line) for line in lines]
        return [(each[1], each[2]) for each in found if each]


def session_of(answer: httpx2.Response) -> str:
    return SimpleCookie(answer.headers["set-cookie"])[SESSION_COOKIE].value


@pytest.fixture
def service(serve: ServiceFactory, tmp_path: Iterator[str]) -> Iterator[Service]:
    url = f"sqlite:///{tmp_path}/test.db"
    with serve(database_url=url, authentication="required") as client, open_current(url) as database:
        yield Service(client, database)


@pytest.mark.parametrize("path", ["/", "/analyses?study=1.2&first_day=", "/v1/analyses/x/report"])
def test_a_page_leads_to_where_one_signs_in_and_back(service: Service, path: str) -> None:
    asked = service.visit(path)
    assert asked.status_code == 303
    page = service.visit(asked.headers["location"])
    assert page.status_code == 200
    hidden = re.search(r'name="next" value="([^"]*)"', page.text)
    assert hidden
    signed_in = service.sign_in(service.key(), next=hidden[1].replace("&amp;", "&"))
    assert (signed_in.status_code, signed_in.headers["location"]) == (303, path)


@pytest.mark.parametrize("headers", [{}, {"Accept": "*/*"}, {"Accept": "application/json"}])
def test_a_program_is_told_instead(service: Service, headers: dict[str, str]) -> None:
    answer = service.client.get("/v1/analyses", headers=headers, follow_redirects=False)
    assert answer.status_code == 401
    assert [each.split()[0] for each in answer.headers.get_list("www-authenticate")] == ["Bearer", "Basic"]


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Mode": "cors"}, {"Origin": "http://testserver"}, {"Cookie": f"{SESSION_COOKIE}=ended"}]
)
def test_a_pages_script_does_not_open_the_browsers_own_window(service: Service, headers: dict[str, str]) -> None:
    answer = service.client.post("/v1/previews", headers=headers)
    assert answer.status_code == 401
    assert "Basic" not in str(answer.headers)


def test_a_session_speaks_for_its_key_until_it_is_ended(service: Service) -> None:
    session = session_of(service.sign_in(service.key()))
    page = service.visit("/analyses", session)
    assert page.status_code == 200
    assert re.search(r"Signed in as key:[0-9a-f]{8}; may read", page.text)
    assert service.client.post("/v1/previews", headers={"Cookie": f"{SESSION_COOKIE}={session}"}).status_code == 403
    out = service.client.post("/logout", headers={"Cookie": f"{SESSION_COOKIE}={session}"}, follow_redirects=False)
    assert (out.status_code, out.headers["location"]) == (303, "/login")
    ended = service.visit("/analyses", session)
    assert "ended=true" in ended.headers["location"]
    assert "Your session has ended" in service.visit(ended.headers["location"]).text
    (into, _), (out_of, _) = actions = service.actions()
    assert into == out_of
    assert [action for _, action in actions] == ["sign_in", "sign_out"]


def test_a_session_ends_with_its_key(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    key = service.key()
    session = session_of(service.sign_in(key))
    assert service.visit("/analyses", session).status_code == 200
    service.keys.revoke(key.split("_")[1], OPERATOR)
    monkeypatch.setattr(known, "FRESH_S", 0)
    assert service.visit("/analyses", session).status_code == 303


@pytest.mark.parametrize("lifetime", [timedelta(0), timedelta(hours=1)])
def test_a_session_ends_by_itself(service: Service, lifetime: timedelta) -> None:
    sessions = Sessions(service.keys._engine, lifetime)
    token = sessions.open(Principal("key:00000000", frozenset([AccessScope.READ])), "")
    assert (sessions.find(token) is not None) == bool(lifetime)


def test_a_wrong_key_is_on_the_trail(service: Service) -> None:
    for _ in range(3):
        service.sign_in("wrong")
    service.client.app.state.runtime.refusals.write()  # type: ignore[attr-defined] # a FastAPI application
    key = service.key(AccessScope.ADMIN)
    trail = service.client.get("/v1/audit", headers={"Authorization": f"Bearer {key}"}).text
    assert "unauthenticated: POST /login" in trail
    assert "wrong" not in trail


@pytest.mark.parametrize("key", ["", "liverpdff_00000000_wrong", "é", "a.b.c", "x" * 10_000])
def test_a_wrong_key_is_told_on_the_page(service: Service, key: str) -> None:
    answer = service.sign_in(key, next="/analyses")
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert "This key is unknown" in answer.text
    assert 'value="/analyses"' in answer.text
    assert key not in ("", *re.findall(r'value="([^"]*)"', answer.text)) or not key


def test_the_cookie_is_for_this_service_alone(service: Service) -> None:
    cookie = service.sign_in(service.key()).headers["set-cookie"]
    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= {part.strip() for part in cookie.split(";")}
    assert "Secure" not in cookie, "the test speaks plain http"


def test_behind_tls_and_under_a_path(serve: ServiceFactory, tmp_path: Iterator[str]) -> None:
    url = f"sqlite:///{tmp_path}/test.db"
    public = "https://pacs.example.org/liver"
    with (
        serve(database_url=url, authentication="required", public_url=public) as client,
        open_current(url) as database,
    ):
        answer = Service(client, database).sign_in(ApiKeys(database.engine).create("x", [AccessScope.READ], OPERATOR))
    assert answer.headers["location"] == "/liver/"
    assert {"Secure", "Path=/liver"} <= {part.strip() for part in answer.headers["set-cookie"].split(";")}


@pytest.mark.parametrize(
    ("asked", "own"),
    [
        ("/analyses?study=1.2", "/analyses?study=1.2"),
        ("//elsewhere.example", "/"),
        ("/\\elsewhere.example", "/"),
        ("https://elsewhere.example/", "/"),
        ("/a\r\nSet-Cookie: x=y", "/"),
        ("", "/"),
    ],
)
def test_nobody_is_led_elsewhere(asked: str, own: str) -> None:
    assert own_path(asked) == own


def test_another_sites_page_can_neither_sign_in_nor_out(service: Service) -> None:
    for path in ("/login", "/logout"):
        answer = service.client.post(path, data={"key": "x"}, headers={"Origin": "http://elsewhere.example"})
        assert answer.status_code == 403


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [(b"key=" + b"x" * MAX_FORM_BYTES, FORM, 413), (b"{}", {"Content-Type": "application/json"}, 415), (b"", {}, 415)],
)
def test_what_is_not_the_form_is_refused(
    service: Service, content: bytes, headers: dict[str, str], status: int
) -> None:
    assert service.client.post("/login", content=content, headers=headers).status_code == status


def test_without_authentication_there_is_nothing_to_sign_in_to(client: TestClient) -> None:
    assert client.get("/login", follow_redirects=False).headers["location"] == "/"
    assert "Sign out" not in client.get("/").text


def test_a_key_that_may_only_read_is_told_so_on_the_upload_page(service: Service) -> None:
    reads = service.visit("/", session_of(service.sign_in(service.key(AccessScope.READ))))
    submits = service.visit("/", session_of(service.sign_in(service.key(AccessScope.READ, AccessScope.SUBMIT))))
    assert "may not submit" in reads.text
    assert "may not submit" not in submits.text
