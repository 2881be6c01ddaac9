"""Sessions of people who sign in on the page: a random token in a cookie, its hash here."""

import secrets
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, delete, select

from app.adapters.storage.audit_trail import Action, Event, append
from app.adapters.storage.database import reading, writing
from app.adapters.storage.known import KnownCredentials, digest
from app.adapters.storage.tables import api_keys, sessions
from app.core.access import AccessScope, Actor, Principal


class Sessions:
    """Sessions, in and out of the database.

    Parameters
    ----------
    engine : Engine
    lifetime : timedelta
        Of each.

    Raises
    ------
    StorageUnavailable
        From every method, when the database does not answer.
    """

    def __init__(self, engine: Engine, lifetime: timedelta) -> None:
        self._engine = engine
        self._lifetime = lifetime
        self._known = KnownCredentials(self._read)

    def open(self, principal: Principal, address: str) -> str:
        """Begin a session, which ends with the credential at the latest; those that have ended are removed.

        Parameters
        ----------
        principal : Principal
            Who signs in.
        address : str
            IP address of the client.

        Returns
        -------
        str
            The token. Only its hash is kept.
        """
        token, now = secrets.token_urlsafe(32), datetime.now(UTC)
        kind, _, key_id = principal.name.partition(":")
        row = {
            "token_sha256": digest(token),
            "principal": principal.name,
            "scopes": " ".join(sorted(principal.scopes)),
            "key_id": key_id if kind == "key" else None,
            "created_at": now,
            "expires_at": min(now + self._lifetime, principal.valid_until or datetime.max.replace(tzinfo=UTC)),
        }
        with writing(self._engine) as connection:
            connection.execute(delete(sessions).where(sessions.c.expires_at <= now))
            connection.execute(sessions.insert().values(row))
            append(connection, Actor(principal.name, address), Event(Action.SIGN_IN))
        return token

    def find(self, token: str) -> Principal | None:
        """Tell whose session it is; None if it has ended, or the key was revoked."""
        principal = self._known.find(token)
        has_ended = principal and principal.valid_until and principal.valid_until <= datetime.now(UTC)
        return None if has_ended else principal

    def close(self, token: str, address: str) -> None:
        """End a session; one that has ended already stays so."""
        with writing(self._engine) as connection:
            ended = delete(sessions).where(sessions.c.token_sha256 == digest(token)).returning(sessions.c.principal)
            for name in connection.execute(ended).scalars():
                append(connection, Actor(name, address), Event(Action.SIGN_OUT))
        self._known.forget(token)

    def _read(self, token: str) -> Principal | None:
        query = (
            select(sessions, api_keys.c.revoked_at)
            .outerjoin(api_keys, api_keys.c.id == sessions.c.key_id)
            .where(sessions.c.token_sha256 == digest(token), sessions.c.expires_at > datetime.now(UTC))
        )
        with reading(self._engine) as connection:
            row = connection.execute(query).one_or_none()
        if row is None or row.revoked_at is not None:
            return None
        return Principal(row.principal, frozenset(map(AccessScope, row.scopes.split())), row.expires_at)
