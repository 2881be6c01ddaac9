"""The paper's Tables 1, 2 and 3: as values, as Markdown and as HTML, with the published numbers beside ours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from app.core.values import View
from training.predictions import AVERAGED, COMPOSITE
from training.statistics import Correlation, Resampled, Spread

MODEL_TITLES: Mapping[str, str] = {
    View.HEPATIC_VEINS: "Hepatic veins",
    View.RIGHT_PORTAL_VEIN: "Right portal vein",
    View.RIGHT_POSTERIOR_PORTAL_VEIN: "Right posterior portal vein",
    View.LIVER_KIDNEY: "Liver/kidney",
    AVERAGED: "Averaged multiview model",
    COMPOSITE: "Composite multiview model",
}
"""Row titles in the paper's words and order; the composite model is named in its Figure 4 only."""


@dataclass(frozen=True, slots=True)
class PerformanceRow:
    """One classifier in Table 1 or 2: mean and SD over bootstrap resamples."""

    model: str
    auc: Spread
    accuracy: Spread
    sensitivity: Spread
    specificity: Spread

    def cells(self) -> list[str]:
        """Print as the paper does."""
        return [f"{s.mean:.2f} ± {s.sd:.2f}" for s in (self.auc, self.accuracy, self.sensitivity, self.specificity)]


@dataclass(frozen=True, slots=True)
class CorrelationRow:
    """One regression model in Table 3."""

    model: str
    scc: Correlation
    pcc: Correlation

    def cells(self) -> list[str]:
        """Print as the paper does."""
        return [f"{self.scc.value:.2f}", f"{self.pcc.value:.2f}"]


@dataclass(frozen=True, slots=True)
class Tables:
    """All three.

    Attributes
    ----------
    table_1, table_2 : tuple of PerformanceRow
        Diagnosis of PDFF >= 5 % and >= 10 %.
    table_3 : tuple of CorrelationRow
        Quantification of PDFF.
    """

    table_1: tuple[PerformanceRow, ...]
    table_2: tuple[PerformanceRow, ...]
    table_3: tuple[CorrelationRow, ...]


@dataclass(frozen=True, slots=True)
class PrintedTable:
    """A table as text, ready for either markup.

    Attributes
    ----------
    caption : str
    columns : tuple of str
        The first one names the rows.
    rows : mapping of str to tuple of str
        Cells by row title.
    published : mapping of str to tuple of str
        The paper's cells by row title, where it has the row.
    """

    caption: str
    columns: tuple[str, ...]
    rows: Mapping[str, tuple[str, ...]]
    published: Mapping[str, tuple[str, ...]]


PUBLISHED_SOURCE = "Byra et al., J Ultrasound Med 2021, doi 10.1002/jum.15693"
PUBLISHED: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "table_1": {
        View.HEPATIC_VEINS: ("0.85 ± 0.03", "0.80 ± 0.04", "0.80 ± 0.05", "0.82 ± 0.06"),
        View.RIGHT_PORTAL_VEIN: ("0.83 ± 0.04", "0.68 ± 0.09", "0.66 ± 0.11", "0.82 ± 0.09"),
        View.RIGHT_POSTERIOR_PORTAL_VEIN: ("0.90 ± 0.03", "0.81 ± 0.03", "0.79 ± 0.04", "0.94 ± 0.05"),
        View.LIVER_KIDNEY: ("0.76 ± 0.04", "0.81 ± 0.06", "0.83 ± 0.07", "0.65 ± 0.08"),
        AVERAGED: ("0.91 ± 0.03", "0.81 ± 0.04", "0.80 ± 0.05", "0.88 ± 0.05"),
    },
    "table_2": {
        View.HEPATIC_VEINS: ("0.83 ± 0.03", "0.79 ± 0.03", "0.81 ± 0.05", "0.76 ± 0.05"),
        View.RIGHT_PORTAL_VEIN: ("0.77 ± 0.03", "0.75 ± 0.03", "0.70 ± 0.04", "0.82 ± 0.05"),
        View.RIGHT_POSTERIOR_PORTAL_VEIN: ("0.79 ± 0.03", "0.73 ± 0.03", "0.73 ± 0.05", "0.75 ± 0.05"),
        View.LIVER_KIDNEY: ("0.77 ± 0.03", "0.72 ± 0.03", "0.69 ± 0.05", "0.76 ± 0.05"),
        AVERAGED: ("0.86 ± 0.03", "0.85 ± 0.02", "0.83 ± 0.03", "0.88 ± 0.04"),
    },
    "table_3": {
        View.HEPATIC_VEINS: ("0.75", "0.72"),
        View.RIGHT_PORTAL_VEIN: ("0.54", "0.51"),
        View.RIGHT_POSTERIOR_PORTAL_VEIN: ("0.78", "0.77"),
        View.LIVER_KIDNEY: ("0.58", "0.61"),
        AVERAGED: ("0.81", "0.78"),
        COMPOSITE: ("0.73", "0.70"),  # Figure 4B; not in the paper's table
    },
}
"""The paper's own cells, by table and model; 135 participants of one site and one scanner."""

_PERFORMANCE_COLUMNS = ("View or model", "AUC", "Accuracy", "Sensitivity", "Specificity")
_CORRELATION_COLUMNS = ("View or model", "SCC", "PCC")


def performance_row(model: str, resampled: Resampled) -> PerformanceRow:
    """Summarise a classifier's resamples as a row."""
    spreads = (resampled.auc, resampled.accuracy, resampled.sensitivity, resampled.specificity)
    return PerformanceRow(model, *(Spread.of(values) for values in spreads))


def printed_tables(tables: Tables) -> dict[str, PrintedTable]:
    """Print all three, with captions after the paper's.

    Parameters
    ----------
    tables : Tables

    Returns
    -------
    dict of str to PrintedTable
        By ``"table_1"`` to ``"table_3"``.
    """
    return {
        "table_1": _print("table_1", _performance_caption(1, 5), _PERFORMANCE_COLUMNS, tables.table_1),
        "table_2": _print("table_2", _performance_caption(2, 10), _PERFORMANCE_COLUMNS, tables.table_2),
        "table_3": _print("table_3", _correlation_caption(tables.table_3), _CORRELATION_COLUMNS, tables.table_3),
    }


def markdown(table: PrintedTable) -> str:
    """Write a table as Markdown; the paper's cells stand in brackets."""
    lines = [_pipes(table.columns), _pipes(["---"] * len(table.columns))]
    lines += [_pipes([title, *_with_published(table, title)]) for title in table.rows]
    return f"**{table.caption}**\n\n" + "\n".join(lines) + "\n"


def html(table: PrintedTable) -> str:
    """Write a table as HTML; the paper's cells stand small below ours, with the class ``published``."""
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in table.columns)
    body = "\n".join(_html_row(table, title) for title in table.rows)
    return (
        f"<table>\n<caption>{escape(table.caption)}</caption>\n"
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"
    )


def _performance_caption(number: int, cutoff: int) -> str:
    return (
        f"Table {number}. Diagnosis of PDFF ≥ {cutoff} %: mean ± standard deviation over bootstrap resamples; "
        "accuracy, sensitivity and specificity at the ROC point nearest (0, 1)."
    )


def _correlation_caption(rows: Sequence[CorrelationRow]) -> str:
    largest = max(max(row.scc.p_value, row.pcc.p_value) for row in rows)
    verdict = "All p-values are below .01." if largest < 0.01 else f"The largest p-value is {largest:.2g}."
    return (
        f"Table 3. Quantification of PDFF: Spearman (SCC) and Pearson (PCC) correlation with the reference. {verdict}"
    )


def _print(
    name: str, caption: str, columns: tuple[str, ...], rows: Sequence[PerformanceRow] | Sequence[CorrelationRow]
) -> PrintedTable:
    published = {MODEL_TITLES[model]: cells for model, cells in PUBLISHED[name].items()}
    return PrintedTable(caption, columns, {MODEL_TITLES[row.model]: tuple(row.cells()) for row in rows}, published)


def _with_published(table: PrintedTable, title: str) -> list[str]:
    cells, published = table.rows[title], table.published.get(title)
    return list(cells) if published is None else [f"{a} ({b})" for a, b in zip(cells, published, strict=True)]


def _html_row(table: PrintedTable, title: str) -> str:
    published = table.published.get(title, ("\u2013",) * len(table.rows[title]))
    cells = "".join(
        f'<td>{escape(ours)}<small class="published">{escape(theirs)}</small></td>'
        for ours, theirs in zip(table.rows[title], published, strict=True)
    )
    mark = ' class="reference"' if title == MODEL_TITLES[AVERAGED] else ""
    return f'<tr{mark}><th scope="row">{escape(title)}</th>{cells}</tr>'


def _pipes(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
