"""Maps of the two cases: of heads that have not seen them, kept, and drawn again."""

import dataclasses
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from app.adapters.bundle.onnx_networks import OnnxBackbone
from app.core.values import Features, Floats, Preprocessing, Target, View
from training.cohort import Participant, read_cohort
from training.evaluation import nested_leave_one_out
from training.explanations import CASES, CohortImages, Network, explain_cases, fit_without, load_cases, save_cases
from training.features import CohortFeatures
from training.figures import CamCase
from training.map_checks import MAP_CHECKS, check_maps, random_resnet50, randomised_network
from training.protocol import StudyProtocol
from training.results import BootstrapPlan, Results, build_results, choose_cases, write_results
from training.solvers import Design
from training.study import evaluate_features, redraw

PROTOCOL = StudyProtocol(n_rows=1, n_penalties=5)
VIEW = View.LIVER_KIDNEY


@pytest.fixture(scope="module")
def cohort(bundle_folder: Path, bundle_work: Path) -> list[Participant]:
    """Every second participant, by PDFF, of the cohort that the session's bundle was fitted on."""
    everybody = read_cohort(bundle_work / "training" / "cohort.csv")
    return sorted(everybody, key=lambda each: each.pdff_percent)[::2]


def pdff_of(cohort: list[Participant]) -> Floats:
    return np.array([each.pdff_percent for each in cohort])


def ids_of(cohort: list[Participant]) -> tuple[str, ...]:
    return tuple(each.participant_id for each in cohort)


def gap_features(images: CohortImages, views: tuple[View, ...]) -> Floats:
    """Features as `evaluate` extracts them, shape (n_participants, n_views, 1, p)."""
    return np.stack([
        images.network.look_at([images.tissue(i, view) for view in views]).gap[:, np.newaxis]
        for i in range(len(images.cohort))
    ])  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Study:
    """One view of a small cohort through a real backbone, evaluated."""

    features: dict[View, Design]
    pdff_percent: Floats
    results: Results
    images: CohortImages


@pytest.fixture(scope="module")
def study(cohort: list[Participant], bundle_work: Path) -> Study:
    network = Network(OnnxBackbone(bundle_work / "backbone.onnx", 2), Preprocessing())
    images = CohortImages(cohort, network, partial(random_resnet50, threads=2))
    features = {VIEW: Design(gap_features(images, (VIEW,))[:, 0])}
    pdff, ids = pdff_of(cohort), ids_of(cohort)
    evaluated = nested_leave_one_out(features, pdff, PROTOCOL, participant_ids=ids)
    document = dataclasses.asdict(PROTOCOL)
    plan = BootstrapPlan(resamples=20)
    results = build_results(evaluated.predictions, document, "One view", synthetic=True, bootstrap=plan)
    return Study(features, pdff, results, images)


@pytest.fixture(scope="module")
def cases(study: Study) -> tuple[CamCase, CamCase]:
    return explain_cases(study.features, study.results, PROTOCOL, study.images)


class TestCases:
    def test_maps_are_of_the_heads_that_made_the_held_out_predictions(
        self, study: Study, cases: tuple[CamCase, CamCase]
    ) -> None:
        held_out = {each.participant_id: each for each in study.results.participants}
        for case in cases:
            output = held_out[case.participant_id].outputs[VIEW]
            assert case.panels[VIEW].probability == pytest.approx(output.probability_ge5, abs=1e-6)

    def test_are_the_chosen_ones_with_the_views_there_are(self, study: Study, cases: tuple[CamCase, CamCase]) -> None:
        assert tuple(case.participant_id for case in cases) == choose_cases(study.results)
        for case in cases:
            assert list(case.panels) == [VIEW]
            assert case.panels[VIEW].tissue.ndim == 2
        right, wrong = (case.right_views for case in cases)
        assert right >= wrong

    def test_a_map_adds_up_to_its_probability(self, study: Study, cases: tuple[CamCase, CamCase]) -> None:
        for case in cases:
            i = ids_of(list(study.images.cohort)).index(case.participant_id)
            head = fit_without(study.features[VIEW], study.pdff_percent, np.array([i]), [Target.GE5], PROTOCOL)
            log_odds = case.panels[VIEW].cam.mean() + head[Target.GE5].intercept
            assert 1 / (1 + np.exp(-log_odds)) == pytest.approx(case.panels[VIEW].probability, abs=1e-6)

    def test_a_head_reads_nothing_of_whom_it_was_fitted_without(self, study: Study) -> None:
        i = np.array([4, 9])
        X, pdff = study.features[VIEW], study.pdff_percent.copy()
        before = fit_without(X, pdff, i, [Target.PDFF], PROTOCOL)[Target.PDFF]
        pdff[i] = 99.0
        after = fit_without(X, pdff, i, [Target.PDFF], PROTOCOL)[Target.PDFF]
        np.testing.assert_array_equal(before.weights, after.weights)
        pdff[5] = 99.0
        other = fit_without(X, pdff, i, [Target.PDFF], PROTOCOL)[Target.PDFF]
        assert not np.array_equal(before.weights, other.weights)


class TestFile:
    def test_gives_back_what_was_saved(self, study: Study, cases: tuple[CamCase, CamCase], tmp_path: Path) -> None:
        results = write_results(study.results, tmp_path / "results.json")
        save_cases(cases, tmp_path / CASES, results)
        for saved, read in zip(cases, load_cases(tmp_path / CASES, results), strict=True):
            assert (read.participant_id, read.pdff_percent) == (saved.participant_id, saved.pdff_percent)
            one, two = saved.panels[VIEW], read.panels[VIEW]
            np.testing.assert_array_equal(one.tissue, two.tissue)
            np.testing.assert_array_equal(one.cam, two.cam)
            assert (one.probability, one.called_positive) == (two.probability, two.called_positive)

    def test_refuses_maps_of_other_results(self, study: Study, cases: tuple[CamCase, CamCase], tmp_path: Path) -> None:
        results = write_results(study.results, tmp_path / "results.json")
        save_cases(cases, tmp_path / CASES, results)
        results.write_bytes(results.read_bytes() + b"\n")
        with pytest.raises(ValueError, match="run evaluate again"):
            load_cases(tmp_path / CASES, results)


class TestChecks:
    def test_a_learned_backbone_passes_on_a_few_images(self, study: Study) -> None:
        checks = check_maps(
            study.features, study.pdff_percent, PROTOCOL, study.images, randomised_network(study.images)
        )
        assert (checks.examined, checks.fitted_on) == (3, 21)
        for each in checks.targets:
            assert each.random_backbone < 0.6
            assert each.random_head < 0.6
            assert each.highest > 0


class TwelveMaps:
    """A quick backbone: averages of 32 x 32 pixels, raised to twelve powers or reshuffled by a seed."""

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed

    def __call__(self, tensors: NDArray[np.float32]) -> Features:
        cells = tensors[:, 0].reshape(len(tensors), 7, 32, 7, 32)
        grey, texture = cells.mean(axis=(2, 4)), cells.std(axis=(2, 4))
        maps = [grey**k * texture**j for k in range(1, 5) for j in range(3)]
        activation = np.stack(maps, axis=1)
        if self.seed is not None:
            activation = np.random.default_rng(self.seed).permuted(activation.reshape(len(tensors), 12, 49), axis=2)
        activation = activation.reshape(-1, 12, 7, 7).astype(np.float32)
        return Features(gap=activation.mean(axis=(2, 3), dtype=np.float64), activation=activation)


@pytest.fixture(scope="module")
def evaluated(cohort: list[Participant], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `evaluate` leaves of four views."""
    out = tmp_path_factory.mktemp("evaluated")
    images = CohortImages(cohort, Network(TwelveMaps(), Preprocessing()), lambda _: TwelveMaps(seed=1))
    X = gap_features(images, tuple(View))
    views = {view: Design(X[:, k]) for k, view in enumerate(View)}
    features = CohortFeatures(ids_of(cohort), pdff_of(cohort), views, "")
    evaluate_features(features, PROTOCOL, out, description="simulated", synthetic=True, jobs=1, images=images)
    return out


class TestEvaluate:
    def test_leaves_figures_5_and_6_and_the_checks(self, evaluated: Path) -> None:
        names = {path.name for path in evaluated.rglob("*")}
        assert {f"figure_{n}.{kind}" for n in (5, 6) for kind in ("png", "svg")} < names
        assert {CASES, MAP_CHECKS} < names
        page = (evaluated / "report.html").read_text(encoding="utf-8")
        assert "Sanity checks of the maps" in page
        assert "fitted on 21 participants, examined on the images of 3 others" in page

    def test_figures_are_drawn_again_without_any_image(self, evaluated: Path, tmp_path: Path) -> None:
        redraw(evaluated / "results.json", tmp_path)
        for name in ("figure_5.png", "figure_6.svg"):
            assert (tmp_path / "figures" / name).read_bytes() == (evaluated / "figures" / name).read_bytes()
        assert "Sanity checks of the maps" in (tmp_path / "report.html").read_text(encoding="utf-8")

    def test_results_alone_are_drawn_too(self, evaluated: Path, tmp_path: Path) -> None:
        alone = tmp_path / "results.json"
        alone.write_bytes((evaluated / "results.json").read_bytes())
        redraw(alone, tmp_path / "again")
        assert not (tmp_path / "again" / "figures" / "figure_5.png").exists()
