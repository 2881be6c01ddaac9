"""Bland-Altman analysis: how far a model's PDFF lies from the reference."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy.stats import t

from app.core.values import Floats
from training.statistics.roc import Bools

LIMIT_FACTOR = 1.96
"""Standard deviations between bias and limit of agreement, as Bland and Altman have it."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Bias and 95 % limits of agreement, each with its 95 % confidence interval, in the measurements' unit.

    Attributes
    ----------
    participants : int
    bias, sd : float
        Mean and standard deviation (n - 1) of measured minus reference.
    bias_95 : tuple of float
    lower, upper : float
        Limits of agreement, bias -+ 1.96 SD.
    lower_95, upper_95 : tuple of float
    """

    participants: int
    bias: float
    sd: float
    bias_95: tuple[float, float]
    lower: float
    lower_95: tuple[float, float]
    upper: float
    upper_95: tuple[float, float]


@dataclass(frozen=True, slots=True)
class StratumBias:
    """Bias in part of the cohort.

    Attributes
    ----------
    label : str
    participants : int
    bias : float or None
        Mean of measured minus reference; None where nobody is.
    bias_95 : tuple of float or None
        None for fewer than two participants.
    """

    label: str
    participants: int
    bias: float | None
    bias_95: tuple[float, float] | None


def bland_altman(measured: Floats, reference: Floats) -> Agreement:
    """Analyse the agreement of two methods of measurement.

    Parameters
    ----------
    measured, reference : ndarray of float64, shape (n_participants,)
        In the same unit; at least two participants.

    Returns
    -------
    Agreement

    Notes
    -----
    Standard errors: SD / sqrt(n) of the bias, SD sqrt(1/n + 1.96^2 / (2 (n - 1))) of a limit (1999, section 2.3; the
    first paper rounds it to SD sqrt(3/n)); intervals from t with n - 1 degrees of freedom. The limits take differences
    as normal and as even over the range; a sparse model's shrink towards the mean, so read the strata too.

    References
    ----------
    .. [1] Bland and Altman, "Statistical methods for assessing agreement between two methods of clinical
       measurement", Lancet 1986.
    .. [2] Bland and Altman, "Measuring agreement in method comparison studies", Stat Methods Med Res 1999.
    """
    differences = measured - reference
    n, bias, sd = len(differences), float(differences.mean()), float(differences.std(ddof=1))
    quantile = float(t.ppf(0.975, n - 1))
    half_bias = quantile * sd / sqrt(n)
    half_limit = quantile * sd * sqrt(1 / n + LIMIT_FACTOR**2 / (2 * (n - 1)))
    lower, upper = bias - LIMIT_FACTOR * sd, bias + LIMIT_FACTOR * sd
    return Agreement(
        n, bias, sd, _around(bias, half_bias), lower, _around(lower, half_limit), upper, _around(upper, half_limit)
    )


def stratum_bias(label: str, measured: Floats, reference: Floats, members: Bools) -> StratumBias:
    """Read out the bias in part of the cohort, as the paper does above 30 %.

    Parameters
    ----------
    label : str
    measured, reference : ndarray of float64, shape (n_participants,)
    members : ndarray of bool, shape (n_participants,)

    Returns
    -------
    StratumBias
    """
    differences = (measured - reference)[members]
    n = len(differences)
    if n == 0:
        return StratumBias(label, 0, None, None)
    bias = float(differences.mean())
    if n == 1:
        return StratumBias(label, 1, bias, None)
    half = float(t.ppf(0.975, n - 1) * differences.std(ddof=1) / np.sqrt(n))
    return StratumBias(label, n, bias, _around(bias, half))


def _around(centre: float, half: float) -> tuple[float, float]:
    return centre - half, centre + half
