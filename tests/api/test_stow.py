"""STOW-RS, as bridges send it and as they should not."""

import time
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import httpx2
import pydicom
import pytest
from fastapi.testclient import TestClient
from pydicom.dataset import Dataset

from app.core.values import View
from tests.conftest import ServiceFactory
from tests.factories import PATIENT_NAME, ct_instance, four_view_study, truncated, uid, us_instance
from tests.stow import (
    BOUNDARY,
    CONTENT_TYPE,
    FAILED,
    OTHER,
    REFERENCED,
    chunked,
    failure_reasons,
    related,
    store,
    uids,
)

SMALL: dict[str, Any] = {"rows": 240, "columns": 320}
STUDY = uid("study", 1, 1)


def four(study: int = 1) -> list[bytes]:
    return list(four_view_study(study=study, **SMALL).values())


def one(view: View = View.LIVER_KIDNEY, **arguments: Any) -> bytes:
    return us_instance(view=view, **(SMALL | arguments))


@pytest.fixture(scope="module")
def shared_client(serve: ServiceFactory) -> Iterator[TestClient]:
    with serve(max_stow_parts=50, max_stow_mib=64) as client:
        yield client


def post(client: TestClient, body: bytes, content_type: str = CONTENT_TYPE) -> httpx2.Response:
    return client.post("/dicom-web/studies", content=body, headers={"content-type": content_type})


def assert_problem(answer: httpx2.Response, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == code


class TestAnswer:
    def test_every_instance_is_listed_and_the_study_is_analysed(self, client: TestClient) -> None:
        contents = [*four(), ct_instance()]
        answer = store(client, contents)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/dicom+json"
        assert len(uids(answer)) == 5
        assert FAILED not in answer.json()
        study = client.get(f"/v1/studies/{STUDY}").json()
        assert study["analysis"]["complete"]
        assert [each["code"] for each in study["set_aside"]] == ["not_ultrasound"]

    def test_pydicom_reads_the_answer(self, shared_client: TestClient) -> None:
        answer = Dataset.from_json(store(shared_client, [one(), b"x", truncated(one(), 0.9)]).json())
        assert answer.RetrieveURL == ""
        assert answer.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        assert answer.FailedSOPSequence[0].FailureReason == 0xC000
        assert answer.OtherFailuresSequence[0].FailureReason == 0xC000

    def test_an_instance_sent_twice_is_listed_twice(self, shared_client: TestClient) -> None:
        assert len(uids(store(shared_client, [one(), one()]))) == 2

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (truncated(one(number=2), 0.9), 0xC000),
            (one(without=["Rows"], number=3), 0xA900),
            (one(transfer_syntax="1.2.840.10008.1.2.4.102", codestreams=[b"no video"], number=4), 0xC122),
            (one(rows=6000, columns=6000, number=5), 0xA700),
        ],
    )
    def test_an_image_of_a_view_that_cannot_be_used_fails(
        self, shared_client: TestClient, content: bytes, reason: int
    ) -> None:
        answer = store(shared_client, [content])
        assert answer.status_code == 409
        assert failure_reasons(answer) == [reason]
        assert REFERENCED not in answer.json()

    def test_some_failures_are_202(self, shared_client: TestClient) -> None:
        answer = store(shared_client, [one(), truncated(one(number=2), 0.9)])
        assert answer.status_code == 202
        assert (len(uids(answer)), len(uids(answer, FAILED))) == (1, 1)

    def test_what_is_not_dicom_has_no_uid_to_be_listed_under(self, shared_client: TestClient) -> None:
        answer = store(shared_client, [b"%PDF-1.7", b""])
        assert answer.status_code == 409
        assert failure_reasons(answer, OTHER) == [0xC000, 0xC000]

    def test_a_part_of_another_media_type_fails(self, shared_client: TestClient) -> None:
        answer = post(shared_client, related([one()], headers=b"Content-Type: application/dicom+json\r\n"))
        assert answer.status_code == 409
        assert failure_reasons(answer, OTHER) == [0xC000]

    def test_an_instance_of_another_study_than_the_address_fails(self, shared_client: TestClient) -> None:
        assert store(shared_client, [one()], f"/{STUDY}").status_code == 200
        other = store(shared_client, [one(study=2)], f"/{STUDY}")
        assert (other.status_code, failure_reasons(other)) == (409, [0xA900])
        assert store(shared_client, [one(), one(study=2)], f"/{STUDY}").status_code == 202

    def test_nothing_of_the_patient_is_answered(self, shared_client: TestClient) -> None:
        answer = store(shared_client, [one(study=3), ct_instance(), truncated(one(number=2), 0.9)])
        study = shared_client.get(f"/v1/studies/{uid('study', 1, 3)}")
        for text in (answer.text, study.text):
            assert PATIENT_NAME not in text
            assert "QX-" not in text


class TestMediaTypes:
    @pytest.mark.parametrize(
        "content_type",
        [
            f"multipart/related; type=application/dicom; boundary={BOUNDARY}",
            f'multipart/related; type="application/dicom"; boundary="{BOUNDARY}"',
            f'multipart/related;boundary="{BOUNDARY}";type="application/dicom"',
        ],
    )
    def test_quoted_or_bare(self, shared_client: TestClient, content_type: str) -> None:
        assert post(shared_client, related([one()]), content_type).status_code == 200

    @pytest.mark.parametrize("content_type", ["application/dicom", f"multipart/form-data; boundary={BOUNDARY}", ""])
    def test_others_are_refused(self, shared_client: TestClient, content_type: str) -> None:
        assert_problem(post(shared_client, related([one()]), content_type), 415, "unsupported_media_type")

    @pytest.mark.parametrize("accept", ["*/*", "application/dicom+json", "text/html, application/json;q=0.9"])
    def test_the_answer_is_json(self, shared_client: TestClient, accept: str) -> None:
        assert store(shared_client, [one()], accept=accept).status_code == 200

    def test_a_client_that_wants_xml_is_told_first(self, shared_client: TestClient) -> None:
        assert_problem(store(shared_client, [one()], accept="application/dicom+xml"), 406, "not_acceptable")


class TestBodies:
    @pytest.mark.parametrize("step", [1000, 65_536])
    def test_chunked(self, shared_client: TestClient, step: int) -> None:
        body = chunked(related(four()), step)
        answer = shared_client.post("/dicom-web/studies", content=body, headers={"content-type": CONTENT_TYPE})
        assert len(uids(answer)) == 4

    @pytest.mark.parametrize("preamble", [b"\r\n", b"This is a message with parts.\r\n", b"\n\n"])
    def test_what_stands_before_the_first_boundary_is_ignored(self, shared_client: TestClient, preamble: bytes) -> None:
        assert post(shared_client, preamble + related([one()])).status_code == 200

    def test_no_boundary_at_all(self, shared_client: TestClient) -> None:
        without = 'multipart/related; type="application/dicom"'
        assert_problem(post(shared_client, related([one()]), without), 400, "malformed_multipart")

    @pytest.mark.parametrize(
        "body", [b"", b"not multipart", related([]), related([one()])[:-9], related([one()], boundary="other")]
    )
    def test_malformed(self, shared_client: TestClient, body: bytes) -> None:
        assert_problem(post(shared_client, body), 400, "malformed_multipart")

    def test_whole_instances_before_the_cut_are_kept_and_analysed(self, client: TestClient) -> None:
        body = related([*four(), one(number=9)])
        assert_problem(post(client, body[:-1000]), 400, "malformed_multipart")
        assert client.get(f"/v1/studies/{STUDY}").json()["analysis"]["complete"]

    def test_more_parts_than_are_taken(self, shared_client: TestClient) -> None:
        assert_problem(post(shared_client, related([b"x"] * 10_000)), 413, "upload_too_large")

    def test_a_body_that_says_it_is_too_large_is_not_read(self, shared_client: TestClient) -> None:
        headers = {"content-type": CONTENT_TYPE, "content-length": str(2 << 30)}
        answer = shared_client.post("/dicom-web/studies", content=b"", headers=headers)
        assert_problem(answer, 413, "upload_too_large")
        assert "64 MiB" in answer.json()["detail"]

    def test_a_body_that_turns_out_too_large(self, serve: ServiceFactory) -> None:
        with serve(max_stow_mib=1) as client:
            body = chunked(related([bytes(2 << 20)]), 65_536)
            answer = client.post("/dicom-web/studies", content=body, headers={"content-type": CONTENT_TYPE})
            assert_problem(answer, 413, "upload_too_large")

    def test_a_uid_that_is_none(self, shared_client: TestClient) -> None:
        assert_problem(store(shared_client, [one()], "/x"), 422, "invalid_request")


class TestStudyState:
    def test_candidates_the_choice_and_its_reason_are_shown(self, client: TestClient) -> None:
        later = one(number=9, attributes={"AcquisitionDateTime": "20300101"})
        store(client, [*four(), later, us_instance(view="ABDOMEN", **SMALL), truncated(one(number=7), 0.9)])
        study = client.get(f"/v1/studies/{STUDY}").json()
        kidney = study["received"][3]
        assert kidney["view"] == "liver_kidney"
        assert kidney["chosen_because"] == "taken_last"
        assert len(kidney["candidates"]) == 2
        assert kidney["chosen"] == study["analysis"]["views"][3]["sop_instance_uid"]
        assert "taken last" in study["choice_rule"]
        assert [each["code"] for each in study["set_aside"]] == ["unrecognised_view"]
        assert [each["code"] for each in study["refused"]] == ["undecodable_pixels"]

    def test_an_unfinished_study_says_what_it_waits_for(self, client: TestClient) -> None:
        store(client, four()[:3])
        study = client.get(f"/v1/studies/{STUDY}").json()
        assert study["views_missing"] == ["liver_kidney"]
        assert study["waiting_for"] == {"code": "incomplete_study", "detail": "Missing: liver_kidney."}
        assert study["analysis"] is None

    def test_a_newer_image_supersedes(self, client: TestClient) -> None:
        store(client, four())
        first = client.get(f"/v1/studies/{STUDY}").json()["analysis"]["id"]
        store(client, [one(number=9, attributes={"AcquisitionDateTime": "20300101"})])
        study = client.get(f"/v1/studies/{STUDY}").json()
        assert study["analysis"]["id"] != first
        assert [each["id"] for each in study["superseded"]] == [first]
        assert client.get(study["superseded"][0]["url"]).json()["id"] == first

    def test_without_a_bundle_nothing_is_taken(self, serve: ServiceFactory) -> None:
        with serve(bundle="nowhere") as client:
            answer = store(client, four())
            assert_problem(answer, 503, "bundle_unreadable")


class TestLookingAhead:
    """Several parts are looked at at once; what is kept follows the order in which they came."""

    def test_of_one_uid_the_last_received_is_kept(self, serve: ServiceFactory) -> None:
        with serve(threads=4) as client:
            versions = [one(attributes={"AcquisitionDateTime": f"2030010{day}"}) for day in range(1, 8)]
            store(client, [*versions, *versions[:3]])
            (kidney,) = client.get(f"/v1/studies/{STUDY}").json()["received"]
            assert [each["taken_at"] for each in kidney["candidates"]] == ["20300103"]

    def test_the_answer_lists_the_parts_in_their_order(self, serve: ServiceFactory) -> None:
        with serve(threads=4) as client:
            contents = [one(number=n) if n % 3 else ct_instance() for n in range(12)]
            assert uids(store(client, contents)) == [pydicom.dcmread(BytesIO(each)).SOPInstanceUID for each in contents]

    def test_what_came_before_the_cut_is_kept_whatever_was_under_way(self, serve: ServiceFactory) -> None:
        with serve(threads=4) as client:
            post(client, related([one(number=n) for n in range(7)])[:-1000])
            (kidney,) = client.get(f"/v1/studies/{STUDY}").json()["received"]
            assert len(kidney["candidates"]) == 6


class TestWhatNamedAView:
    def test_candidates_say_what_named_them_and_what_is_set_aside_where_it_was_looked(self, client: TestClient) -> None:
        about = us_instance(view=None, number=9, attributes={"SeriesDescription": "DOE^JANE"}, **SMALL)
        store(client, [*four(), about, ct_instance()])
        study = client.get(f"/v1/studies/{STUDY}").json()
        assert {each["view_source"] for view in study["received"] for each in view["candidates"]} == {"attribute"}
        assert {view["view_source"] for view in study["analysis"]["views"]} == {"attribute"}
        looked_at = {each["code"]: each["looked_at"] for each in study["set_aside"]}
        assert looked_at["not_ultrasound"] == []
        assert looked_at["unrecognised_view"][:2] == ["image_attributes", "examination_attributes"]
        assert "LIVER_PDFF_VIEW_RULES" in study["view_rules"]
        assert "DOE" not in str(study)

    def test_the_name_of_an_examination_makes_no_view(self, client: TestClient) -> None:
        images = [
            us_instance(view=None, number=n, attributes={"SeriesDescription": text}, **SMALL)
            for n, text in enumerate(["US LIVER AND RENAL"] * 5 + ["MEASUREMENTS"])
        ]
        store(client, images)
        study = client.get(f"/v1/studies/{STUDY}").json()
        assert study["received"] == []
        assert [each["code"] for each in study["set_aside"]] == ["unrecognised_view"] * 6

    def test_a_large_study_of_unnamed_images_is_settled_in_a_minute(self, client: TestClient) -> None:
        started = time.monotonic()
        answer = store(client, [us_instance(view=None, number=n, **SMALL) for n in range(60)])
        assert answer.status_code == 200
        assert time.monotonic() - started < 60
