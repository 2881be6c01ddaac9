"""Bearer tokens of an OpenID Connect issuer: PyJWT's only door."""

import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from time import monotonic, time
from typing import Any, Final
from urllib.request import Request, urlopen

import jwt

from app.core.access import AccessScope, Principal
from app.core.errors import IssuerUnavailable, Unauthenticated

logger = logging.getLogger(__name__)

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Asymmetric only: with HS256 the public key would serve as the secret."""
_RSA_ALGORITHMS: Final = tuple(name for name in ALGORITHMS if name.startswith(("RS", "PS")))
SECONDS_PER_HOUR: Final = 3600
LEEWAY_S: Final = 30
KEYS_FRESH_S: Final = 300
MIN_REFRESH_S: Final = 10
"""Tokens with made-up key ids must not make the service knock at the issuer's door at every request."""
TIMEOUT_S: Final = 3
RETRY_AFTER_S: Final = 5
_MAX_DOCUMENT_BYTES: Final = 1 << 20
_DOTS_IN_A_TOKEN: Final = 2
Keys = dict[tuple[str | None, str | None], jwt.PyJWK]
"""By key id and algorithm."""


@dataclass(frozen=True, slots=True)
class IssuerSettings:
    """Whose tokens are taken.

    Attributes
    ----------
    issuer : str
        URL, exactly as the tokens' ``iss`` has it.
    audience : str
        The tokens' ``aud``: this service.
    jwks_url : str
        Where the keys are; empty: the issuer's discovery document says.
    scope_claim : str
        Claim that holds the scopes, a text with blanks or a list; dots lead into objects, as in ``realm_access.roles``.
    scope_prefix : str
        Stands before a scope of ours.
    max_hours : float
        A token that is valid for longer from now on is refused: one that is lost could be used as long.
    """

    issuer: str
    audience: str
    jwks_url: str = ""
    scope_claim: str = "scope"
    scope_prefix: str = "liver-pdff:"
    max_hours: float = 24


class Issuer:
    """Checks tokens by the issuer's public keys, which are fetched when they are needed first.

    Parameters
    ----------
    settings : IssuerSettings
    """

    def __init__(self, settings: IssuerSettings) -> None:
        self._settings = settings
        self._keys: Keys = {}
        self._fetched = -float("inf")
        self._lock = Lock()

    def verify(self, token: str) -> Principal:
        """Tell whom a token names.

        Raises
        ------
        Unauthenticated
            If it is none, is not signed by the issuer, is for somebody else, or is not valid now.
        IssuerUnavailable
            If the issuer's keys cannot be fetched.
        """
        try:
            header = jwt.get_unverified_header(token)
            key = self._key(header.get("kid"), header.get("alg"))
            claims = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=self._settings.audience,
                issuer=self._settings.issuer,
                leeway=LEEWAY_S,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.PyJWTError as error:
            raise Unauthenticated("The token is not valid here and now. Get a new one from the issuer.") from error
        if not isinstance(claims["sub"], str) or not claims["sub"].strip():
            raise Unauthenticated("The token does not say whose it is: its `sub` is empty.")
        if claims["exp"] - time() > SECONDS_PER_HOUR * self._settings.max_hours:
            raise Unauthenticated(
                f"The token is valid for more than {self._settings.max_hours:g} hours. Get a shorter one."
            )
        valid_until = datetime.fromtimestamp(claims["exp"], UTC)
        return Principal(f"oidc:{claims['sub']}", read_scopes(claims, self._settings), valid_until)

    def _key(self, key_id: str | None, algorithm: str | None) -> jwt.PyJWK:
        with self._lock:
            age_s = monotonic() - self._fetched
            if not self._keys and age_s <= RETRY_AFTER_S:
                raise _unavailable()  # it has just failed to answer, and asking again would make every token wait
            is_known = any(each == key_id for each, _ in self._keys)
            if not self._keys or age_s > KEYS_FRESH_S or (not is_known and age_s > MIN_REFRESH_S):
                self._refresh()
            key = self._keys.get((key_id, algorithm))
            if key is None:
                raise Unauthenticated("The token is signed with a key, or in a way, that the issuer does not publish.")
            return key

    def _refresh(self) -> None:
        """Fetch the keys; those that are known stay in use while the issuer does not answer."""
        self._fetched = monotonic()
        try:
            keys = read_keys(fetch_json(self._jwks_url()))
        except (OSError, ValueError, KeyError, TypeError, jwt.PyJWTError) as error:
            logger.warning("the issuer's keys cannot be fetched: %s", type(error).__name__)
            if not self._keys:
                raise _unavailable() from error
        else:
            self._keys = keys

    def _jwks_url(self) -> str:
        settings = self._settings
        if settings.jwks_url:
            return settings.jwks_url
        return str(fetch_json(f"{settings.issuer.rstrip('/')}/.well-known/openid-configuration")["jwks_uri"])


def read_keys(document: Mapping[str, Any]) -> Keys:
    """Read the keys of a JSON Web Key Set (RFC 7517) that can verify a token.

    A key need not say its algorithm (4.4): one of RSA is then good for all of RSA's. Other keys that tokens are not
    signed with are passed over.

    Raises
    ------
    ValueError
        If there is none.
    """
    found: Keys = {}
    for each in document["keys"]:
        says_none = each.get("kty") == "RSA" and not each.get("alg")
        for algorithm in _RSA_ALGORITHMS if says_none else (each.get("alg"),):
            with suppress(jwt.PyJWTError):  # of another kind, or damaged
                key = jwt.PyJWK(each, algorithm)
                found[each.get("kid"), key.algorithm_name] = key
    if not found:
        raise ValueError("no usable key")
    return found


def _unavailable() -> IssuerUnavailable:
    return IssuerUnavailable(
        "The issuer of tokens does not answer. Send again in a moment, or use an API key.", retry_after_s=RETRY_AFTER_S
    )


def fetch_json(url: str) -> dict[str, Any]:
    """Get a JSON object from the issuer."""
    request = Request(url, headers={"Accept": "application/json"})  # noqa: S310 - https, or http on the loopback: settings
    with urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310 - as above
        document = json.loads(answer.read(_MAX_DOCUMENT_BYTES))
    if not isinstance(document, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - what the sender sent, not our type
    return document


def is_token(credential: str) -> bool:
    """Tell a token, three parts with dots between them, from a key."""
    return credential.count(".") == _DOTS_IN_A_TOKEN


def read_scopes(claims: Mapping[str, Any], settings: IssuerSettings) -> frozenset[AccessScope]:
    """Take our scopes out of a token's claims; what else it allows elsewhere is none of ours."""
    claim: Any = claims
    for step in settings.scope_claim.split("."):
        claim = claim.get(step) if isinstance(claim, Mapping) else None
    said = claim.split() if isinstance(claim, str) else claim if isinstance(claim, list) else []
    return frozenset(scope for scope in AccessScope if f"{settings.scope_prefix}{scope}" in said)
