"""POST and GET /v1/analyses, on the real bundle and a real database."""

import io
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from app.adapters.dicom import read_instance
from app.core.tissue import extract_tissue
from app.core.values import Target, View
from tests.conftest import ServiceFactory
from tests.factories import PATIENT_NAME, Region, ct_instance, four_view_study, sector, truncated, us_instance
from tests.stow import BOUNDARY, related

Files = Mapping[Any, bytes]
Answered = tuple[TestClient, dict[str, Any]]
NO_FILE = {"instances": ("", b"")}
"""What a browser sends for a picker left empty."""


def post(client: TestClient, files: Files, **form: str) -> httpx2.Response:
    """Send files, each under the field it is keyed by."""
    return client.post("/v1/analyses", files={name: (f"{name}.dcm", data) for name, data in files.items()}, data=form)


def post_instances(client: TestClient, contents: list[bytes], **form: str) -> httpx2.Response:
    """Send files whose view is to be read from DICOM."""
    return client.post("/v1/analyses", files=[("instances", ("x", data)) for data in contents], data=form)


@pytest.fixture(scope="module")
def shared_client(serve: ServiceFactory) -> Iterator[TestClient]:
    """One service for all the refusals of this module: none may leave anything behind."""
    with serve() as client:
        yield client
        assert client.get("/v1/analyses").json()["analyses"] == []


class TestAnswer:
    def test_four_named_views_give_a_stored_analysis(self, client: TestClient, phantom_study: Files) -> None:
        answer = post(client, phantom_study)
        assert answer.status_code == 201
        body = answer.json()
        assert body["complete"]
        assert body["estimate"]["views_used"] == list(View)
        assert [view["view"] for view in body["views"]] == list(View)
        assert client.get(answer.headers["location"]).json() == body

    def test_a_call_can_be_explained(self, client: TestClient, phantom_study: Files) -> None:
        estimate = post(client, phantom_study).json()["estimate"]
        for cutoff in ("ge5", "ge10"):
            called = estimate[f"probability_{cutoff}"] >= estimate[f"threshold_{cutoff}"]
            assert estimate[f"steatosis_{cutoff}"] is called

    def test_the_estimate_is_the_mean_of_the_views(self, client: TestClient, phantom_study: Files) -> None:
        body = post(client, phantom_study).json()
        for name in ("pdff_percent", "probability_ge5", "probability_ge10"):
            assert body["estimate"][name] == pytest.approx(np.mean([view[name] for view in body["views"]]))

    def test_views_are_read_from_dicom(self, client: TestClient, phantom_study: Files) -> None:
        named = post(client, phantom_study)
        unnamed = post_instances(client, list(phantom_study.values())[::-1])
        assert unnamed.status_code == 200
        assert unnamed.json() == named.json()

    def test_a_field_decides_over_the_text(self, client: TestClient) -> None:
        study = four_view_study()
        swapped = dict(zip(study, reversed(study.values()), strict=True))
        views = post(client, swapped).json()["views"]
        assert [view["view"] for view in views] == list(View)
        for view in views:
            assert "view_contradicts_dicom" in {warning["code"] for warning in view["warnings"]}

    def test_pickers_left_empty_are_no_files(self, client: TestClient, phantom_study: Files) -> None:
        """Swagger UI sends an empty text for the list, a browser's form a nameless part for each empty picker."""
        one = {"liver_kidney": ("x.dcm", phantom_study[View.LIVER_KIDNEY]), "hepatic_veins": ("", b"")}
        answer = client.post("/v1/analyses", files=one, data={"instances": "", "allow_partial": "true"})
        assert answer.status_code == 201
        assert answer.json()["estimate"]["views_used"] == ["liver_kidney"]

    def test_a_part_of_a_study_is_averaged_when_allowed(self, client: TestClient, phantom_study: Files) -> None:
        two = {view: phantom_study[view] for view in (View.HEPATIC_VEINS, View.LIVER_KIDNEY)}
        body = post(client, two, allow_partial="true").json()
        assert not body["complete"]
        assert body["estimate"]["views_used"] == list(two)
        assert "partial_study" in {warning["code"] for warning in body["warnings"]}

    def test_every_answer_says_that_the_bundle_is_synthetic(self, client: TestClient, phantom_study: Files) -> None:
        body = post(client, phantom_study).json()
        assert body["bundle"]["synthetic"]
        assert body["warnings"][0]["detail"].startswith("synthetic: not for clinical use")
        assert "Not a medical device" in body["notice"]

    def test_a_cine_says_which_frame_was_used(self, client: TestClient) -> None:
        cine = us_instance(view=View.LIVER_KIDNEY, frames=5)
        view = post(client, {"liver_kidney": cine}, allow_partial="true").json()["views"][0]
        assert view["frame_number"] == 3
        assert view["warnings"][0]["detail"] == "Frame 3 of 5 was used."


class TestIdempotence:
    def test_the_same_study_again_is_the_same_analysis(self, client: TestClient, phantom_study: Files) -> None:
        first, second = post(client, phantom_study), post(client, phantom_study)
        assert (first.status_code, second.status_code) == (201, 200)
        assert first.json() == second.json()

    def test_eight_clients_at_once_get_one_analysis(self, serve: ServiceFactory, phantom_study: Files) -> None:
        with serve(max_in_flight=8) as client, ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: post(client, phantom_study), range(8)))
            assert len(client.get("/v1/analyses").json()["analyses"]) == 1
        assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
        assert len({answer.text for answer in answers}) == 1

    def test_other_pixels_are_another_analysis(self, client: TestClient) -> None:
        ids = {post(client, four_view_study(study=study)).json()["id"] for study in (1, 2)}
        assert len(ids) == 2

    def test_the_same_pixels_of_another_study_are_another_analysis(self, client: TestClient) -> None:
        """An answer never cites the objects of another study, even where a copy has the same pixels."""
        copies = [
            {
                view: us_instance(view=view, study=study, number=number, pixels=sector(seed=number))
                for number, view in enumerate(View)
            }
            for study in (1, 2)
        ]
        answers = [post(client, copy).json() for copy in copies]
        assert answers[0]["id"] != answers[1]["id"]
        assert answers[0]["estimate"]["pdff_percent"] == answers[1]["estimate"]["pdff_percent"]


def pdf() -> bytes:
    return b"%PDF-1.7\n" + b"x" * 500


class TestRefusals:
    """Each with its own code and a sentence that says what to change; nothing is stored (see shared_client)."""

    def test_a_missing_view(self, shared_client: TestClient, phantom_study: Files) -> None:
        three = {view: data for view, data in phantom_study.items() if view != View.LIVER_KIDNEY}
        answer = post(shared_client, three)
        assert_problem(answer, 422, "incomplete_study", "liver_kidney")
        assert answer.json()["missing_views"] == ["liver_kidney"]

    @pytest.mark.parametrize(
        ("content", "status", "code", "says"),
        [
            (ct_instance(), 422, "not_ultrasound", "Ultrasound"),
            (pdf(), 415, "not_dicom", "DICOM"),
            (truncated(us_instance()), 422, "undecodable_pixels", ""),
            (b"", 422, "empty_upload", "empty"),
            (bytes(50_000_000), 413, "upload_too_large", "32 MiB"),
        ],
        ids=["ct", "pdf", "truncated", "empty", "50 MB"],
    )
    def test_a_part_that_is_no_image(
        self, shared_client: TestClient, phantom_study: Files, content: bytes, status: int, code: str, says: str
    ) -> None:
        answer = post(shared_client, {**phantom_study, "right_portal_vein": content})
        assert_problem(answer, status, code, says)
        assert answer.json()["part"] == "right_portal_vein"

    def test_a_two_panel_image(self, shared_client: TestClient) -> None:
        panels = (Region(0, 0, 319, 479), Region(320, 0, 639, 479))
        image = us_instance(view=View.LIVER_KIDNEY, regions=panels)
        answer = post(shared_client, {"liver_kidney": image}, allow_partial="true")
        assert_problem(answer, 422, "multiple_tissue_regions", "one")

    def test_a_doppler_image(self, shared_client: TestClient) -> None:
        answer = post(shared_client, {"liver_kidney": doppler_instance()}, allow_partial="true")
        assert_problem(answer, 422, "colour_doppler", "colour")

    def test_an_image_without_tissue(self, shared_client: TestClient) -> None:
        black = us_instance(view=View.LIVER_KIDNEY, pixels=np.zeros((480, 640), np.uint8), regions=())
        answer = post(shared_client, {"liver_kidney": black}, allow_partial="true")
        assert_problem(answer, 422, "no_tissue", "")

    def test_every_image_without_tissue_is_named_at_once(self, shared_client: TestClient) -> None:
        black = [us_instance(pixels=np.zeros((480, 640), np.uint8), number=n, regions=()) for n in range(2)]
        answer = post_instances(shared_client, [*four_view_study().values(), *black])
        assert_problem(answer, 422, "no_tissue", "")
        assert [error["part"] for error in answer.json()["errors"]] == ["instances[5]", "instances[6]"]

    def test_four_views_of_two_studies(
        self, shared_client: TestClient, phantom_study: Files, other_study: Files
    ) -> None:
        mixed = {**phantom_study, "liver_kidney": other_study[View.LIVER_KIDNEY]}
        assert_problem(post(shared_client, mixed), 422, "mixed_studies", "liver_kidney")

    def test_two_patients_under_one_study(self, shared_client: TestClient, phantom_study: Files) -> None:
        attributes = {**of_the_same(phantom_study), "PatientID": "QUIXOTE"}
        other = us_instance(view=View.LIVER_KIDNEY, attributes=attributes)
        answer = post(shared_client, {**phantom_study, View.LIVER_KIDNEY: other})
        assert_problem(answer, 422, "mixed_patients", "(0010,0020) Patient ID")
        assert "QUIXOTE" not in answer.text

    def test_the_same_view_twice(self, shared_client: TestClient, phantom_study: Files) -> None:
        twice = [*phantom_study.values(), phantom_study[View.HEPATIC_VEINS]]
        answer = post_instances(shared_client, twice)
        assert_problem(answer, 422, "duplicate_instance", "instances[1] and instances[5]")
        assert [error["code"] for error in answer.json()["errors"]] == ["duplicate_instance", "duplicate_view"]

    def test_another_picture_of_the_same_view(self, shared_client: TestClient, phantom_study: Files) -> None:
        again = us_instance(view=View.HEPATIC_VEINS, attributes=of_the_same(phantom_study))
        twice = [*phantom_study.values(), again]
        assert_problem(post_instances(shared_client, twice), 422, "duplicate_view", "instances[1], instances[5]")

    def test_two_files_under_one_field(self, shared_client: TestClient, phantom_study: Files) -> None:
        """None is overlooked: not a second image, and not rubbish."""
        again = us_instance(view=View.HEPATIC_VEINS, attributes=of_the_same(phantom_study))
        for extra, code, part in ((again, "duplicate_view", None), (pdf(), "not_dicom", "hepatic_veins[2]")):
            files = [(str(view), ("x", data)) for view, data in [*phantom_study.items(), (View.HEPATIC_VEINS, extra)]]
            answer = shared_client.post("/v1/analyses", files=files)
            assert answer.json()["code"] == code
            assert answer.json().get("part") == part

    def test_one_picture_for_all_four_views(self, shared_client: TestClient, phantom_study: Files) -> None:
        same = dict.fromkeys(View, phantom_study[View.LIVER_KIDNEY])
        assert_problem(post(shared_client, same), 422, "duplicate_instance", "same picture")

    @pytest.mark.parametrize("cut", [3, 4, 1000])
    def test_a_form_without_its_end(self, client: TestClient, phantom_study: Files, cut: int) -> None:
        """Its last file may lack its end, whatever the framing of HTTP says."""
        files = {str(view): ("x", data) for view, data in phantom_study.items()}
        request = client.build_request("POST", "/v1/analyses", files=files, data={"allow_partial": "true"})
        body = request.read()[:-cut]
        answer = client.post("/v1/analyses", content=body, headers={"Content-Type": request.headers["content-type"]})
        assert_problem(answer, 400, "malformed_multipart", "closing boundary")
        assert client.get("/v1/analyses").json()["analyses"] == []

    def test_the_media_type_in_any_case(self, client: TestClient, phantom_study: Files) -> None:
        files = {str(view): ("x", data) for view, data in phantom_study.items()}
        request = client.build_request("POST", "/v1/analyses", files=files)
        sent = {"Content-Type": request.headers["content-type"].replace("multipart/form-data", "Multipart/Form-Data")}
        assert client.post("/v1/analyses", content=request.read(), headers=sent).is_success

    def test_a_misspelt_field(self, shared_client: TestClient, phantom_study: Files) -> None:
        misspelt = {"hepatic_vein": phantom_study[View.HEPATIC_VEINS]}
        answer = post(shared_client, misspelt, allow_partial="true")
        assert_problem(answer, 422, "invalid_request", "hepatic_veins, right_portal_vein")

    def test_a_file_needs_no_filename(self, client: TestClient, phantom_study: Files) -> None:
        """RFC 7578 (4.2) does not ask for one."""
        nameless = related(
            [phantom_study[View.LIVER_KIDNEY]], headers=b'Content-Disposition: form-data; name="liver_kidney"\r\n'
        )
        flag = related([b"true"], headers=b'Content-Disposition: form-data; name="allow_partial"\r\n')
        body = nameless.removesuffix(b"--" + BOUNDARY.encode() + b"--\r\n") + flag
        answer = client.post(
            "/v1/analyses", content=body, headers={"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
        )
        assert answer.status_code == 201, answer.text

    def test_a_text_where_a_file_belongs(self, shared_client: TestClient) -> None:
        answer = shared_client.post("/v1/analyses", data={"liver_kidney": PATIENT_NAME}, files=NO_FILE)
        assert_problem(answer, 415, "not_dicom", "not DICOM")

    def test_a_flag_as_long_as_a_file(self, shared_client: TestClient) -> None:
        answer = shared_client.post("/v1/analyses", data={"allow_partial": "x" * 2000}, files=NO_FILE)
        assert_problem(answer, 422, "invalid_request", "allow_partial: is too long")

    @pytest.mark.parametrize("sent", ["application/dicom", "application/json", "multipart/related; boundary=x"])
    def test_a_body_that_is_no_form(self, shared_client: TestClient, phantom_study: Files, sent: str) -> None:
        body = phantom_study[View.LIVER_KIDNEY]
        answer = shared_client.post("/v1/analyses", content=body, headers={"content-type": sent})
        assert_problem(answer, 415, "unsupported_media_type", "multipart/form-data")

    def test_a_view_nobody_names(self, shared_client: TestClient) -> None:
        answer = post_instances(shared_client, [us_instance(view="ABDOMEN")])
        assert_problem(answer, 422, "unrecognised_view", "view rules")
        assert [error["code"] for error in answer.json()["errors"]] == ["unrecognised_view", "incomplete_study"]

    def test_no_file_at_all(self, shared_client: TestClient) -> None:
        assert_problem(shared_client.post("/v1/analyses"), 422, "empty_upload", "No file")

    def test_every_bad_part_is_listed_at_once(self, shared_client: TestClient, phantom_study: Files) -> None:
        bad = {**phantom_study, "hepatic_veins": pdf(), "liver_kidney": ct_instance()}
        errors = post(shared_client, bad).json()["errors"]
        assert [(error["part"], error["code"]) for error in errors] == [
            ("hepatic_veins", "not_dicom"),
            ("liver_kidney", "not_ultrasound"),
        ]

    def test_a_body_beyond_all_bounds(self, serve: ServiceFactory) -> None:
        with serve(max_body_mib=1) as client:
            whole = client.post("/v1/analyses", files={"liver_kidney": bytes(2 << 20)})
            chunked = client.post(
                "/v1/analyses",
                content=(bytes(1 << 16) for _ in range(32)),
                headers={"content-type": "multipart/form-data; boundary=x"},
            )
        for answer in (whole, chunked):
            assert_problem(answer, 413, "upload_too_large", "")

    def test_a_form_of_a_thousand_files(self, shared_client: TestClient) -> None:
        assert_problem(post_instances(shared_client, [b"x"] * 1000), 413, "upload_too_large", "takes, 64")

    def test_a_field_that_is_no_boolean_is_not_echoed(self, shared_client: TestClient) -> None:
        answer = shared_client.post("/v1/analyses", data={"allow_partial": PATIENT_NAME}, files=NO_FILE)
        assert_problem(answer, 422, "invalid_request", "allow_partial")
        assert PATIENT_NAME not in answer.text

    def test_more_studies_than_the_service_takes_on(self, serve: ServiceFactory, phantom_study: Files) -> None:
        with serve(max_in_flight=1) as client, ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda _: post(client, phantom_study), range(6)))
        refused = [answer for answer in answers if answer.status_code == 503]
        assert refused
        for answer in refused:
            assert_problem(answer, 503, "overloaded", "again")
            assert int(answer.headers["retry-after"]) > 0


def of_the_same(study: Files) -> dict[str, str]:
    """Attributes of another image of a study and of its patient."""
    instance = read_instance(next(iter(study.values())))
    return {**instance.origin.study, "StudyInstanceUID": instance.study_instance_uid}


def doppler_instance() -> bytes:
    """A sector with a box of red and blue flow in it."""
    rgb = np.repeat(sector()[..., np.newaxis], 3, axis=2)
    rgb[200:280, 260:320] = (220, 30, 20)
    rgb[200:280, 320:380] = (20, 40, 220)
    return us_instance(view=View.LIVER_KIDNEY, pixels=rgb, photometric="RGB")


def assert_problem(answer: httpx2.Response, status: int, code: str, says: str) -> None:
    """A refusal is problem+json that says what to change and nothing of the patient."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["status"], body["code"]) == (status, code)
    assert says in body["detail"]
    assert body["detail"].endswith(".")
    assert body["errors"][0]["code"] == code
    assert PATIENT_NAME not in answer.text


@pytest.fixture(scope="module")
def answered(serve: ServiceFactory, phantom_study: Files) -> Iterator[Answered]:
    """A service and the analysis that it has answered."""
    with serve() as client:
        yield client, post(client, phantom_study).json()


class TestPictures:
    @pytest.mark.parametrize("target", list(Target))
    def test_an_overlay_shows_the_tissue_and_a_scale(self, answered: Answered, target: Target) -> None:
        client, analysis = answered
        view = analysis["views"][0]
        overlay = client.get(view["overlay_url"], params={"target": target})
        assert overlay.headers["content-type"] == "image/png"
        picture = np.asarray(Image.open(io.BytesIO(overlay.content)))
        x0, y0, x1, y1 = view["tissue_box"]
        assert picture.shape[1] == x1 - x0
        assert picture.shape[0] > y1 - y0
        assert (picture.max(axis=2) > picture.min(axis=2)).any(), "nothing is red or blue"

    def test_the_tissue_is_the_crop_without_loss(self, answered: Answered, phantom_study: Files) -> None:
        client, analysis = answered
        view = analysis["views"][1]
        instance = read_instance(phantom_study[View(view["view"])])
        shown = np.asarray(Image.open(io.BytesIO(client.get(view["tissue_url"]).content)))
        np.testing.assert_array_equal(shown, extract_tissue(instance.pixels, instance.regions).pixels)

    def test_the_report_is_one_page_with_the_numbers(self, answered: Answered) -> None:
        client, analysis = answered
        page = client.get(f"/v1/analyses/{analysis['id']}/report")
        assert page.headers["content-type"].startswith("text/html")
        assert f"{analysis['estimate']['pdff_percent']:.1f}" in page.text
        assert "not for diagnosis" in page.text
        assert "not for clinical use" in page.text
        assert page.text.count("<img") == 8
        elsewhere = re.sub(r"http://testserver/v1/analyses/[0-9a-f-]+/report", "", page.text)
        assert "http://" not in elsewhere, "it leads to itself alone"
        assert "https://" not in elsewhere

    @pytest.mark.parametrize(
        "path", ["", "/report", "/views/liver_kidney/overlay.png", "/views/liver_kidney/tissue.png"]
    )
    def test_an_unknown_analysis_is_a_problem(self, answered: Answered, path: str) -> None:
        unknown = "/v1/analyses/00000000-0000-0000-0000-000000000000"
        assert_problem(answered[0].get(unknown + path), 404, "unknown_resource", "/v1/analyses")
        assert_problem(answered[0].get("/v1/analyses/none" + path), 422, "invalid_request", "analysis_id")

    def test_an_unknown_view_is_a_problem(self, answered: Answered) -> None:
        client, analysis = answered
        answer = client.get(f"/v1/analyses/{analysis['id']}/views/spleen/overlay.png")
        assert_problem(answer, 422, "invalid_request", "hepatic_veins")


def b64(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode()


class TestListing:
    def test_pages_are_newest_first_and_complete(self, client: TestClient) -> None:
        ids = [post(client, four_view_study(study=study)).json()["id"] for study in range(5)]
        seen, cursor = [], None
        while True:
            page = client.get("/v1/analyses", params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
            seen += [analysis["id"] for analysis in page["analyses"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert seen == ids[::-1]

    def test_one_study_is_found_by_its_uid(self, client: TestClient) -> None:
        answers = [post(client, four_view_study(study=study)).json() for study in range(2)]
        uid = answers[0]["study_instance_uid"]
        found = client.get("/v1/analyses", params={"study_instance_uid": uid}).json()["analyses"]
        assert [analysis["id"] for analysis in found] == [answers[0]["id"]]

    @pytest.mark.parametrize("cursor", ["x", "e30=", "ä", "MjAyNi0xMS0yMyBhIGI=", b64("0001-01-01T00:00:00+14:00 x")])
    def test_a_made_up_cursor_is_a_problem(self, client: TestClient, cursor: str) -> None:
        assert_problem(client.get("/v1/analyses", params={"cursor": cursor}), 422, "invalid_request", "cursor")

    def test_a_study_tells_what_is_in_and_what_is_missing(self, client: TestClient, phantom_study: Files) -> None:
        two = {view: phantom_study[view] for view in list(View)[:2]}
        analysis = post(client, two, allow_partial="true").json()
        study = client.get(f"/v1/studies/{analysis['study_instance_uid']}").json()
        assert study["views_in"] == list(View)[:2]
        assert study["views_missing"] == list(View)[2:]
        assert study["analysis"] == analysis

    def test_a_part_sent_later_does_not_hide_a_complete_analysis(
        self, client: TestClient, phantom_study: Files
    ) -> None:
        whole = post(client, phantom_study).json()
        post(client, {"liver_kidney": phantom_study[View.LIVER_KIDNEY]}, allow_partial="true")
        study = client.get(f"/v1/studies/{whole['study_instance_uid']}").json()
        assert study["views_missing"] == []
        assert study["analysis"] == whole

    def test_an_unknown_study_is_a_problem(self, client: TestClient) -> None:
        assert_problem(client.get("/v1/studies/1.2.3"), 404, "unknown_resource", "/v1/analyses")
        assert_problem(client.get("/v1/studies/%00"), 422, "invalid_request", "study_instance_uid")
