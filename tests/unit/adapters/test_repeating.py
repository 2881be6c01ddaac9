"""Identity, from an image's bytes to its results: character by character, or it is said."""

from collections.abc import Mapping
from typing import Any

import pytest

from app.adapters.dicom import read_instance
from app.adapters.dicom.repeating import Fault, repeated
from app.core.values import AnalysisWarning
from tests.factories import us_instance
from tests.unit.adapters.test_dicom_reader import SMALL_GREY


def read(**said: Any) -> tuple[Mapping[str, str], list[AnalysisWarning]]:
    instance = read_instance(us_instance(pixels=SMALL_GREY, attributes=said))
    return instance.origin.study, [each for each in instance.warnings if each.code == "identity_irregular"]


@pytest.mark.parametrize(
    ("keyword", "text"),
    [
        ("PatientID", "12  345"),
        ("PatientID", "12\u3000345"),
        ("PatientID", "\u00a0345"),
        ("PatientID", "a\\b"),
        ("PatientName", "山田^太郎=やまだ^たろう"),
        ("AccessionNumber", "A  1"),
        ("StudyID", "1 - 2"),
        ("IssuerOfPatientID", "x  y"),
        ("TimezoneOffsetFromUTC", "+0100"),
    ],
)
def test_a_value_is_repeated_as_it_is(keyword: str, text: str) -> None:
    study, warnings = read(**{keyword: text})
    assert study[keyword] == text
    assert warnings == []


@pytest.mark.parametrize("written", [" 123  ", "123\0", "123 \0"])
def test_padding_is_not_part_of_a_value(written: str) -> None:
    assert read(PatientID=written)[0]["PatientID"] == "123"


@pytest.mark.parametrize(
    ("keyword", "text", "meant"),
    [
        ("StudyDate", "2026.11.23", "20261123"),
        ("StudyTime", "10:15:00", "101500"),
        ("StudyTime", "10:15:00.5", "101500.5"),
        ("StudyTime", "10", "10"),
        ("PatientBirthDate", "1970.01.31", "19700131"),
        ("PatientSex", "f", "F"),
    ],
)
def test_older_forms_mean_the_same(keyword: str, text: str, meant: str) -> None:
    assert repeated(keyword, text) == (meant, None)


@pytest.mark.parametrize(
    ("keyword", "text", "left"),
    [
        ("PatientName", "DOE\x1b(B^JANE", "DOE(B^JANE"),
        ("PatientID", "12\x00345\x07", "12345"),
        ("StudyDate", "20261131", ""),
        ("StudyDate", "2026-11-23", ""),
        ("StudyTime", "25:00", ""),
        ("PatientSex", "W", ""),
        ("TimezoneOffsetFromUTC", "UTC", ""),
        ("TimezoneOffsetFromUTC", "+9999", ""),
    ],
)
def test_what_cannot_be_repeated_is_left_out_and_said(keyword: str, text: str, left: str) -> None:
    assert repeated(keyword, text) == (left, Fault.LEFT_OUT)


@pytest.mark.parametrize(("keyword", "length"), [("PatientID", 70), ("AccessionNumber", 20), ("PatientName", 90)])
def test_an_archive_finds_its_patient_by_a_text_that_is_too_long(keyword: str, length: int) -> None:
    assert repeated(keyword, "x" * length) == ("x" * length, Fault.AGAINST_THE_RULES)


def test_it_is_said_by_the_attributes_name_and_not_by_its_value() -> None:
    study, [warning] = read(PatientSex="W", StudyDate="20261131", SeriesInstanceUID="7")
    assert "PatientSex" not in study
    for quoted in ("(0010,0040) Patient's Sex", "(0008,0020) Study Date", "(0020,000E) Series Instance UID"):
        assert quoted in warning.detail
    assert "20261131" not in warning.detail
