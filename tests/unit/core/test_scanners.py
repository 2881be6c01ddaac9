"""A scanner is called as the operator calls it, or not at all."""

import pytest

from app.core.scanners import OTHER, name_scanner


@pytest.mark.parametrize(
    ("model", "name"),
    [("S3000", "S3000"), (" logiq  e10", "LOGIQ E10"), ("LOGIQE10", "LOGIQ E10"), ("S3000X", OTHER), ("", OTHER)],
)
def test_case_and_blanks_do_not_matter_and_nothing_else_is_taken(model: str, name: str) -> None:
    assert name_scanner(model, ["S3000", "LOGIQ E10"]) == name
