"""Credentials that were found in the database, remembered for a while."""

import hashlib
from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import Final

from cachetools import TTLCache

from app.core.access import Principal
from app.core.errors import StorageUnavailable

FRESH_S: Final = 10
"""A revoked credential works for so long at most."""
STALE_S: Final = 3600
"""While the database is gone, a known credential works for so long: monitoring must go on just then."""
_MAX_KNOWN: Final = 1024
_MAX_LENGTH: Final = 128


class KnownCredentials:
    """Looks credentials up.

    Parameters
    ----------
    read : callable
        Finds in the database whom a credential names; None if it is not valid.
    """

    def __init__(self, read: Callable[[str], Principal | None]) -> None:
        self._read = read
        self._known: TTLCache[str, tuple[Principal, float]] = TTLCache(_MAX_KNOWN, STALE_S)
        self._lock = Lock()

    def find(self, credential: str) -> Principal | None:
        """Tell whom a credential names; None if it is not valid.

        Raises
        ------
        StorageUnavailable
            When the database does not answer, unless the credential was known shortly before.
        """
        if len(credential) > _MAX_LENGTH or not (credential.isascii() and credential.isprintable()):
            return None
        name = digest(credential)
        with self._lock:
            known = self._known.get(name)
        if known and monotonic() - known[1] < FRESH_S:
            return known[0]
        try:
            principal = self._read(credential)
        except StorageUnavailable:
            if known:
                return known[0]
            raise
        self._remember(name, principal)
        return principal

    def forget(self, credential: str) -> None:
        """Ask the database when the credential comes next."""
        self._remember(digest(credential), None)

    def _remember(self, name: str, principal: Principal | None) -> None:
        with self._lock:
            if principal:
                self._known[name] = principal, monotonic()
            else:
                self._known.pop(name, None)


def digest(text: str) -> str:
    """Give the SHA-256 of a text, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()
