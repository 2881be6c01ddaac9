"""Tokens of an issuer that this test is: real keys, real signatures, a real HTTP server."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from app.adapters import oidc
from app.adapters.oidc import Issuer, IssuerSettings, is_token, read_scopes
from app.core.access import AccessScope
from app.core.errors import IssuerUnavailable, Unauthenticated

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
SECRET = bytes(range(32))
EC_KEY = ec.generate_private_key(ec.SECP256R1())


@dataclass
class IssuerServer:
    """Publishes keys, and counts how often somebody asks."""

    settings: IssuerSettings
    jwks: dict[str, Any] = field(default_factory=dict)
    asked: int = 0
    is_up: bool = True

    def token(self, key: Any = KEY, kid: str = "first", algorithm: str = "RS256", **claims: Any) -> str:
        now = int(time.time())
        said = {
            "iss": self.settings.issuer,
            "aud": "liver-pdff",
            "sub": "dr-house",
            "exp": now + 60,
            "scope": "openid liver-pdff:read",
        }
        wanted = {name: value for name, value in (said | claims).items() if value is not None}
        return jwt.encode(wanted, key, algorithm, headers={"kid": kid})


def published(kid: str, key: Any, algorithm: Any = jwt.algorithms.RSAAlgorithm) -> dict[str, Any]:
    return {**json.loads(algorithm.to_jwk(key.public_key())), "kid": kid, "use": "sig"}


@pytest.fixture
def server() -> Iterator[IssuerServer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            own.asked += 1
            self.send_response(200 if own.is_up else 503)
            self.end_headers()
            discovery = {"jwks_uri": f"{own.settings.issuer}/keys"}
            self.wfile.write(json.dumps(own.jwks if self.path == "/keys" else discovery).encode())

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        own = IssuerServer(IssuerSettings(f"http://127.0.0.1:{http.server_port}", "liver-pdff"))
        own.jwks = {
            "keys": [published("first", KEY), published("curve", EC_KEY, jwt.algorithms.ECAlgorithm)],
        }
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield own
        http.shutdown()


@pytest.fixture
def issuer(server: IssuerServer) -> Issuer:
    return Issuer(server.settings)


def test_a_token_names_its_subject_and_scopes(server: IssuerServer, issuer: Issuer) -> None:
    principal = issuer.verify(server.token())
    assert principal.name == "oidc:dr-house"
    assert principal.scopes == {AccessScope.READ}
    assert issuer.verify(server.token(EC_KEY, "curve", "ES256")).name == "oidc:dr-house"
    assert server.asked == 2, "discovery and keys, once"


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://elsewhere.example"},
        {"aud": "something-else"},
        {"aud": None},
        {"sub": None},
        {"exp": None},
        {"exp": 1},
        {"nbf": 2**31},
        {"exp": 2**32},
    ],
)
def test_a_token_for_somebody_else_or_another_time_is_refused(
    server: IssuerServer, issuer: Issuer, claims: dict[str, Any]
) -> None:
    with pytest.raises(Unauthenticated):
        issuer.verify(server.token(**claims))


def test_a_forged_token_is_refused(server: IssuerServer, issuer: Issuer) -> None:
    unsigned = jwt.encode({"sub": "x"}, None, "none", headers={"kid": "first"})  # type: ignore[arg-type] # no key is the point
    forged = [
        server.token(OTHER_KEY),
        server.token(OTHER_KEY, "unknown"),
        server.token(b"a secret that the issuer does not have", "first", "HS256"),
        unsigned,
        server.token()[:-8] + "AAAAAAAA",
        "a.b.c",
        "..",
        "é.é.é",
    ]
    for token in forged:
        with pytest.raises(Unauthenticated):
            issuer.verify(token)


@pytest.mark.parametrize(("hours", "is_taken"), [(23, True), (25, False)])
def test_a_token_is_valid_for_a_day_at_most(server: IssuerServer, issuer: Issuer, hours: int, is_taken: bool) -> None:
    token = server.token(exp=int(time.time()) + 3600 * hours)
    if is_taken:
        assert issuer.verify(token)
    else:
        with pytest.raises(Unauthenticated, match="more than 24 hours"):
            issuer.verify(token)


@pytest.mark.parametrize("said", ["RS256", None])
@pytest.mark.parametrize("algorithm", ["RS256", "RS512", "PS256", "PS384"])
def test_a_key_that_names_no_algorithm_is_good_for_all_of_its_kind(
    server: IssuerServer, issuer: Issuer, said: str | None, algorithm: str
) -> None:
    if said:
        server.jwks["keys"][0]["alg"] = said
    token = server.token(algorithm=algorithm)
    if said in (None, algorithm):
        assert issuer.verify(token)
    else:
        with pytest.raises(Unauthenticated):
            issuer.verify(token)


def test_keys_of_other_kinds_are_passed_over(server: IssuerServer, issuer: Issuer) -> None:
    server.jwks["keys"] = [{"kty": "oct", "k": SECRET.hex()}, {"kty": "new"}, {}, *server.jwks["keys"]]
    assert issuer.verify(server.token())
    with pytest.raises(Unauthenticated):
        issuer.verify(jwt.encode({"sub": "x"}, jwt.utils.base64url_decode(SECRET.hex()), "HS256"))


def test_a_new_key_of_the_issuer_is_found_but_not_looked_for_at_every_request(
    server: IssuerServer, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer.verify(server.token())
    server.jwks["keys"].append(published("second", OTHER_KEY))
    for _ in range(20):
        with pytest.raises(Unauthenticated):
            issuer.verify(server.token(OTHER_KEY, "second"))
    assert server.asked == 2
    monkeypatch.setattr("app.adapters.oidc.monotonic", lambda: time.monotonic() + oidc.MIN_REFRESH_S + 1)
    assert issuer.verify(server.token(OTHER_KEY, "second"))


def test_known_keys_outlive_the_issuer(
    server: IssuerServer, issuer: Issuer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    issuer.verify(server.token())
    server.is_up = False
    monkeypatch.setattr("app.adapters.oidc.monotonic", lambda: time.monotonic() + oidc.KEYS_FRESH_S + 1)
    assert issuer.verify(server.token())
    assert "cannot be fetched" in caplog.text


def test_an_issuer_that_never_answered_is_503_and_asked_again_after_a_while(
    server: IssuerServer, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.is_up = False
    for _ in range(2):
        with pytest.raises(IssuerUnavailable):
            issuer.verify(server.token())
    server.is_up = True
    monkeypatch.setattr("app.adapters.oidc.monotonic", lambda: time.monotonic() + oidc.RETRY_AFTER_S + 1)
    assert issuer.verify(server.token())


def test_no_token_waits_for_an_issuer_that_has_just_not_answered(
    issuer: Issuer, server: IssuerServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def hangs(url: str) -> dict[str, Any]:
        asked.append(url)
        raise TimeoutError

    monkeypatch.setattr("app.adapters.oidc.fetch_json", hangs)
    for _ in range(20):
        with pytest.raises(IssuerUnavailable):
            issuer.verify(server.token())
    assert len(asked) == 1


@pytest.mark.parametrize("subject", ["", "  ", 7, None])
def test_a_token_of_nobody_is_none(server: IssuerServer, issuer: Issuer, subject: object) -> None:
    with pytest.raises(Unauthenticated):
        issuer.verify(server.token(sub=subject))


@pytest.mark.parametrize(
    ("claim", "claims", "expected"),
    [
        ("scope", {"scope": "liver-pdff:submit liver-pdff:read other:admin"}, {"submit", "read"}),
        ("scp", {"scp": ["liver-pdff:metrics", 7]}, {"metrics"}),
        ("realm_access.roles", {"realm_access": {"roles": ["liver-pdff:admin"]}}, {"admin"}),
        ("realm_access.roles", {"realm_access": "liver-pdff:admin"}, set()),
        ("scope", {"scope": "read admin"}, set()),
        ("scope", {}, set()),
    ],
)
def test_scopes_stand_where_the_settings_say(claim: str, claims: dict[str, Any], expected: set[str]) -> None:
    settings = replace(IssuerSettings("https://issuer.example", "liver-pdff"), scope_claim=claim)
    assert read_scopes(claims, settings) == expected


def test_a_key_is_no_token() -> None:
    assert not is_token("liverpdff_0123abcd_secret")
    assert is_token("a.b.c")
