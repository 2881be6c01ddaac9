"""Shipping the trail by `after_id` while it grows, with transactions that are slow, long or rolled back."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

import pytest
from sqlalchemy import func, select

from app.adapters.storage import audit_trail
from app.adapters.storage.audit_trail import Action, AuditTrail, Event, append
from app.adapters.storage.database import Database, writing
from app.adapters.storage.tables import audit_events
from app.core.access import Actor
from app.core.errors import StorageUnavailable

SENDER = Actor("key:0123abcd", "192.0.2.7")
WRITERS = 8


class RolledBack(Exception):
    pass


def write(database: Database, name: str, open_s: float, *, fails: bool) -> None:
    with suppress(RolledBack), writing(database.engine) as connection:
        append(connection, SENDER, Event(Action.READ, name))
        time.sleep(open_s)
        if fails:
            raise RolledBack


def write_many(database: Database, writer: int, count: int) -> None:
    """Write many records; every seventh is rolled back, and one in fifty stays open for a while."""
    for number in range(count):
        write(database, f"{writer}.{number}", 0.02 if number % 50 == writer else 0, fails=number % 7 == 3)


def ship(trail: AuditTrail, is_over: Callable[[], bool]) -> list[int]:
    """Go on behind the last record, time and again, as a program does that ships the trail."""
    shipped: list[int] = []
    last = False
    while not last:
        last = is_over()  # before the last look
        shipped += [record.id for record in trail.records(after_id=shipped[-1] if shipped else 0)]
    return shipped


def shipped_while_written(database: Database, events: int, readers: int = 2) -> tuple[list[list[int]], list[int]]:
    """Give what each reader shipped, and what stands on the trail in the end."""
    trail = AuditTrail(database.engine)
    with ThreadPoolExecutor(WRITERS + readers) as pool:
        writing_ = [pool.submit(write_many, database, writer, events // WRITERS) for writer in range(WRITERS)]
        shipping = [pool.submit(ship, trail, lambda: all(map(Future.done, writing_))) for _ in range(readers)]
        for each in writing_:
            each.result()
        shipped = [each.result() for each in shipping]
    with database.engine.connect() as connection:
        return shipped, list(connection.execute(select(audit_events.c.id).order_by(audit_events.c.id)).scalars())


def test_following_the_trail_by_number_misses_nothing(database: Database, audited_events: int) -> None:
    events = audited_events // 8 if database.is_embedded else audited_events  # its writers wait for each other
    shipped, written = shipped_while_written(database, events)
    assert len(written) > events * 0.8
    assert shipped == [written, written]


@pytest.mark.real
@pytest.mark.parametrize("fails", [False, True])
def test_a_record_that_is_committed_late_is_waited_for(database: Database, fails: bool) -> None:
    if database.is_embedded:
        pytest.skip("SQLite has one writer at a time")
    trail = AuditTrail(database.engine)
    with ThreadPoolExecutor(1) as pool:
        early = pool.submit(write, database, "early", 0.3, fails=fails)
        while not audit_lock_is_held(trail):
            time.sleep(0.01)
        trail.record(SENDER, [Event(Action.READ, "late")])
        subjects = [record.event.subject for record in trail.records()]
        early.result()
    assert subjects == (["late"] if fails else ["early", "late"])


@pytest.mark.real
def test_one_that_stays_open_is_refused_and_nothing_is_skipped(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database.is_embedded:
        pytest.skip("SQLite has one writer at a time")
    monkeypatch.setattr(audit_trail, "SETTLE_S", 0.1)
    trail = AuditTrail(database.engine)
    with writing(database.engine) as connection:
        append(connection, SENDER, Event(Action.READ, "early"))
        trail.record(SENDER, [Event(Action.READ, "late")])
        with pytest.raises(StorageUnavailable, match="open for seconds"):
            trail.records()
    assert [record.event.subject for record in trail.records()] == ["early", "late"]


def audit_lock_is_held(trail: AuditTrail) -> bool:
    return bool(trail._writers())


def test_a_number_beyond_the_trail_gives_nothing(database: Database) -> None:
    trail = AuditTrail(database.engine)
    trail.record(SENDER, [Event(Action.READ)])
    with database.engine.connect() as connection:
        newest = connection.execute(select(func.max(audit_events.c.id))).scalar_one()
    assert list(trail.records(after_id=newest)) == []
