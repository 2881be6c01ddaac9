"""The audit trail, keys and deletion, on both databases."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text, update
from sqlalchemy.exc import DBAPIError

from app.adapters.storage import known
from app.adapters.storage.api_keys import ApiKeys
from app.adapters.storage.audit_trail import Action, AuditTrail, Event, study_digest
from app.adapters.storage.database import Database
from app.adapters.storage.retention import Retention
from app.adapters.storage.tables import analyses
from app.core.access import SERVICE, AccessScope
from app.core.errors import InvalidRequest, StorageUnavailable, UnknownResource
from app.core.values import View
from tests.factories import uid, us_instance
from tests.storage.test_studies import FOUR, NEWER, SENDER, SMALL, STUDY, Rig, newer, with_other_pixels

DAYS = timedelta(days=1)


@pytest.fixture
def trail(database: Database) -> AuditTrail:
    return AuditTrail(database.engine)


@pytest.fixture
def rig(database: Database) -> Rig:
    return Rig(database)


@pytest.fixture
def keys(database: Database) -> ApiKeys:
    return ApiKeys(database.engine)


def actions(trail: AuditTrail) -> list[str]:
    return [record.event.action for record in trail.records()]


class TestTrail:
    def test_it_tells_who_sent_and_which_analysis_came_of_it(self, rig: Rig, trail: AuditTrail) -> None:
        rig.send(FOUR)
        *received, made = trail.records()
        current = rig.state().current
        assert current
        assert [record.event.action for record in received] == [Action.RECEIVE] * 4
        assert made.event == Event(Action.SUBMIT, current.id, study_digest(STUDY), current.bundle.sha256)
        assert {record.actor for record in (*received, made)} == {SENDER}
        assert made.at <= datetime.now(UTC)
        assert STUDY not in str(made.document())

    @pytest.mark.parametrize("statement", ["UPDATE audit_events SET actor = 'nobody'", "DELETE FROM audit_events"])
    def test_it_can_only_grow(self, rig: Rig, trail: AuditTrail, database: Database, statement: str) -> None:
        rig.send(FOUR)
        before = list(trail.records())
        with pytest.raises(DBAPIError, match="append-only"), database.engine.begin() as connection:
            connection.execute(text(statement))
        assert list(trail.records()) == before

    def test_a_replaced_row_stays_as_it_was(self, trail: AuditTrail, database: Database) -> None:
        """SQLite deletes what REPLACE replaces without asking a trigger."""
        if not database.is_embedded:
            pytest.skip("PostgreSQL has no REPLACE")
        trail.record(SENDER, [Event(Action.READ, "first")])
        before = list(trail.records())
        columns = "actor, address, action, subject, study_digest, bundle_sha256, at"
        statement = (
            f"INSERT OR REPLACE INTO audit_events (id, {columns}) SELECT id, 'nobody', {columns[7:]} FROM audit_events"
        )
        with pytest.raises(DBAPIError, match="append-only"), database.engine.begin() as connection:
            connection.execute(text(statement))
        assert list(trail.records()) == before

    def test_it_is_read_in_pages_from_anywhere(self, trail: AuditTrail, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("app.adapters.storage.audit_trail._PAGE", 3)
        trail.record(SENDER, [Event(Action.READ, str(number)) for number in range(8)])
        everything = list(trail.records())
        assert [record.event.subject for record in everything] == [str(number) for number in range(8)]
        assert list(trail.records(after_id=everything[4].id)) == everything[5:]
        assert list(trail.records(since=datetime.now(UTC) + DAYS)) == []

    def test_an_analysis_that_cannot_be_recorded_is_not_stored(self, rig: Rig, database: Database) -> None:
        with database.engine.begin() as connection:
            connection.execute(text("ALTER TABLE audit_events RENAME TO elsewhere"))
        with pytest.raises(StorageUnavailable):
            rig.send(FOUR)
        assert rig.analyses() == 0


class TestDeletion:
    def test_rows_crops_and_what_was_received_go_and_do_not_come_back(self, rig: Rig, trail: AuditTrail) -> None:
        rig.send(FOUR)
        current = rig.state().current
        assert current
        assert rig.retention.delete(current.id, SENDER)
        rig.tidy()
        assert rig.repository.get(current.id) is None
        assert rig.repository.tissue_png(current.id, View.LIVER_KIDNEY) is None
        assert rig.instances(STUDY) == []
        assert list(trail.records())[-1].event.action == Action.DELETE
        assert not rig.retention.delete(current.id, SENDER)
        assert actions(trail).count(Action.DELETE) == 1

    def test_nothing_of_another_study_goes(self, rig: Rig) -> None:
        rig.send(FOUR)
        rig.receive(us_instance(study=2, **SMALL))
        current = rig.state().current
        assert current
        rig.retention.delete(current.id, SENDER)
        assert rig.instances() == []
        assert len(rig.instances(uid("study", 1, 2))) == 1

    def test_analyses_expire_when_they_were_kept_long_enough(self, rig: Rig, trail: AuditTrail) -> None:
        rig.send(FOUR)
        rig.tidy(29 * DAYS, kept=30 * DAYS)
        assert rig.analyses() == 1
        rig.tidy(31 * DAYS, kept=30 * DAYS)
        assert rig.analyses() == 0
        rig.tidy(32 * DAYS, kept=30 * DAYS)
        expired = [record for record in trail.records() if record.event.action == Action.EXPIRE]
        assert [(record.actor, record.event.study_digest) for record in expired] == [(SERVICE, study_digest(STUDY))]

    def test_without_a_period_nothing_expires(self, rig: Rig) -> None:
        rig.send(FOUR)
        rig.tidy(10_000 * DAYS)
        assert rig.analyses() == 1

    def test_many_expire_in_several_transactions(
        self, rig: Rig, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("app.adapters.storage.retention._BATCH", 1)
        rig.send(FOUR)
        rig.send([us_instance(view=View.LIVER_KIDNEY, number=9, attributes={"InstanceNumber": "99"}, **SMALL)])
        assert rig.analyses() == 2
        assert Retention(database.engine).expire(datetime.now(UTC) + DAYS) == 2
        assert rig.analyses() == 0

    def test_what_a_current_analysis_stands_on_lives_as_long_as_that_analysis(self, rig: Rig) -> None:
        rig.send(FOUR)
        old = _id(rig)
        set_back(rig.retention, old, timedelta(days=40))
        rig.send([NEWER])
        current = _id(rig)
        rig.tidy(kept=30 * DAYS)
        assert rig.repository.get(old) is None
        assert len(rig.instances()) == 5
        rig.send([newer(View.HEPATIC_VEINS)])
        assert _id(rig) not in (old, current)
        rig.tidy(31 * DAYS, kept=30 * DAYS)
        assert (rig.analyses(), rig.instances()) == (0, [])

    def test_and_so_it_does_where_the_analysis_was_made_long_after(self, rig: Rig, database: Database) -> None:
        rig.send(FOUR)
        with database.engine.begin() as connection:
            for table in ("received_instances", "received_studies"):
                connection.execute(text(f"UPDATE {table} SET received_at = '2020-01-01 00:00:00+00:00'"))
        rig.tidy(kept=30 * DAYS)
        assert rig.analyses() == 1
        assert len(rig.instances()) == 4

    def test_a_superseded_analysis_goes_alone_and_the_current_one_with_all(self, rig: Rig) -> None:
        rig.send(FOUR)
        old = _id(rig)
        rig.send([NEWER])
        assert rig.retention.delete(old, SENDER)
        assert len(rig.instances()) == 5
        rig.tidy(100 * DAYS)
        assert len(rig.instances()) == 5, "the study is still finished"
        assert rig.retention.delete(_id(rig), SENDER)
        rig.tidy()
        assert (rig.analyses(), rig.instances()) == (0, [])

    def test_of_two_answers_the_current_one_counts_and_not_the_newer(self, rig: Rig) -> None:
        rig.send(FOUR)
        first = _id(rig)
        rig.send([with_other_pixels(FOUR[3])])
        second = _id(rig)
        rig.send([FOUR[3]])
        assert _id(rig) == first
        assert rig.retention.delete(second, SENDER)
        assert len(rig.instances()) == 4
        assert rig.retention.delete(first, SENDER)
        rig.tidy()
        assert (rig.analyses(), rig.instances()) == (0, [])

    def test_what_sqlite_deletes_is_overwritten(self, tmp_path: Path) -> None:
        path = tmp_path / "test.db"
        with Database(f"sqlite:///{path}") as database:
            database.upgrade()
            rig = Rig(database)
            rig.send(FOUR)
            crop = rig.repository.tissue_png(_id(rig), View.LIVER_KIDNEY)
            assert crop
            _checkpoint(database)
            stored = path.read_bytes()
            probes = [crop[at : at + 200] for at in range(0, len(crop), 1000)]
            probes = [probe for probe in probes if probe in stored]  # some lie across two of SQLite's pages
            assert len(probes) > len(crop) / 2000
            rig.retention.delete(_id(rig), SENDER)
            _checkpoint(database)
            left = path.read_bytes()
            assert not any(probe in left for probe in probes)


class TestKeys:
    def test_a_key_is_shown_once_and_kept_as_a_hash(self, keys: ApiKeys, database: Database) -> None:
        key = keys.create("bridge", {AccessScope.SUBMIT, AccessScope.READ}, SENDER)
        principal = keys.find(key)
        assert principal
        assert principal.name == f"key:{key.split('_')[1]}"
        assert principal.scopes == {AccessScope.SUBMIT, AccessScope.READ}
        with database.engine.connect() as connection:
            row = str(connection.execute(text("SELECT * FROM api_keys")).one())
        assert key.split("_", 2)[2] not in row

    @pytest.mark.parametrize("wrong", ["", "x", "liverpdff_", "liverpdff_00000000_x", "a" * 5000, "é"])
    def test_anything_else_is_nobody(self, keys: ApiKeys, wrong: str) -> None:
        key = keys.create("bridge", [AccessScope.READ], SENDER)
        assert keys.find(wrong) is None
        assert keys.find(key[:-1]) is None
        assert keys.find(key + "x") is None

    def test_a_revoked_key_stops_within_seconds(
        self, keys: ApiKeys, trail: AuditTrail, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        key = keys.create("bridge", [AccessScope.READ], SENDER)
        assert keys.find(key)
        (listed,) = keys.list()
        keys.revoke(listed.id, SENDER)
        monkeypatch.setattr("app.adapters.storage.known.monotonic", lambda: time.monotonic() + known.FRESH_S + 1)
        assert keys.find(key) is None
        assert keys.list()[0].revoked_at
        assert actions(trail) == [Action.KEY_CREATE, Action.KEY_REVOKE]
        with pytest.raises(UnknownResource):
            keys.revoke(listed.id, SENDER)

    def test_a_known_key_outlives_the_database_a_new_one_does_not(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with Database(f"sqlite:///{tmp_path}/test.db") as database:
            database.upgrade()
            keys = ApiKeys(database.engine)
            known, unknown = (keys.create(name, [AccessScope.METRICS], SENDER) for name in "ab")
            assert keys.find(known)
            database.downgrade("0003")
            monkeypatch.setattr("app.adapters.storage.known.monotonic", lambda: time.monotonic() + 60)
            assert keys.find(known)
            with pytest.raises(StorageUnavailable):
                keys.find(unknown)

    @pytest.mark.parametrize("name", ["", "  ", "x" * 65, "two\nlines"])
    def test_a_key_needs_a_name_that_can_be_listed(self, keys: ApiKeys, name: str) -> None:
        with pytest.raises(InvalidRequest):
            keys.create(name, [AccessScope.READ], SENDER)


def set_back(retention: Retention, analysis_id: str, ago: timedelta) -> None:
    """Set back when an analysis was made."""
    with retention._engine.begin() as connection:
        made = update(analyses).where(analyses.c.id == analysis_id).values(created_at=datetime.now(UTC) - ago)
        connection.execute(made)


def _id(rig: Rig) -> str:
    current = rig.state().current
    assert current
    return current.id


def _checkpoint(database: Database) -> None:
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr] # it is connected
