"""The audit trail: who did what to which analysis. It can only grow; the database itself sees to that."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row, select

from app.adapters.storage.database import reading, writing
from app.adapters.storage.tables import audit_events
from app.core.access import Actor
from app.core.values import Analysis

_PAGE: Final = 1000


class Action(StrEnum):
    """What can be done."""

    SUBMIT = "submit"
    """An analysis was made and stored."""
    REPEAT = "repeat"
    """The same question again: the stored analysis was given."""
    RECEIVE = "receive"
    """Instances of a study were kept."""
    READ = "read"
    DELETE = "delete"
    EXPIRE = "expire"
    """Deleted because the retention period was over."""
    EXPORT = "export"
    """The trail itself was read."""
    SIGN_IN = "sign_in"
    SIGN_OUT = "sign_out"
    KEY_CREATE = "key_create"
    KEY_REVOKE = "key_revoke"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that was done.

    Attributes
    ----------
    action : Action
    subject : str
        Id of an analysis or of a key; empty where there is none.
    study_digest : str
        `study_digest` of the study that it was about.
    bundle_sha256 : str
        Of the bundle that answered.
    """

    action: Action
    subject: str = ""
    study_digest: str = ""
    bundle_sha256: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """An event as it was recorded.

    Attributes
    ----------
    id : int
        Numbers grow; PostgreSQL leaves some out.
    at : datetime
        UTC.
    actor : Actor
    event : Event
    """

    id: int
    at: datetime
    actor: Actor
    event: Event

    def document(self) -> dict[str, Any]:
        """Write the record as one JSON object, without members that say nothing."""
        said = {
            "id": self.id,
            "at": self.at.isoformat(),
            "actor": self.actor.name,
            "address": self.actor.address,
            **asdict(self.event),
        }
        return {name: value for name, value in said.items() if value != ""}


def study_digest(study_instance_uid: str) -> str:
    """Name a study where its UID must not stand: whoever has the UID finds it, nobody gets the UID back.

    Returns
    -------
    str
        The first 16 hexadecimal digits of the UID's SHA-256.
    """
    return hashlib.sha256(study_instance_uid.encode()).hexdigest()[:16]


def about(action: Action, analysis: Analysis) -> Event:
    """Say that something was done to an analysis."""
    return Event(
        action, analysis.id, study_digest(analysis.estimate.study_instance_uid), bundle_sha256=analysis.bundle.sha256
    )


def append(connection: Connection, by: Actor, *events: Event) -> None:
    """Record events in a transaction of somebody else, so that both happen or neither."""
    now = datetime.now(UTC)
    who = {"at": now, "actor": by.name[:128], "address": by.address[:64]}
    if rows := [who | asdict(event) for event in events]:
        connection.execute(audit_events.insert(), rows)


class AuditTrail:
    """The trail, in and out of the database.

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

    def record(self, by: Actor, events: Iterable[Event]) -> None:
        """Record events in a transaction of their own."""
        if listed := list(events):
            with writing(self._engine) as connection:
                append(connection, by, *listed)

    def records(self, since: datetime | None = None, after_id: int = 0) -> Iterator[Record]:
        """Give the records in the order of their numbers, a page of them in memory at a time.

        Parameters
        ----------
        since : datetime, optional
            At this time or later.
        after_id : int
            With a higher number.
        """
        while page := self._page(since, after_id):
            yield from page
            after_id = page[-1].id

    def _page(self, since: datetime | None, after_id: int) -> list[Record]:
        query = select(audit_events).where(audit_events.c.id > after_id).order_by(audit_events.c.id).limit(_PAGE)
        if since is not None:
            query = query.where(audit_events.c.at >= since)
        with reading(self._engine) as connection:
            return [_record(row) for row in connection.execute(query)]


def _record(row: Row[Any]) -> Record:
    event = Event(Action(row.action), row.subject, row.study_digest, row.bundle_sha256)
    return Record(row.id, row.at, Actor(row.actor, row.address), event)
