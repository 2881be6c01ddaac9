"""Studies with thousands of instances that are set aside: the same views, and no more to read."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event, insert, select

from app.adapters.storage import study_repository
from app.adapters.storage.database import Database
from app.adapters.storage.evidence import evidence_key
from app.adapters.storage.study_repository import StudyRepository, _row
from app.adapters.storage.study_state import read_state, read_unused
from app.adapters.storage.tables import received_instances, received_studies
from app.api.studies import study_out
from app.core.evidence import Evidence, ExaminationText, recognise
from app.core.naming import Naming
from app.core.studies import ReceivedInstance
from app.core.values import AnalysisWarning, ScreenNaming, View
from tests.factories import us_instance
from tests.storage.test_studies import FOUR, SENDER, STUDY, Rig

NAMINGS = [None, Naming(View.LIVER_KIDNEY, alone=True), Naming(View.LIVER_KIDNEY, alone=False)]
NAMINGS += [Naming(View.HEPATIC_VEINS, alone=True), Naming(View.RIGHT_PORTAL_VEIN, alone=False)]
TEXTS = [ExaminationText("ProtocolName", str(n), naming, counts=False) for n, naming in enumerate(NAMINGS)]
TEXTS += [ExaminationText("SeriesDescription", str(n), naming, counts=n == 2) for n, naming in enumerate(NAMINGS)]
EVIDENCE = st.builds(
    Evidence,
    image=st.sampled_from([None, None, Naming(View.HEPATIC_VEINS, alone=True)]),
    screen=st.sampled_from([None, ScreenNaming(View.LIVER_KIDNEY), ScreenNaming(None)]),
    examination=st.lists(st.sampled_from(TEXTS), max_size=2, unique_by=lambda text: text.attribute).map(tuple),
)
UNNAMED = Evidence(examination=(TEXTS[0],))
NAMED = Evidence(examination=(TEXTS[1],))


def unused(number: int, evidence: Evidence | None, **values: Any) -> ReceivedInstance:
    instance = ReceivedInstance(
        STUDY,
        f"9.{number}",
        "1.2",
        f"{number:064}",
        datetime.now(UTC),
        evidence,
        reason=AnalysisWarning("no_tissue", ""),
    )
    return replace(instance, **values)


def put_many(database: Database, instances: list[ReceivedInstance]) -> None:
    if not instances:
        return
    with database.engine.begin() as connection:
        connection.execute(insert(received_instances), [_row(each, None) for each in instances])
        if not connection.execute(select(received_studies.c.changes)).first():
            first = {"study_instance_uid": STUDY, "received_at": datetime.now(UTC), "changes": 1, "settled": 0}
            connection.execute(insert(received_studies), first | {"finished": False})


class TestSameViews:
    @settings(max_examples=300, deadline=None)
    @given(st.lists(EVIDENCE, max_size=8), st.lists(st.tuples(EVIDENCE, st.integers(1, 9)), max_size=6))
    def test_five_of_each_kind_tell_what_all_of_them_tell(
        self, images: list[Evidence], others: list[tuple[Evidence, int]]
    ) -> None:
        everything = [evidence for evidence, count in others for _ in range(count)]
        kept: dict[str | None, list[Evidence]] = {}
        for evidence in everything:
            kept.setdefault(evidence_key(evidence), []).append(evidence)
        some = [evidence for kind in kept.values() for evidence in kind[:5]]
        assert recognise([*images, *some])[: len(images)] == recognise([*images, *everything])[: len(images)]

    def test_the_database_gives_five_of_each_kind(self, database: Database) -> None:
        rng = random.Random(7)
        counts = {UNNAMED: 40, NAMED: 7, replace(NAMED, screen=ScreenNaming(View.HEPATIC_VEINS)): 3, None: 30}
        everything = [evidence for evidence, count in counts.items() for _ in range(count)]
        rng.shuffle(everything)
        put_many(database, [unused(n, evidence, refused=n % 2 == 0) for n, evidence in enumerate(everything)])
        images, others = StudyRepository(database.engine).what_tells(STUDY)
        assert images == []
        found = {evidence: others.count(evidence) for evidence in set(others)}
        assert found == {evidence: min(count, 5) for evidence, count in counts.items() if evidence}

    @pytest.mark.parametrize(("count", "is_shown"), [(3, True), (4, False)])
    def test_a_text_on_more_images_than_a_name_tells_nothing_set_aside_or_not(
        self, rig: Rig, database: Database, count: int, is_shown: bool
    ) -> None:
        """The view is named by a text of the examination; images without tissue carry the same."""
        rig.send([us_by_protocol()])
        carried = rig.received.what_tells(STUDY)[0][0].evidence
        put_many(database, [unused(n, carried) for n in range(count)] + [unused(90, UNNAMED)])
        assert (View.LIVER_KIDNEY in rig.state().choices) is is_shown


class TestManySetAside:
    def test_a_further_instance_reads_as_few_rows_as_ever(self, rig: Rig, database: Database) -> None:
        rig.send(FOUR)
        few = rows_read(database, rig)
        put_many(database, [unused(n, (UNNAMED, NAMED, None)[n % 3]) for n in range(900)])
        assert rows_read(database, rig) <= few + 2, "a row for each kind"
        assert rig.analyses() == 1

    def test_the_database_itself_goes_through_no_more(self, tmp_path: Path) -> None:
        with Database(f"sqlite:///{tmp_path}/test.db") as database:
            database.upgrade()
            steps: list[int] = []
            event.listen(
                database.engine, "connect", lambda raw, _: raw.set_progress_handler(lambda: steps.append(1), 50)
            )
            database.engine.dispose()
            rig = Rig(database)
            rig.send(FOUR)
            counts = []
            for more in (0, 2000):
                put_many(database, [unused(n, (UNNAMED, NAMED, None)[n % 3]) for n in range(more)])
                steps.clear()
                rig.studies.settle([STUDY], SENDER)
                counts.append(len(steps))
        assert counts[1] < counts[0] + 40, "SQLite's own steps, by fifties: fewer than one for each row"

    def test_the_newest_are_listed_and_all_are_counted(self, rig: Rig, database: Database) -> None:
        rig.send(FOUR)
        put_many(database, [unused(n, None, refused=n >= 150, received_at=moment(n)) for n in range(270)])
        state = read_state(rig.repository, rig.received, STUDY)
        assert state
        out = study_out(STUDY, state, read_unused(rig.received, STUDY, state), str)
        assert (len(out.set_aside), out.set_aside_total) == (100, 150)
        assert (len(out.refused), out.refused_total) == (100, 120)
        assert [each.sop_instance_uid for each in out.set_aside[:2]] == ["9.149", "9.148"]
        assert [each.sop_instance_uid for each in out.refused[:2]] == ["9.269", "9.268"]
        assert out.views_missing == []


@pytest.fixture
def rig(database: Database) -> Rig:
    return Rig(database)


def moment(number: int) -> datetime:
    return datetime(2026, 1, 1, number // 60, number % 60, tzinfo=UTC)


def us_by_protocol() -> bytes:
    return us_instance(view=None, number=4, attributes={"ProtocolName": "Liver kidney"}, rows=240, columns=320)


def rows_read(database: Database, rig: Rig) -> int:
    """Settle the study and count the rows that come out of the database."""
    read: list[Any] = []

    def counting(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def counted(row: Any) -> Any:
            read.append(row)
            return original(row)

        return counted

    with pytest.MonkeyPatch.context() as patched:
        for name in ("_instance", "_evidence"):
            patched.setattr(study_repository, name, counting(getattr(study_repository, name)))
        rig.studies.settle([STUDY], SENDER)
    return len(read)
