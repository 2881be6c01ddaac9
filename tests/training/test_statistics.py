"""Each statistic against an implementation that is not ours, or an example that its authors published."""

import time
import warnings
from itertools import product

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.metrics import roc_curve as sklearn_roc_curve
from statsmodels.stats.multitest import multipletests  # type: ignore[import-untyped] # no stubs
from statsmodels.stats.weightstats import ttest_ind  # type: ignore[import-untyped] # no stubs

from app.core.values import Floats
from tests.training.simulated import simulated_predictions
from training.predictions import Predictions
from training.statistics import (
    Comparison,
    Spread,
    bland_altman,
    bonferroni,
    bootstrap_performance,
    brier_score,
    delong,
    delong_test,
    figures,
    meng_test,
    nearest_operating_point,
    pearson,
    resample_counts,
    roc_curve,
    spearman,
    stratum_bias,
    welch_test,
)
from training.statistics.roc import Bools

NAMES = ("averaged", "hepatic_veins")


def scores(seed: int = 0, n: int = 90, decimals: int = 1) -> tuple[Floats, Bools]:
    """Scores with many ties, a third of the participants positive."""
    rng = np.random.default_rng(seed)
    positive = np.arange(n) % 3 == 0
    return np.round(rng.normal(size=n) + positive, decimals), positive


class TestRocCurve:
    @pytest.mark.parametrize("decimals", [0, 1, 9])
    def test_is_that_of_sklearn(self, decimals: int) -> None:
        values, positive = scores(decimals=decimals)
        curve = roc_curve(values, positive)
        expected = sklearn_roc_curve(positive, values, drop_intermediate=False)
        for ours, theirs in zip(
            (curve.false_positive_rate[0], curve.true_positive_rate[0], curve.thresholds), expected, strict=True
        ):
            np.testing.assert_allclose(ours, theirs)
        assert curve.auc()[0] == pytest.approx(roc_auc_score(positive, values))

    def test_area_is_mann_and_whitneys_u(self) -> None:
        values, positive = scores()
        u = stats.mannwhitneyu(values[positive], values[~positive]).statistic
        assert roc_curve(values, positive).auc()[0] == pytest.approx(u / positive.sum() / (~positive).sum())

    def test_counts_stand_for_repeated_participants(self) -> None:
        values, positive = scores()
        counts = np.random.default_rng(1).integers(0, 4, (5, len(values)))
        expected = [roc_auc_score(np.repeat(positive, row), np.repeat(values, row)) for row in counts]
        np.testing.assert_allclose(roc_curve(values, positive, counts).auc(), expected)

    def test_a_point_on_a_slanted_segment_can_be_the_nearest(self) -> None:
        """Four tied pairs, one straight line: a curve thinned to its corners would call everybody or nobody."""
        values, positive = np.repeat([0.8, 0.6, 0.4, 0.2], 2), np.tile([True, False], 4)
        assert 0.5 not in sklearn_roc_curve(positive, values)[0]
        found = nearest_operating_point(values, positive)
        assert (found.probability, found.sensitivity, found.specificity) == (0.6, 0.5, 0.5)

    def test_needs_both_classes(self) -> None:
        with pytest.raises(ValueError, match="3 of 3 are positive"):
            roc_curve(np.arange(3.0), np.ones(3, bool))

    def test_needs_finite_scores(self) -> None:
        with pytest.raises(ValueError, match="finite"):
            roc_curve(np.array([1.0, np.nan]), np.array([True, False]))


class TestBootstrap:
    def test_keeps_the_classes_sizes(self) -> None:
        _, positive = scores()
        counts = resample_counts(positive, 50, seed=3)
        assert set(counts[:, positive].sum(axis=1)) == {30}
        assert set(counts[:, ~positive].sum(axis=1)) == {60}

    def test_a_seed_gives_the_same_resamples(self) -> None:
        _, positive = scores()
        np.testing.assert_array_equal(resample_counts(positive, 9, seed=3), resample_counts(positive, 9, seed=3))
        assert (resample_counts(positive, 9, seed=3) != resample_counts(positive, 9, seed=4)).any()

    def test_is_what_a_plain_loop_over_resamples_gives(self) -> None:
        values, positive = scores()
        counts = resample_counts(positive, 20, seed=0)
        found = bootstrap_performance(values, positive, counts)
        for i, row in enumerate(counts):
            v, p = np.repeat(values, row), np.repeat(positive, row)
            fpr, tpr, thresholds = sklearn_roc_curve(p, v, drop_intermediate=False)
            called = v >= thresholds[np.argmin(np.hypot(fpr, 1 - tpr))]
            assert found.auc[i] == pytest.approx(roc_auc_score(p, v))
            assert found.accuracy[i] == pytest.approx((called == p).mean())
            assert found.sensitivity[i] == pytest.approx(called[p].mean())
            assert found.specificity[i] == pytest.approx((~called[~p]).mean())

    def test_its_sd_is_scipys_and_near_delongs(self) -> None:
        values, positive = scores(n=300, decimals=9)

        def auc(x: Floats, y: Floats, axis: int = -1) -> Floats:
            # the two arguments are resampled each for itself: stratified, as ours
            return np.asarray((x[..., :, None] > y[..., None, :]).mean(axis=(-2, -1)), np.float64)

        theirs = stats.bootstrap(
            (values[positive], values[~positive]), auc, n_resamples=1000, rng=5, method="percentile", batch=20
        ).standard_error
        ours = Spread.of(bootstrap_performance(values, positive, resample_counts(positive, 2000, seed=5)).auc)
        assert ours.sd == pytest.approx(theirs, rel=0.1)
        assert ours.sd == pytest.approx(np.sqrt(delong(values[None], positive).covariance[0, 0]), rel=0.1)
        assert ours.mean == pytest.approx(roc_auc_score(positive, values), abs=3 * ours.sd / np.sqrt(2000))

    def test_two_thousand_resamples_of_all_models_take_less_than_two_seconds(self) -> None:
        held_out = simulated_predictions()
        started = time.process_time()
        for cutoff in (5, 10):
            positive = held_out.pdff_percent >= cutoff
            counts = resample_counts(positive, 2000, seed=0)
            for predicted in held_out.models.values():
                bootstrap_performance(predicted.probability_ge5, positive, counts)
        assert time.process_time() - started < 2


class TestWelch:
    def test_is_that_of_statsmodels_and_scipy(self) -> None:
        rng = np.random.default_rng(0)
        first, second = rng.normal(0.9, 0.03, 200), rng.normal(0.893, 0.05, 150)
        found = welch_test(first, second, NAMES, "AUC")
        statistic, p_value, _ = ttest_ind(first, second, usevar="unequal")
        interval = stats.ttest_ind(first, second, equal_var=False).confidence_interval(0.95)
        assert found.statistic == pytest.approx(statistic)
        assert found.p_value == pytest.approx(p_value)
        assert found.interval_95 == pytest.approx((interval.low, interval.high))

    def test_more_resamples_of_the_same_people_make_it_more_significant(self) -> None:
        """Why its docstring warns, and why DeLong stands beside it."""
        held_out = simulated_predictions()
        positive = held_out.pdff_percent >= 5
        pair = [held_out.models[name].probability_ge5 for name in NAMES]
        p_values = []
        for n_resamples in (20, 200, 2000):
            counts = resample_counts(positive, n_resamples, seed=0)
            first, second = (bootstrap_performance(each, positive, counts).auc for each in pair)
            p_values.append(welch_test(first, second, NAMES, "AUC").p_value)
        assert p_values[0] > 1e3 * p_values[1] > 1e6 * p_values[2]

    def test_a_model_does_not_differ_from_itself(self) -> None:
        same = np.full(10, 0.8)
        found = welch_test(same, same, NAMES, "AUC")
        assert (found.statistic, found.p_value) == (None, 1)


class TestBonferroni:
    def test_is_that_of_statsmodels(self) -> None:
        p_values = [0.001, 0.02, 0.3, 0.9]
        family = [Comparison("meng", "SCC", *NAMES, 0.0, (0.0, 0.0), 0.0, p, p) for p in p_values]
        expected = multipletests(p_values, method="bonferroni")[1]
        assert [each.p_corrected for each in bonferroni(family)] == pytest.approx(list(expected))
        assert {each.comparisons for each in bonferroni(family)} == {4}


def delong_by_pairs(first: Floats, second: Floats, positive: Bools) -> float:
    """Covariance of two areas straight from DeLong et al. 1988, equations 3 to 5: every pair of participants."""

    def components(values: Floats) -> tuple[Floats, Floats]:
        x, y = values[positive], values[~positive]
        psi = np.array([[1.0 if a > b else 0.5 if a == b else 0.0 for b in y] for a in x])
        return psi.mean(axis=1), psi.mean(axis=0)

    (x1, y1), (x2, y2) = components(first), components(second)
    s10 = ((x1 - x1.mean()) * (x2 - x2.mean())).sum() / (len(x1) - 1)
    s01 = ((y1 - y1.mean()) * (y2 - y2.mean())).sum() / (len(y1) - 1)
    return float(s10 / len(x1) + s01 / len(y1))


class TestDeLong:
    @pytest.mark.parametrize("decimals", [0, 9])
    def test_fast_is_every_pair_of_participants(self, decimals: int) -> None:
        values = np.stack([scores(seed, decimals=decimals)[0] for seed in range(3)])
        positive = scores()[1]
        found = delong(values, positive)
        np.testing.assert_allclose(found.auc, [roc_auc_score(positive, each) for each in values])
        for i, j in product(range(3), repeat=2):
            assert found.covariance[i, j] == pytest.approx(delong_by_pairs(values[i], values[j], positive), abs=1e-15)

    def test_z_is_the_difference_over_its_standard_error(self) -> None:
        values = np.stack([scores(seed)[0] for seed in range(2)])
        positive = scores()[1]
        areas = delong(values, positive)
        found = delong_test(areas, (0, 1), NAMES, "AUC")
        variance = (
            delong_by_pairs(values[0], values[0], positive)
            + delong_by_pairs(values[1], values[1], positive)
            - 2 * delong_by_pairs(values[0], values[1], positive)
        )
        z = (areas.auc[0] - areas.auc[1]) / np.sqrt(variance)
        assert found.statistic == pytest.approx(z)
        assert found.p_value == pytest.approx(2 * stats.norm.sf(abs(z)))

    def test_keeps_its_level(self) -> None:
        """Equally good models: about 5 % of comparisons are called different, which Welch's test cannot say."""
        rng = np.random.default_rng(7)
        positive = np.arange(120) % 2 == 0
        shared = rng.normal(size=(400, 1, 120)) + positive
        trials = shared + rng.normal(size=(400, 2, 120))
        p_values = [delong_test(delong(each, positive), (0, 1), NAMES, "AUC").p_value for each in trials]
        assert 0.02 < np.mean(np.array(p_values) < 0.05) < 0.08

    def test_a_model_does_not_differ_from_itself(self) -> None:
        values, positive = scores()
        found = delong_test(delong(np.stack([values, values * 2]), positive), (0, 1), NAMES, "AUC")
        assert (found.difference, found.statistic, found.p_value) == (0, None, 1)

    def test_an_interval_stays_within_0_and_1(self) -> None:
        values, positive = scores()
        low, high = delong((values + 3 * positive)[None], positive).interval_95(0)
        assert 0.9 < low < high == 1

    def test_needs_two_in_each_class(self) -> None:
        with pytest.raises(ValueError, match="not 1 and 3"):
            delong(np.arange(4.0)[None], np.array([True, False, False, False]))


class TestCorrelations:
    def test_spearman_is_pearson_of_mid_ranks(self) -> None:
        x, y = scores(0)[0], scores(1)[0]
        ranked = [stats.rankdata(each) for each in (x, y)]
        found = spearman(x, y)
        assert found.value == pytest.approx(np.corrcoef(*ranked)[0, 1])
        assert found.p_value == pytest.approx(stats.linregress(*ranked).pvalue)

    def test_pearsons_p_is_that_of_the_regression_slope(self) -> None:
        x, y = scores(0)[0], scores(1)[0]
        found, line = pearson(x, y), stats.linregress(x, y)
        assert (found.value, found.p_value) == pytest.approx((line.rvalue, line.pvalue))

    @pytest.mark.parametrize("correlate", [spearman, pearson])
    def test_a_constant_output_orders_nobody(self, correlate: object) -> None:
        assert callable(correlate)
        found = correlate(np.ones(9), np.arange(9.0))
        assert (found.value, found.p_value) == (0, 1)


class TestMeng:
    @pytest.mark.parametrize(
        ("r1", "r2", "rx", "n", "z", "interval"),
        [
            (0.8066, 0.2383, 0.2255, 177, 8.3907, (0.6700, 1.0784)),
            (-0.1741, 0.2015, 0.3734, 646, -8.5080, (-0.4678, -0.2926)),
            (0.1724, 0.1795, 0.5387, 646, -0.1909, (-0.0825, 0.0678)),
        ],
    )
    def test_is_that_of_cocor(
        self, r1: float, r2: float, rx: float, n: int, z: float, interval: tuple[float, float]
    ) -> None:
        """Outputs of the R package cocor, the paper's tool, as printed with inputs of four decimals.

        The first is the vignette on comparing correlations of the R package rmcorr, the others stand in a textbook
        of psychometrics (Szymanski and Bissonette's data).
        """
        found = meng_test((r1, r2), rx, n, NAMES, "PCC")
        assert found.statistic == pytest.approx(z, abs=3e-3)
        assert found.interval_95 == pytest.approx(interval, abs=2e-4)
        assert found.p_value == pytest.approx(2 * stats.norm.sf(abs(z)), rel=0.05)

    def test_keeps_its_level(self) -> None:
        rng = np.random.default_rng(3)
        p_values = []
        for _ in range(400):
            y = rng.normal(size=80)
            shared = rng.normal(size=80)
            x1, x2 = (y + shared + rng.normal(size=80) for _ in range(2))
            values = pearson(x1, y).value, pearson(x2, y).value
            p_values.append(meng_test(values, pearson(x1, x2).value, 80, NAMES, "PCC").p_value)
        assert 0.02 < np.mean(np.array(p_values) < 0.05) < 0.08

    def test_a_model_does_not_differ_from_itself(self) -> None:
        found = meng_test((0.7, 0.7), 1.0, 135, NAMES, "SCC")
        assert (found.statistic, found.p_value) == (None, 1)

    def test_a_perfect_model_has_a_finite_statistic(self) -> None:
        assert np.isfinite(meng_test((1.0, 0.7), 0.7, 135, NAMES, "SCC").statistic or np.nan)

    def test_needs_four_participants(self) -> None:
        with pytest.raises(ValueError, match="more than three"):
            meng_test((0.1, 0.2), 0.3, 3, NAMES, "SCC")


WRIGHT = np.array([494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427.0])
MINI_WRIGHT = np.array([512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451.0])


class TestBlandAltman:
    def test_is_the_peak_flow_example_of_1986(self) -> None:
        """Bland and Altman 1986: first measurements by the large and the mini Wright peak flow meter, l/min."""
        found = bland_altman(WRIGHT, MINI_WRIGHT)
        assert round(found.bias, 1) == -2.1
        assert round(found.sd, 1) == 38.8
        assert found.bias_95 == pytest.approx((-22.0, 17.8), abs=0.15)  # the paper rounds before it multiplies
        # the paper's limits are -79.7 and 75.5 with the factor 2
        assert found.bias - 2 * found.sd == pytest.approx(-79.7, abs=0.1)
        assert found.upper - found.bias == pytest.approx(1.96 * 38.8, abs=0.1)
        # the paper's intervals of the limits, -114.3 to -45.1 and 40.9 to 110.1, use SD sqrt(3 / n) = 9.4 sqrt(3)
        half = stats.t.ppf(0.975, 16) * found.sd * np.sqrt(3 / 17)
        assert found.lower - found.lower_95[0] == pytest.approx(half, rel=0.02)
        assert found.upper_95[1] - found.upper == pytest.approx(half, rel=0.02)
        assert half == pytest.approx((114.3 - 45.1) / 2, abs=0.2)

    def test_the_limits_hold_95_percent_of_normal_differences(self) -> None:
        rng = np.random.default_rng(0)
        reference = rng.uniform(0, 40, 20_000)
        differences = rng.normal(-1, 3, 20_000)
        found = bland_altman(reference + differences, reference)
        assert ((differences > found.lower) & (differences < found.upper)).mean() == pytest.approx(0.95, abs=0.005)

    def test_strata_add_up_to_the_whole(self) -> None:
        held_out = simulated_predictions()
        reference, measured = held_out.pdff_percent, held_out.models["averaged"].pdff_percent
        high = reference > 30
        parts = [stratum_bias("", measured, reference, members) for members in (~high, high)]
        assert sum(part.participants * (part.bias or 0) for part in parts) / len(reference) == pytest.approx(
            bland_altman(measured, reference).bias
        )
        interval = stats.ttest_1samp((measured - reference)[high], 0).confidence_interval(0.95)
        assert parts[1].bias_95 == pytest.approx((interval.low, interval.high))

    @pytest.mark.parametrize(("members", "bias"), [([False] * 3, None), ([True, False, False], 1.0)])
    def test_few_participants_have_no_interval(self, members: list[bool], bias: float | None) -> None:
        found = stratum_bias("above", np.arange(3.0) + 1, np.arange(3.0), np.array(members))
        assert (found.participants, found.bias, found.bias_95) == (sum(members), bias, None)


class TestFigures:
    def test_brier_is_that_of_sklearn(self) -> None:
        rng = np.random.default_rng(0)
        probability, positive = rng.uniform(size=50), rng.uniform(size=50) < 0.4
        assert brier_score(probability, positive) == pytest.approx(brier_score_loss(positive, probability))

    def test_a_constant_model_warns_nobody(self) -> None:
        pdff = np.array([1.0, 4, 7, 9, 15, 30])
        flat = np.full(6, 0.5)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = figures(Predictions(flat, flat, flat), pdff)
        assert (found.spearman, found.pearson, found.auc_ge5, found.auc_ge10) == (0, 0, 0.5, 0.5)
