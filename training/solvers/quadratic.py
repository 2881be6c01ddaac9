"""One L1 quadratic on few columns: a walk from support to support, each solved exactly."""

import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dposv
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import enet_path

from app.core.values import Floats

Indices = NDArray[np.intp]

_MAX_EPOCHS = 100_000
_SLACK = 1e-9
"""Relative excess over the penalty that is rounding."""
_MAX_SUPPORTS = 40
"""Longer walks are rare, and coordinate descent is then as fast."""
_JOIN_SHARE = 8
"""Columns that join at once: one, and one for so many in the support."""


def minimise(G: Floats, q: Floats, size: float, alpha: float, start: Floats, tolerance: float) -> Floats:
    """Minimise ``|z - A beta|^2 / 2 + alpha |beta|_1`` from a start, of which only products are needed.

    Parameters
    ----------
    G : ndarray of float64, shape (k, k)
        ``A' A``.
    q : ndarray of float64, shape (k,)
        ``A' z``.
    size : float
        ``z' z``.
    alpha : float
    start : ndarray of float64, shape (k,)
    tolerance : float
        Absolute duality gap at which coordinate descent may stop.

    Returns
    -------
    ndarray of float64, shape (k,)
        Exact up to rounding if the support is right; otherwise within `tolerance`.

    Notes
    -----
    On the right support the optimum solves ``G_SS beta_S = q_S - alpha sign_S``, which is exact. Where a support's
    products are singular, or the walk is long, scikit-learn's compiled covariance updates [1]_ take over; they need
    many epochs for the last digits when columns are correlated, as GAP features are.

    References
    ----------
    .. [1] Friedman, Hastie, Tibshirani, "Regularization paths for generalized linear models via coordinate descent",
       J Stat Softw 2010, section 2.2.
    """
    exact = _walk(G, q, alpha, start)
    return _descend(G, q, size, alpha, start, tolerance) if exact is None else exact


def _descend(G: Floats, q: Floats, size: float, alpha: float, start: Floats, tolerance: float) -> Floats:
    """Coordinate descent; of `A` and `z` scikit-learn reads only the width and the length once it has `G` and `q`.

    Whether it converged is not its to say: the duality gap of the whole problem decides, and an uncertified fit raises.
    """
    A, z = np.zeros((1, len(q)), order="F"), np.array([np.sqrt(size)])
    # parameter validation costs more than the descent
    with config_context(skip_parameter_validation=True), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        _, path, _ = enet_path(
            A, z, l1_ratio=1.0, alphas=[alpha], precompute=G, Xy=q, coef_init=start.copy(),
            check_input=False, tol=max(tolerance / size, 1e-14), max_iter=_MAX_EPOCHS,
        )  # fmt: skip
    return np.asarray(path[:, 0])


def _walk(G: Floats, q: Floats, alpha: float, start: Floats) -> Floats | None:
    """Solve the optimality equations on one support after another; None if that takes too long or is singular.

    A coefficient that would change its sign leaves where it becomes zero; columns that break ``|q - G beta| <= alpha``
    join, the loudest first. The objective never rises.
    """
    beta, signs = start.copy(), np.sign(start)
    for _ in range(_MAX_SUPPORTS):
        S = np.flatnonzero(signs)
        target, failed = _solved(G[np.ix_(S, S)], q[S] - alpha * signs[S]) if S.size else (q[S], 0)
        if failed:
            return None
        crossing = target * signs[S] < 0
        if crossing.any():
            _stop_at_zero(beta, signs, S, target, crossing)
            continue
        beta[S] = target
        pull = q - G[:, S] @ target
        awake = np.flatnonzero((np.abs(pull) > alpha * (1 + _SLACK)) & (signs == 0))
        if not awake.size:
            return beta
        joining = awake[np.argsort(-np.abs(pull[awake]), kind="stable")[: 1 + len(S) // _JOIN_SHARE]]
        signs[joining] = np.sign(pull[joining])
    return None


def _solved(A: Floats, b: Floats) -> tuple[Floats, int]:
    _, x, failed = dposv(A, b)
    return x, failed


def _stop_at_zero(beta: Floats, signs: Floats, S: Indices, target: Floats, crossing: NDArray[np.bool_]) -> None:
    """Go towards the target until the first coefficient is zero, which leaves the support."""
    share = np.where(crossing, beta[S] / np.where(crossing, beta[S] - target, 1.0), np.inf)
    first = int(np.argmin(share))
    beta[S] += share[first] * (target - beta[S])
    beta[S[first]] = signs[S[first]] = 0.0
