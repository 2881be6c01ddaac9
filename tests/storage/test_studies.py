"""Studies that fill up: any order, any repeats, any restarts lead to the same analysis."""

import random
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.adapters.bundle.store import Bundle
from app.adapters.dicom import read_instance
from app.adapters.reading.allowance import Allowance
from app.adapters.storage.audit_trail import AuditTrail
from app.adapters.storage.database import Database
from app.adapters.storage.repository import AnalysisRepository
from app.adapters.storage.retention import Retention
from app.adapters.storage.study_repository import SettledStudy, StudyRepository
from app.adapters.storage.study_state import StudyState, read_state
from app.adapters.telemetry.metrics import Metrics
from app.core.access import Actor
from app.core.choice import ChoiceReason
from app.core.errors import (
    InferenceFailed,
    MixedStudies,
    NotDicom,
    StorageUnavailable,
    UndecodablePixels,
    UploadTooLarge,
)
from app.core.naming import DEFAULT_VIEW_RULES, ViewRule
from app.core.studies import ReceivedInstance
from app.core.values import ScreenNaming, View, ViewSource
from app.housekeeping import Housekeeping
from app.service import AnalysisService, Part
from app.studies import Receipt, StudyService
from tests.factories import ct_instance, four_view_study, sector_region, truncated, uid, us_instance
from tests.fakes import ReadersInProcess, fake_bundle

SENDER = Actor("key:0123abcd", "192.0.2.7")
STUDY = uid("study", 1, 1)
HOURS = timedelta(hours=1)
SMALL: dict[str, Any] = {"rows": 240, "columns": 320}
FOUR = list(four_view_study(**SMALL).values())


def newer(view: View, taken_at: str = "20300101120000", **arguments: Any) -> bytes:
    """Another image of a view, taken later; the others do not say when they were taken."""
    later = {"AcquisitionDateTime": taken_at, **arguments.pop("attributes", {})}
    return us_instance(view=view, number=9, attributes=later, **SMALL, **arguments)


NEWER = newer(View.LIVER_KIDNEY)
NOT_OURS = [ct_instance(), us_instance(view="ABDOMEN", **SMALL)]


class Rig:
    """The service on a database, as one process after another would have it."""

    def __init__(
        self,
        database: Database,
        bundle: Bundle | None = None,
        screens: Mapping[str, ScreenNaming] | None = None,
        rules: Sequence[ViewRule] = DEFAULT_VIEW_RULES,
    ) -> None:
        self.readers = ReadersInProcess(screens)
        self.repository = AnalysisRepository(database.engine)
        self.received = StudyRepository(database.engine)
        self.retention = Retention(database.engine)
        self.metrics = Metrics()
        self.service = AnalysisService(
            bundle or fake_bundle(),
            self.repository,
            AuditTrail(database.engine),
            self.metrics,
            readers=self.readers,
            view_rules=rules,
            max_instance_bytes=1 << 20,
        )
        self.studies = StudyService(self.service, self.received, self.metrics)

    def send(self, contents: Sequence[bytes]) -> None:
        for content in contents:
            self.receive(content)
        self.studies.settle([STUDY], SENDER)

    def receive(self, content: bytes, expected_study: str | None = None) -> Receipt:
        return self.studies.receive(content, SENDER, expected_study)

    def state(self) -> StudyState:
        state = read_state(self.repository, self.received, STUDY)
        assert state
        return state

    def instances(self, study: str = STUDY) -> list[ReceivedInstance]:
        """Give all that was received of a study."""
        unused = [self.received.without_image(study, refused=refused, limit=1000)[0] for refused in (False, True)]
        return [*self.received.what_tells(study)[0], *unused[0], *unused[1]]

    def analyses(self) -> int:
        return len(self.repository.page(study_instance_uid=None, limit=100, cursor=None)[0])

    def used(self) -> list[str]:
        current = self.state().current
        assert current
        return [view.sop_instance_uid for view in current.estimate.views]

    def tidy(self, later: timedelta = timedelta(), kept: timedelta | None = None) -> None:
        keeper = Housekeeping(self.retention, self.studies, 72 * HOURS, kept)
        keeper.tidy(datetime.now(UTC) + later)


@pytest.fixture
def rig(database: Database) -> Rig:
    return Rig(database)


@contextmanager
def fresh_database() -> Iterator[Database]:
    with tempfile.TemporaryDirectory() as folder, Database(f"sqlite:///{folder}/test.db") as database:
        database.upgrade()
        yield database


class TestFilling:
    def test_the_fourth_view_is_followed_by_one_analysis(self, rig: Rig) -> None:
        for content in FOUR[:3]:
            rig.send([content])
        assert rig.analyses() == 0
        assert rig.state().obstacle
        rig.send([FOUR[3]])
        current = rig.state().current
        assert current
        assert current.estimate.complete
        assert rig.analyses() == 1

    def test_everything_three_times_is_one_analysis(self, rig: Rig) -> None:
        for content in FOUR * 3:
            rig.send([content])
        assert rig.analyses() == 1

    def test_it_is_the_analysis_that_a_form_would_have_got(self, rig: Rig) -> None:
        rig.send(FOUR)
        analysis, is_new = rig.service.analyse(
            [Part(f"instances[{n}]", content) for n, content in enumerate(FOUR)], SENDER
        )
        assert not is_new
        current = rig.state().current
        assert current
        assert analysis.id == current.id

    def test_a_newer_image_supersedes_and_an_older_one_changes_nothing(self, rig: Rig) -> None:
        rig.send(FOUR)
        old = rig.state().current
        rig.send([NEWER])
        assert old
        assert old.id not in {getattr(rig.state().current, "id", None)}
        assert (rig.analyses(), len(rig.state().analyses)) == (2, 2)
        rig.send([newer(View.HEPATIC_VEINS, taken_at="")])
        rig.send([newer(View.LIVER_KIDNEY, taken_at="19990101", participant=1, frames=2)])
        assert rig.state().choices[View.LIVER_KIDNEY].reason == ChoiceReason.TAKEN_LAST
        assert rig.used()[3] == uid("instance", 1, 1, View.LIVER_KIDNEY, 9, "MONOCHROME2", (1, 240, 320))

    @settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.randoms(use_true_random=False))
    def test_order_repeats_and_restarts_do_not_matter(self, rng: random.Random) -> None:
        contents = [*FOUR, NEWER, *NOT_OURS]
        sent = rng.sample(contents, len(contents)) + rng.choices(contents, k=5)
        with fresh_database() as database:
            rig = Rig(database)
            while sent:
                group = [sent.pop() for _ in range(min(len(sent), rng.randint(1, 4)))]
                if rng.random() < 0.3:  # killed between the last instance and its analysis
                    for content in group:
                        rig.receive(content)
                    rig = Rig(database)
                    rig.tidy()
                else:
                    rig.send(group)
            assert rig.used() == EXPECTED
            assert sum(each.id == getattr(rig.state().current, "id", "") for each in rig.state().analyses) == 1
            before = rig.analyses()
            rig.send(contents)
            assert rig.analyses() == before <= 2

    def test_views_sent_at_the_same_time_are_one_analysis(self, rig: Rig) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda content: rig.send([content]), FOUR * 4))
        assert rig.analyses() == 1
        assert rig.state().current

    def test_an_analysis_that_was_lost_is_made_at_the_next_start(self, rig: Rig, database: Database) -> None:
        for content in FOUR:
            rig.receive(content)
        assert rig.state().current is None
        restarted = Rig(database)
        restarted.tidy()
        assert restarted.state().current
        restarted.tidy()
        assert restarted.analyses() == 1

    def test_and_so_is_one_that_a_newer_image_lost(self, rig: Rig) -> None:
        rig.send(FOUR)
        rig.receive(NEWER)
        assert rig.state().current is None
        rig.tidy()
        assert rig.used() == EXPECTED

    def test_a_new_bundle_answers_what_is_sent_again_and_no_more(self, rig: Rig, database: Database) -> None:
        rig.send(FOUR)
        updated = Rig(database, fake_bundle("1" * 64))
        updated.tidy()
        assert updated.analyses() == 1
        updated.send(FOUR[:1])
        current = updated.state().current
        assert current
        assert (updated.analyses(), current.bundle.sha256) == (2, "1" * 64)

    def test_one_picture_under_two_views_is_not_analysed(self, rig: Rig) -> None:
        rig.send([*FOUR[:3], same_picture(FOUR[0], View.LIVER_KIDNEY)])
        found = rig.state().obstacle
        assert found
        assert found.code == "duplicate_instance"
        assert rig.analyses() == 0


EXPECTED = [
    uid("instance", 1, 1, view, 9 if view == View.LIVER_KIDNEY else 1 + number, "MONOCHROME2", (1, 240, 320))
    for number, view in enumerate(View)
]


def same_picture(content: bytes, view: View) -> bytes:
    """The pixels of an image under another name and UID."""
    pixels = read_instance(content).pixels
    return us_instance(view=view, pixels=pixels, regions=(sector_region(*pixels.shape),))


class TestReplacing:
    def test_another_picture_of_the_same_uid_takes_its_place_and_is_warned_of(self, rig: Rig) -> None:
        rig.send(FOUR)
        first = rig.state().current
        changed = with_other_pixels(FOUR[3])
        rig.send([changed])
        second = rig.state().current
        assert first
        assert second
        assert first.id != second.id
        assert second.estimate.views[3].warnings[-1].code == "picture_replaced"
        rig.send([FOUR[3]])
        assert getattr(rig.state().current, "id", None) == first.id, "the question decides, not the time"

    def test_a_changed_header_is_the_same_picture(self, rig: Rig) -> None:
        rig.send([FOUR[3]])
        corrected = us_instance(view=View.LIVER_KIDNEY, number=4, attributes={"PatientID": "QX-2"}, **SMALL)
        rig.send([corrected])
        image = rig.state().choices[View.LIVER_KIDNEY].image
        assert "picture_replaced" not in {warning.code for warning in image.warnings}
        crop = rig.received.crops({View.LIVER_KIDNEY: image.key})[View.LIVER_KIDNEY]
        assert crop.origin.study["PatientID"] == "QX-2"

    def test_a_damaged_copy_does_not_drive_out_the_image(self, rig: Rig) -> None:
        rig.send(FOUR)
        receipt = rig.receive(truncated(FOUR[0], 0.9))
        assert receipt.refusal == UndecodablePixels.code
        assert rig.state().obstacle is None

    def test_a_new_label_moves_an_image_to_its_view(self, rig: Rig) -> None:
        labelled = us_instance(view=View.LIVER_KIDNEY, number=4, attributes={"ImageComments": "nothing"}, **SMALL)
        rig.send([labelled])
        assert [each.reason.code for each in rig.instances() if each.reason] == ["unrecognised_view"]
        rig.send([FOUR[3]])
        assert list(rig.state().choices) == [View.LIVER_KIDNEY]
        assert len(rig.instances()) == 1


def with_other_pixels(content: bytes) -> bytes:
    """Some grey levels in the middle of the tissue, changed under the same UIDs."""
    at = len(content) - 320 * 120 - 160
    return content[: at - 20] + bytes(90 + n for n in range(20)) + content[at:]


class TestOutcomes:
    def test_what_is_no_view_of_ours_is_set_aside_with_its_reason(self, rig: Rig) -> None:
        receipts = [rig.receive(content) for content in NOT_OURS]
        assert [receipt.refusal for receipt in receipts] == [None, None]
        reasons = {each.reason.code for each in rig.instances() if each.reason}
        assert reasons == {"not_ultrasound", "unrecognised_view"}

    def test_what_should_be_a_view_and_cannot_be_used_is_refused_and_noted(self, rig: Rig) -> None:
        receipt = rig.receive(truncated(FOUR[0], 0.9))
        assert receipt.refusal == UndecodablePixels.code
        (noted,) = rig.instances()
        assert noted.refused
        assert noted.reason
        assert noted.reason.code == "undecodable_pixels"

    def test_a_large_image_is_refused_only_if_it_names_a_view(self, rig: Rig) -> None:
        large: dict[str, Any] = {"rows": 1200, "columns": 1600}
        view, other = (rig.receive(us_instance(view=name, **large)) for name in (View.LIVER_KIDNEY, "ABDOMEN"))
        assert view.refusal == UploadTooLarge.code
        assert other.refusal is None

    def test_what_is_not_dicom_is_nobodys(self, rig: Rig) -> None:
        receipt = rig.receive(b"%PDF-1.7")
        assert receipt.identity is None
        assert receipt.refusal == NotDicom.code

    def test_another_study_than_the_address_is_refused_and_leaves_nothing(self, rig: Rig) -> None:
        receipt = rig.receive(FOUR[0], "1.2.3")
        assert receipt.refusal == MixedStudies.code
        assert read_state(rig.repository, rig.received, STUDY) is None

    def test_no_uid_and_nothing_of_the_patient_is_counted(self, rig: Rig) -> None:
        rig.send([*FOUR, *NOT_OURS, FOUR[0], b"x"])
        text = rig.metrics.render().decode()
        assert 'received_instances_total{code="",outcome="stored"} 4.0' in text
        assert 'received_instances_total{code="",outcome="repeated"} 1.0' in text
        assert 'received_instances_total{code="not_ultrasound",outcome="set_aside"} 1.0' in text
        assert 'received_instances_total{code="not_dicom",outcome="refused"} 1.0' in text
        assert "2.25." not in text


def unnamed(number: int, protocol: str = "") -> bytes:
    """An image whose own attributes name nothing."""
    return us_instance(view=None, number=number, attributes={"ProtocolName": protocol}, **SMALL)


def uid_of(content: bytes) -> str:
    return read_instance(content).sop_instance_uid


ON_SCREEN = unnamed(21)
OTHER_ON_SCREEN = unnamed(22)
GALLBLADDER = unnamed(23)
BY_PROTOCOL = unnamed(24, "Liver kidney")
NAMED = us_instance(view="HV", number=25, **SMALL)
LESS_CLEARLY = newer(View.HEPATIC_VEINS, attributes={"ImageComments": "HV 12 cm/s"})
OTHERS = [unnamed(30 + n, "US LIVER AND RENAL") for n in range(3)]
PROTOCOLS = [unnamed(40, "MEASUREMENTS"), us_instance(view="RPV", number=41, **SMALL)]
SCREENS = {
    uid_of(ON_SCREEN): ScreenNaming(View.RIGHT_POSTERIOR_PORTAL_VEIN, alone=True),
    uid_of(OTHER_ON_SCREEN): ScreenNaming(View.RIGHT_POSTERIOR_PORTAL_VEIN, alone=False),
    uid_of(GALLBLADDER): ScreenNaming(None),
    uid_of(BY_PROTOCOL): ScreenNaming(None),
}
ALL_KINDS = [
    ON_SCREEN,
    OTHER_ON_SCREEN,
    GALLBLADDER,
    BY_PROTOCOL,
    NAMED,
    LESS_CLEARLY,
    *OTHERS,
    *PROTOCOLS,
    ct_instance(),
]
BEST_NAMED = [uid_of(content) for content in (NAMED, PROTOCOLS[1], ON_SCREEN, BY_PROTOCOL)]


class TestWhatNamesAView:
    """Of one study, the views are named in four ways, and others of its images compete or are something else."""

    @settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.randoms(use_true_random=False))
    def test_order_repeats_and_restarts_do_not_matter(self, rng: random.Random) -> None:
        sent = rng.sample(ALL_KINDS, len(ALL_KINDS)) + rng.choices(ALL_KINDS, k=5)
        with fresh_database() as database:
            while sent:
                rig = Rig(database, screens=SCREENS)
                rig.send([sent.pop() for _ in range(min(len(sent), rng.randint(1, 5)))])
            assert rig.used() == BEST_NAMED
            before = rig.analyses()
            rig.send(ALL_KINDS)
            assert rig.analyses() == before

    def test_the_answer_says_what_told_each_view_and_remarks_what_was_not_used(self, database: Database) -> None:
        rig = Rig(database, screens=SCREENS)
        rig.send(ALL_KINDS)
        current = rig.state().current
        assert current
        assert [view.view_source for view in current.estimate.views] == [
            ViewSource.ATTRIBUTE,
            ViewSource.ATTRIBUTE,
            ViewSource.SCREEN,
            ViewSource.ATTRIBUTE,
        ]
        remarked = [[warning.code for warning in view.warnings] for view in current.estimate.views]
        assert ["other_image_not_used" in codes for codes in remarked] == [True, False, True, False]
        assert rig.state().choices[View.HEPATIC_VEINS].reason == ChoiceReason.BETTER_NAMED
        text = rig.metrics.render().decode()
        assert 'recognised_views_total{source="attribute"} 3.0' in text
        assert 'recognised_views_total{source="screen"} 1.0' in text

    def test_crops_of_what_can_be_no_view_are_not_kept(self, database: Database) -> None:
        rig = Rig(database, screens=SCREENS)
        rig.send([GALLBLADDER, OTHERS[0], PROTOCOLS[0]])
        kept = {each.sop_instance_uid for each in rig.instances() if each.image}
        assert kept <= {uid_of(OTHERS[0])}

    def test_an_analysis_that_a_text_of_the_examination_led_to_ends_with_what_it_told_apart(self, rig: Rig) -> None:
        named = [us_instance(view=view, number=n, **SMALL) for n, view in enumerate(list(View)[:3])]
        rig.send([*named, unnamed(50, "LK")])
        first = rig.state().current
        assert first
        rig.send([us_instance(view=None, number=n, attributes={"ProtocolName": "LK"}, **SMALL) for n in range(51, 60)])
        assert rig.state().current is None
        assert rig.state().analyses[0].id == first.id

    def test_what_was_looked_at_is_not_read_again_unless_the_rules_are_others(self, database: Database) -> None:
        rig = Rig(database, screens=SCREENS)
        rig.send([GALLBLADDER, ON_SCREEN] * 2)
        assert len(rig.readers.read_uids) == 2
        other = Rig(database, screens=SCREENS, rules=[ViewRule(View.LIVER_KIDNEY, "leber niere")])
        other.send([GALLBLADDER])
        assert len(other.readers.read_uids) == 1

    def test_a_damaged_copy_of_an_image_named_by_its_screen_takes_no_place(self, database: Database) -> None:
        rig = Rig(database, screens=SCREENS)
        rig.send([ON_SCREEN, truncated(ON_SCREEN, 0.9)])
        assert list(rig.state().choices) == [View.RIGHT_POSTERIOR_PORTAL_VEIN]

    def test_a_form_with_another_source_gets_the_stored_answer(self, database: Database) -> None:
        rig = Rig(database, screens=SCREENS)
        rig.send(ALL_KINDS)
        chosen = dict(zip(View, (NAMED, PROTOCOLS[1], ON_SCREEN, BY_PROTOCOL), strict=True))
        analysis, is_new = rig.service.analyse([Part(view, chosen[view], view) for view in View], SENDER)
        current = rig.state().current
        assert current
        assert (analysis.id, is_new) == (current.id, False)


class TestRowsFromBefore:
    def test_an_image_received_before_it_was_noted_what_named_it_still_shows_its_view(
        self, rig: Rig, database: Database
    ) -> None:
        rig.send(FOUR[:3])
        database.downgrade("0004")
        database.upgrade()
        rig.send(FOUR[3:])
        assert rig.state().current


class TestExpiry:
    def test_an_unfinished_study_is_forgotten_a_finished_one_is_not(self, rig: Rig) -> None:
        rig.send([*FOUR, *NOT_OURS])
        rig.receive(us_instance(study=2, **SMALL))
        rig.tidy(71 * HOURS)
        assert rig.instances(uid("study", 1, 2))
        rig.tidy(73 * HOURS)
        assert rig.instances(uid("study", 1, 2)) == []
        assert len(rig.instances(STUDY)) == 6

    def test_the_last_instance_counts(self, rig: Rig, database: Database) -> None:
        rig.send(FOUR[:2])
        assert rig.retention.forget_unfinished(datetime.now(UTC) - HOURS) == 0
        assert rig.retention.forget_unfinished(datetime.now(UTC) + HOURS) == 1
        assert rig.instances(STUDY) == []

    def test_what_can_be_analysed_is_not_forgotten(self, rig: Rig) -> None:
        for content in FOUR:
            rig.receive(content)
        rig.tidy(100 * HOURS)
        assert len(rig.instances()) == 4
        assert rig.state().current


def failing(*_: Any) -> None:
    raise InferenceFailed("It failed.")


class TestStudyRepository:
    def test_only_what_was_not_followed_up_is_looked_at(self, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("app.adapters.storage.study_repository._PAGE", 2)
        for study in range(5):
            for content in four_view_study(study=study, **SMALL).values():
                rig.receive(content)
        rig.receive(us_instance(study=7, **SMALL))
        rig.studies.settle([uid("study", 1, 0)], SENDER)
        waiting = [each.study_instance_uid for page in rig.received.unsettled() for each in page]
        assert waiting == [uid("study", 1, study) for study in (1, 2, 3, 4, 7)]
        rig.tidy()
        assert list(rig.received.unsettled()) == []
        assert rig.analyses() == 5

    def test_what_comes_while_a_study_is_settled_is_followed_up(self, rig: Rig) -> None:
        rig.send(FOUR)
        before = rig.received.changes(STUDY)
        rig.receive(NEWER)
        rig.received.mark_settled([SettledStudy(STUDY, before, finished=True)])
        assert [[each.study_instance_uid for each in page] for page in rig.received.unsettled()] == [[STUDY]]

    def test_an_analysis_that_failed_is_tried_again(self, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(rig.service, "analyse_crops", failing)
            rig.send(FOUR)
            rig.tidy()
        assert rig.analyses() == 0
        rig.tidy()
        assert rig.analyses() == 1

    def test_told_to_stop_it_looks_at_no_further_study(self, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
        for study in range(3):
            for content in four_view_study(study=study, **SMALL).values():
                rig.receive(content)
        stopping = threading.Event()
        analyse = rig.service.analyse_crops

        def analyse_and_stop(*arguments: Any) -> Any:
            stopping.set()
            return analyse(*arguments)

        monkeypatch.setattr(rig.service, "analyse_crops", analyse_and_stop)
        Housekeeping(rig.retention, rig.studies, 72 * HOURS, None).tidy(datetime.now(UTC) + 100 * HOURS, stopping)
        assert rig.analyses() == 1
        assert [len(page) for page in rig.received.unsettled()] == [2], "and nothing of them was forgotten"

    def test_the_crop_comes_back_to_the_last_grey_level(self, rig: Rig) -> None:
        rig.send([FOUR[0]])
        stored = rig.state().choices[View.HEPATIC_VEINS].image.key
        crop = rig.received.crops({View.HEPATIC_VEINS: stored})[View.HEPATIC_VEINS]
        fresh = rig.service.read_crop(FOUR[0], Allowance())
        assert (crop.tissue.pixels == fresh.tissue.pixels).all()
        assert (crop.origin, crop.decoder, crop.warnings) == (fresh.origin, fresh.decoder, fresh.warnings)

    def test_a_missing_schema_is_storage_unavailable(self, tmp_path: Path) -> None:
        with Database(f"sqlite:///{tmp_path}/empty.db") as database, pytest.raises(StorageUnavailable):
            Rig(database).receive(FOUR[0])
