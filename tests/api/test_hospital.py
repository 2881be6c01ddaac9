"""Sixty objects as a hospital sends them, by STOW-RS: one analysis, of the images that the screens name."""

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.adapters.screens.text_reader import is_installed
from tests.conftest import ServiceFactory
from tests.hospital import FEW_SHOTS, HospitalStudy, Kind, hospital_study
from tests.known_screens import PATIENT
from tests.stow import store

pytestmark = pytest.mark.skipif(not is_installed(), reason="rapidocr is not installed: the extra `screen`")

Order = Callable[[Sequence[bytes]], list[bytes]]
WHY_SET_ASIDE = {
    Kind.B_MODE: "unrecognised_view",
    Kind.CINE: "unrecognised_view",
    Kind.COLOUR_FLOW: "colour_doppler",
    Kind.SPECTRUM: "multiple_tissue_regions",
    Kind.TWO_PANELS: "multiple_tissue_regions",
    Kind.WORKSHEET: "no_tissue",
}


def shuffled(contents: Sequence[bytes]) -> list[bytes]:
    return random.Random(18).sample(contents, len(contents))


def newest_first(contents: Sequence[bytes]) -> list[bytes]:
    return list(reversed(contents))


@pytest.fixture(scope="module")
def study() -> HospitalStudy:
    return hospital_study(FEW_SHOTS)


@pytest.fixture(scope="module")
def settled(serve: ServiceFactory, study: HospitalStudy) -> Iterator[TestClient]:
    """A service that was sent the study as it was taken, at once."""
    with serve() as client:
        send(client, study.contents, len(study.contents))
        yield client


def send(client: TestClient, contents: Sequence[bytes], at_once: int) -> None:
    for first in range(0, len(contents), at_once):
        assert store(client, contents[first : first + at_once]).status_code == 200


def state(client: TestClient, study: HospitalStudy) -> dict[str, Any]:
    return dict(client.get(f"/v1/studies/{study.study_instance_uid}").json())


def images(analysis: dict[str, Any]) -> dict[str, str]:
    return {view["view"]: view["sop_instance_uid"] for view in analysis["views"]}


def assert_right_images(found: dict[str, Any], study: HospitalStudy) -> None:
    assert images(found["analysis"]) == study.expected
    assert {view["view_source"] for view in found["analysis"]["views"]} == {"screen"}
    assert {view["chosen_because"] for view in found["received"]} == {"taken_last"}
    assert [len(view["candidates"]) for view in found["received"]] == [2, 2, 2, 2]


def test_a_study_is_analysed_once_and_of_the_right_images(settled: TestClient, study: HospitalStudy) -> None:
    found = state(settled, study)
    assert_right_images(found, study)
    assert found["superseded"] == []


@pytest.mark.parametrize(("order", "at_once"), [(shuffled, len(FEW_SHOTS)), (newest_first, 5), (newest_first, 1)])
def test_so_it_is_in_another_order_and_in_pieces_that_begin_with_the_newest(
    client: TestClient, study: HospitalStudy, order: Order, at_once: int
) -> None:
    send(client, order(study.contents), at_once)
    found = state(client, study)
    assert_right_images(found, study)
    assert found["superseded"] == []


def test_in_pieces_as_it_was_taken_the_last_analysis_is_of_the_right_images_and_stays(
    client: TestClient, study: HospitalStudy
) -> None:
    send(client, study.contents, 3)
    found = state(client, study)
    assert_right_images(found, study)
    send(client, shuffled(study.contents), 7)
    again = state(client, study)
    assert (again["analysis"]["id"], again["superseded"]) == (found["analysis"]["id"], found["superseded"])


def test_whatever_else_the_hospital_sends_is_set_aside_with_its_reason(
    settled: TestClient, study: HospitalStudy
) -> None:
    found = state(settled, study)
    reasons = {each["sop_instance_uid"]: each["code"] for each in found["set_aside"]}
    shot_of = dict(zip(study.uids, study.shots, strict=True))
    assert reasons == {uid: WHY_SET_ASIDE[shot.kind] for uid, shot in shot_of.items() if shot.view is None}
    assert found["refused"] == []
    looked_at = {each["code"]: each["looked_at"] for each in found["set_aside"]}
    assert "screen" in looked_at["unrecognised_view"]


def test_nothing_that_stands_on_a_screen_is_answered(settled: TestClient, study: HospitalStudy) -> None:
    told = store(settled, study.contents[:2]).text + str(state(settled, study))
    for word in (*PATIENT.split(), *(shot.annotation for shot in study.shots)):
        assert word not in told
