"""API keys: made once, shown once, kept as a hash."""

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from hmac import compare_digest
from typing import Any, Final

from sqlalchemy import Engine, Row, select, update

from app.adapters.storage.audit_trail import Action, Event, append
from app.adapters.storage.database import reading, writing
from app.adapters.storage.known import KnownCredentials, digest
from app.adapters.storage.tables import api_keys
from app.core.access import AccessScope, Actor, Principal
from app.core.errors import InvalidRequest, UnknownResource

PREFIX: Final = "liverpdff"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is kept of a key.

    Attributes
    ----------
    id : str
        The part of the key that may be read by anyone.
    name : str
        Whose it is.
    scopes : frozenset of AccessScope
    created_at : datetime
    revoked_at : datetime or None
    """

    id: str
    name: str
    scopes: frozenset[AccessScope]
    created_at: datetime
    revoked_at: datetime | None = None


class ApiKeys:
    """Keys, in and out of the database.

    Parameters
    ----------
    engine : Engine

    Raises
    ------
    StorageUnavailable
        From every method, when the database does not answer.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known = KnownCredentials(self._read)

    def create(self, name: str, scopes: Collection[AccessScope], by: Actor) -> str:
        """Make a key.

        Returns
        -------
        str
            The key. Only its hash is kept: it cannot be shown again.
        """
        if not name.strip() or len(name) > 64 or not name.isprintable() or not scopes:
            raise InvalidRequest("A key needs a name of 1 to 64 characters and at least one scope.")
        key_id, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
        row = {
            "id": key_id,
            "name": name,
            "scopes": " ".join(sorted(scopes)),
            "secret_sha256": digest(secret),
            "created_at": datetime.now(UTC),
        }
        with writing(self._engine) as connection:
            connection.execute(api_keys.insert().values(row))
            append(connection, by, Event(Action.KEY_CREATE, f"key:{key_id}"))
        return f"{PREFIX}_{key_id}_{secret}"

    def list(self) -> list[ApiKey]:
        """List every key, the revoked ones too, oldest first."""
        with reading(self._engine) as connection:
            return [_key(row) for row in connection.execute(select(api_keys).order_by(api_keys.c.created_at))]

    def revoke(self, key_id: str, by: Actor) -> None:
        """Revoke a key, once.

        Raises
        ------
        UnknownResource
            If no valid key has this id.
        """
        valid = (api_keys.c.id == key_id) & api_keys.c.revoked_at.is_(None)
        with writing(self._engine) as connection:
            if not connection.execute(update(api_keys).where(valid).values(revoked_at=datetime.now(UTC))).rowcount:
                raise UnknownResource("No valid key has this id. `liver-pdff keys list` shows them.")
            append(connection, by, Event(Action.KEY_REVOKE, f"key:{key_id}"))

    def find(self, key: str) -> Principal | None:
        """Tell whom a key names; None if it is not a valid one."""
        return self._known.find(key)

    def _read(self, key: str) -> Principal | None:
        prefix, _, rest = key.partition("_")
        key_id, _, secret = rest.partition("_")
        if prefix != PREFIX or not secret:
            return None
        with reading(self._engine) as connection:
            row = connection.execute(select(api_keys).where(api_keys.c.id == key_id)).one_or_none()
        # The secret has 256 random bits: a plain hash cannot be guessed back, and a slow one would slow every request.
        if row is None or row.revoked_at is not None or not compare_digest(row.secret_sha256, digest(secret)):
            return None
        return Principal(f"key:{row.id}", _key(row).scopes)


def _key(row: Row[Any]) -> ApiKey:
    scopes = frozenset(map(AccessScope, row.scopes.split()))
    return ApiKey(row.id, row.name, scopes, row.created_at, row.revoked_at)
