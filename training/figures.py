"""The paper's figures, one function each. They read results and compute nothing.

Matplotlib's object interface and a style of its own: no global state, no display. Colours are Okabe and Ito's, told
apart by the colour-blind and, through marker and line, in grey print too.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, Protocol, TypeVar

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from app.adapters.drawing.pictures import UNITS, enlarge, shrink, tint
from app.core.values import Floats, GreyImage, Target, View
from training.predictions import AVERAGED, COMPOSITE
from training.protocol import CUTOFF_PERCENT
from training.results import HIGH_PDFF_PERCENT, Results
from training.tables import MODEL_TITLES

P = ParamSpec("P")
Pixel = TypeVar("Pixel", np.uint8, np.float64)

BLUE, VERMILION, GREY, INK = "#0072B2", "#D55E00", "#8A8F98", "#1B2430"
COLUMN_INCHES, PAGE_INCHES = 3.5, 7.2
"""Widths of one and two columns of a journal page."""
_STYLE: dict[Any, Any] = {
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.labelsize": 8,
    "axes.linewidth": 0.7,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 8.5,
    "axes.titleweight": "bold",
    "figure.constrained_layout.use": True,
    "figure.dpi": 100,
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "savefig.dpi": 300,
    "svg.fonttype": "path",
    "svg.hashsalt": "liver-pdff",
    "text.color": INK,
    "xtick.color": INK,
    "xtick.labelsize": 7.5,
    "ytick.color": INK,
    "ytick.labelsize": 7.5,
}
_LIMIT_STYLE = (0, (4, 2))
_PDFF_LABEL = "Reference PDFF (%)"
_BIN_PERCENT = 2.5
_SCREEN_DPI = 160
_PANEL_PIXELS = 400
"""Width of a tissue panel: 1.7 inches at more than 200 dots an inch."""


@dataclass(frozen=True, slots=True, eq=False)
class CamPanel:
    """One view of a case.

    Attributes
    ----------
    tissue : ndarray of uint8, shape (rows, columns)
    cam : ndarray of float64, shape (7, 7)
        Signed, log-odds of PDFF >= 5 %, by a head that has not seen the participant.
    probability : float
        That head's output.
    called_positive : bool
        Whether it reaches the view's operating point.
    """

    tissue: GreyImage
    cam: Floats
    probability: float
    called_positive: bool


@dataclass(frozen=True, slots=True, eq=False)
class CamCase:
    """One participant's maps, for Figure 5 or 6; `training.results.choose_cases` says whose.

    Attributes
    ----------
    participant_id : str
    pdff_percent : float
        Reference.
    panels : mapping of View to CamPanel
    """

    participant_id: str
    pdff_percent: float
    panels: Mapping[View, CamPanel]

    @property
    def title(self) -> str:
        """Who it is."""
        return f"Participant {self.participant_id}, reference PDFF {self.pdff_percent:.1f} %"

    def is_right(self, panel: CamPanel) -> bool:
        """Tell whether a view's call agrees with the reference."""
        return panel.called_positive == (self.pdff_percent >= CUTOFF_PERCENT[Target.GE5])

    @property
    def right_views(self) -> int:
        """How many views call it right."""
        return sum(self.is_right(panel) for panel in self.panels.values())


class _Draws(Protocol[P]):
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Figure: ...


def _styled(draw: _Draws[P]) -> _Draws[P]:
    """Draw in our style, lay out once for all formats, and leave matplotlib's settings as they were."""

    @wraps(draw)
    def styled(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with _style():
            figure = draw(*args, **kwargs)
            figure.draw_without_rendering()
            figure.set_layout_engine("none")
            return figure

    return styled


@_styled
def figure_1(results: Results) -> Figure:
    """Distribution of the reference PDFF, with both cutoffs."""
    figure, axes = _one_panel((COLUMN_INCHES, 2.5))
    edges = np.arange(0, max(40.0, float(results.pdff_percent.max())) + _BIN_PERCENT, _BIN_PERCENT)
    axes.hist(results.pdff_percent, edges.tolist(), color=BLUE, edgecolor="white", linewidth=0.6)
    for cutoff in CUTOFF_PERCENT.values():
        axes.axvline(cutoff, color=VERMILION, linestyle=_LIMIT_STYLE, linewidth=1)
        place: dict[str, Any] = {"va": "top", "transform": axes.get_xaxis_transform()}
        axes.text(cutoff + 0.5, 0.99, f"{cutoff:.0f} %", color=VERMILION, **place)
    axes.set(xlabel=_PDFF_LABEL, ylabel="Participants", xlim=(0, None))
    axes.margins(y=0.15)
    axes.yaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10], integer=True))
    return figure


@_styled
def figure_3(results: Results) -> Figure:
    """ROC curves of the best single view and the averaged model, at both cutoffs."""
    figure = _new_figure((PAGE_INCHES, 3.5))
    for axes, target, letter in zip(figure.subplots(1, 2), (Target.GE5, Target.GE10), "AB", strict=True):
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=":")
        best = best_view(results, target)
        if AVERAGED in results.models:
            _draw_roc(axes, results, AVERAGED, target, {"color": BLUE})
        _draw_roc(axes, results, best, target, {"color": VERMILION, "linestyle": _LIMIT_STYLE})
        axes.set_title(f"{letter}   PDFF ≥ {CUTOFF_PERCENT[target]:.0f} %")
        axes.set(xlabel="1 \u2212 specificity", ylabel="Sensitivity", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect=1)
        axes.legend(loc="lower right")
    return figure


@_styled
def figure_4(results: Results) -> Figure:
    """Relation to the reference, and Bland-Altman plot, of the averaged and of the composite model."""
    models = [model for model in (AVERAGED, COMPOSITE) if model in results.models] or [best_view(results, Target.PDFF)]
    figure = _new_figure((PAGE_INCHES, 3.1 * len(models)))
    panels = figure.subplots(len(models), 2, squeeze=False)
    for row, model, letter in zip(panels, models, "AB", strict=False):
        _draw_relation(row[0], results, model)
        _draw_bland_altman(row[1], results, model)
        row[0].set_title(f"{letter}   {MODEL_TITLES[model]}")
    _share_limits(panels[:, 1].tolist())
    return figure


@_styled
def figure_5(case: CamCase) -> Figure:
    """Class activation maps of a participant whom the views call right."""
    return _draw_case(case)


@_styled
def figure_6(case: CamCase) -> Figure:
    """Class activation maps of a participant whom the views call wrong."""
    return _draw_case(case)


def best_view(results: Results, target: Target) -> str:
    """Name the single view with the largest AUC at a cutoff, or SCC."""
    values = (
        {row.model: row.scc.value for row in results.tables.table_3}
        if target is Target.PDFF
        else {model: each.classifier(target).auc for model, each in results.models.items()}
    )
    return max((model for model in values if model in set(View)), key=lambda model: values[model])


def save_figure(figure: Figure, folder: Path, name: str) -> tuple[Path, Path]:
    """Save a figure as PNG, 300 dots an inch, and SVG; the same figure gives the same bytes.

    Returns
    -------
    tuple of Path
        PNG, SVG.
    """
    folder.mkdir(parents=True, exist_ok=True)
    png, svg = folder / f"{name}.png", folder / f"{name}.svg"
    with _style():
        figure.savefig(png, metadata={"Software": None})
        figure.savefig(svg, metadata={"Date": None})
    return png, svg


def screen_png(figure: Figure) -> bytes:
    """Encode a figure for a page: dense enough for a screen, a third of the printed file."""
    buffer = io.BytesIO()
    with _style():
        figure.savefig(buffer, format="png", dpi=_SCREEN_DPI, metadata={"Software": None})
    return buffer.getvalue()


@contextmanager
def _style() -> Iterator[None]:
    """Matplotlib's defaults and ours, whatever the user's own file says; left as found."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


def _new_figure(size: tuple[float, float]) -> Figure:
    figure = Figure(figsize=size)
    FigureCanvasAgg(figure)
    return figure


def _one_panel(size: tuple[float, float]) -> tuple[Figure, Axes]:
    figure = _new_figure(size)
    return figure, figure.add_subplot()


def _draw_roc(axes: Axes, results: Results, model: str, target: Target, line: Mapping[str, Any]) -> None:
    found = results.models[model].classifier(target)
    label = f"{MODEL_TITLES[model]}\nAUC {found.auc:.2f} (95 % CI {found.auc_95[0]:.2f}\u2013{found.auc_95[1]:.2f})"
    axes.plot(found.false_positive_rate, found.true_positive_rate, label=label, **line)
    point = found.operating_point
    marker = {"color": line["color"], "marker": "o" if model == AVERAGED else "D"}
    axes.plot(1 - point.specificity, point.sensitivity, markersize=5, markeredgecolor="white", **marker)


def _draw_relation(axes: Axes, results: Results, model: str) -> None:
    reference, predicted = results.pdff_percent, results.predicted_pdff_percent(model)
    highest = 1.05 * max(float(reference.max()), float(predicted.max()))
    axes.plot([0, highest], [0, highest], color=GREY, linewidth=0.8, linestyle=":")
    _scatter(axes, reference, predicted, reference)
    row = next(each for each in results.tables.table_3 if each.model == model)
    text = f"SCC = {row.scc.value:.2f}\nPCC = {row.pcc.value:.2f}"
    axes.text(0.04, 0.96, text, va="top", transform=axes.transAxes)
    axes.set(xlabel=_PDFF_LABEL, ylabel="Estimated PDFF (%)", xlim=(0, highest))
    axes.set_ylim(min(0.0, float(predicted.min()) - 1), highest)
    axes.legend(loc="lower right", handletextpad=0.2)


def _draw_bland_altman(axes: Axes, results: Results, model: str) -> None:
    reference, predicted = results.pdff_percent, results.predicted_pdff_percent(model)
    _scatter(axes, (predicted + reference) / 2, predicted - reference, reference)
    found = results.models[model].pdff.agreement
    axes.axhline(0, color=GREY, linewidth=0.8, linestyle=":")
    lines = (
        ("bias", found.bias, "-"),
        ("+1.96 SD", found.upper, _LIMIT_STYLE),
        ("\u22121.96 SD", found.lower, _LIMIT_STYLE),
    )
    for name, value, style in lines:
        axes.axhline(value, color=INK, linewidth=0.9, linestyle=style)
        axes.annotate(
            f"{name} {_signed(value)}", (1, value), xytext=(0, 2), xycoords=("axes fraction", "data"),
            textcoords="offset points", ha="right", fontsize=7,
        )  # fmt: skip
    axes.set(xlabel="Mean of estimate and reference (%)", ylabel="Estimate \u2212 reference (%)")


def _scatter(axes: Axes, x: Floats, y: Floats, reference: Floats) -> None:
    """Points up to 30 % PDFF as circles, above as triangles: those carry the paper's bias."""
    high = reference > HIGH_PDFF_PERCENT
    kinds = (
        (~high, "o", BLUE, f"reference up to {HIGH_PDFF_PERCENT:.0f} %"),
        (high, "^", VERMILION, f"reference above {HIGH_PDFF_PERCENT:.0f} %"),
    )
    for members, marker, colour, label in kinds:
        axes.scatter(
            x[members], y[members], s=16, marker=marker, c=colour, alpha=0.75, linewidths=0, label=label, clip_on=False
        )


def _share_limits(panels: Sequence[Axes]) -> None:
    """Give panels that are to be compared the same scales."""
    for which in ("x", "y"):
        limits = np.array([getattr(axes, f"get_{which}lim")() for axes in panels])
        for axes in panels:
            getattr(axes, f"set_{which}lim")(limits[:, 0].min(), limits[:, 1].max())


def _draw_case(case: CamCase) -> Figure:
    """Tissue above, map below, one scale for all views, so that their colours can be compared."""
    tissues = {view: shrink(panel.tissue, _PANEL_PIXELS) for view, panel in case.panels.items()}
    cams = {view: enlarge(panel.cam, tissues[view].shape) for view, panel in case.panels.items()}
    tallest = max(rows / columns for rows, columns in (tissue.shape for tissue in tissues.values()))
    largest = max(_largest_on(tissues[view], cam) for view, cam in cams.items()) or 1.0
    width = PAGE_INCHES * max(2, len(tissues)) / len(View)
    figure = _new_figure((width, 1.25 + 2 * tallest * PAGE_INCHES / 4.1))
    figure.set_layout_engine("compressed")
    grid = figure.subplots(2, len(tissues), squeeze=False)
    for (view, panel), (above, below) in zip(case.panels.items(), grid.T, strict=True):
        tissue = _letterbox(tissues[view], tallest)
        _show(above, np.repeat(tissue[..., np.newaxis], 3, axis=2))
        above.set_title(MODEL_TITLES[view], loc="center", fontweight="normal")
        _show(below, tint(tissue, _letterbox(cams[view], tallest) / largest))
        below.set_xlabel(_verdict(panel, case.is_right(panel)))
    _draw_scale(figure, largest)
    figure.suptitle(case.title, fontsize=8.5, fontweight="bold")
    return figure


def _largest_on(tissue: GreyImage, cam: Floats) -> float:
    """Largest |CAM| where there is tissue to tint: one that nobody sees would only pale the others."""
    return float(np.abs(cam[tissue > 0]).max(initial=0.0))


def _letterbox(pixels: NDArray[Pixel], ratio: float) -> NDArray[Pixel]:
    """Add black rows below, up to a ratio of height to width, so that all panels are alike."""
    rows, columns = pixels.shape
    return np.pad(pixels, ((0, max(0, round(ratio * columns) - rows)), (0, 0)))


def _show(axes: Axes, pixels: NDArray[np.uint8]) -> None:
    axes.imshow(pixels, interpolation="antialiased", aspect="equal")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def _verdict(panel: CamPanel, right: bool) -> str:
    return f"P(PDFF ≥ 5 %) {_printed_probability(panel.probability)}: {'right' if right else 'wrong'}"


def _printed_probability(p: float) -> str:
    """Two decimals, and neither end claims certainty."""
    if p < 0.005:
        return "< 0.01"
    return "> 0.99" if p > 0.995 else f"= {p:.2f}"


def _draw_scale(figure: Figure, largest: float) -> None:
    """Draw the service's own red-blue tint over middle grey as the colour bar."""
    ramp = tint(np.full((1, 255), 128, np.uint8), np.linspace(-1, 1, 255)[np.newaxis])[0]
    mapped = ScalarMappable(Normalize(-largest, largest), ListedColormap(ramp / 255))
    bar = figure.colorbar(mapped, ax=figure.axes, orientation="horizontal", fraction=0.035, aspect=50, pad=0.02)
    bar.set_label(f"CAM, {UNITS[Target.GE5].replace('>=', '≥')}: blue speaks against, red for")
    bar.outline.set_visible(False)


def _signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "\u2212")
