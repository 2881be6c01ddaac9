"""Refused calls on the trail: counted at once, written beside the requests."""

import pytest

from app.adapters.storage.audit_trail import Action, AuditTrail, Record
from app.adapters.storage.database import Database
from app.adapters.storage.refusals import MOST_KINDS, UNKNOWN, WRITTEN_EVERY_S, Refusals
from app.core.access import Actor
from app.core.errors import StorageUnavailable

STRANGER = Actor(UNKNOWN, "198.51.100.7")
CALL = "GET /v1/analyses"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("app.adapters.storage.refusals.time.monotonic", clock)
    return clock


@pytest.fixture
def counted(database: Database) -> Refusals:
    return Refusals(AuditTrail(database.engine))


def written(database: Database) -> list[Record]:
    return list(AuditTrail(database.engine).records())


def test_the_first_is_written_soon_and_the_next_together_a_minute_later(
    counted: Refusals, database: Database, clock: Clock
) -> None:
    for passed_s, refused in ((0, 1), (1, 3), (2, 0), (WRITTEN_EVERY_S, 4), (2 * WRITTEN_EVERY_S + 1, 0)):
        clock.now = 1000 + passed_s
        for _ in range(refused):
            counted.note(STRANGER, "unauthenticated", CALL)
        counted.write(WRITTEN_EVERY_S)
    assert [(record.event.action, record.event.times) for record in written(database)] == [
        (Action.REFUSE, 1),
        (Action.REFUSE, 7),
    ]
    assert written(database)[0].actor == STRANGER
    assert written(database)[0].event.detail == f"unauthenticated: {CALL}"


def test_many_addresses_are_counted_and_not_all_told_apart(counted: Refusals, database: Database) -> None:
    for number in range(MOST_KINDS + 100):
        counted.note(Actor(UNKNOWN, f"2001:db8::{number:x}"), "unauthenticated", CALL)
    counted.write()
    records = written(database)
    assert len(records) == MOST_KINDS + 1
    assert sum(record.event.times for record in records) == MOST_KINDS + 100
    assert [record.event.times for record in records if record.actor == Actor(UNKNOWN)] == [100]


def test_what_cannot_be_written_is_written_later(counted: Refusals, database: Database) -> None:
    counted.note(STRANGER, "forbidden", CALL)
    database.downgrade("0003")
    with pytest.raises(StorageUnavailable):
        counted.write()
    database.upgrade()
    counted.write()
    counted.write()
    assert [record.event.times for record in written(database)] == [1]


def test_a_text_that_no_database_takes_is_taken(counted: Refusals, database: Database) -> None:
    counted.note(Actor("oidc:a\0b", "x" * 500), "forbidden", CALL)
    counted.write()
    assert written(database)[0].actor == Actor("oidc:a?b", "x" * 64)
