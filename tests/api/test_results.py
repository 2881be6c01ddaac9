"""The stored answer as DICOM objects and as FHIR, judged by others' readers and validators."""

import io
import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import highdicom as hd
import pydantic
import pytest
from fastapi.testclient import TestClient
from fhir.resources.R4B.bundle import Bundle
from pydicom import Dataset, dcmread

from app.core.values import View
from tests.conftest import ServiceFactory
from tests.factories import four_view_study, us_instance

PIXELMED = Path("/usr/share/java/pixelmed.jar")
XPATH_LIMITS = [f"-Djdk.xml.xpath{name}Limit=0" for name in ("ExprGrp", "ExprOp", "TotalOp")]


def analysed(client: TestClient, study: Mapping[View, bytes], **data: str) -> dict[str, Any]:
    answer = client.post("/v1/analyses", files=list(study.items()), data=data)
    assert answer.status_code in (200, 201), answer.text
    return dict(answer.json())


@pytest.fixture(scope="module")
def service(serve: ServiceFactory) -> Iterator[TestClient]:
    with serve() as client:
        yield client


@pytest.fixture(scope="module")
def analysis(service: TestClient, phantom_study: dict[View, bytes]) -> dict[str, Any]:
    return analysed(service, phantom_study)


def fetched(client: TestClient, analysis: dict[str, Any]) -> list[bytes]:
    answers = [client.get(url) for url in analysis["dicom_urls"]]
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.headers["content-type"] for answer in answers} == {"application/dicom"}
    return [answer.content for answer in answers]


@pytest.fixture(scope="module")
def objects(service: TestClient, analysis: dict[str, Any]) -> list[bytes]:
    return fetched(service, analysis)


def read(content: bytes) -> Dataset:
    return dcmread(io.BytesIO(content))


def measured(report: Dataset) -> list[list[float]]:
    """Numbers of each measurement group, in the order in which they stand there."""
    return [
        [float(item.MeasuredValueSequence[0].NumericValue) for item in group.ContentSequence if item.ValueType == "NUM"]
        for group in groups(report)
    ]


def groups(report: Dataset) -> list[Dataset]:
    content: Any = hd.sr.srread(io.BytesIO(_bytes(report))).content
    return [group[0] for group in content.get_image_measurement_groups()]


def _bytes(dataset: Dataset) -> bytes:
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


def numbers(of: dict[str, Any]) -> list[float]:
    return [of["pdff_percent"], of["probability_ge5"], of["probability_ge10"]]


class TestDicom:
    def test_every_object_lies_in_the_study_of_its_images(
        self, objects: list[bytes], phantom_study: dict[View, bytes]
    ) -> None:
        image = read(phantom_study[View.LIVER_KIDNEY])
        for result in map(read, objects):
            for keyword in ("StudyInstanceUID", "PatientID", "PatientName", "StudyDate", "StudyID"):
                assert result[keyword].value == image[keyword].value
            assert result.Manufacturer == "liver-pdff"

    def test_the_report_says_what_the_answer_says(self, objects: list[bytes], analysis: dict[str, Any]) -> None:
        expected = [*map(numbers, analysis["views"]), numbers(analysis["estimate"])]
        for group, answer in zip(measured(read(objects[0])), expected, strict=True):
            assert group == pytest.approx(answer, rel=1e-12)

    def test_each_group_names_its_images(self, objects: list[bytes], analysis: dict[str, Any]) -> None:
        uids = [view["sop_instance_uid"] for view in analysis["views"]]
        named = [
            [
                item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
                for item in group.ContentSequence
                if item.ValueType == "IMAGE"
            ]
            for group in groups(read(objects[0]))
        ]
        assert named == [*([uid] for uid in uids), uids]

    def test_each_view_says_what_told_it(self, objects: list[bytes], service: TestClient) -> None:
        def told(report: bytes) -> list[list[str]]:
            return [
                [
                    item.ConceptCodeSequence[0].CodeValue
                    for item in group.ContentSequence
                    if item.ConceptNameCodeSequence[0].CodeValue == "VIEW-SOURCE"
                ]
                for group in groups(read(report))
            ]

        assert told(objects[0]) == [["VIEW-SENDER"]] * 4 + [[]]
        unnamed = [("instances", ("file.dcm", content)) for content in four_view_study(study=31).values()]
        answer = service.post("/v1/analyses", files=unnamed).json()
        assert told(fetched(service, answer)[0]) == [["VIEW-ATTRIBUTE"]] * 4 + [[]]

    def test_it_says_in_words_that_it_is_not_for_diagnosis(self, objects: list[bytes]) -> None:
        report, *pictures = map(read, objects)
        said = [item.TextValue for item in report.ContentSequence[-1].ContentSequence]
        assert any("not for diagnosis" in text for text in said)
        assert any("synthetic: not for clinical use" in text for text in said)
        assert all("synthetic: not for clinical use" in picture.ImageComments for picture in pictures)

    def test_an_overlay_shows_what_the_png_shows(
        self, service: TestClient, objects: list[bytes], analysis: dict[str, Any]
    ) -> None:
        from PIL import Image

        png = service.get(analysis["views"][0]["overlay_url"]).content
        with Image.open(io.BytesIO(png)) as picture:
            assert read(objects[2]).pixel_array.tobytes() == picture.tobytes()

    def test_a_replay_in_another_installation_makes_the_same_objects(
        self, serve: ServiceFactory, phantom_study: dict[View, bytes], objects: list[bytes]
    ) -> None:
        with serve(threads=1) as elsewhere:
            assert fetched(elsewhere, analysed(elsewhere, phantom_study)) == objects

    def test_no_two_objects_share_a_uid(
        self, service: TestClient, objects: list[bytes], other_study: dict[View, bytes]
    ) -> None:
        everything = objects + fetched(service, analysed(service, other_study))
        assert len({read(content).SOPInstanceUID for content in everything}) == 12

    def test_one_view_is_enough(self, service: TestClient) -> None:
        study = {View.LIVER_KIDNEY: four_view_study(study=11)[View.LIVER_KIDNEY]}
        answer = analysed(service, study, allow_partial="true")
        report, *pictures = map(read, fetched(service, answer))
        assert len(measured(report)) == 2
        assert len(pictures) == 2

    def test_a_patient_without_an_id_and_a_name_in_any_script(self, service: TestClient) -> None:
        def changed(dataset: Dataset) -> None:
            dataset.SpecificCharacterSet = "ISO_IR 192"
            dataset.PatientName = "Åström^Ælia=山田^太郎"
            del dataset.PatientID

        study = {view: edited(content, changed) for view, content in four_view_study(study=12).items()}
        for result in map(read, fetched(service, analysed(service, study))):
            assert result.PatientName == "Åström^Ælia=山田^太郎"
            assert result.PatientID == ""

    def test_what_images_disagree_on_is_empty(self, service: TestClient) -> None:
        study = four_view_study(study=13)
        study[View.LIVER_KIDNEY] = edited(study[View.LIVER_KIDNEY], lambda each: setattr(each, "PatientID", ""))
        study[View.HEPATIC_VEINS] = edited(
            study[View.HEPATIC_VEINS], lambda each: setattr(each, "AccessionNumber", "OTHER")
        )
        for result in map(read, fetched(service, analysed(service, study))):
            assert (result.PatientID, result.AccessionNumber) == ("", "")

    def test_they_follow_a_corrected_patient(self, service: TestClient) -> None:
        before = four_view_study(study=21)
        after = {
            view: edited(content, lambda each: setattr(each, "PatientID", "  CORR  ECTED"))
            for view, content in before.items()
        }
        first, second = analysed(service, before), analysed(service, after)
        assert second["estimate"]["pdff_percent"] == first["estimate"]["pdff_percent"]
        old, new = fetched(service, first), fetched(service, second)
        assert {read(content).PatientID for content in new} == {"CORR  ECTED"}
        assert {read(content).SOPInstanceUID for content in old}.isdisjoint(
            read(content).SOPInstanceUID for content in new
        )
        state = service.get(f"/v1/studies/{second['study_instance_uid']}").json()
        assert state["analysis"]["id"] == second["id"]
        assert [each["id"] for each in state["superseded"]] == [first["id"]]

    def test_an_image_without_its_series_has_no_objects(self, service: TestClient) -> None:
        def changed(dataset: Dataset) -> None:
            del dataset.SeriesInstanceUID

        study = {view: edited(content, changed) for view, content in four_view_study(study=14).items()}
        answer = analysed(service, study)
        assert answer["dicom_urls"] == []
        refusal = service.get(f"/v1/analyses/{answer['id']}/sr.dcm")
        assert (refusal.status_code, refusal.json()["code"]) == (404, "unknown_resource")
        assert "Series Instance UID" in refusal.json()["detail"]

    def test_the_frame_of_a_multi_frame_image_is_named(self, service: TestClient) -> None:
        study = four_view_study(study=15)
        study[View.LIVER_KIDNEY] = us_instance(view=View.LIVER_KIDNEY, frames=3, study=15)
        answer = analysed(service, study)
        report = read(fetched(service, answer)[0])
        (item,) = [item for item in groups(report)[3].ContentSequence if item.ValueType == "IMAGE"]
        (warning,) = answer["views"][3]["warnings"]
        everywhere = [str(each.ImageComments) for each in map(read, fetched(service, answer)[1:])]
        everywhere.append(" ".join(each.TextValue for each in report.ContentSequence[-1].ContentSequence))
        assert all(f"Liver / kidney: {warning['detail']}" in text for text in everywhere)
        assert int(item.ReferencedSOPSequence[0].ReferencedFrameNumber) == answer["views"][3]["frame_number"] > 1

    @pytest.mark.parametrize(
        ("number", "said", "expected"),
        [
            (21, {"StudyDate": "20240102", "StudyTime": "101112"}, ("20240102", "101112")),
            (22, {"StudyDate": "20240102", "StudyTime": ""}, ("20240102", "000000")),
            (23, {"ContentDate": "20240103", "ContentTime": "101112.5"}, ("20240103", "101112")),
        ],
    )
    def test_its_time_is_that_of_the_images(
        self, service: TestClient, number: int, said: dict[str, str], expected: tuple[str, str]
    ) -> None:
        study = {view: us_instance(view=view, study=number, attributes=said) for view in View}
        report = read(fetched(service, analysed(service, study))[0])
        assert (report.ContentDate, report.ContentTime) == expected

    def test_no_cache_keeps_what_names_a_patient(self, service: TestClient, analysis: dict[str, Any]) -> None:
        for url in (*analysis["dicom_urls"], analysis["fhir_url"]):
            assert service.get(url).headers["cache-control"] == "no-store"

    def test_an_unknown_analysis(self, service: TestClient) -> None:
        for name in ("sr.dcm", "summary.dcm", "views/liver_kidney/overlay.dcm", "fhir"):
            assert service.get(f"/v1/analyses/00000000-0000-0000-0000-000000000000/{name}").status_code == 404


def edited(content: bytes, change: Callable[[Dataset], None]) -> bytes:
    dataset = read(content)
    change(dataset)
    return _bytes(dataset)


@pytest.mark.real
class TestValidators:
    @pytest.fixture
    def files(self, objects: list[bytes], tmp_path: Path) -> list[Path]:
        paths = [tmp_path / f"{k}.dcm" for k in range(len(objects))]
        for path, content in zip(paths, objects, strict=True):
            path.write_bytes(content)
        return paths

    def test_dciodvfy_finds_no_error(self, files: list[Path], command: Callable[[str], str]) -> None:
        for path in files:
            said = _said([command("dciodvfy"), str(path)])
            assert said[0] in ("Comprehensive3DSR", "SCImage")
            assert not [line for line in said if line.startswith("Error")]

    def test_dsrdump_reads_the_report(self, files: list[Path], command: Callable[[str], str]) -> None:
        ran = subprocess.run([command("dsrdump"), files[0]], capture_output=True, text=True, check=True)
        assert ran.stdout.count('"Measurement Group")') == 5

    def test_pixelmed_knows_the_template(self, files: list[Path], command: Callable[[str], str]) -> None:
        complaints = pixelmed(files[0], command)
        own = ("(CALL-GE", "(VIEW-SOURCE")  # TID 1501 is extensible
        assert not [line for line in complaints if not any(code in line for code in own)]

    def test_pixelmed_would_say_so(self, objects: list[bytes], tmp_path: Path, command: Callable[[str], str]) -> None:
        report = read(objects[0])
        (measurements,) = (
            item for item in report.ContentSequence if item.ConceptNameCodeSequence[0].CodeValue == "126010"
        )
        for item in measurements.ContentSequence[0].ContentSequence:
            if item.ValueType == "UIDREF":
                item.ConceptNameCodeSequence[0].CodeValue = "112039"
        path = tmp_path / "broken.dcm"
        report.save_as(path)
        assert any("Tracking Unique Identifier" in line for line in pixelmed(path, command))


def pixelmed(path: Path, command: Callable[[str], str]) -> list[str]:
    """Check an object against its IOD and its template; list what is complained of."""
    if not PIXELMED.exists():
        pytest.skip("needs libpixelmed-java")
    validator = ["-cp", str(PIXELMED), "com.pixelmed.validate.DicomSRValidator"]
    said = _said([command("java"), *XPATH_LIMITS, *validator, str(path)])
    assert "Found Root Template TID_1500 (MeasurementReport)" in said
    return [line for line in said if line.startswith(("Error", "Warning"))]


def _said(arguments: list[str]) -> list[str]:
    ran = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=200)
    return (ran.stdout + ran.stderr).splitlines()


@pytest.fixture(scope="module")
def document(service: TestClient, analysis: dict[str, Any]) -> dict[str, Any]:
    answer = service.get(analysis["fhir_url"])
    assert answer.headers["content-type"] == "application/fhir+json"
    assert service.get(analysis["fhir_url"]).content == answer.content
    return dict(answer.json())


class TestFhir:
    def test_it_is_valid(self, document: dict[str, Any]) -> None:
        Bundle.model_validate_json(json.dumps(document))

    def test_the_judge_would_say_so(self, document: dict[str, Any]) -> None:
        broken = json.loads(json.dumps(document))
        del broken["entry"][0]["resource"]["status"]
        broken["entry"][1]["resource"]["valueQuantity"]["value"] = "much"
        with pytest.raises(pydantic.ValidationError):
            Bundle.model_validate_json(json.dumps(broken))

    def test_it_says_what_the_answer_says(self, document: dict[str, Any], analysis: dict[str, Any]) -> None:
        said = [each["valueQuantity"]["value"] for each in resources(document, "Observation")]
        expected = [*numbers(analysis["estimate"]), *(n for view in analysis["views"] for n in numbers(view))]
        assert said == expected

    def test_every_reference_inside_resolves(self, document: dict[str, Any]) -> None:
        there = {entry["fullUrl"] for entry in document["entry"]}
        assert len(there) == len(document["entry"]) == 17
        named = set(references(document))
        assert named
        assert named <= there

    def test_everything_is_labelled_as_made_by_a_machine(self, document: dict[str, Any]) -> None:
        for entry in document["entry"]:
            assert [label["code"] for label in entry["resource"]["meta"]["security"]] == ["AIAST"]
        (report,) = resources(document, "DiagnosticReport")
        assert report["status"] == "preliminary"
        assert "not for diagnosis" in report["conclusion"]
        assert "synthetic: not for clinical use" in report["conclusion"]

    def test_the_patient_is_named_by_identifier_alone(
        self, document: dict[str, Any], phantom_study: dict[View, bytes]
    ) -> None:
        image = read(phantom_study[View.LIVER_KIDNEY])
        assert resources(document, "DiagnosticReport")[0]["subject"]["identifier"]["value"] == image.PatientID
        assert str(image.PatientName) not in json.dumps(document)

    def test_images_that_disagree_give_no_subject(self, service: TestClient) -> None:
        study = four_view_study(study=16)
        study[View.LIVER_KIDNEY] = edited(study[View.LIVER_KIDNEY], lambda each: setattr(each, "PatientID", ""))
        document = service.get(analysed(service, study)["fhir_url"]).json()
        assert "subject" not in resources(document, "DiagnosticReport")[0]


def resources(document: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [entry["resource"] for entry in document["entry"] if entry["resource"]["resourceType"] == kind]


def references(value: Any) -> Iterator[str]:
    """Every literal reference in a document."""
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from references(each)
