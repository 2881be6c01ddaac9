"""L1 paths side by side over all columns: fits on candidates, one product that checks them all, violators added."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from app.core.values import Floats
from training.solvers.designs import Design, Indices, Scaler
from training.solvers.losses import Loss
from training.solvers.newton import NotConvergedError, Point, Task, minimise_task

CERTIFIED = 1e-6
"""Largest duality gap of a finished fit, relative to its objective."""
_INNER = 1e-2 * CERTIFIED
"""On the candidates fits go further, so that rounding leaves room for the check over all columns."""
_MAX_SWEEPS = 30
_FEW = 64
"""How many violators of one penalty join its candidates at once: fewer cost sweeps, more cost every step."""
_LOUD = 0.99
"""Above this share of a bound, correlations are worth double precision; the single's error is below a thousandth."""


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """One training set's path.

    Attributes
    ----------
    participants : ndarray of int, shape (m,)
        Whom to train on.
    y, weights : ndarray of float64, shape (m,)
        Target and weight of each participant; all their rows share them.
    loss : Loss
    steps : ndarray of float64, shape (L,)
        Each penalty is the strongest one divided by a step; rising.
    """

    participants: Indices
    y: Floats
    weights: Floats
    loss: Loss
    steps: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Fits:
    """Solutions of one problem, on the candidates, and their certificates.

    Attributes
    ----------
    alphas : ndarray of float64, shape (L,)
    scaler : Scaler
    candidates : ndarray of int, shape (c,)
    points : list of Point
        Coefficients of the standardised candidates, in the order of `candidates`.
    gaps : ndarray of float64, shape (L,)
        Duality gap over all columns, relative to the objective.
    """

    alphas: Floats
    scaler: Scaler
    candidates: Indices
    points: list[Point]
    gaps: Floats

    @property
    def intercepts(self) -> Floats:
        """Of the standardised features, shape (L,)."""
        return np.array([point.intercept for point in self.points])

    def at(self, k: int) -> "Fits":
        """Give the k-th penalty's fit alone."""
        return replace(self, alphas=self.alphas[k : k + 1], points=self.points[k : k + 1], gaps=self.gaps[k : k + 1])

    def raw(self, design: Design) -> tuple[Floats, Floats]:
        """Weights (L, p) and intercepts (L,) that read raw features: ``z = (x - mean) / scale`` folded in."""
        weights = np.zeros((len(self.points), design.X.shape[2]))
        weights[:, self.candidates] = [point.beta for point in self.points]
        weights /= self.scaler.scale
        return weights, self.intercepts - weights @ (self.scaler.mean + design.centre)

    def predict(self, design: Design, participants: Indices) -> Floats:
        """Return outputs for unaugmented images, shape (L, len(participants)): percent PDFF, or log-odds.

        Where a participant has several images it is the mean of theirs.
        """
        x = design.plain[participants][:, self.candidates] - design.centre[self.candidates]
        z = (x - self.scaler.mean[self.candidates]) / self.scaler.scale[self.candidates]
        return np.asarray(np.stack([point.beta for point in self.points]) @ z.T + self.intercepts[:, None])


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """A problem's rows: indices into the design, targets, weights that sum to 1."""

    index: Indices
    y: Floats
    weights: Floats


@dataclass(eq=False)
class _Path:
    """A problem's path as far as it is solved.

    Attributes
    ----------
    problem : Problem
    rows : _Rows
    scaler : Scaler
    alphas : ndarray of float64, shape (L,)
    point : Point
        The last fit, on as many of the first candidates as there were then.
    correlation : ndarray of float64, shape (p,)
        ``|z_j' u|`` of all columns at that fit.
    candidates : ndarray of int, shape (c,)
        Columns that may be kept; more join at the end.
    Z : ndarray of float64, shape (c, n)
        Standardised candidates.
    points, gaps : list
        Certified fits, and their certificates.
    """

    problem: Problem
    rows: _Rows
    scaler: Scaler
    alphas: Floats
    point: Point
    correlation: Floats
    candidates: Indices = field(default_factory=lambda: np.zeros(0, np.intp))
    Z: Floats = field(init=False)
    points: list[Point] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.Z = np.zeros((0, len(self.rows.y)))

    def begin(self, design: Design, start: Fits) -> None:
        """Begin at another problem's fit instead of without features."""
        self.join(design, start.candidates)
        beta = np.zeros(len(self.candidates))
        _, here, there = np.intersect1d(self.candidates, start.candidates, assume_unique=True, return_indices=True)
        beta[here] = start.points[0].beta[there]
        intercept = start.points[0].intercept
        self.point = _point(self.problem.loss, self.rows, intercept, beta, beta @ self.Z + intercept)
        self.correlation = np.zeros_like(self.correlation)  # not known yet

    def join(self, design: Design, columns: Indices) -> None:
        """Let columns be kept that may not yet be; constant ones never are."""
        fresh = np.setdiff1d(columns, self.candidates)
        fresh = fresh[np.isfinite(self.scaler.scale[fresh])]
        if fresh.size:
            Z = design.columns[fresh].take(self.rows.index, axis=1)
            Z -= self.scaler.mean[fresh, None]
            Z /= self.scaler.scale[fresh, None]
            self.candidates, self.Z = np.concatenate([self.candidates, fresh]), np.concatenate([self.Z, Z])

    def worst_violators(self, k: int) -> Indices:
        """Columns that break ``|z_j' u| <= alpha`` most and may not be kept yet: a few, as one often settles others."""
        outside = self.correlation.copy()
        outside[self.candidates] = 0
        loud = np.flatnonzero(outside > self.alphas[k])
        return loud[np.argsort(-outside[loud], kind="stable")[:_FEW]]

    def fit(self, k: int) -> None:
        """Solve the k-th penalty on the candidates, from the last fit."""
        self.point = minimise_task(self._task(k), self._widened(self.point))

    def certify(self, k: int) -> bool:
        """Keep the k-th penalty's fit, if it is near enough to the optimum over all columns."""
        gap = self.relative_gap(k)
        if gap <= CERTIFIED:
            self.points.append(self.point)
            self.gaps.append(gap)
        return gap <= CERTIFIED

    def relative_gap(self, k: int) -> float:
        """Duality gap over all columns: the dual point shrinks until it is feasible."""
        task = self._task(k)
        primal = task.objective(self.point.eta, self.point.beta)
        return task.gap(primal, self.point.dual, self.correlation) / max(primal, np.finfo(np.float64).tiny)

    def fits(self) -> Fits:
        """Everything certified."""
        points = [self._widened(point) for point in self.points]
        return Fits(self.alphas, self.scaler, self.candidates, points, np.array(self.gaps))

    def _task(self, k: int) -> Task:
        return Task(self.Z, self.rows.y, self.rows.weights, self.problem.loss, float(self.alphas[k]), _INNER)

    def _widened(self, point: Point) -> Point:
        """Say of candidates that joined since that they are not kept."""
        return replace(point, beta=np.pad(point.beta, (0, len(self.candidates) - len(point.beta))))


def strongest_penalty(design: Design, problem: Problem) -> float:
    """Return the penalty at which the first feature enters: ``max_j |z_j' (w residual)|`` without features."""
    return float(_path(design, problem).correlation.max())


def solve(design: Design, problems: Sequence[Problem], starts: Sequence[Fits] = ()) -> list[Fits]:
    """Solve many paths over one cohort to a certified gap of at most 1e-6 of each objective.

    Parameters
    ----------
    design : Design
    problems : sequence of Problem
    starts : sequence of Fits
        For each problem a fit of one penalty, to begin at; or none at all.

    Returns
    -------
    list of Fits
        One for each problem.

    Raises
    ------
    NotConvergedError, SingleClassError

    Notes
    -----
    All problems go down their paths side by side. A penalty is solved on the candidates; its gap is that of the full
    problem, as the dual point is shrunk until it is feasible for *every* column, which one product ``X' U`` of all
    columns with all problems' weighted residuals tells [1]_. Columns that break a condition join the candidates, and
    so do, before a penalty is solved, those that would break it most if nothing changed [2]_.

    References
    ----------
    .. [1] Massias, Gramfort, Salmon, "Celer", ICML 2018, sections 2 and 3.
    .. [2] Tibshirani et al., "Strong rules for discarding predictors in lasso-type problems", JRSS B 2012.
    """
    paths = [_path(design, problem) for problem in problems]
    for path, start in zip(paths, starts, strict=bool(starts)):
        path.begin(design, start)
    for k in range(max(len(path.alphas) for path in paths)):
        _solve_penalty(design, [path for path in paths if k < len(path.alphas)], k)
    return [path.fits() for path in paths]


def _solve_penalty(design: Design, paths: Sequence[_Path], k: int) -> None:
    """Certify each path's k-th penalty."""
    pending = list(paths)
    for _ in range(_MAX_SWEEPS):
        for path in pending:
            path.join(design, path.worst_violators(k))
            path.fit(k)
        _correlate(design, pending, k)
        pending = [path for path in pending if not path.certify(k)]
        if not pending:
            return
    worst = max(path.relative_gap(k) for path in pending)
    raise NotConvergedError(f"relative gap {worst:.1e} after {_MAX_SWEEPS} sweeps over all columns")


def _path(design: Design, problem: Problem) -> _Path:
    """Begin a path without features."""
    counts = design.n_rows_of(problem.participants)
    weights = np.repeat(problem.weights / counts, counts)
    rows = _Rows(design.rows_of(problem.participants), np.repeat(problem.y, counts), weights / weights.sum())
    intercept = problem.loss.null_intercept(rows.y, rows.weights)
    null = _point(problem.loss, rows, intercept, np.zeros(0), np.full(len(rows.y), intercept))
    scaler = design.scaler(problem.participants)
    correlation = np.abs(_scattered(design, rows, null) @ design.columns.T) / scaler.scale
    alphas = max(float(correlation.max()), np.finfo(np.float64).tiny) / problem.steps
    return _Path(problem, rows, scaler, alphas, null, correlation)


def _point(loss: Loss, rows: _Rows, intercept: float, beta: Floats, eta: Floats) -> Point:
    """Complete a model with a dual point made of its residuals."""
    return Point(intercept, beta, eta, loss.feasible(rows.y, rows.weights, rows.weights * loss.residual(rows.y, eta)))


def _scattered(design: Design, rows: _Rows, point: Point) -> Floats:
    """Dual point of a fit, over all rows of the design: zero for those that it does not train on."""
    u = np.zeros(design.columns.shape[1])
    u[rows.index] = point.dual
    return u


def _correlate(design: Design, paths: Sequence[_Path], k: int) -> None:
    """Tell each path how its columns correlate with its dual point: all in single precision, loud ones in double."""
    U = np.stack([_scattered(design, path.rows, path.point) for path in paths])
    products = np.abs(U.astype(np.float32) @ design.single_columns.T).astype(np.float64)
    for path, product in zip(paths, products, strict=True):
        path.correlation = product / path.scaler.scale
    loud = np.flatnonzero(np.any([path.correlation > _LOUD * path.alphas[k] for path in paths], axis=0))
    exact = np.abs(U @ design.columns[loud].T)
    for path, product in zip(paths, exact, strict=True):
        path.correlation[loud] = product / path.scaler.scale[loud]
