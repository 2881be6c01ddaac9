"""What a head minimises: a weighted loss of its linear predictor, and that loss's convex dual.

A fit minimises ``P(b, beta) = sum_i w_i l(y_i, b + x_i beta) + alpha |beta|_1`` with ``sum(w) == 1``. For any `u` with
``sum(u) == 0`` and ``|X_j' u| <= alpha`` for all j, ``D(u) <= min P``: the gap ``P - D`` bounds what is left to gain.
"""

from typing import Protocol

import numpy as np
from scipy.special import expit, xlogy

from app.core.values import Floats


class SingleClassError(ValueError):
    """A classifier cannot learn from participants who all stand on one side of the cutoff."""


class Loss(Protocol):
    """One loss, per row; `eta` is the linear predictor.

    References
    ----------
    .. [1] Massias, Gramfort, Salmon, "Celer: a fast solver for the Lasso with dual extrapolation", ICML 2018, eq. 2.
    .. [2] Boyd, Vandenberghe, "Convex Optimization", 2004, section 5.1.6 (conjugates).
    """

    def value(self, y: Floats, eta: Floats) -> Floats:
        """Loss of each row, shape of `eta`."""
        ...

    def residual(self, y: Floats, eta: Floats) -> Floats:
        """Minus the derivative by `eta`."""
        ...

    def curvature(self, eta: Floats) -> Floats:
        """Second derivative by `eta`."""
        ...

    def null_intercept(self, y: Floats, weights: Floats) -> float:
        """Return the best intercept of a model without features."""
        ...

    def feasible(self, y: Floats, weights: Floats, u: Floats) -> Floats:
        """Return the nearby dual point with a sum of exactly zero, from ``u = weights * residual``."""
        ...

    def in_domain(self, y: Floats, weights: Floats, u: Floats) -> bool:
        """Whether the dual is finite at `u`."""
        ...

    def dual(self, y: Floats, weights: Floats, u: Floats) -> Floats:
        """Value of the dual at `u`, shape of `u` less its last axis."""
        ...


class Squared:
    """``l(y, eta) = (y - eta)^2 / 2``: the Lasso's loss, in squared percent."""

    def value(self, y: Floats, eta: Floats) -> Floats:
        """Half the squared error."""
        return np.asarray(0.5 * (y - eta) ** 2)

    def residual(self, y: Floats, eta: Floats) -> Floats:
        """Return ``y - eta``."""
        return np.asarray(y - eta)

    def curvature(self, eta: Floats) -> Floats:
        """One everywhere."""
        return np.ones_like(eta)

    def null_intercept(self, y: Floats, weights: Floats) -> float:
        """Weighted mean."""
        return float(weights @ y)

    def feasible(self, y: Floats, weights: Floats, u: Floats) -> Floats:  # noqa: ARG002 - the protocol's
        """Move the intercept to its optimum: the residuals' weighted mean becomes zero."""
        return np.asarray(u - weights * u.sum(axis=-1, keepdims=True))

    def in_domain(self, y: Floats, weights: Floats, u: Floats) -> bool:  # noqa: ARG002 - the protocol's
        """Return True: the dual is finite everywhere."""
        return True

    def dual(self, y: Floats, weights: Floats, u: Floats) -> Floats:
        """``sum u y - u^2 / (2 w)``."""
        return np.asarray((u * y - 0.5 * u * u / weights).sum(axis=-1))


class Logistic:
    """``l(y, eta) = log(1 + exp(eta)) - y eta`` with y 0 or 1: the negative log-likelihood."""

    def value(self, y: Floats, eta: Floats) -> Floats:
        """Negative log-likelihood, without overflow."""
        return np.asarray(np.logaddexp(0, eta) - y * eta)

    def residual(self, y: Floats, eta: Floats) -> Floats:
        """Return ``y - probability``."""
        return np.asarray(y - expit(eta))

    def curvature(self, eta: Floats) -> Floats:
        """``p (1 - p)``, kept above 1e-10 so that a saturated row still has a scale."""
        p = expit(eta)
        return np.asarray(np.maximum(p * (1 - p), 1e-10))

    def null_intercept(self, y: Floats, weights: Floats) -> float:
        """Log-odds of the weighted share of positives.

        Raises
        ------
        SingleClassError
        """
        positive, negative = float(weights @ y), float(weights @ (1 - y))
        if positive <= 0 or negative <= 0:
            raise SingleClassError("all participants of a training set stand on one side of the cutoff")
        return float(np.log(positive / negative))

    def feasible(self, y: Floats, weights: Floats, u: Floats) -> Floats:  # noqa: ARG002 - the protocol's
        """Shrink the heavier class, so that both sum to the same and ``u / w`` stays a probability."""
        positive, negative = u @ y, -(u @ (1 - y))
        least = np.minimum(positive, negative)
        shrink = np.where(y == 1, _ratio(least, positive)[..., None], _ratio(least, negative)[..., None])
        return np.asarray(u * shrink)

    def in_domain(self, y: Floats, weights: Floats, u: Floats) -> bool:
        """Whether ``y - u / w`` is a probability in every row."""
        p = y - u / weights
        return bool(p.min() >= 0 and p.max() <= 1)

    def dual(self, y: Floats, weights: Floats, u: Floats) -> Floats:  # noqa: ARG002 - the protocol's
        """``sum w H(|u| / w)`` with the entropy ``H(a) = -a log a - (1 - a) log(1 - a)``."""
        a = np.clip(np.abs(u) / weights, 0.0, 1.0)
        return np.asarray(-(weights * (xlogy(a, a) + xlogy(1 - a, 1 - a))).sum(axis=-1))


def _ratio(a: Floats, b: Floats) -> Floats:
    return np.asarray(np.divide(a, b, out=np.zeros_like(np.asarray(a)), where=np.asarray(b) > 0))


SQUARED, LOGISTIC = Squared(), Logistic()
