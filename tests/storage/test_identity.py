"""Whose result it is: corrected in the archive, mixed up, or sent by two at once."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.adapters.storage.database import Database
from app.adapters.storage.tables import analyses
from app.core.errors import MixedPatients
from app.core.values import Analysis, View
from app.service import Part
from tests.factories import four_view_study, uid
from tests.storage.test_studies import SENDER, SMALL, Rig, newer

ANNA = {
    "PatientName": "SCHMIDT^ANNA",
    "PatientID": "4711",
    "IssuerOfPatientID": "CLINIC",
    "PatientBirthDate": "19700101",
    "PatientSex": "F",
    "AccessionNumber": "A1",
    "StudyDate": "20240101",
    "StudyDescription": "US ABDOMEN",
}
CORRECTED = {
    "PatientName": "SCHMIDT^HANNA",
    "PatientID": "4712",
    "IssuerOfPatientID": "HOSPITAL",
    "PatientBirthDate": "19700102",
    "PatientSex": "O",
    "AccessionNumber": "A2",
    "StudyDate": "20240102",
    "StudyDescription": "US LIVER",
    "SeriesInstanceUID": uid("another", "series"),
}
OF_A_PATIENT = ("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex")


@pytest.fixture
def rig(database: Database) -> Rig:
    return Rig(database)


def images(about: Mapping[str, Any] = ANNA, **changes: Any) -> dict[View, bytes]:
    return four_view_study(attributes={**about, **changes}, **SMALL)


def parts(contents: Mapping[View, bytes]) -> list[Part]:
    return [Part(str(view), content) for view, content in contents.items()]


def current(rig: Rig) -> Analysis:
    """Give the answer that stands."""
    standing = rig.state().current
    assert standing
    return standing


def numbers(analysis: Analysis) -> list[float]:
    estimate = analysis.estimate
    return [estimate.pdff_percent, estimate.probability_ge5, *(view.pdff_percent for view in estimate.views)]


def codes(analysis: Analysis) -> set[str]:
    return {warning.code for warning in analysis.estimate.warnings}


class TestCorrected:
    @pytest.mark.parametrize("keyword", CORRECTED)
    def test_one_by_one_the_numbers_stay_and_the_answer_is_a_new_one(self, rig: Rig, keyword: str) -> None:
        rig.send(list(images().values()))
        first = current(rig)
        rig.send(list(images({**ANNA, keyword: CORRECTED[keyword]}).values()))
        second = current(rig)
        assert second.id != first.id
        assert numbers(second) == numbers(first)
        origins = [view.origin for view in second.estimate.views]
        assert {origin.study.get(keyword, origin.series_instance_uid) for origin in origins} == {CORRECTED[keyword]}
        assert "identity_corrected" in codes(second)
        assert first.id in next(each.detail for each in second.estimate.warnings if each.code == "identity_corrected")

    def test_all_at_once_as_well(self, rig: Rig) -> None:
        first, _ = rig.service.analyse(parts(images()), SENDER)
        second, is_new = rig.service.analyse(parts(images(PatientID="4712")), SENDER)
        assert is_new
        assert numbers(second) == numbers(first)
        assert second.estimate.said_by_all("PatientID") == "4712"
        assert current(rig).id == second.id

    def test_sent_again_it_is_a_repeat(self, rig: Rig) -> None:
        said = [rig.service.analyse(parts(images({**ANNA, **about})), SENDER) for about in (ANNA, CORRECTED, CORRECTED)]
        assert [is_new for _, is_new in said] == [True, True, False]

    def test_what_was_said_last_counts(self, rig: Rig) -> None:
        said = [rig.service.analyse(parts(images(PatientID=each)), SENDER) for each in ("1", "2", "1")]
        assert [is_new for _, is_new in said] == [True, True, True]
        assert current(rig).id == said[-1][0].id
        assert current(rig).estimate.said_by_all("PatientID") == "1"

    def test_of_many_at_once_one_takes_the_first_ones_place(self, rig: Rig) -> None:
        rig.service.analyse(parts(images()), SENDER)
        corrected = parts(images(PatientID="4712"))
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: rig.service.analyse(corrected, SENDER), range(8)))
        assert len({analysis.id for analysis, _ in answers}) == 1
        assert sum(is_new for _, is_new in answers) == 1
        assert rig.analyses() == 2

    def test_a_clock_that_was_set_back_does_not_matter(self, rig: Rig, database: Database) -> None:
        rig.service.analyse(parts(images()), SENDER)
        with database.engine.begin() as connection:
            connection.execute(analyses.update().values(created_at=datetime.now(UTC) + timedelta(days=1)))
        corrected, _ = rig.service.analyse(parts(images(PatientID="4712")), SENDER)
        again, is_new = rig.service.analyse(parts(images(PatientID="4712")), SENDER)
        assert (again.id, is_new) == (corrected.id, False)
        assert current(rig).id == corrected.id

    def test_housekeeping_answers_nothing_again(self, rig: Rig) -> None:
        rig.send(list(images().values()))
        rig.tidy()
        assert rig.analyses() == 1


class TestTwoPatients:
    @pytest.mark.parametrize("keyword", OF_A_PATIENT)
    def test_are_refused(self, rig: Rig, keyword: str) -> None:
        mixed = images() | {View.LIVER_KIDNEY: images({**ANNA, keyword: CORRECTED[keyword]})[View.LIVER_KIDNEY]}
        with pytest.raises(MixedPatients) as caught:
            rig.service.analyse(parts(mixed), SENDER)
        assert "| liver_kidney)" in caught.value.detail
        assert CORRECTED[keyword] not in caught.value.detail
        assert rig.analyses() == 0

    @pytest.mark.parametrize("keyword", OF_A_PATIENT)
    def test_are_held_and_the_finished_answer_stands(self, rig: Rig, keyword: str) -> None:
        rig.send(list(images().values()))
        first = current(rig)
        other = newer(View.LIVER_KIDNEY, attributes={**ANNA, keyword: CORRECTED[keyword]})
        rig.send([other])
        obstacle = rig.state().obstacle
        assert obstacle
        assert obstacle.code == "mixed_patients"
        assert current(rig).id == first.id
        assert rig.analyses() == 1

    def test_are_analysed_once_all_is_corrected(self, rig: Rig) -> None:
        before, after = images(), images(PatientID="4712")
        rig.send(list(before.values()))
        for content in after.values():  # the archive sends what it has corrected one by one
            rig.send([content])
        assert current(rig).estimate.said_by_all("PatientID") == "4712"
        assert rig.analyses() == 2

    @pytest.mark.parametrize(
        "same",
        [
            {"PatientName": "Schmidt^Anna^^"},
            {"PatientName": "schmidt^anna=アンナ"},
            {"PatientSex": None},
            {"PatientID": None},
        ],
    )
    def test_one_who_is_written_otherwise_is_no_other(self, rig: Rig, same: dict[str, Any]) -> None:
        written = images() | {View.LIVER_KIDNEY: images(**same)[View.LIVER_KIDNEY]}
        _, is_new = rig.service.analyse(parts(written), SENDER)
        assert is_new
