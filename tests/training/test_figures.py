"""Figures and report: what they show, and that they are the same twice."""

import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from app.adapters.drawing.pictures import enlarge, tint
from app.core.values import Target, View
from tests.training.simulated import simulated_predictions
from tests.training.test_results import only
from training.figures import (
    CamCase,
    CamPanel,
    best_view,
    figure_1,
    figure_3,
    figure_4,
    figure_5,
    figure_6,
    save_figure,
)
from training.report import format_interval, format_p, format_signed, render_report, write_report
from training.results import BootstrapPlan, Results, build_results

PLAN = BootstrapPlan(resamples=50)


@cache
def results(synthetic: bool = True) -> Results:
    return build_results(simulated_predictions(), {"seed": 1}, "A <cohort>", synthetic=synthetic, bootstrap=PLAN)


def case(participant_id: str = "P001", pdff_percent: float = 17.0) -> CamCase:
    rng = np.random.default_rng(0)
    panels = {
        view: CamPanel(rng.integers(1, 255, (60 + 5 * i, 80), np.uint8), rng.normal(size=(7, 7)), 0.9, i != 1)
        for i, view in enumerate(View)
    }
    return CamCase(participant_id, pdff_percent, panels)


def texts(figure: Figure) -> str:
    return "\n".join(text.get_text() for axes in figure.axes for text in axes.findobj(mpl.text.Text))


class TestFigures:
    def test_1_counts_every_participant(self) -> None:
        axes = figure_1(results()).axes[0]
        bars = [bar for bar in axes.patches if isinstance(bar, Rectangle)]
        assert sum(bar.get_height() for bar in bars) == 135
        assert sum(bar.get_height() for bar in bars if bar.get_x() < 5) == 17
        assert axes.get_xlabel() == "Reference PDFF (%)"

    def test_3_draws_the_stored_curves(self) -> None:
        left, right = figure_3(results()).axes
        for axes, cutoff in ((left, "ge5"), (right, "ge10")):
            stored = getattr(results().models["averaged"], cutoff)
            drawn = next(line for line in axes.lines if str(line.get_label()).startswith("Averaged"))
            np.testing.assert_array_equal(drawn.get_ydata(), stored.true_positive_rate)

    def test_3_names_the_best_view(self) -> None:
        best = max(View, key=lambda view: results().models[view].ge5.auc)
        assert best_view(results(), Target.GE5) == best

    def test_4_shows_both_multiview_models_on_one_scale(self) -> None:
        figure = figure_4(results())
        assert [figure.axes[i].get_title("left") for i in (0, 2)] == [
            "A   Averaged multiview model",
            "B   Composite multiview model",
        ]
        assert figure.axes[1].get_ylim() == figure.axes[3].get_ylim()
        assert f"{results().models['averaged'].pdff.agreement.upper:+.1f}" in texts(figure)

    def test_5_paints_the_services_own_tint(self) -> None:
        shown = case()
        largest = max(np.abs(enlarge(panel.cam, panel.tissue.shape)).max() for panel in shown.panels.values())
        panel = shown.panels[View.HEPATIC_VEINS]
        pixels = np.asarray(figure_5(shown).axes[len(View)].images[0].get_array())
        expected = tint(panel.tissue, enlarge(panel.cam, panel.tissue.shape) / largest)
        np.testing.assert_array_equal(pixels[: len(expected)], expected)

    def test_6_says_which_views_are_wrong(self) -> None:
        assert texts(figure_6(case())).count("wrong") == 1
        assert texts(figure_6(case(pdff_percent=3.0))).count("wrong") == 3

    def test_a_maximum_outside_the_tissue_pales_no_colour(self) -> None:
        tissue = np.full((70, 70), 90, np.uint8)
        tissue[:, :35] = 0
        cam = np.ones((7, 7))
        cam[:, 0] = -50
        figure = figure_5(CamCase("P1", 9.0, {View.LIVER_KIDNEY: CamPanel(tissue, cam, 0.5, True)}))
        pixels = np.asarray(figure.axes[1].images[0].get_array())
        np.testing.assert_array_equal(pixels[:70, 60], tint(tissue, np.ones((70, 70)))[:, 60])

    def test_a_case_says_who_it_is_and_counts_its_views(self) -> None:
        shown = figure_5(case()).get_suptitle()
        assert shown == "Participant P001, reference PDFF 17.0 %"
        assert (case().right_views, case(pdff_percent=3.0).right_views) == (3, 1)

    @pytest.mark.parametrize(("p", "printed"), [(1e-9, "< 0.01"), (0.005, "= 0.01"), (0.74, "= 0.74"), (0.999, "> 0.99")])  # fmt: skip # noqa: E501 - one row
    def test_no_probability_is_printed_as_certain(self, p: float, printed: str) -> None:
        panel = CamPanel(np.full((40, 50), 90, np.uint8), np.ones((7, 7)), p, True)
        assert f"P(PDFF ≥ 5 %) {printed}:" in texts(figure_5(CamCase("P1", 9.0, {View.LIVER_KIDNEY: panel})))

    def test_a_map_of_zeros_is_drawn(self) -> None:
        flat = CamPanel(np.full((40, 50), 90, np.uint8), np.zeros((7, 7)), 0.5, True)
        assert len(figure_5(CamCase("P1", 9.0, {View.LIVER_KIDNEY: flat})).axes) == 3

    def test_single_views_alone_are_drawn(self) -> None:
        lonely = build_results(
            only(simulated_predictions(), View.LIVER_KIDNEY), {}, "One view", synthetic=True, bootstrap=PLAN
        )
        assert len(figure_3(lonely).axes) == 2
        assert figure_4(lonely).axes[0].get_title("left") == "A   Liver/kidney"

    def test_nobodys_matplotlib_settings_change(self) -> None:
        before = dict(mpl.rcParams)
        figure_1(results())
        assert dict(mpl.rcParams) == before

    def test_the_users_settings_change_no_figure(self, tmp_path: Path) -> None:
        plain, _ = save_figure(figure_1(results()), tmp_path, "plain")
        with mpl.rc_context({"font.size": 30, "axes.facecolor": "black"}):
            other, _ = save_figure(figure_1(results()), tmp_path, "other")
        assert plain.read_bytes() == other.read_bytes()

    def test_the_same_results_give_the_same_files(self, tmp_path: Path) -> None:
        first, second = (save_figure(figure_3(results()), tmp_path, name) for name in ("first", "second"))
        for one, two in zip(first, second, strict=True):
            assert one.read_bytes() == two.read_bytes()
        assert b"<dc:date>" not in first[1].read_bytes()

    def test_a_png_is_printed_at_300_dots_an_inch(self, tmp_path: Path) -> None:
        png, _ = save_figure(figure_1(results()), tmp_path, "figure_1")
        with Image.open(png) as image:
            assert image.size == (1050, 750)


class References(HTMLParser):
    """Every address that a page would fetch, and its visible text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    written = tmp_path_factory.mktemp("report")
    write_report(results(), written, (case(), case("P002")), {"Speed": {"wall time": "4 min"}})
    return written


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


class TestReport:
    def test_writes_page_tables_and_figures(self, folder: Path) -> None:
        names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        figures = {f"figures/figure_{n}.{kind}" for n in (1, 3, 4, 5, 6) for kind in ("png", "svg")}
        assert names == {"report.html", "tables.md"} | figures

    def test_needs_no_other_file(self, page: str) -> None:
        addresses = References(page).addresses
        assert len(addresses) == 5
        assert all(address.startswith("data:image/") for address in addresses)
        assert not re.search(r"@import|url\(", page)

    def test_says_loudly_that_a_cohort_is_synthetic(self, page: str) -> None:
        assert "SYNTHETIC COHORT" in References(page).text
        assert "SYNTHETIC" not in References(render_report(results(synthetic=False), {}, {})).text

    def test_says_what_a_reader_must_know(self, page: str) -> None:
        text = " ".join(References(page).text.split())
        bias = results().models["averaged"].pdff.strata[1].bias
        assert bias is not None
        for sentence in (
            "Not a medical device",
            f"Above 30 % PDFF the averaged multiview model is off by {format_signed(bias)} points",
            "it overstates significance",
            "Participant P002, reference PDFF 17.0 %; 3 of 4 views call it right.",
            results().protocol_sha256,
            "4 min",
            "P135",
        ):
            assert sentence in text

    def test_escapes_the_cohorts_description(self, page: str) -> None:
        assert "A &lt;cohort&gt;" in page
        assert "<cohort>" not in page

    def test_one_view_is_enough(self) -> None:
        lonely = build_results(
            only(simulated_predictions(), View.LIVER_KIDNEY), {}, "One view", synthetic=True, bootstrap=PLAN
        )
        text = References(render_report(lonely, {}, {})).text
        assert "Above 30 % PDFF the liver/kidney is off" in text
        assert "Compared with" not in text

    @pytest.mark.parametrize(("p_value", "printed"), [(0.0, "< .001"), (0.0004, "< .001"), (0.0123, ".012"), (1, "1.000")])  # fmt: skip # noqa: E501 - one row
    def test_prints_p_values(self, p_value: float, printed: str) -> None:
        assert format_p(p_value) == printed

    def test_prints_signs(self) -> None:
        assert format_interval((-1.25, 2.0)) == "\u22121.2 to +2.0"
