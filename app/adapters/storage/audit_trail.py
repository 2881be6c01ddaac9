"""The audit trail: who did what to which analysis. It can only grow; the database itself sees to that."""

import hashlib
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row, func, select, text

from app.adapters.storage.database import RETRY_AFTER_S, reading, writing
from app.adapters.storage.tables import audit_events
from app.core.access import Actor
from app.core.errors import StorageUnavailable
from app.core.values import Analysis

_PAGE: Final = 1000
SETTLE_S: Final = 3.0
"""Writers commit within milliseconds; an export that finds one slower than this is refused, not cut short."""
_POLL_S: Final = 0.005


class Action(StrEnum):
    """What can be done."""

    SUBMIT = "submit"
    """An analysis was made and stored."""
    REPEAT = "repeat"
    """The same question again: the stored analysis was given."""
    RECEIVE = "receive"
    """Instances of a study were kept."""
    READ = "read"
    SEARCH = "search"
    """Something was looked for that is not there."""
    REFUSE = "refuse"
    """A call was refused, for want of a valid key or of the scope, or because another site's page sent it."""
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
    action : str
        An `Action`; a later version may have written others.
    subject : str
        Id of an analysis or of a key; empty where there is none.
    study_digest : str
        `study_digest` of the study that it was about.
    bundle_sha256 : str
        Of the bundle that answered.
    detail : str
        Of a refused call its code, method and address, the latter as a template.
    times : int
        How often it happened within a minute, where one record counts them.
    """

    action: str
    subject: str = ""
    study_digest: str = ""
    bundle_sha256: str = ""
    detail: str = ""
    times: int = 1


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
        return {name: value for name, value in said.items() if value != "" and (name, value) != ("times", 1)}


def in_vain(study_instance_uid: str | None, subject: str = "") -> Event:
    """Say that something was looked for, of a study, under an id or at all, and not found."""
    return Event(Action.SEARCH, subject, study_digest(study_instance_uid) if study_instance_uid else "")


def study_digest(study_instance_uid: str) -> str:
    """Name a study where its UID must not stand: whoever has the UID finds it, nobody gets the UID back.

    Returns
    -------
    str
        The first 16 hexadecimal digits of the UID's SHA-256.
    """
    return hashlib.sha256(study_instance_uid.encode()).hexdigest()[:16]


def seen(analyses: Iterable[Analysis], study_instance_uid: str | None) -> list[Event]:
    """Say that somebody saw a list of analyses, of one study or of all; or that it was empty."""
    return [about(Action.READ, analysis) for analysis in analyses] or [in_vain(study_instance_uid)]


def about(action: Action, analysis: Analysis) -> Event:
    """Say that something was done to an analysis."""
    return Event(
        action, analysis.id, study_digest(analysis.estimate.study_instance_uid), bundle_sha256=analysis.bundle.sha256
    )


def append(connection: Connection, by: Actor, *events: Event) -> None:
    """Record events in a transaction of somebody else, so that both happen or neither."""
    _append_each(connection, ((by, event) for event in events))


def _append_each(connection: Connection, events: Iterable[tuple[Actor, Event]]) -> None:
    now = datetime.now(UTC)
    rows = [{"at": now, "actor": by.name[:128], "address": by.address[:64], **asdict(event)} for by, event in events]
    if rows:
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
        self.record_each((by, event) for event in events)

    def record_each(self, events: Iterable[tuple[Actor, Event]]) -> None:
        """Record what several did, in one transaction."""
        if listed := list(events):
            with writing(self._engine) as connection:
                _append_each(connection, listed)

    def records(self, since: datetime | None = None, after_id: int = 0) -> Iterator[Record]:
        """Give the records in the order of their numbers, a page of them in memory at a time.

        A reader that continues after the last number given misses no record: every lower number has been committed,
        or never will be.

        Parameters
        ----------
        since : datetime, optional
            At this time or later.
        after_id : int
            With a higher number.

        Raises
        ------
        StorageUnavailable
            Also where a transaction that may hold a lower number stays open for `SETTLE_S`.
        """
        return self._pages(since, after_id, self._settled_id())

    def _pages(self, since: datetime | None, after_id: int, last_id: int) -> Iterator[Record]:
        while page := self._page(since, after_id, last_id):
            yield from page
            after_id = page[-1].id

    def _page(self, since: datetime | None, after_id: int, last_id: int) -> list[Record]:
        between = audit_events.c.id > after_id, audit_events.c.id <= last_id
        query = select(audit_events).where(*between).order_by(audit_events.c.id).limit(_PAGE)
        if since is not None:
            query = query.where(audit_events.c.at >= since)
        with reading(self._engine) as connection:
            return [_record(row) for row in connection.execute(query)]

    def _settled_id(self) -> int:
        """Find a number below which nothing can appear any more.

        SQLite has one writer at a time. PostgreSQL numbers a record when it is inserted, not when it is committed. A
        transaction locks the table before it takes a number, and releases the lock after its commit has become
        visible. So once the transactions that hold the lock now have ended, no lower number can appear.
        """
        with reading(self._engine) as connection:
            newest = connection.execute(select(func.max(audit_events.c.id))).scalar() or 0
        if self._engine.dialect.name == "postgresql":
            self._await_writers()
        return newest

    def _await_writers(self) -> None:
        deadline = time.monotonic() + SETTLE_S
        waiting_for = writers = self._writers()
        while waiting_for:
            if time.monotonic() > deadline:
                raise StorageUnavailable(
                    "A transaction on the audit trail has been open for seconds, and what follows it cannot be put in "
                    "order before it ends. Ask again in a moment.",
                    retry_after_s=RETRY_AFTER_S,
                )
            time.sleep(_POLL_S)
            waiting_for = writers & self._writers()

    def _writers(self) -> set[str]:
        with reading(self._engine) as connection:
            return set(connection.execute(_WRITERS).scalars())


_WRITERS: Final = text(
    "SELECT virtualtransaction FROM pg_locks JOIN pg_database ON pg_database.oid = database AND granted"
    " WHERE datname = current_database() AND relation = 'audit_events'::regclass AND mode = 'RowExclusiveLock'"
)


def _record(row: Row[Any]) -> Record:
    event = Event(row.action, row.subject, row.study_digest, row.bundle_sha256, row.detail, row.times)
    return Record(row.id, row.at, Actor(row.actor, row.address), event)
