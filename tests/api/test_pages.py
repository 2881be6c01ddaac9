"""What the pages and their previews say; how they look and behave is for tests/browser."""

import html
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from fastapi.testclient import TestClient

from app.adapters.bundle.store import Bundle
from app.core.notices import VIEW_NAMES
from app.core.values import View
from tests.api.test_analyses import post
from tests.conftest import ServiceFactory
from tests.factories import PATIENT_NAME, ct_instance, four_view_study, us_instance


def preview(client: TestClient, content: bytes) -> Any:
    return client.post("/v1/previews", files={"file": ("Zebedee.dcm", content)})


class TestPreview:
    def test_it_says_what_the_analysis_will_say(self, client: TestClient) -> None:
        study = four_view_study()
        analysis = post(client, study).json()
        for view in analysis["views"]:
            seen = preview(client, study[View(view["view"])]).json()
            for name in ("view", "sop_instance_uid", "frame_number", "tissue_box", "warnings"):
                assert seen[name] == view[name]
            assert (seen["view_source"], view["view_source"]) == ("attribute", "sender")
            assert seen["study_instance_uid"] == analysis["study_instance_uid"]
            assert seen["thumbnail"].startswith("data:image/png;base64,")

    def test_nothing_is_stored_and_nothing_leaks(self, client: TestClient) -> None:
        answer = preview(client, us_instance(view=View.LIVER_KIDNEY))
        assert answer.is_success
        assert PATIENT_NAME not in answer.text
        assert client.get("/v1/analyses").json()["analyses"] == []
        assert client.get(f"/v1/studies/{answer.json()['study_instance_uid']}").status_code == 404

    def test_a_picture_that_names_no_view_is_shown_all_the_same(self, client: TestClient) -> None:
        seen = preview(client, us_instance(view="ABDOMEN")).json()
        assert (seen["view"], seen["view_source"]) == (None, None)

    @pytest.mark.parametrize(
        ("content", "status", "code"),
        [(b"", 422, "empty_upload"), (b"no DICOM" * 99, 415, "not_dicom"), (ct_instance(), 422, "not_ultrasound")],
    )
    def test_a_refusal_is_the_studys(self, client: TestClient, content: bytes, status: int, code: str) -> None:
        answer = preview(client, content)
        assert (answer.status_code, answer.json()["code"]) == (status, code)

    def test_a_large_file_is_refused(self, serve: ServiceFactory) -> None:
        with serve(max_instance_mib=1) as client:
            assert preview(client, bytes((1 << 20) + 1)).json()["code"] == "upload_too_large"


class TestUploadPage:
    def test_it_says_what_it_is(self, client: TestClient) -> None:
        page = client.get("/").text
        assert "Not a medical device" in page
        assert "synthetic" in page

    def test_without_a_bundle_it_says_why(self, serve: ServiceFactory, tmp_path: Path) -> None:
        with serve(bundle=tmp_path / "nowhere") as client:
            page = client.get("/")
        assert page.is_success
        assert "cannot be analysed at the moment" in page.text


class TestReport:
    def test_it_says_what_the_calls_are_worth(self, client: TestClient, bundle: Bundle) -> None:
        analysis = post(client, four_view_study()).json()
        page = " ".join(client.get(f"/v1/analyses/{analysis['id']}/report").text.split())
        evaluation = bundle.manifest.evaluation
        assert f"on {evaluation.participants} participants that no head had seen (simulated)" in page
        assert f"{100 * evaluation.ge10.specificity:.0f} %. The estimate was off by" in page

    def test_figures_of_another_bundle_are_not_shown(self, serve: ServiceFactory, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path}/test.db"
        with serve(database_url=url) as client:
            analysis = post(client, four_view_study()).json()
        with serve(database_url=url, bundle=tmp_path / "nowhere") as client:
            page = client.get(f"/v1/analyses/{analysis['id']}/report").text
        assert "it is not the one that is loaded now" in page
        assert "Spearman" not in page


class TestPdf:
    def test_its_numbers_are_those_of_the_answer(self, client: TestClient) -> None:
        analysis = post(client, four_view_study()).json()
        answer = client.get(f"/v1/analyses/{analysis['id']}/report.pdf")
        assert answer.headers["content-type"] == "application/pdf"
        [text] = pdf_texts(answer.content)
        shown = [(VIEW_NAMES[View(view["view"])], view) for view in analysis["views"]]
        for name, said in [*shown, ("Averaged multiview model", analysis["estimate"])]:
            numbers = f"{said['pdff_percent']:.1f} {said['probability_ge5']:.2f} {said['probability_ge10']:.2f}"
            assert f"{name} {numbers}" in text
        assert f"{analysis['estimate']['pdff_percent']:.1f} % PDFF" in text
        for said in ("Not a medical device", "Synthetic bundle", analysis["study_instance_uid"], analysis["id"]):
            assert said in text
        assert analysis["bundle"]["sha256"] in text
        assert f"http://testserver/v1/analyses/{analysis['id']}/report" in text

    def test_it_is_the_page(self, client: TestClient) -> None:
        """What the HTML remarks, the PDF remarks; the same report is the same bytes."""
        base = f"/v1/analyses/{post(client, four_view_study()).json()['id']}"
        page = html.unescape(client.get(f"{base}/report").text)
        remarks = re.findall(r"<li>(.*?)</li>", page)
        [text] = pdf_texts(client.get(f"{base}/report.pdf").content)
        assert len(remarks) >= 3
        assert all(remark in text for remark in remarks)
        assert client.get(f"{base}/report.pdf").content == client.get(f"{base}/report.pdf").content

    @pytest.mark.parametrize("host", ["pacs", "x" * 230])
    def test_an_address_too_long_for_a_camera_is_left_out(self, client: TestClient, host: str) -> None:
        base = f"/v1/analyses/{post(client, four_view_study()).json()['id']}"
        answer = client.get(f"{base}/report.pdf", headers={"host": host})
        assert answer.is_success
        assert ("Found at" in pdf_texts(answer.content)[0]) == (len(host) < 100)

    def test_partial_answers_and_many_remarks_stay_one_page(self, client: TestClient) -> None:
        views = list(four_view_study(rows=240, columns=320).items())[:2]
        answer = client.post(
            "/v1/analyses",
            files={str(view): content for view, content in views},
            data={"allow_partial": "true"},
        ).json()
        [text] = pdf_texts(client.get(f"/v1/analyses/{answer['id']}/report.pdf").content)
        assert "Average of 2 of 4 views" in text


def pdf_texts(content: bytes) -> list[str]:
    """Read the text of every page as one line."""
    with pypdfium2.PdfDocument(content) as document:
        return [" ".join(page.get_textpage().get_text_range().split()) for page in document]


class TestList:
    def test_it_finds_by_study_and_by_day(self, client: TestClient) -> None:
        made = [post(client, four_view_study(study=study)).json() for study in (1, 2)]
        today = datetime.now(UTC).date()
        uids = [each["study_instance_uid"] for each in made]
        for query, found in (
            ("", uids),
            ("study=&first_day=&last_day=", uids),
            (f"study={uids[0]}", uids[:1]),
            (f"first_day={today}&last_day={today}", uids),
            (f"first_day={today + timedelta(days=2)}", []),
            (f"last_day={today - timedelta(days=2)}", []),
            ("first_day=0001-01-01&last_day=9999-12-31", uids),
        ):
            page = client.get(f"/analyses?{query}")
            assert page.is_success
            assert {uid for uid in uids if f">{uid}</a>" in page.text} == set(found), query
        assert "No analysis fits" in client.get("/analyses?study=1.2").text

    def test_pages_follow_each_other(self, client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("app.api.pages._ROWS", 1)
        made = [post(client, four_view_study(study=study)).json()["id"] for study in (1, 2)]
        first = client.get("/analyses").text
        assert made[1] in first
        assert made[0] not in first
        older = first.partition('href="/analyses?cursor=')[2].partition('"')[0]
        second = client.get(f"/analyses?cursor={older}").text
        assert made[0] in second
        assert "Older" not in second

    @pytest.mark.parametrize("query", ["study=abc", "first_day=yesterday", "cursor=x"])
    def test_nonsense_is_refused(self, client: TestClient, query: str) -> None:
        assert client.get(f"/analyses?{query}").status_code == 422

    def test_who_looked_is_recorded(self, client: TestClient) -> None:
        analysis = post(client, four_view_study()).json()
        client.get("/analyses")
        last = client.get("/v1/audit").text.splitlines()[-2]
        assert analysis["id"] in last
        assert '"read"' in last


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_moments_beyond_the_calendar_are_no_fault(client: TestClient, moment: str) -> None:
    for parameter in ("since", "before"):
        assert client.get("/v1/analyses", params={parameter: moment}).is_success
    assert client.get("/v1/audit", params={"since": moment}).is_success
