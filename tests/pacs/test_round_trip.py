"""Images into Orthanc, results out of it; whatever is killed, late or repeated in between.

Each scenario ends the same: one current analysis, one report, one set of pictures, nothing lost, nothing going round.
"""

import base64
import io
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pydicom
import pytest

from app.adapters.screens.text_reader import is_installed
from app.core.values import View
from app.score_run import score_source
from app.settings import Settings
from tests.conftest import run
from tests.factories import ct_instance, four_view_study, uid, us_instance
from tests.hospital import FEW_SHOTS, hospital_study
from tests.pacs.conftest import find
from tests.pacs.stack import PASSWORD, POLL_S, RESULTS_OF_A_STUDY, Orthanc, Stack, wait_for
from tests.stow import store, uids

pytestmark = pytest.mark.real

REPORT = "1.2.840.10008.5.1.4.1.1.88.34"  # Comprehensive 3D SR
SCREEN = "1.2.840.10008.5.1.4.1.1.7"  # Secondary Capture
ULTRASOUND = "1.2.840.10008.5.1.4.1.1.6.1"
WATCHED_S = 2.5
"""So long nothing may move: longer than StableAge and ten looks of the bridge."""
assert WATCHED_S >= 10 * POLL_S
DOWNTIME_S = float(os.environ.get("LIVER_PDFF_TEST_DOWNTIME_S", "4"))
"""How long the service is away; 70 is a good number by hand."""


@pytest.fixture
def both(stack: Stack) -> Iterator[Stack]:
    """Both run when a scenario starts, and are left running however it ended."""
    yield stack
    if not stack.orthanc.running:
        stack.orthanc.start()
    if not stack.service.running:
        stack.service.start()


def study_uid(number: int) -> str:
    return uid("study", 1, number)


def four(number: int) -> list[bytes]:
    return list(four_view_study(study=number).values())


def results(stack: Stack, study: str) -> dict[str, str]:
    held = stack.orthanc.instances(study)
    return {name: sop_class for name, sop_class in held.items() if sop_class in (REPORT, SCREEN)}


def report_of(stack: Stack, study: str) -> bytes:
    [name] = [name for name, sop_class in results(stack, study).items() if sop_class == REPORT]
    return stack.orthanc.file(name)


def wait_for_results(stack: Stack, study: str, count: int = RESULTS_OF_A_STUDY) -> None:
    wait_for(lambda: len(results(stack, study)) >= count, "results in Orthanc", stack.orthanc.log)


def assert_settled(stack: Stack, study: str, images: int = 4) -> dict[str, Any]:
    """One current analysis, exactly its objects in Orthanc, and nothing that moves; the analysis."""
    wait_for(stack.orthanc.rests, "the bridge to rest", stack.orthanc.log)
    before = (stack.orthanc.instances(study), stack.orthanc.requests(), stack.service.received())
    time.sleep(WATCHED_S)
    assert (stack.orthanc.instances(study), stack.orthanc.requests(), stack.service.received()) == before
    assert sorted(before[0].values()) == sorted([ULTRASOUND] * images + [REPORT] + [SCREEN] * 5)
    analysis = dict(stack.service.study(study)["analysis"])
    stored = {stack.orthanc.file(name) for name in results(stack, study)}
    assert stored == {stack.service.client.get(url).content for url in analysis["dicom_urls"]}
    return analysis


def count_analyses(stack: Stack, study: str) -> int:
    return len(stack.service.client.get("/v1/analyses", params={"study_instance_uid": study}).json()["analyses"])


def test_four_views_one_at_a_time(both: Stack) -> None:
    dsrdump = find("dsrdump", "dcmtk")
    both.send(four(1), one_at_a_time=True)
    wait_for_results(both, study_uid(1))
    analysis = assert_settled(both, study_uid(1))
    assert count_analyses(both, study_uid(1)) == 1
    path = both.folder / "report.dcm"
    path.write_bytes(report_of(both, study_uid(1)))
    dumped = run(dsrdump, path)
    assert dumped.returncode == 0, dumped.stderr
    expected = [analysis["estimate"], *analysis["views"]]
    assert numbers(dumped.stdout, "Fat fraction") == approximately(each["pdff_percent"] for each in expected)


def numbers(dump: str, meaning: str) -> list[float]:
    """Every measurement of that concept name, as dcmtk prints it."""
    return sorted(float(value) for value in re.findall(rf'"{meaning}"\)="([-0-9.e]+)"', dump))


def approximately(values: Any) -> Any:
    return pytest.approx(sorted(values), abs=1e-4)


def test_the_service_is_down_at_first(both: Stack) -> None:
    both.service.kill()
    both.send(four(2))
    wait_for(lambda: "does not answer" in both.orthanc.get("/liver-pdff")["obstacle"], "a try", both.orthanc.log)
    time.sleep(DOWNTIME_S)
    both.service.start()
    wait_for_results(both, study_uid(2))
    assert_settled(both, study_uid(2))
    assert count_analyses(both, study_uid(2)) == 1


def test_orthanc_is_killed_before_the_study_is_stable(both: Stack) -> None:
    both.orthanc.kill()
    both.orthanc.start(StableAge=600)
    both.send(four(3))
    both.orthanc.kill()
    assert both.service.study(study_uid(3)) == {}, "the event never came"
    both.orthanc.start()
    wait_for_results(both, study_uid(3))
    assert_settled(both, study_uid(3))


def test_the_service_is_killed_between_the_third_and_the_fourth_view(both: Stack) -> None:
    contents = four(4)
    both.send(contents[:3])
    wait_for(lambda: len(both.service.study(study_uid(4)).get("views_in", ())) == 3, "three", both.orthanc.log)
    both.service.kill()
    both.send(contents[3:])
    both.service.start()
    wait_for_results(both, study_uid(4))
    assert_settled(both, study_uid(4))
    assert count_analyses(both, study_uid(4)) == 1


def test_everything_is_sent_three_times(both: Stack) -> None:
    for _ in range(2):
        both.send(four(5) * 2, one_at_a_time=True)
        wait_for_results(both, study_uid(5))
    assert_settled(both, study_uid(5))
    assert count_analyses(both, study_uid(5)) == 1


def test_results_come_round_again(both: Stack) -> None:
    both.send(four(6))
    wait_for_results(both, study_uid(6))
    analysis = assert_settled(both, study_uid(6))
    files = [both.orthanc.file(name) for name in results(both, study_uid(6))]
    both.send(files)
    answer = store(both.service.client, files)
    assert (answer.status_code, len(uids(answer))) == (200, 6)
    assert {each["code"] for each in both.service.study(study_uid(6))["set_aside"]} == {"own_result"}
    assert assert_settled(both, study_uid(6)) == analysis


def test_a_superseding_analysis_replaces_the_results(both: Stack) -> None:
    """A newer image supersedes the analysis; its objects replace the old ones, which cannot come back."""
    both.send(four(7))
    wait_for_results(both, study_uid(7))
    first = assert_settled(both, study_uid(7))
    old = [both.orthanc.file(name) for name in results(both, study_uid(7))]
    newer = us_instance(view=View.LIVER_KIDNEY, study=7, number=9, attributes={"ContentTime": "130000"})
    both.send([newer])
    wait_for(lambda: both.service.study(study_uid(7))["superseded"], "a second analysis", both.orthanc.log)
    second = assert_settled(both, study_uid(7), images=5)
    assert second["id"] != first["id"]
    both.send(old)
    assert assert_settled(both, study_uid(7), images=5) == second


def test_results_follow_a_patient_who_was_corrected(both: Stack) -> None:
    """Dropped, and sent again under the same UIDs with another patient: nothing is left with the first."""
    both.send(four(40))
    wait_for_results(both, study_uid(40))
    first = assert_settled(both, study_uid(40))
    both.orthanc.client.delete(f"/studies/{both.orthanc.study(study_uid(40))}").raise_for_status()
    both.send(list(four_view_study(study=40, attributes={"PatientID": "CORRECTED"}).values()))
    wait_for_results(both, study_uid(40))
    second = assert_settled(both, study_uid(40))
    assert (second["id"] != first["id"], second["estimate"]["pdff_percent"]) == (
        True,
        first["estimate"]["pdff_percent"],
    )
    held = [pydicom.dcmread(io.BytesIO(both.orthanc.file(name))) for name in results(both, study_uid(40))]
    assert {each.PatientID for each in held} == {"CORRECTED"}


def test_other_objects_of_the_study_stay_where_they_are(both: Stack) -> None:
    both.send([*four(8), ct_instance()])
    wait_for_results(both, study_uid(8))
    assert_settled(both, study_uid(8))
    assert both.service.study(study_uid(8))["set_aside"] == []


def test_an_image_that_the_service_refuses_is_sent_once(both: Stack) -> None:
    odd = us_instance(view=View.LIVER_KIDNEY, study=9, attributes={"SamplesPerPixel": 2})
    both.send([odd])
    wait_for(lambda: both.service.study(study_uid(9)).get("refused"), "a refusal", both.orthanc.log)
    wait_for(both.orthanc.rests, "the bridge to rest", both.orthanc.log)
    before = both.orthanc.requests()
    time.sleep(WATCHED_S)
    assert both.orthanc.requests() == before


def test_orthanc_answers_while_the_service_hangs(both: Stack) -> None:
    both.service.signal(signal.SIGSTOP)
    try:
        asked = both.orthanc.requests()
        both.send(four(10))
        wait_for(lambda: both.orthanc.requests() > asked, "the bridge to ask", both.orthanc.log)
        started = time.monotonic()
        both.send([us_instance(study=11)])
        assert both.orthanc.get("/system")["Name"]
        assert time.monotonic() - started < 2
    finally:
        both.service.signal(signal.SIGCONT)
    wait_for_results(both, study_uid(10))
    assert_settled(both, study_uid(10))


def test_a_removed_mark_brings_the_results_back(both: Stack) -> None:
    both.send(four(12))
    wait_for_results(both, study_uid(12))
    analysis = assert_settled(both, study_uid(12))
    for name in results(both, study_uid(12)):
        both.orthanc.client.delete(f"/instances/{name}").raise_for_status()
    both.orthanc.client.delete(f"/studies/{both.orthanc.study(study_uid(12))}/metadata/1024").raise_for_status()
    wait_for_results(both, study_uid(12))
    assert assert_settled(both, study_uid(12)) == analysis


def test_orthancs_own_client_needs_no_special_settings(both: Stack) -> None:
    """Without the bridge: Orthanc's DICOMweb plugin sends a study by itself, again and again."""
    folder = both.folder / "plain"
    folder.mkdir()
    plain = Orthanc(
        find("Orthanc", "orthanc"),
        folder,
        HttpPort=8043,
        DicomPort=4243,
        Plugins=["/usr/share/orthanc/plugins/libOrthancDicomWeb.so"],
        DicomWeb={"Servers": {"liver-pdff": {"Url": "http://127.0.0.1:8000/dicom-web/"}}},
    )
    plain.start()
    try:
        both.send(four(13), port=4243)
        for _ in range(2):
            body = {"Resources": [plain.study(study_uid(13))], "Synchronous": True}
            plain.client.post("/dicom-web/servers/liver-pdff/stow", json=body).raise_for_status()
        assert both.service.study(study_uid(13))["analysis"]["complete"]
        assert count_analyses(both, study_uid(13)) == 1
    finally:
        plain.close()


def test_scores_of_a_dicomweb_query_are_those_of_the_service(both: Stack, bundle_folder: Path, tmp_path: Path) -> None:
    """What the archive holds besides, results included, does no harm."""
    both.send([*four(14), *four(15), us_instance(view="Spleen", study=15, number=8)])
    wait_for_results(both, study_uid(14))
    wait_for_results(both, study_uid(15))
    credentials = base64.b64encode(f"orthanc:{PASSWORD}".encode()).decode()
    settings = Settings(bundle=bundle_folder, threads=2, dicomweb_authorization=f"Basic {credentials}")
    out = tmp_path / "scores.parquet"
    url = f"{both.orthanc.client.base_url}/dicom-web/studies?ModalitiesInStudy=US"
    score_source(settings, url, out, "")
    rows = {row["study_instance_uid"]: row for row in pq.read_table(out).to_pylist()}
    for number in (14, 15):
        row, analysis = rows[study_uid(number)], both.service.study(study_uid(number))["analysis"]
        assert (row["outcome"], row["pdff_percent"]) == ("scored", analysis["estimate"]["pdff_percent"])
    assert "unrecognised_view:1" in rows[study_uid(15)]["instances_set_aside"]

    one = f"{both.orthanc.client.base_url}/dicom-web/studies?StudyInstanceUID={study_uid(14)}"
    score_source(settings, one, tmp_path / "one.parquet", "")
    assert pq.read_table(tmp_path / "one.parquet")["study_instance_uid"].to_pylist() == [study_uid(14)]
    with pytest.raises(ConnectionError, match="answers 401"):
        score_source(settings.model_copy(update={"dicomweb_authorization": ""}), one, tmp_path / "none.parquet", "")


@pytest.mark.skipif(not is_installed(), reason="rapidocr is not installed: the extra `screen`")
def test_a_study_as_a_hospital_sends_it_is_analysed_once(both: Stack) -> None:
    """Nothing but the writing on its screens says what its images show."""
    sent = hospital_study(FEW_SHOTS, study=16)
    both.send(sent.contents)
    wait_for_results(both, sent.study_instance_uid)
    wait_for(both.orthanc.rests, "the bridge to rest", both.orthanc.log)
    analysis = both.service.study(sent.study_instance_uid)["analysis"]
    assert {view["view"]: view["sop_instance_uid"] for view in analysis["views"]} == sent.expected
    assert {view["view_source"] for view in analysis["views"]} == {"screen"}
    assert count_analyses(both, sent.study_instance_uid) == 1
    assert len(results(both, sent.study_instance_uid)) == RESULTS_OF_A_STUDY


def test_the_logs_hold_nothing_of_the_patient_and_no_password(both: Stack) -> None:
    """Of what the bridge writes; Orthanc's own lines are Orthanc's."""
    lines = [line for line in both.orthanc.log.read_text(errors="replace").splitlines() if "liver-pdff:" in line]
    assert any("study done: accepted=4" in line for line in lines)
    for secret in ("Zebedee", "QX-", "2.25.", PASSWORD):
        assert not any(secret in line for line in lines)
