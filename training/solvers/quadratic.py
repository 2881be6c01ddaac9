"""One L1 quadratic on few columns: coordinate descent finds the support, one linear solve the coefficients."""

import warnings

import numpy as np
from scipy.linalg.lapack import dposv
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import enet_path

from app.core.values import Floats

_MAX_EPOCHS = 100_000
_SLACK = 1e-9


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
    scikit-learn's compiled covariance updates [1]_ need many epochs for the last digits when columns are correlated, as
    GAP features are. On the right support the optimum solves ``G_SS beta_S = q_S - alpha sign_S``, which is exact.

    References
    ----------
    .. [1] Friedman, Hastie, Tibshirani, "Regularization paths for generalized linear models via coordinate descent",
       J Stat Softw 2010, section 2.2.
    """
    exact = _on_support(G, q, alpha, start)
    if exact is not None:
        return exact
    beta = _descend(G, q, size, alpha, start, tolerance)
    exact = _on_support(G, q, alpha, beta)
    return beta if exact is None else exact


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


def _on_support(G: Floats, q: Floats, alpha: float, beta: Floats) -> Floats | None:
    """Solve the optimality equations on the support; None if that changes a sign or wakes another column."""
    S = np.flatnonzero(beta)
    signs = np.sign(beta[S])
    if not S.size:
        return None
    _, solution, failed = dposv(G[np.ix_(S, S)], q[S] - alpha * signs)
    if failed or (solution * signs <= 0).any():
        return None
    awake = np.abs(q - G[:, S] @ solution).max() > alpha * (1 + _SLACK)
    exact = np.zeros_like(beta)
    exact[S] = solution
    return None if awake else exact
