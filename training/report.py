"""One self-contained HTML page of an evaluation: it opens without a network and prints on A4."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup
from matplotlib.figure import Figure

from app.core.values import Target
from training.figures import (
    CamCase,
    best_view,
    figure_1,
    figure_3,
    figure_4,
    figure_5,
    figure_6,
    save_figure,
    screen_png,
)
from training.predictions import AVERAGED
from training.results import HIGH_PDFF_PERCENT, Results
from training.statistics import Comparison, StratumBias
from training.tables import MODEL_TITLES, PUBLISHED_SOURCE, html, markdown, printed_tables

REPORT, FIGURES, TABLES = "report.html", "figures", "tables.md"
Extras = Mapping[str, Mapping[str, object]]
"""More to say at the end: rows of name and value by section title, e.g. timings or checks of the maps."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure in the page: its data and what stands below it."""

    source: str
    number: int
    caption: str


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """One of the numbers at the top."""

    value: str
    label: str
    paper: str


def write_report(
    results: Results, folder: Path, cases: tuple[CamCase, CamCase] | None = None, extras: Extras | None = None
) -> Path:
    """Write report.html, tables.md and every figure as PNG and SVG.

    Parameters
    ----------
    results : Results
    folder : Path
        Receives ``report.html``, ``tables.md`` and ``figures/``.
    cases : tuple of CamCase, optional
        Maps of a participant whom the views call right (Figure 5), and of one whom they call wrong (Figure 6).
    extras : mapping, optional

    Returns
    -------
    Path
        The report.
    """
    pictures = draw_figures(results, folder / FIGURES, cases)
    tables = printed_tables(results.tables)
    (folder / TABLES).write_text(
        "\n".join([*(markdown(table) for table in tables.values()), f"In brackets: {PUBLISHED_SOURCE}.\n"]),
        encoding="utf-8",
    )
    page = render_report(results, pictures, extras or {})
    partial = folder / f"{REPORT}.part"
    partial.write_text(page, encoding="utf-8")
    return partial.replace(folder / REPORT)


def draw_figures(results: Results, folder: Path, cases: tuple[CamCase, CamCase] | None) -> dict[str, Picture]:
    """Draw and save every figure, and keep each for the page: charts as SVG, maps as PNG."""
    pictures = {
        "figure_1": _chart(figure_1(results), folder, 1, _caption_1(results)),
        "figure_3": _chart(figure_3(results), folder, 3, _caption_3(results)),
        "figure_4": _chart(figure_4(results), folder, 4, _CAPTION_4),
    }
    if cases is not None:
        right, wrong = cases
        pictures["figure_5"] = _maps(figure_5(right), folder, 5, _called(right))
        pictures["figure_6"] = _maps(figure_6(wrong), folder, 6, _called(wrong))
    return pictures


def render_report(results: Results, pictures: Mapping[str, Picture], extras: Extras) -> str:
    """Fill the template.

    Parameters
    ----------
    results : Results
    pictures : mapping of str to Picture
        By ``"figure_1"`` to ``"figure_6"``; those that are missing are left out.
    extras : mapping

    Returns
    -------
    str
        HTML without any reference to another file.
    """
    return _template().render(
        results=results,
        pictures=pictures,
        extras=extras,
        titles=MODEL_TITLES,
        tables={name: Markup(html(table)) for name, table in printed_tables(results.tables).items()},  # noqa: S704 - our own tables
        published_source=PUBLISHED_SOURCE,
        key_figures=key_figures(results),
        high_percent=HIGH_PDFF_PERCENT,
        reference_model=reference_model(results),
        auc_comparisons=_side_by_side(results.comparisons, "delong", "welch_bootstrap"),
        correlation_comparisons=_side_by_side(results.comparisons, "meng", "meng"),
    )


def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("training"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"p": format_p, "signed": format_signed, "interval": format_interval}
    return environment.get_template("evaluation.html")


def reference_model(results: Results) -> str:
    """Name the model that the page speaks of: the averaged one, or the best single view where there is no other."""
    return AVERAGED if AVERAGED in results.models else best_view(results, Target.PDFF)


def key_figures(results: Results) -> list[KeyFigure]:
    """Choose the four numbers at the top, with the paper's."""
    model = reference_model(results)
    found = results.models[model]
    rows = {row.model: row for row in results.tables.table_3}
    paper = ("0.81", "0.91", "0.86", "about \u221215") if model == AVERAGED else ("",) * 4
    return [
        KeyFigure(f"{rows[model].scc.value:.2f}", "Spearman correlation with the reference", paper[0]),
        KeyFigure(f"{found.ge5.auc:.2f}", "AUC, PDFF ≥ 5 %", paper[1]),
        KeyFigure(f"{found.ge10.auc:.2f}", "AUC, PDFF ≥ 10 %", paper[2]),
        KeyFigure(_key_bias(found.pdff.strata[-1]), f"bias above {HIGH_PDFF_PERCENT:.0f} % PDFF, points", paper[3]),
    ]


def format_p(p_value: float) -> str:
    """Print a p-value: three decimals, and no zero that claims certainty."""
    return "< .001" if p_value < 0.001 else f"{p_value:.3f}".removeprefix("0")


def format_signed(value: float, decimals: int = 1) -> str:
    """Print a difference with its sign."""
    return f"{value:+.{decimals}f}".replace("-", "\u2212")


def format_interval(interval: Sequence[float], decimals: int = 1) -> str:
    """Print an interval of differences."""
    return " to ".join(format_signed(value, decimals) for value in interval)


def _key_bias(stratum: StratumBias) -> str:
    return "\u2013" if stratum.bias is None else format_signed(stratum.bias)


def _side_by_side(
    comparisons: Sequence[Comparison], left: str, right: str
) -> list[tuple[str, list[tuple[Comparison, Comparison]]]]:
    """Pair two tests of the same question, grouped by quantity."""
    others = {(each.quantity, each.second): each for each in comparisons if each.test == right}
    pairs = [(each, others[each.quantity, each.second]) for each in comparisons if each.test == left]
    return [(quantity, list(group)) for quantity, group in groupby(pairs, lambda pair: pair[0].quantity)]


def _chart(figure: Figure, folder: Path, number: int, caption: str) -> Picture:
    _, svg = save_figure(figure, folder, f"figure_{number}")
    return Picture(_data_uri("image/svg+xml", svg.read_bytes()), number, caption)


def _maps(figure: Figure, folder: Path, number: int, who: str) -> Picture:
    save_figure(figure, folder, f"figure_{number}")
    return Picture(_data_uri("image/png", screen_png(figure)), number, f"{who} {_CAPTION_CAM}")


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _caption_1(results: Results) -> str:
    cohort = results.cohort
    return (
        f"Distribution of the reference PDFF in {cohort.participants} participants: {cohort.below_5_percent} below "
        f"5 %, {cohort.below_10_percent} below 10 %, {cohort.above_30_percent} above 30 %. Dashed: both cutoffs."
    )


def _caption_3(results: Results) -> str:
    best = [MODEL_TITLES[best_view(results, target)].lower() for target in (Target.GE5, Target.GE10)]
    chosen = " and ".join(dict.fromkeys(best))
    return (
        f"ROC curves at (A) 5 % and (B) 10 % of the averaged multiview model and of the single view with the largest "
        f"AUC ({chosen}), which was chosen on these same data. Marks: the points nearest (0, 1). Intervals by DeLong."
    )


_CAPTION_4 = (
    "Left: estimate against reference; dotted, identity. Right: Bland-Altman plot; solid, bias; dashed, 95 % limits of "
    "agreement."
)
_CAPTION_CAM = (
    "Class activation maps of each view's ≥ 5 % head, fitted without this participant: the mean of a map plus the "
    "head's intercept is its log-odds. One colour scale for all views; right or wrong at each view's operating point."
)


def _called(case: CamCase) -> str:
    return f"{case.title}; {case.right_views} of {len(case.panels)} views call it right."
