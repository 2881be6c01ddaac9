"""Who may ask what: one rule from method and path to scope."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class AccessScope(StrEnum):
    """What a key or a token may allow."""

    SUBMIT = "submit"
    READ = "read"
    METRICS = "metrics"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Principal:
    """Whom a credential names.

    Attributes
    ----------
    name : str
        As the audit trail writes it: ``key:0123abcd``, ``oidc:SUBJECT``.
    scopes : frozenset of AccessScope
    valid_until : datetime or None
        When the credential ends by itself, UTC.
    """

    name: str
    scopes: frozenset[AccessScope]
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, and from where.

    Attributes
    ----------
    name : str
        Of the principal.
    address : str
        IP address of the client; empty for what the service does by itself.
    """

    name: str
    address: str = ""


ANYONE = Principal("anyone", frozenset(AccessScope))
"""Who asks a service that runs without authentication."""
SERVICE = Actor("service")
"""The service, where nobody asked: housekeeping, the command line."""

SIGN_IN = "/login"
SIGN_OUT = "/logout"
_OPEN_PATHS = (SIGN_IN, "/livez", "/readyz", "/docs", "/redoc", "/openapi.json", "/favicon.ico")
_OPEN_FOLDERS = ("/static-offline-docs/", "/static/")


def required_scope(method: str, path: str) -> AccessScope | None:
    """Tell which scope a request needs; None for what anybody may see.

    Parameters
    ----------
    method, path : str
        Of HTTP, upper case; the path without query.
    """
    if method in ("GET", "HEAD"):
        return _scope_to_read(path)
    if method == "POST":
        return None if path in (SIGN_IN, SIGN_OUT) else AccessScope.SUBMIT
    return AccessScope.ADMIN


def _scope_to_read(path: str) -> AccessScope | None:
    if path in _OPEN_PATHS or path.startswith(_OPEN_FOLDERS):
        return None
    if path == "/metrics":
        return AccessScope.METRICS
    return AccessScope.ADMIN if path.startswith("/v1/audit") else AccessScope.READ
