"""The conformance statement says what the code does."""

import re
from pathlib import Path

from app.adapters.dicom.checks import SECONDARY_CAPTURE_CLASSES, ULTRASOUND_CLASSES
from app.adapters.dicom.codecs import DECODERS
from app.adapters.dicom_results import codes
from app.api.dicom_json import FAILURE_REASON, PROCESSING_FAILURE
from app.api.stow import DOCUMENTED

STATEMENT = (Path(__file__).parents[2] / "docs" / "conformance.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    """Cells of the table whose first row starts with a heading."""
    table = STATEMENT[STATEMENT.index(f"| {heading}") :].split("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def test_transfer_syntaxes() -> None:
    assert {row[1] for row in rows("transfer syntax |")} == set(DECODERS)


def test_sop_classes_of_images() -> None:
    assert {row[1] for row in rows("SOP class |")} == ULTRASOUND_CLASSES | SECONDARY_CAPTURE_CLASSES


def test_status_codes() -> None:
    documented = set(DOCUMENTED["responses"]) - {422}  # 422: the address itself
    assert {int(row[0]) for row in rows("status |")} == documented


def test_failure_reasons() -> None:
    given = {f"{code:04X}" for code in {*FAILURE_REASON.values(), PROCESSING_FAILURE}}
    assert {row[0] for row in rows("Failure Reason")} == given


def test_private_codes() -> None:
    concepts = [
        *codes.METHODS.values(),
        *codes.CALLS.values(),
        codes.VIEW_SOURCE,
        *codes.VIEW_SOURCES.values(),
        *codes.LANDMARKS.values(),
    ]
    own = {each.value: each.meaning for each in concepts if each.scheme_designator == codes.OWN_SCHEME}
    assert {row[0]: row[1] for row in rows("private code")} == own


def test_every_link_leads_somewhere() -> None:
    for link in re.findall(r"\]\(([^)#]+)", STATEMENT):
        assert (Path(__file__).parents[2] / "docs" / link).exists()
