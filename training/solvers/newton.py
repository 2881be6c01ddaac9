"""One penalty on few columns: proximal Newton with an unpenalised intercept."""

from dataclasses import dataclass

import numpy as np

from app.core.values import Floats
from training.solvers.losses import Loss
from training.solvers.quadratic import minimise

_MAX_STEPS = 60
_MAX_HALVINGS = 30
_JOIN, _JOIN_SHARE = 10, 0.3
"""How many columns may join the working set at once: a few, and a share of those that are in it."""
_INNER_SHARE = 0.05
"""The quadratic model is solved to this share of the gap: closer is wasted before the next linearisation."""


class NotConvergedError(RuntimeError):
    """A fit did not reach its certificate."""


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """A model on the candidate columns, and what bounds its distance from the optimum.

    Attributes
    ----------
    intercept : float
    beta : ndarray of float64, shape (c,)
    eta : ndarray of float64, shape (n,)
        Linear predictor.
    dual : ndarray of float64, shape (n,)
        A point of the dual's domain with a sum of zero, near the weighted residuals.
    """

    intercept: float
    beta: Floats
    eta: Floats
    dual: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """One penalty's problem.

    Attributes
    ----------
    Z : ndarray of float64, shape (c, n)
        Standardised candidate columns, one in each row so that a few are quick to gather.
    y, weights : ndarray of float64, shape (n,)
        Targets; row weights, sum 1.
    loss : Loss
    alpha : float
    tolerance : float
        Duality gap relative to the objective, on the candidates.
    """

    Z: Floats
    y: Floats
    weights: Floats
    loss: Loss
    alpha: float
    tolerance: float

    def objective(self, eta: Floats, beta: Floats) -> float:
        """``sum w l + alpha |beta|_1``."""
        return float(self.weights @ self.loss.value(self.y, eta)) + self.alpha * float(np.abs(beta).sum())

    def gap(self, objective: float, dual: Floats, correlation: Floats) -> float:
        """Duality gap after shrinking `dual` until it is feasible."""
        shrink = self.alpha / max(self.alpha, np.abs(correlation).max(initial=0.0))
        return objective - float(self.loss.dual(self.y, self.weights, dual * shrink))


def minimise_task(task: Task, start: Point) -> Point:
    """Minimise one problem by proximal Newton steps on a working set.

    Parameters
    ----------
    task : Task
    start : Point

    Returns
    -------
    Point

    Raises
    ------
    NotConvergedError

    References
    ----------
    .. [1] Lee, Sun, Saunders, "Proximal Newton-type methods for minimizing composite functions", SIAM J Optim 2014.
    .. [2] Tibshirani et al., "Strong rules for discarding predictors in lasso-type problems", JRSS B 2012.
    """
    point, objective = start, task.objective(start.eta, start.beta)
    work = start.beta != 0
    for _ in range(_MAX_STEPS):
        correlation = task.Z @ point.dual
        gap = task.gap(objective, point.dual, correlation)
        if gap <= task.tolerance * objective:
            return point
        work = _joined(work, np.abs(correlation), task.alpha)
        point, objective = _step(task, point, objective, np.flatnonzero(work), gap)
    raise NotConvergedError(f"penalty {task.alpha:.3g}: relative gap {gap / objective:.1e} after {_MAX_STEPS} steps")


def _joined(work: np.ndarray, correlation: Floats, alpha: float) -> np.ndarray:
    """Add the columns that break a condition most: not all at once, as one that enters often settles others."""
    loud = np.flatnonzero(~work & (correlation > alpha))
    room = _JOIN + int(_JOIN_SHARE * np.count_nonzero(work))
    joined = work.copy()
    joined[loud[np.argsort(-correlation[loud], kind="stable")[:room]]] = True
    return joined


def _step(task: Task, point: Point, objective: float, work: np.ndarray, gap: float) -> tuple[Point, float]:
    """Minimise the quadratic model over the working set, intercept profiled out, and go there as far as it helps."""
    u, h = task.weights * task.loss.residual(task.y, point.eta), task.weights * task.loss.curvature(point.eta)
    total = h.sum()
    Z, beta = task.Z[work], point.beta[work]
    means = Z @ h / total
    G = _hessian(Z, means, h)
    centred = u - h * (u.sum() / total)
    Gbeta, pull = G @ beta, Z @ centred
    size = float(beta @ Gbeta + 2 * (pull @ beta) + (centred / h) @ centred)
    move = minimise(G, Gbeta + pull, size, task.alpha, beta, _INNER_SHARE * gap) - beta
    lift = float(u.sum() / total - means @ move)
    slope = move @ Z + lift
    step, reached = _search(task, point, objective, work, move, slope)
    beta = point.beta.copy()
    beta[work] += step * move
    eta = point.eta + step * slope
    return Point(point.intercept + step * lift, beta, eta, _dual_point(task, eta, u - h * slope)), reached


def _hessian(Z: Floats, means: Floats, h: Floats) -> Floats:
    """``Z diag(h) Z'`` about `means`; single precision, as it steers the step and the gap measures where it led."""
    A = (Z - means[:, None]).astype(np.float32)
    A *= np.sqrt(h).astype(np.float32)
    return np.asarray(A @ A.T, np.float64)


def _dual_point(task: Task, eta: Floats, linearised: Floats) -> Floats:
    """Take the residuals that the quadratic model expects, if they are in the dual's domain, or else those at `eta`.

    The former obey the optimality conditions of the working set exactly, so they need no shrinking and their dual is
    off in the fourth order of the step: they certify a fit one or two steps before its own residuals do.
    """
    if task.loss.in_domain(task.y, task.weights, linearised):
        return linearised
    return task.loss.feasible(task.y, task.weights, task.weights * task.loss.residual(task.y, eta))


def _search(
    task: Task, point: Point, objective: float, work: np.ndarray, move: Floats, slope: Floats
) -> tuple[float, float]:
    """Halve the step until the objective does not rise; return step and objective."""
    step, beta = 1.0, point.beta.copy()
    for _ in range(_MAX_HALVINGS):
        beta[work] = point.beta[work] + step * move
        reached = task.objective(point.eta + step * slope, beta)
        if reached <= objective * (1 + 1e-14):
            return step, reached
        step /= 2
    raise NotConvergedError(f"penalty {task.alpha:.3g}: no step lowers the objective")
