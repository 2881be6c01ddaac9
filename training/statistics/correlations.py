"""Rank and linear correlation with the reference, and the test of two that share it."""

from collections.abc import Callable
from dataclasses import dataclass
from math import atanh, sqrt
from typing import Any

import numpy as np
from scipy.stats import norm, pearsonr, spearmanr

from app.core.values import Floats
from training.statistics.comparisons import Comparison


@dataclass(frozen=True, slots=True)
class Correlation:
    """A correlation coefficient and the two-sided p-value of its being zero."""

    value: float
    p_value: float


def spearman(predicted: Floats, reference: Floats) -> Correlation:
    """Spearman's rank correlation (SCC): mid-ranks for ties, p from the t distribution.

    A constant output orders nobody: its correlation is reported as 0 with p = 1, not left undefined.

    References
    ----------
    .. [1] Spearman, "The proof and measurement of association between two things", Am J Psychol 1904.
    """
    return _correlate(spearmanr, predicted, reference)


def pearson(predicted: Floats, reference: Floats) -> Correlation:
    """Pearson's linear correlation (PCC); constant outputs as in `spearman`.

    References
    ----------
    .. [1] Pearson, "Note on regression and inheritance in the case of two parents", Proc R Soc Lond 1895.
    """
    return _correlate(pearsonr, predicted, reference)


def meng_test(
    correlations: tuple[float, float], between: float, n: int, names: tuple[str, str], quantity: str
) -> Comparison:
    """Compare two correlations with the same variable, measured on the same participants.

    Parameters
    ----------
    correlations : tuple of float
        Each model's correlation with the reference, r1 and r2.
    between : float
        The two models' correlation with each other, rx.
    n : int
        Participants, more than three.
    names : tuple of str
    quantity : str

    Returns
    -------
    Comparison
        Uncorrected; its interval is that of the difference of Fisher's z, atanh(r1) - atanh(r2).

    Notes
    -----
    z = (atanh(r1) - atanh(r2)) sqrt((n - 3) / (2 (1 - rx) h)), h = (1 - f q) / (1 - q), q = (r1^2 + r2^2) / 2,
    f = min(1, (1 - rx) / (2 (1 - q))). Derived for Pearson's coefficient; for Spearman's it is an approximation.

    References
    ----------
    .. [1] Meng, Rosenthal and Rubin, "Comparing correlated correlation coefficients", Psychol Bull 1992,
       equations 1 to 4.
    .. [2] Diedenhofen and Musch, "cocor: a comprehensive solution for the statistical comparison of correlations",
       PLoS ONE 2015: the implementation that the paper used.
    """
    error = _meng_error(correlations, between, n)
    first, second = (atanh(np.clip(r, -1 + 1e-12, 1 - 1e-12)) for r in correlations)
    difference, apart = correlations[0] - correlations[1], first - second
    if error == 0:
        return Comparison("meng", quantity, *names, difference, (apart, apart), None, 1.0, 1.0)
    half, p_value = float(norm.ppf(0.975)) * error, float(2 * norm.sf(abs(apart) / error))
    return Comparison(
        "meng", quantity, *names, difference, (apart - half, apart + half), apart / error, p_value, p_value
    )


def _meng_error(correlations: tuple[float, float], between: float, n: int) -> float:
    """Return the standard error of the difference of Fisher's z: zero for two models that are one."""
    if n <= 3:
        raise ValueError(f"Meng's test needs more than three participants, not {n}.")
    mean_square = min((correlations[0] ** 2 + correlations[1] ** 2) / 2, 1 - 1e-12)
    f = min(1.0, (1 - between) / (2 * (1 - mean_square)))
    h = (1 - f * mean_square) / (1 - mean_square)
    return sqrt(max(0.0, 2 * (1 - between) * h / (n - 3)))


def _correlate(statistic: Callable[..., Any], predicted: Floats, reference: Floats) -> Correlation:
    if np.ptp(predicted) == 0 or np.ptp(reference) == 0:
        return Correlation(0.0, 1.0)
    found = statistic(predicted, reference)
    return Correlation(float(found.statistic), float(found.pvalue))
