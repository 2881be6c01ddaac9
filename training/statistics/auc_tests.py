"""Are two areas under ROC curves different? The paper's way, and one that the number of resamples cannot move."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy.stats import norm, rankdata, t

from app.core.values import Floats
from training.statistics.comparisons import Comparison
from training.statistics.roc import Bools


@dataclass(frozen=True, slots=True, eq=False)
class DeLong:
    """Areas and their covariance.

    Attributes
    ----------
    auc : ndarray of float64, shape (n_models,)
    covariance : ndarray of float64, shape (n_models, n_models)
    """

    auc: Floats
    covariance: Floats

    def interval_95(self, model: int) -> tuple[float, float]:
        """Symmetric 95 % confidence interval of one area, cut to 0..1."""
        half = float(norm.ppf(0.975)) * sqrt(max(self.covariance[model, model], 0.0))
        return max(0.0, float(self.auc[model]) - half), min(1.0, float(self.auc[model]) + half)


def welch_test(first: Floats, second: Floats, names: tuple[str, str], quantity: str) -> Comparison:
    """Compare mean bootstrap AUCs by Welch's t-test, as the paper does.

    This overstates significance. Its n is the number of *resamples*, which the analyst chooses: the standard error
    shrinks with it although no participant was added, so that any two models differ "significantly" once there are
    enough of them. It also treats as independent what was measured on the same people. `delong_test` has neither
    fault: where the two disagree, believe that one.

    Parameters
    ----------
    first, second : ndarray of float64, shape (n_resamples,)
        AUC in each resample.
    names : tuple of str
        Models.
    quantity : str

    Returns
    -------
    Comparison
        Uncorrected; see `bonferroni`.

    References
    ----------
    .. [1] Welch, "The generalization of 'Student's' problem when several different population variances are
       involved", Biometrika 1947.
    .. [2] Byra et al., J Ultrasound Med 2021, "Statistical Analysis".
    """
    difference = float(first.mean() - second.mean())
    squares = [float(values.var(ddof=1)) / len(values) for values in (first, second)]
    error = sqrt(sum(squares))
    if error == 0:
        return _without_error("welch_bootstrap", quantity, names, difference)
    freedom = sum(squares) ** 2 / sum(s**2 / (len(v) - 1) for s, v in zip(squares, (first, second), strict=True))
    half, p_value = float(t.ppf(0.975, freedom)) * error, float(2 * t.sf(abs(difference) / error, freedom))
    interval = (difference - half, difference + half)
    return Comparison("welch_bootstrap", quantity, *names, difference, interval, difference / error, p_value, p_value)


def delong(scores: Floats, positive: Bools) -> DeLong:
    """Estimate areas under correlated ROC curves and their covariance.

    Parameters
    ----------
    scores : ndarray of float64, shape (n_models, n_participants)
    positive : ndarray of bool, shape (n_participants,)

    Returns
    -------
    DeLong

    Notes
    -----
    With m positives X and n negatives Y, DeLong's structural components are V10(X) = share of Y below X and V01(Y) =
    share of X above Y (ties one half); the covariance is cov(V10) / m + cov(V01) / n. Sun and Xu get both from
    mid-ranks: V10 = (rank among all - rank among X) / n, V01 = 1 - (rank among all - rank among Y) / m.

    References
    ----------
    .. [1] DeLong, DeLong and Clarke-Pearson, "Comparing the areas under two or more correlated receiver operating
       characteristic curves: a nonparametric approach", Biometrics 1988.
    .. [2] Sun and Xu, "Fast implementation of DeLong's algorithm for comparing the areas under correlated receiver
       operating characteristic curves", IEEE Signal Process Lett 2014.
    """
    m, n = int(positive.sum()), int((~positive).sum())
    if min(m, n) < 2:
        raise ValueError(f"DeLong's variance needs two participants in each class, not {m} and {n}.")
    ranks = rankdata(scores, axis=1)
    v10 = (ranks[:, positive] - rankdata(scores[:, positive], axis=1)) / n
    v01 = 1 - (ranks[:, ~positive] - rankdata(scores[:, ~positive], axis=1)) / m
    return DeLong(v10.mean(axis=1), np.atleast_2d(np.cov(v10)) / m + np.atleast_2d(np.cov(v01)) / n)


def delong_test(areas: DeLong, pair: tuple[int, int], names: tuple[str, str], quantity: str) -> Comparison:
    """Compare two areas measured on the same participants.

    Parameters
    ----------
    areas : DeLong
    pair : tuple of int
        Which two models.
    names : tuple of str
    quantity : str

    Returns
    -------
    Comparison
        Uncorrected; see `bonferroni`.
    """
    first, second = pair
    difference = float(areas.auc[first] - areas.auc[second])
    S = areas.covariance
    variance = float(S[first, first] + S[second, second] - 2 * S[first, second])
    if variance <= np.finfo(np.float64).eps:  # the same ranking twice leaves rounding errors of either sign
        return _without_error("delong", quantity, names, difference)
    error = sqrt(variance)
    half, p_value = float(norm.ppf(0.975)) * error, float(2 * norm.sf(abs(difference) / error))
    interval = (difference - half, difference + half)
    return Comparison("delong", quantity, *names, difference, interval, difference / error, p_value, p_value)


def _without_error(test: str, quantity: str, names: tuple[str, str], difference: float) -> Comparison:
    """Equal models in every sample differ by nothing; unequal ones without any spread certainly do."""
    p_value = 0.0 if difference else 1.0
    return Comparison(test, quantity, *names, difference, (difference, difference), None, p_value, p_value)
