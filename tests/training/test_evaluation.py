"""Nested leave-one-out: no leak, whole participants, resumption, parity."""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from joblib import parallel_config
from scipy.special import expit
from sklearn.linear_model import Lasso, LogisticRegression

from app.core.values import Floats, Target, View
from training import evaluation
from training.evaluation import NestedLeaveOneOut, nested_leave_one_out
from training.heads import balanced_weights, inverse_frequency_weights, pdff_strata, stratified_folds
from training.predictions import AVERAGED, COMPOSITE
from training.protocol import StudyProtocol
from training.solvers import Design, SingleClassError

N, R, P = 16, 2, 20
QUICK = StudyProtocol(n_penalties=3, penalty_ratio=15.0, n_rows=R)
ONE = (View.HEPATIC_VEINS,)
TWO = (View.HEPATIC_VEINS, View.LIVER_KIDNEY)


KILLED_RUN = """
import sys
from pathlib import Path
import numpy as np
from app.core.values import View
from tests.training.test_evaluation import QUICK
from training.evaluation import nested_leave_one_out
from training.solvers import Design

with np.load(sys.argv[1]) as file:
    views, pdff = {View.HEPATIC_VEINS: Design(file["X"])}, file["pdff"]
nested_leave_one_out(views, pdff, QUICK, checkpoint=Path(sys.argv[2]), rounds_per_batch=1)
"""


def cohort(views: tuple[View, ...] = ONE, seed: int = 0) -> tuple[dict[View, Floats], Floats]:
    rng = np.random.default_rng(seed)
    pdff = rng.permutation(np.concatenate([rng.uniform(1, 5, 5), rng.uniform(5, 10, 5), rng.uniform(10, 35, N - 10)]))
    features = {}
    for view in views:
        X = rng.gamma(4.0, 1.0, (N, P))
        X[:, :3] *= np.exp(np.outer(pdff / 8, [1, 0.5, -0.5]))
        features[view] = X[:, None] * np.exp(0.05 * rng.normal(size=(N, R, P)))
    return features, pdff


def evaluate(features: Mapping[View, Floats], *arguments: Any, **options: Any) -> NestedLeaveOneOut:
    """Evaluate participants of one image each."""
    designs = {view: Design(X) for view, X in features.items()}
    return nested_leave_one_out(designs, *arguments, **{"rounds_per_batch": 6} | options)


@lru_cache
def baseline() -> NestedLeaveOneOut:
    return evaluate(*cohort(), QUICK)


def outputs(result: NestedLeaveOneOut, view: View = View.HEPATIC_VEINS) -> Floats:
    return result.rounds[view].outputs


class TestNoLeak:
    @pytest.mark.parametrize("label", [0.5, 44.0])
    def test_a_participants_label_does_not_touch_their_own_prediction(self, label: float) -> None:
        """Bit for bit, though the label changes strata, weights and everyone else's predictions."""
        features, pdff = cohort()
        changed = pdff.copy()
        changed[5] = label
        before, after = outputs(baseline()), outputs(evaluate(features, changed, QUICK))
        np.testing.assert_array_equal(before[5], after[5])
        assert (before != after).any(axis=1).sum() > N / 2

    def test_augmented_rows_of_the_held_out_participant_are_not_read(self) -> None:
        features, pdff = cohort()
        X = features[View.HEPATIC_VEINS].copy()
        X[5, 1:] *= 1.5
        before, after = outputs(baseline()), outputs(evaluate({ONE[0]: X}, pdff, QUICK))
        np.testing.assert_allclose(before[5], after[5], rtol=1e-7)  # the cohort's centre moves the last digits

    def test_copies_of_rows_change_nothing(self) -> None:
        """If rows were split and not participants, copies of a validation row would sit in its training set."""
        features, pdff = cohort()
        single = {view: X[:, :1] for view, X in features.items()}
        copies = {view: np.repeat(X[:, :1], 4, axis=1) for view, X in features.items()}
        one, four = (evaluate(each, pdff, QUICK) for each in (single, copies))
        np.testing.assert_array_equal(one.rounds[ONE[0]].chosen, four.rounds[ONE[0]].chosen)
        np.testing.assert_allclose(outputs(one), outputs(four), atol=2e-3)

    @pytest.mark.parametrize("label", [0.5, 44.0])
    def test_nor_where_participants_have_several_images(self, label: float) -> None:
        """One to three images each: if one of theirs trained, the label would reach the prediction."""
        features, pdff = cohort()
        counts = 1 + np.arange(N) % 3
        owner = np.repeat(np.arange(N), counts)
        noise = np.exp(0.05 * np.random.default_rng(1).normal(size=(len(owner), R, P)))
        views = {ONE[0]: Design(features[ONE[0]][owner] * noise, owner)}
        changed = pdff.copy()
        changed[5] = label
        before, after = (outputs(nested_leave_one_out(views, each, QUICK)) for each in (pdff, changed))
        assert counts[5] == 3
        np.testing.assert_array_equal(before[5], after[5])
        assert (before != after).any(axis=1).sum() > N / 2

    def test_rows_of_a_participant_never_cross_a_split(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each training set seen by the solver is whole participants, without the held-out one and without its fold."""
        from training import heads, solvers

        seen: list[np.ndarray] = []
        solve = solvers.solve

        def spy(design: object, problems: list[object], *rest: object) -> object:
            seen.extend(design.rows_of(task.participants) for task in problems)  # type: ignore[attr-defined] # a spy
            return solve(design, problems, *rest)  # type: ignore[arg-type] # a spy

        monkeypatch.setattr(heads, "solve", spy)
        features, pdff = cohort()
        heads.grid_search(solvers.Design(features[ONE[0]]), pdff, np.delete(np.arange(N), 5), Target.GE5, QUICK)
        *folds, refit = seen
        assert sorted(np.unique(refit // R)) == [i for i in range(N) if i != 5]
        for rows in seen:
            assert (np.bincount(rows // R, minlength=N) % R == 0).all()
        held = [set(refit.tolist()) - set(rows.tolist()) for rows in folds]
        assert sum(map(len, held)) == len(set().union(*held)) == (N - 1) * R


class TestFolds:
    @pytest.mark.parametrize("seed", range(5))
    def test_every_stratum_is_dealt_evenly(self, seed: int) -> None:
        strata = np.random.default_rng(seed).integers(0, 4, 61)
        folds = stratified_folds(strata, 4, seed)
        for chosen in (np.ones(61, bool), *(strata == s for s in range(4))):
            counts = np.bincount(folds[chosen], minlength=4)
            assert counts.max() - counts.min() <= 1

    def test_too_few_participants_are_refused(self) -> None:
        with pytest.raises(ValueError, match="3 participants cannot be split into 4 folds"):
            stratified_folds(np.zeros(3, int), 4, 0)


class TestResult:
    def test_predictions_follow_the_truth_and_are_certified(self) -> None:
        """The averaged model averages probabilities, not log-odds."""
        features, pdff = cohort(TWO)
        result = evaluate(features, pdff, QUICK, participant_ids=[f"P{i}" for i in range(N)])
        assert list(result.predictions.models) == [*TWO, AVERAGED, COMPOSITE]
        assert result.predictions.participant_ids[3] == "P3"
        assert np.corrcoef(result.predictions.models[AVERAGED].pdff_percent, pdff)[0, 1] > 0.7
        assert 0 <= result.relative_gap <= 1e-6
        models = result.predictions.models
        np.testing.assert_allclose(
            models[AVERAGED].probability_ge5, np.mean([models[view].probability_ge5 for view in TWO], axis=0)
        )

    def test_one_view_has_no_multiview_models(self) -> None:
        assert list(baseline().predictions.models) == [View.HEPATIC_VEINS]

    def test_one_standard_error_chooses_no_weaker_penalty(self) -> None:
        features, pdff = cohort()
        least = baseline().rounds[ONE[0]].chosen
        protocol = replace(QUICK, selection="one_standard_error")
        sparse = evaluate(features, pdff, protocol).rounds[ONE[0]].chosen
        assert (sparse <= least).all()
        assert (sparse < least).any()


class TestRefusals:
    def test_a_training_set_of_one_class(self) -> None:
        features, pdff = cohort()
        with pytest.raises(SingleClassError, match="round of participant 0, ge5: all participants"):
            evaluate(features, np.maximum(pdff, 6.0), QUICK)

    def test_features_of_other_participants(self) -> None:
        features, pdff = cohort()
        with pytest.raises(ValueError, match="hepatic_veins: features of 16 participants, but 15 labels"):
            evaluate(features, pdff[1:], QUICK)

    def test_features_that_are_not_finite(self) -> None:
        features, pdff = cohort()
        features[View.HEPATIC_VEINS][3, 1, 2] = np.nan
        with pytest.raises(ValueError, match="not a finite number"):
            evaluate(features, pdff, QUICK)


class TestCheckpoint:
    def test_a_killed_run_goes_on_and_ends_the_same(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        features, pdff = cohort()
        whole = outputs(baseline())
        run, calls = evaluation._run, []

        def dies(*args: object) -> object:
            calls.append(args)
            if len(calls) == 3:
                raise KeyboardInterrupt
            return run(*args)  # type: ignore[arg-type] # a spy

        monkeypatch.setattr(evaluation, "_run", dies)
        with pytest.raises(KeyboardInterrupt):
            evaluate(features, pdff, QUICK, checkpoint=tmp_path)
        kept = len(list(tmp_path.rglob("*.npz")))
        assert 1 <= kept < 3
        resumed = evaluate(features, pdff, QUICK, checkpoint=tmp_path)
        assert len(calls) == 3 + 3 - kept
        np.testing.assert_array_equal(outputs(resumed), whole)

    def test_a_run_that_was_killed_at_once_goes_on_too(self, tmp_path: Path) -> None:
        """SIGKILL, which no program can handle, as soon as the first batch is on disk."""
        features, pdff = cohort()
        np.savez(tmp_path / "cohort.npz", X=features[ONE[0]], pdff=pdff)
        rounds = tmp_path / "rounds"
        with subprocess.Popen([sys.executable, "-c", KILLED_RUN, str(tmp_path / "cohort.npz"), str(rounds)]) as process:
            deadline = time.monotonic() + 60
            while not list(rounds.rglob("*.npz")) and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.005)
            process.kill()
        kept = len(list(rounds.rglob("*.npz")))
        assert 1 <= kept < N
        resumed = evaluate(features, pdff, QUICK, checkpoint=rounds, rounds_per_batch=1)
        assert len(list(rounds.rglob("*.npz"))) == N
        np.testing.assert_array_equal(outputs(resumed), outputs(baseline()))

    def test_another_question_does_not_read_it(self, tmp_path: Path) -> None:
        features, pdff = cohort()
        evaluate(features, pdff, QUICK, checkpoint=tmp_path)
        other = evaluate(features, pdff, replace(QUICK, seed=5), checkpoint=tmp_path)
        assert (outputs(other) != outputs(baseline())).any()
        assert len(list(tmp_path.iterdir())) == 2

    def test_nothing_half_written_is_left(self, tmp_path: Path) -> None:
        features, pdff = cohort()
        evaluate(features, pdff, QUICK, checkpoint=tmp_path)
        assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} == {".npz"}


class TestParallel:
    def test_two_processes_give_the_same_bits(self) -> None:
        features, pdff = cohort()
        two = outputs(evaluate(features, pdff, QUICK, jobs=2))
        np.testing.assert_array_equal(two, outputs(baseline()))

    def test_a_dask_cluster_gives_the_same_bits(self, dask_client: object) -> None:
        features, pdff = cohort()
        with parallel_config(backend="dask"):
            remote = outputs(evaluate(features, pdff, QUICK, jobs=None))
        np.testing.assert_array_equal(remote, outputs(baseline()))


@pytest.fixture
def dask_client() -> Iterator[object]:
    """A local cluster of two worker processes."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def peer_round(X: Floats, pdff: Floats, i: int, target: Target) -> float:
    """One round as a reader of the paper would write it with scikit-learn."""
    others = np.delete(np.arange(N), i)
    folds = stratified_folds(pdff_strata(pdff[others], QUICK), 4, QUICK.seed)
    held = np.empty((QUICK.n_penalties, N - 1))
    for k in range(4):
        for step in range(QUICK.n_penalties):
            held[step, folds == k] = peer_fit(X, pdff, others[folds != k], others[folds == k], target, step)
    if target is Target.PDFF:
        loss = inverse_frequency_weights(pdff[others]) * (held - pdff[others]) ** 2
    else:
        y = pdff[others] >= {Target.GE5: 5, Target.GE10: 10}[target]
        loss = -balanced_weights(y.astype(float)) * np.log(np.where(y, expit(held), expit(-held)))
    return float(peer_fit(X, pdff, others, np.array([i]), target, int(loss.mean(axis=1).argmin()))[0])


def peer_fit(X: Floats, pdff: Floats, train: np.ndarray, test: np.ndarray, target: Target, step: int) -> Floats:
    rows = X[train].reshape(-1, P)
    mean, scale = rows.mean(0), rows.std(0)
    Z, divisor = (rows - mean) / scale, QUICK.penalty_steps()[step]
    y = pdff[train] if target is Target.PDFF else (pdff[train] >= {Target.GE5: 5, Target.GE10: 10}[target]) * 1.0
    weights = inverse_frequency_weights(y) if target is Target.PDFF else balanced_weights(y)
    weights, y = np.repeat(weights, R), np.repeat(y, R)
    weights /= weights.sum()
    alpha = np.abs(Z.T @ (weights * (y - weights @ y))).max() / divisor
    model = (
        Lasso(alpha=alpha, tol=1e-10, max_iter=10**6)
        if target is Target.PDFF
        else LogisticRegression(l1_ratio=1.0, C=1 / alpha, solver="saga", tol=1e-7, max_iter=10**5, random_state=0)
    ).fit(Z, y, sample_weight=weights)
    z = (X[test, 0] - mean) / scale
    return np.asarray(z @ np.ravel(model.coef_) + np.ravel(model.intercept_))


@pytest.mark.parametrize("target", list(Target))
def test_scikit_learn_gives_the_same_predictions(target: Target) -> None:
    """To a thousandth of a percent PDFF, or of a probability."""
    features, pdff = cohort()
    ours = outputs(baseline())[:, list(Target).index(target)]
    unit = expit if target is not Target.PDFF else float
    for i in (0, 11):
        assert unit(ours[i]) == pytest.approx(unit(peer_round(features[ONE[0]], pdff, i, target)), abs=1e-3)
