"""The benchmark's own arithmetic, and that it sends what a scanner would, each time as a new question."""

from pathlib import Path

import pytest

from app.adapters.dicom import read_instance
from benchmarks.load import Load
from benchmarks.service import Row, figures, markdown
from benchmarks.studies import BOUNDARY, KINDS, Kind, Study, make_studies


@pytest.fixture(scope="module", params=KINDS)
def study(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Study:
    kind: Kind = request.param
    return make_studies(tmp_path_factory.mktemp(kind), 1, kind)[0]


def parts_of(body: bytes) -> list[bytes]:
    """Cut a form into its files' contents."""
    sections = body.split(b"--" + BOUNDARY.encode())[1:-1]
    return [section.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n") for section in sections]


def test_a_study_is_four_colour_screens_that_the_service_reads(study: Study) -> None:
    instances = [read_instance(part) for part in parts_of(study.body)]
    assert [instance.pixels.shape for instance in instances] == [(768, 1024, 3)] * 4
    assert {instance.study_instance_uid.encode() for instance in instances} == {study.study_instance_uid}


def test_asked_again_it_is_another_study_of_the_same_pixels(study: Study) -> None:
    asked = [[read_instance(part) for part in parts_of(study.asked_as(number))] for number in (1, 2)]
    assert len({instance.study_instance_uid for instances in asked for instance in instances}) == 2
    for first, second in zip(*asked, strict=True):
        assert (first.pixels == second.pixels).all()


def test_ratios_are_of_medians() -> None:
    row = Row()
    for wall_s in (4.0, 2.0, 5.0):
        row.add(Load((0.9, 1.0, 1.1, 7.0), wall_s, 0.04))
    found = figures(("this service", "jpeg", 2), row, floor_s=0.5)
    assert found.median_ms == pytest.approx(1050)
    assert found.of_floor == pytest.approx(2.1)
    assert found.studies_per_s == pytest.approx(1.0)
    assert found.of_floors_throughput == pytest.approx(0.5)
    assert found.client_cpu_ms == pytest.approx(10)


def test_the_table_has_a_line_for_each_row_and_each_fact(tmp_path: Path) -> None:
    row = Row()
    row.add(Load((1.0, 2.0), 3.0, 0.01))
    report = markdown([figures(("this service", "jpeg", 1), row, 1.0)], {"fp32": 1000.0}, {"threads": 2})
    assert "| this service | jpeg | 1 | 1500 (1250 to 1750) |" in report
    assert "- floor, fp32: 1000 ms a study" in report
    assert "- threads: 2" in report
