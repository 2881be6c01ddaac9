"""What docs/views.md says of rules, tried."""

import json
import re
from pathlib import Path

import pytest

from app.core.naming import LANGUAGES, ViewRule, language_rules, name_view
from app.core.naming.namings import LONGEST_TEXT
from app.core.naming.texts import normalise
from app.core.values import View
from app.settings import read_view_rules

PAGE = (Path(__file__).parents[2] / "docs" / "views.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
NAMED = re.findall(rf"^\| `({'|'.join(View)})` \| (.*) \|$", PAGE, re.MULTILINE)
ALL_LANGUAGES = language_rules(LANGUAGES)


def table(heading: str) -> list[tuple[str, str]]:
    """The cells in code of a table with two columns."""
    rows = PAGE.partition(f"{heading}\n|---|---|\n")[2].partition("\n\n")[0].splitlines()
    return [(cells[0], cells[1]) for cells in (re.findall("`([^`]*)`", row) for row in rows)]


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_examples_of_rules_are_taken(example: str, tmp_path: Path) -> None:
    path = tmp_path / "rules.json"
    path.write_text(example, encoding="utf-8")
    assert len(read_view_rules(path)) == len(json.loads(example))


def test_the_examples_are_the_ones_that_the_page_shows() -> None:
    assert len(EXAMPLES) == 2
    assert {view for view, _ in NAMED} == {*View}


@pytest.mark.parametrize(("view", "texts"), NAMED)
def test_a_text_of_the_table_names_its_view(view: str, texts: str) -> None:
    for text in re.findall("`([^`]*)`", texts):
        naming = name_view(text, ALL_LANGUAGES)
        assert naming is not None, text
        assert naming.view == view, text


def test_a_text_of_the_list_decides_nothing() -> None:
    listed = PAGE.partition("A text decides nothing if")[2].partition("Two organs in one")[0]
    for text in re.findall("`([^`]*)`", listed):
        assert name_view(text, ALL_LANGUAGES) is None, text


@pytest.mark.parametrize(("typed", "compared"), table("| typed | compared |"))
def test_texts_are_compared_as_the_table_says(typed: str, compared: str) -> None:
    assert normalise(typed) == compared


def test_the_page_names_every_language_and_the_longest_text() -> None:
    assert all(f"`{code}`" in PAGE for code in LANGUAGES)
    assert f"{LONGEST_TEXT} characters" in PAGE


def test_what_counts_as_nothing_else_is_as_the_page_says() -> None:
    assert name_view("LIVER TRV RPV 2") == (View.RIGHT_PORTAL_VEIN, True)
    assert name_view("RPV 12 cm/s") == (View.RIGHT_PORTAL_VEIN, False)
    assert name_view("LK") == (View.LIVER_KIDNEY, True)
    assert name_view("LK LONG") is None
    assert name_view("LV", language_rules(["de"])) is None


def test_the_repetition_that_the_page_shows_is_refused() -> None:
    with pytest.raises(ValueError, match="without limit"):
        ViewRule(View.LIVER_KIDNEY, r"(\w+)+").check()
