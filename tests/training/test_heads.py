"""L1 heads: optimality, folding, choice of penalty."""

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from app.core.values import Floats, Target, View
from training.bundle import fit_heads, heads_document, plain_heads
from training.features import CohortFeatures
from training.heads import (
    balanced_weights,
    fit_head,
    inverse_frequency_weights,
)
from training.phantom import draw_pdff_percent
from training.predictions import Predictions, average
from training.protocol import StudyProtocol
from training.solvers import Design
from training.statistics import figures, nearest_operating_point

N, P = 60, 40


def cohort(seed: int = 1, n: int = N) -> tuple[Floats, Floats]:
    """Features of which three carry PDFF, each on its own scale."""
    rng = np.random.default_rng(seed)
    pdff = draw_pdff_percent(n, seed)
    X = rng.normal(size=(n, P))
    X[:, :3] += pdff[:, None] / 8 * [1, -1, 0.5]
    return X * rng.uniform(0.1, 10, P) + rng.normal(size=P), pdff


class TestOptimality:
    def test_the_lasso_head_meets_the_conditions(self) -> None:
        """|Z'(w r)| / sum(w) <= alpha, with equality and matching sign on the support."""
        X, y = cohort()
        fitted = fit_head(Design(X[:, None]), y, Target.PDFF, seed=0)
        scaler, weights = StandardScaler().fit(X), inverse_frequency_weights(y)
        Z = scaler.transform(X)
        gradient = Z.T @ (weights * (y - X @ fitted.head.weights - fitted.head.intercept)) / weights.sum()
        limit = np.abs(Z.T @ (weights * (y - np.average(y, weights=weights)))).max() / weights.sum() / fitted.step
        support = fitted.head.weights != 0
        assert support.any()
        assert np.abs(gradient).max() <= limit * (1 + 1e-4)
        np.testing.assert_allclose(gradient[support], limit * np.sign(fitted.head.weights[support]), rtol=1e-4)

    def test_a_rescaled_feature_gives_the_same_answer(self) -> None:
        X, pdff = cohort()
        plain, rescaled = (fit_head(Design(each[:, None]), pdff, Target.GE10, seed=0) for each in (X, X * 7 + 3))
        np.testing.assert_allclose(plain.out_of_fold, rescaled.out_of_fold, atol=1e-3)


class TestFitHead:
    @pytest.mark.parametrize("target", list(Target))
    def test_learns_and_does_not_leak(self, target: Target) -> None:
        X, pdff = cohort(n=100)
        fitted = fit_head(Design(X[:, None]), pdff, target, seed=0)
        assert fitted.step in StudyProtocol().penalty_steps()
        assert np.corrcoef(fitted.out_of_fold, pdff)[0, 1] > 0.6
        in_sample = X @ fitted.head.weights + fitted.head.intercept
        assert not np.allclose(in_sample, fitted.out_of_fold)

    def test_pure_noise_predicts_nothing_out_of_fold(self) -> None:
        _, pdff = cohort(n=100)
        X = np.random.default_rng(2).normal(size=(100, 200))
        fitted = fit_head(Design(X[:, None]), pdff, Target.PDFF, seed=0)
        assert abs(np.corrcoef(fitted.out_of_fold, pdff)[0, 1]) < 0.35

    def test_a_seed_gives_the_same_head(self) -> None:
        X, pdff = cohort()
        first, second = (fit_head(Design(X[:, None]), pdff, Target.GE10, seed=3).head for _ in range(2))
        np.testing.assert_array_equal(first.weights, second.weights)


class TestWeights:
    def test_rare_values_weigh_more(self) -> None:
        weights = inverse_frequency_weights(np.array([1.0, 2.0, 3.0, 33.0]))
        assert weights.mean() == pytest.approx(1)
        assert weights[3] == pytest.approx(3 * weights[0])

    def test_both_classes_weigh_the_same(self) -> None:
        positive = np.array([1.0, 0, 0, 0])
        weights = balanced_weights(positive)
        assert weights[positive == 1].sum() == pytest.approx(weights[positive == 0].sum())


def test_json_keeps_heads_to_the_last_bit() -> None:
    import json

    rng = np.random.default_rng(1)
    views = {view: Design(rng.normal(size=(N, 1, 2048))) for view in View}
    features = CohortFeatures(tuple(map(str, range(N))), draw_pdff_percent(N, 1), views, "")
    heads = plain_heads(fit_heads(features, 0))
    document = json.loads(json.dumps(heads_document(heads)))
    for view in View:
        for target in Target:
            entry = document[view][target]
            weights = np.zeros(2048)
            weights[entry["indices"]] = entry["weights"]
            np.testing.assert_array_equal(weights, heads[view][target].weights)
            assert entry["intercept"] == heads[view][target].intercept


class TestStatistics:
    def test_a_perfect_model(self) -> None:
        pdff = np.array([1.0, 4, 7, 9, 15, 30])
        perfect = figures(Predictions(pdff, pdff / 100, pdff / 100), pdff)
        assert (perfect.spearman, perfect.auc_ge5, perfect.auc_ge10) == (1, 1, 1)
        assert perfect.mean_absolute_error_percent == 0

    def test_the_operating_point_is_the_corner_of_fawcetts_example(self) -> None:
        """Fawcett 2006, figure 3: the twenty instances and their scores."""
        scores = np.array(
            [
                0.9,
                0.8,
                0.7,
                0.6,
                0.55,
                0.54,
                0.53,
                0.52,
                0.51,
                0.505,
                0.4,
                0.39,
                0.38,
                0.37,
                0.36,
                0.35,
                0.34,
                0.33,
                0.30,
                0.1,
            ]
        )
        positive = np.array([c == "p" for c in "ppnpppnnpnpnpnnnpnpn"])
        point = nearest_operating_point(scores, positive)
        distances = {t: np.hypot((scores[~positive] >= t).mean(), 1 - (scores[positive] >= t).mean()) for t in scores}
        assert distances[point.probability] == pytest.approx(min(distances.values()))
        assert point.sensitivity == pytest.approx((scores[positive] >= point.probability).mean())
        assert point.specificity == pytest.approx((scores[~positive] < point.probability).mean())

    def test_the_average_is_over_models(self) -> None:
        low, high = (Predictions(np.full(3, v), np.full(3, v / 10), np.full(3, v / 10)) for v in (1.0, 3.0))
        assert average([low, high]).pdff_percent.tolist() == [2, 2, 2]
