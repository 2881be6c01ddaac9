"""Analyses in and out of SQLite and PostgreSQL, through the real migrations."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import event, inspect, text

from app.adapters.storage.database import Database
from app.adapters.storage.repository import AnalysisRepository
from app.adapters.storage.retention import Retention
from app.adapters.storage.tables import metadata
from app.core.access import Actor
from app.core.errors import InvalidRequest, StorageUnavailable
from app.core.values import (
    Analysis,
    AnalysisWarning,
    BundleIdentity,
    Estimate,
    Origin,
    Target,
    Thresholds,
    TissueBox,
    View,
    ViewEstimate,
)
from tests.postgres import PostgresServer

SENDER = Actor("key:0123abcd", "192.0.2.7")
START = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def analysis_id(number: int) -> str:
    return str(uuid.UUID(int=number))


def analysis(number: int = 1, study: str = "1.2.3", created_at: datetime | None = None) -> Analysis:
    """An analysis with every field filled, floats that no decimal ends."""
    rng = np.random.default_rng(number)
    views = tuple(
        ViewEstimate(
            view=view,
            sop_instance_uid=f"1.2.{number}.{index}",
            frame_number=index + 1,
            decoder="some 1.0",
            tissue_box=TissueBox(1, 2, 300, 400),
            tissue_source="region",
            pdff_percent=float(rng.normal()),
            probability_ge5=float(rng.random()),
            probability_ge10=float(rng.random()),
            cams={target: rng.normal(size=(7, 7)) for target in Target},
            origin=Origin("1.2.840", "1.2.9", index, "20240102030405.5", {"PatientName": "Grün^Ärztin"}),
            warnings=(AnalysisWarning("multi_frame", "Frame 3 of 5 was used."),),
        )
        for index, view in enumerate(View)
    )
    estimate = Estimate(
        study, 1 / 3, 2 / 3, 1 / 7, True, False, Thresholds(0.1, 0.7), views, (AnalysisWarning("partial_study", "…"),)
    )
    created_at = created_at or START + timedelta(seconds=number)
    return Analysis(analysis_id(number), created_at, BundleIdentity("demo", "1.0.0", "0" * 64, True, "int8"), estimate)


def pngs(number: int = 1) -> dict[View, bytes]:
    return {view: bytes([number, index, 0, 255]) for index, view in enumerate(View)}


def assert_same(found: Analysis | None, expected: Analysis) -> None:
    """Equal in every field; arrays compare element by element."""
    assert found is not None
    for name in ("id", "created_at", "bundle"):
        assert getattr(found, name) == getattr(expected, name)
    for name in ("study_instance_uid", "pdff_percent", "probability_ge5", "steatosis_ge5", "thresholds", "warnings"):
        assert getattr(found.estimate, name) == getattr(expected.estimate, name)
    for ours, theirs in zip(found.estimate.views, expected.estimate.views, strict=True):
        for name in (
            "view",
            "sop_instance_uid",
            "frame_number",
            "decoder",
            "tissue_box",
            "origin",
            "warnings",
            "view_source",
        ):
            assert getattr(ours, name) == getattr(theirs, name)
        for target in Target:
            np.testing.assert_array_equal(ours.cams[target], theirs.cams[target])


@pytest.fixture
def repository(database: Database) -> AnalysisRepository:
    return AnalysisRepository(database.engine)


class TestMigrations:
    def test_make_the_tables_that_the_code_expects(self, database: Database) -> None:
        with database.engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []

    def test_go_down_and_up_again(self, database: Database) -> None:
        database.downgrade()
        assert set(inspect(database.engine).get_table_names()) <= {"alembic_version"}
        with pytest.raises(StorageUnavailable, match="liver-pdff db upgrade"):
            database.check()
        database.upgrade()
        database.check()

    def test_what_was_stored_before_it_was_noted_what_named_a_view_is_still_read(self, database: Database) -> None:
        repository = AnalysisRepository(database.engine)
        repository.add(analysis(), "f" * 64, pngs(), SENDER)
        database.downgrade("0004")
        database.upgrade()
        found = repository.find("f" * 64)
        assert found
        assert [view.view_source for view in found.estimate.views] == [None] * len(found.estimate.views)

    def test_asking_again_and_again_keeps_and_logs_nothing(
        self, database: Database, caplog: pytest.LogCaptureFixture
    ) -> None:
        database.check()
        caplog.set_level("INFO")
        kept = len(database.engine._compiled_cache or ())
        for _ in range(5):
            database.check()
        assert len(database.engine._compiled_cache or ()) == kept
        assert caplog.messages == []

    def test_twice_is_once(self, database: Database) -> None:
        database.upgrade()
        database.check()


class TestRepository:
    def test_what_is_stored_comes_back_to_the_last_bit(self, repository: AnalysisRepository) -> None:
        stored, is_new = repository.add(analysis(), "f" * 64, pngs(), SENDER)
        assert is_new
        assert stored.id == analysis_id(1)
        assert_same(repository.get(analysis_id(1)), analysis())
        assert_same(repository.find("f" * 64), analysis())
        assert repository.tissue_png(analysis_id(1), View.LIVER_KIDNEY) == pngs()[View.LIVER_KIDNEY]

    def test_any_time_zone_comes_back_as_utc(self, repository: AnalysisRepository) -> None:
        tokyo = START.astimezone(timezone(timedelta(hours=9)))
        repository.add(analysis(created_at=tokyo), "f" * 64, pngs(), SENDER)
        found = repository.get(analysis_id(1))
        assert found is not None
        assert found.created_at == START
        assert found.created_at.utcoffset() == timedelta(0)

    def test_the_same_question_is_stored_once(self, repository: AnalysisRepository) -> None:
        repository.add(analysis(1), "f" * 64, pngs(1), SENDER)
        stored, is_new = repository.add(analysis(2), "f" * 64, pngs(2), SENDER)
        assert not is_new
        assert_same(stored, analysis(1))
        assert repository.get(analysis_id(2)) is None
        assert repository.tissue_png(analysis_id(2), View.LIVER_KIDNEY) is None

    def test_many_writers_of_one_question_agree(self, repository: AnalysisRepository) -> None:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda n: repository.add(analysis(n), "f" * 64, pngs(n), SENDER), range(1, 17)))
        assert sum(is_new for _, is_new in answers) == 1
        assert len({stored.id for stored, _ in answers}) == 1

    def test_half_an_analysis_is_never_stored(self, repository: AnalysisRepository) -> None:
        incomplete: dict[View, bytes] = {view: png for view, png in pngs().items() if view != View.LIVER_KIDNEY}
        with pytest.raises(KeyError):
            repository.add(analysis(), "f" * 64, incomplete, SENDER)
        assert repository.get(analysis_id(1)) is None

    def test_what_is_not_there_is_none(self, repository: AnalysisRepository) -> None:
        assert repository.get("nobody") is None
        assert repository.find("0" * 64) is None
        assert repository.tissue_png("nobody", View.LIVER_KIDNEY) is None

    @pytest.mark.parametrize("limit", [1, 2, 3, 100])
    def test_pages_cover_everything_once_newest_first(self, repository: AnalysisRepository, limit: int) -> None:
        for number in range(7):
            same_moment = START + timedelta(seconds=number // 3)
            repository.add(analysis(number, created_at=same_moment), f"{number:064d}", pngs(), SENDER)
        seen: list[str] = []
        cursor = None
        for _ in range(8):
            page, cursor = repository.page(study_instance_uid=None, limit=limit, cursor=cursor)
            seen += [each.id for each in page]
            if cursor is None:
                break
        assert seen == [analysis_id(number) for number in reversed(range(7))]

    def test_a_page_of_one_study(self, repository: AnalysisRepository) -> None:
        for number in range(4):
            repository.add(analysis(number, study=f"1.{number % 2 + 1}"), f"{number:064d}", pngs(), SENDER)
        page, cursor = repository.page(study_instance_uid="1.2", limit=5, cursor=None)
        assert [each.id for each in page] == [analysis_id(3), analysis_id(1)]
        assert cursor is None

    def test_a_deletion_while_a_page_is_read_does_not_show(
        self, repository: AnalysisRepository, database: Database
    ) -> None:
        """Analyses and their views are read by two statements."""
        for number in range(3):
            repository.add(analysis(number), f"{number:064d}", pngs(), SENDER)
        retention = Retention(database.engine)
        reads: list[str] = []

        def delete_after_the_first(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            if statement.startswith("SELECT") and not reads:
                reads.append(statement)
                assert retention.delete(analysis_id(1), SENDER)

        event.listen(database.engine, "after_cursor_execute", delete_after_the_first)
        page, cursor = repository.page(study_instance_uid=None, limit=2, cursor=None)
        event.remove(database.engine, "after_cursor_execute", delete_after_the_first)
        assert [each.id for each in page] == [analysis_id(2), analysis_id(1)]
        assert cursor
        assert repository.get(analysis_id(1)) is None

    def test_a_made_up_cursor_is_refused(self, repository: AnalysisRepository) -> None:
        with pytest.raises(InvalidRequest, match="cursor"):
            repository.page(study_instance_uid=None, limit=5, cursor="anything")


class TestFailure:
    def test_a_missing_schema_is_storage_unavailable(self, tmp_path: Path) -> None:
        with Database(f"sqlite:///{tmp_path}/empty.db") as database:
            repository = AnalysisRepository(database.engine)
            with pytest.raises(StorageUnavailable, match="send again"):
                repository.get(analysis_id(1))

    @pytest.mark.real
    def test_a_server_that_stops_is_named_and_comes_back(self, postgres: PostgresServer) -> None:
        with Database(postgres.new_database()) as database:
            database.upgrade()
            repository = AnalysisRepository(database.engine)
            repository.add(analysis(), "f" * 64, pngs(), SENDER)
            postgres.stop()
            with pytest.raises(StorageUnavailable, match="Nothing was stored"):
                repository.add(analysis(2), "e" * 64, pngs(), SENDER)
            with pytest.raises(StorageUnavailable, match="does not answer"):
                database.check()
            postgres.start()
            assert_same(repository.get(analysis_id(1)), analysis())
            database.check()

    def test_sqlite_is_set_up_for_concurrent_use(self, tmp_path: Path) -> None:
        with Database(f"sqlite:///{tmp_path}/test.db") as database, database.engine.connect() as connection:
            assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
            assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1
