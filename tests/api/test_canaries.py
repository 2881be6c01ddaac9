"""Canaries in all that may name a patient: after a full run of a real service they are only where they must be."""

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from pydicom import dcmread
from pydicom._dicom_dict import DicomDictionary
from pydicom.filebase import DicomBytesIO

from app.adapters.dicom.keywords import STUDY_ATTRIBUTES
from app.adapters.drawing.png import decode_png
from app.adapters.screens.text_reader import is_installed, text_reader
from app.core.values import GreyImage, View
from tests.factories import VIEW_NAMES, ct_instance, sector, sector_region, truncated, us_instance
from tests.screens import written
from tests.stow import store
from training.demo import running_service

TEXTS = ("PN", "LO", "SH", "ST", "LT", "UT", "UC", "AE")
DATES = {"PatientBirthDate": "19010203", "StudyDate": "19020304", "StudyTime": "010203.123"}
FILE_META = 0x0002
FIXED = {"PatientSex", "TimezoneOffsetFromUTC"}
NAMES_A_VIEW = {"ProtocolName", "ViewName", "StageName", "SeriesDescription", "ImageComments", "CodeMeaning"}
SIZE = (240, 320)
HEADER = np.frombuffer(b"DOE JANE 1901-02-03 MRN 4711 " * 8, np.uint8)

BURNED_IN, WHERE = "QUIXOTE ZEBEDEE", (95, 150)
"""In the tissue, and where."""


def canary(keyword: str) -> str:
    """A text that stands nowhere else, short enough for every value representation."""
    return "Zq" + hashlib.sha256(keyword.encode()).hexdigest()[:12]


CANARIES = {
    keyword: canary(keyword)
    for tag, (vr, _, _, retired, keyword) in DicomDictionary.items()
    if vr in TEXTS and keyword and not retired and tag >> 16 > FILE_META
} | DATES


def labelled(view: View, **arguments: Any) -> bytes:
    """An image of which every text is a canary, and whose header and tissue have a name burned in."""
    pixels = written(sector(*SIZE, seed=_number(view)), BURNED_IN, WHERE, 16)[..., 0].copy()
    pixels[1, : len(HEADER)] = HEADER
    attributes: dict[str, object] = {name: text for name, text in CANARIES.items() if name not in NAMES_A_VIEW}
    attributes |= {name: f"{VIEW_NAMES[view]} {canary(name)}" for name in ("ImageComments", "ProtocolName")}
    content = us_instance(
        view=view,
        pixels=pixels,
        regions=[sector_region(*SIZE)],
        attributes=attributes | arguments,
        number=_number(view),
    )
    return _with_private_block(content)


def _number(view: View) -> int:
    return list(View).index(view) + 1


def _with_private_block(content: bytes) -> bytes:
    dataset = dcmread(DicomBytesIO(content))
    block = dataset.private_block(0x0011, canary("creator"), create=True)
    block.add_new(0x01, "LO", canary("private"))
    out = DicomBytesIO()
    dataset.save_as(out)
    return bytes(out.getvalue())


@dataclass
class Run:
    """What a run left behind."""

    answers: list[httpx2.Response] = field(default_factory=list)
    made: dict[str, Any] = field(default_factory=dict)
    log: str = ""
    metrics: str = ""
    database: Path = Path()
    temporary: Path = Path()


@pytest.fixture(scope="module")
def run(bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("canaries")
    run = Run(database=folder / "test.db", temporary=folder / "tmp")
    run.temporary.mkdir()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LIVER_PDFF_LOG_LEVEL", "DEBUG")
        environment.setenv("TMPDIR", str(run.temporary))
        with running_service(bundle_folder, f"sqlite:///{run.database}", folder / "service.log") as service:
            ask(service.client, run)
    run.log = (folder / "service.log").read_text()
    return run


def ask(client: httpx2.Client, run: Run) -> None:
    """Ask everything, rightly and wrongly."""
    study = {view: labelled(view) for view in View}

    def post(files: Mapping[Any, bytes]) -> httpx2.Response:
        return client.post(
            "/v1/analyses", files={name: (canary("file") + ".dcm", data) for name, data in files.items()}
        )

    made = post(study)
    assert made.status_code == 201, made.text
    run.made = made.json()
    wrong = labelled(View.LIVER_KIDNEY, StudyInstanceUID="1.2.3.4")
    bad = [ct_instance(), truncated(study[View.LIVER_KIDNEY], 0.9), truncated(study[View.LIVER_KIDNEY], 0.1), wrong]
    bad += [labelled(View.LIVER_KIDNEY, Modality="ZQOTHER", SOPClassUID="1.2"), labelled(View.LIVER_KIDNEY, Rows=0)]
    bad += [us_instance(view=canary("ImageComments")), study[View.LIVER_KIDNEY] + b"\0", canary("text").encode()]
    run.answers = [made, post(study), *(post({**study, View.LIVER_KIDNEY: each}) for each in bad)]
    run.answers += [post({"instances": each}) for each in bad]
    run.answers += [store(client, [each]) for each in (*study.values(), *bad)]
    base, uid = f"/v1/analyses/{run.made['id']}", run.made["study_instance_uid"]
    paths = [
        base,
        f"{base}/report",
        f"{base}/report.pdf",
        f"/v1/studies/{uid}",
        "/v1/analyses",
        "/v1/audit",
        "/v1/bundle",
        "/v1/studies/1.2.3.4",
    ]
    run.answers += [client.get(path) for path in paths]
    run.metrics = client.get("/metrics").text


def found(text: str) -> set[str]:
    return {keyword for keyword, value in CANARIES.items() if value in text}


def test_enough_attributes_are_watched() -> None:
    assert len(CANARIES) > 500
    assert set(STUDY_ATTRIBUTES) - FIXED <= set(CANARIES)


def test_no_answer_names_a_patient(run: Run) -> None:
    assert {answer.status_code // 100 for answer in run.answers} == {2, 4}
    for answer in run.answers:
        assert found(answer.text) == set(), answer.url
        assert canary("private") not in answer.text
        assert canary("file") not in answer.text


def test_no_line_of_the_log_names_a_patient_or_a_study(run: Run) -> None:
    assert "analysis outcome=created" in run.log
    assert found(run.log) == set()
    for secret in (
        canary("private"),
        canary("file"),
        run.made["study_instance_uid"],
        run.made["views"][0]["sop_instance_uid"],
    ):
        assert secret not in run.log


def test_no_metric_names_a_patient_or_a_study(run: Run) -> None:
    assert "liver_pdff_analyses_total" in run.metrics
    assert found(run.metrics) == set()
    assert run.made["study_instance_uid"] not in run.metrics


def test_the_database_holds_what_result_objects_repeat_and_nothing_else(run: Run) -> None:
    places = set()
    with closing(sqlite3.connect(run.database)) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            cursor = connection.execute(f"SELECT * FROM {table}")
            columns = [column[0] for column in cursor.description]
            for row in cursor:
                places |= {
                    (table, name, each) for name, value in zip(columns, row, strict=True) for each in found(str(value))
                }
    assert {(table, column) for table, column, _ in places} == {
        ("analysis_views", "origin"),
        ("received_instances", "origin"),
    }
    assert {keyword for _, _, keyword in places} == set(STUDY_ATTRIBUTES) - FIXED
    content = run.database.read_bytes()
    assert canary("private").encode() not in content


def test_the_burned_in_header_is_in_no_crop(run: Run) -> None:
    with closing(sqlite3.connect(run.database)) as connection:
        crops = connection.execute("SELECT tissue_png FROM analysis_views").fetchall()
        crops += connection.execute("SELECT tissue_png FROM received_instances WHERE view IS NOT NULL").fetchall()
    assert len(crops) >= 8
    for (png,) in crops:
        assert HEADER[:29].tobytes() not in decode_png(png).tobytes()


@pytest.mark.skipif(not is_installed(), reason="rapidocr is not installed: the extra `screen`")
def test_the_name_burned_into_the_tissue_is_in_no_crop(run: Run) -> None:
    with closing(sqlite3.connect(run.database)) as connection:
        crops = [decode_png(png) for (png,) in connection.execute("SELECT tissue_png FROM analysis_views")]
    assert "ZEBEDEE" in read_all(written(sector(*SIZE, seed=1), BURNED_IN, WHERE, 16)[..., 0]), "it can be read"
    for crop in crops:
        text = read_all(crop)
        assert not any(BURNED_IN[k : k + 4] in text for k in range(len(BURNED_IN) - 3)), text


def read_all(pixels: GreyImage) -> str:
    """Read all text in a picture."""
    reader = text_reader()
    assert reader
    boxes = reader.find(pixels)
    parts = [np.ascontiguousarray(pixels[box.y0 : box.y1, box.x0 : box.x1]) for box in boxes]
    return " ".join(reader.read(part).text.upper() for part in parts)


def test_no_upload_stays_on_disk(run: Run) -> None:
    assert [path for path in run.temporary.rglob("*") if path.is_file()] == []


def test_the_trail_names_the_study_by_its_digest(run: Run) -> None:
    (trail,) = [answer for answer in run.answers if answer.url.path == "/v1/audit"]
    digest = hashlib.sha256(run.made["study_instance_uid"].encode()).hexdigest()[:16]
    events = [json.loads(line) for line in trail.text.splitlines()]
    assert digest in {event.get("study_digest") for event in events}
