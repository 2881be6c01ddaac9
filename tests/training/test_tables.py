"""Tables 1 to 3: the paper's rows, columns and numbers."""

from html.parser import HTMLParser

import pytest

from app.core.values import View
from training.predictions import AVERAGED, COMPOSITE
from training.statistics import Correlation, Spread
from training.tables import (
    MODEL_TITLES,
    PUBLISHED,
    CorrelationRow,
    PerformanceRow,
    PrintedTable,
    Tables,
    html,
    markdown,
    printed_tables,
)

MODELS = (*View, AVERAGED, COMPOSITE)


def tables(p_value: float = 0.001) -> Tables:
    spread = Spread(0.851, 0.0349)
    performance = tuple(PerformanceRow(model, spread, spread, spread, spread) for model in MODELS)
    correlations = tuple(
        CorrelationRow(model, Correlation(0.755, 1e-9), Correlation(0.715, p_value)) for model in MODELS
    )
    return Tables(performance, performance, correlations)


class Cells(HTMLParser):
    """The texts of an HTML table, row by row."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag == "tr":
            self.rows.append([])

    def handle_data(self, data: str) -> None:
        if self.rows and data.strip():
            self.rows[-1].append(data)


def test_rows_and_columns_are_the_papers() -> None:
    printed = printed_tables(tables())
    assert printed["table_1"].columns == ("View or model", "AUC", "Accuracy", "Sensitivity", "Specificity")
    assert printed["table_3"].columns == ("View or model", "SCC", "PCC")
    for table in printed.values():
        assert list(table.rows) == [
            "Hepatic veins",
            "Right portal vein",
            "Right posterior portal vein",
            "Liver/kidney",
            "Averaged multiview model",
            "Composite multiview model",
        ]


def test_cells_are_printed_as_in_the_paper() -> None:
    printed = printed_tables(tables())
    assert printed["table_1"].rows["Hepatic veins"][0] == "0.85 ± 0.03"
    assert printed["table_3"].rows["Liver/kidney"] == ("0.76", "0.71")


@pytest.mark.parametrize(
    ("table", "model", "cells"),
    [
        ("table_1", View.RIGHT_PORTAL_VEIN, ("0.83 ± 0.04", "0.68 ± 0.09", "0.66 ± 0.11", "0.82 ± 0.09")),
        ("table_1", AVERAGED, ("0.91 ± 0.03", "0.81 ± 0.04", "0.80 ± 0.05", "0.88 ± 0.05")),
        ("table_2", AVERAGED, ("0.86 ± 0.03", "0.85 ± 0.02", "0.83 ± 0.03", "0.88 ± 0.04")),
        ("table_3", View.RIGHT_POSTERIOR_PORTAL_VEIN, ("0.78", "0.77")),
        ("table_3", COMPOSITE, ("0.73", "0.70")),
    ],
)
def test_published_numbers_are_the_papers(table: str, model: str, cells: tuple[str, ...]) -> None:
    assert PUBLISHED[table][model] == cells


def test_published_tables_have_a_row_for_each_view() -> None:
    for table in PUBLISHED.values():
        assert set(table) >= {*View, AVERAGED}
        assert len({len(cells) for cells in table.values()}) == 1


def test_markdown_has_ours_and_the_papers_in_brackets() -> None:
    lines = markdown(printed_tables(tables())["table_3"]).splitlines()
    assert lines[2:5] == ["| View or model | SCC | PCC |", "| --- | --- | --- |", "| Hepatic veins | 0.76 (0.75) | 0.71 (0.72) |"]  # fmt: skip # noqa: E501 - one row


def test_html_has_ours_and_the_papers_below() -> None:
    parser = Cells()
    parser.feed(html(printed_tables(tables())["table_3"]))
    assert parser.rows[0] == ["View or model", "SCC", "PCC"]
    assert parser.rows[1] == ["Hepatic veins", "0.76", "0.75", "0.71", "0.72"]
    assert len(parser.rows) == 1 + len(MODELS)


def test_a_row_that_the_paper_lacks_has_a_dash() -> None:
    parser = Cells()
    parser.feed(html(printed_tables(tables())["table_1"]))
    assert parser.rows[-1][:3] == [MODEL_TITLES[COMPOSITE], "0.85 ± 0.03", "\u2013"]


def test_html_is_escaped() -> None:
    assert "<b>" not in html(PrintedTable("<b>", ("<b>",), {"<b>": ("<b>",)}, {}))


def test_the_caption_says_whether_every_correlation_is_significant() -> None:
    assert "All p-values are below .01" in printed_tables(tables())["table_3"].caption
    assert "The largest p-value is 0.2" in printed_tables(tables(0.2))["table_3"].caption
