"""Bundles of L1 paths over all columns: fits on candidates, one product that checks them all, violators added."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from app.core.values import Floats
from training.solvers.designs import Design, Indices, Scaler
from training.solvers.losses import Loss
from training.solvers.newton import NotConvergedError, Point, Task, minimise_task

CERTIFIED = 1e-6
"""Largest duality gap of a finished fit, relative to its objective."""
_INNER = 1e-2 * CERTIFIED
"""On the candidates fits go further, so that rounding leaves room for the check over all columns."""
_FIRST_CANDIDATES = 100
"""Without a guess, paths start on the columns that correlate most with the null residual."""
_MAX_SWEEPS = 30
_NEARLY = 0.98
"""Columns this near to a bound are worth a look in similar fits."""
_FEW = 32
"""How many violators of one penalty join the candidates in a sweep."""


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


@dataclass(eq=False)
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
        Duality gap over all columns, relative to the objective; infinite until it is known.
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

    @property
    def eta(self) -> Floats:
        """Linear predictor of the training rows, shape (L, n)."""
        return np.stack([point.eta for point in self.points])

    @property
    def support(self) -> Indices:
        """Columns that any penalty keeps."""
        return self.candidates[np.any([point.beta != 0 for point in self.points], axis=0)]

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


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    """A problem, its rows, and its fits as they are so far."""

    problem: Problem
    rows: _Rows
    fits: Fits


def strongest_penalty(design: Design, problem: Problem) -> float:
    """Return the penalty at which the first feature enters: ``max_j |z_j' (w residual)|`` without features."""
    correlation, _ = _null_correlations(design, [problem], [design.scaler(problem.participants)])
    return float(correlation.max())


def solve(
    design: Design,
    problems: Sequence[Problem],
    candidates: Indices | None = None,
    starts: Sequence[Fits | None] | None = None,
) -> tuple[list[Fits], Indices]:
    """Solve many paths over one cohort to a certified gap of at most 1e-6 of each objective.

    Parameters
    ----------
    design : Design
    problems : sequence of Problem
    candidates : ndarray of int, optional
        Columns that are likely to matter; a good guess saves sweeps and never changes the certificate.
    starts : sequence of Fits or None, optional
        Fits with as many penalties as the problem has, to start from.

    Returns
    -------
    list of Fits
        One for each problem.
    ndarray of int
        Columns that a similar bundle should start with: those kept or nearly kept by some fit.

    Raises
    ------
    NotConvergedError, SingleClassError

    Notes
    -----
    The gap is that of the full problem: the dual point is shrunk until it is feasible for *every* column, which one
    product ``X' U`` of all columns with all fits' weighted residuals tells [1]_.

    References
    ----------
    .. [1] Massias, Gramfort, Salmon, "Celer", ICML 2018, sections 2 and 3.
    """
    works, loudest = _works(design, problems)
    chosen = _resume(works, loudest if candidates is None else np.asarray(candidates), starts or ())
    nearly = np.zeros(0, np.intp)
    for _ in range(_MAX_SWEEPS):
        pending = [work for work in works if not (work.fits.gaps <= CERTIFIED).all()]
        if not pending:
            return [work.fits for work in works], _union([nearly, *(work.fits.support for work in works)])
        columns = design.columns[chosen]
        for work in pending:
            _fit_candidates(columns, chosen, work)
        wanted, close = _check(design, pending)
        nearly, chosen = np.union1d(nearly, close), np.union1d(chosen, wanted)
    worst = max(float(work.fits.gaps.max()) for work in works)
    raise NotConvergedError(f"relative gap {worst:.1e} after {_MAX_SWEEPS} sweeps over all columns")


def _works(design: Design, problems: Sequence[Problem]) -> tuple[list[_Work], Indices]:
    """Null models of all problems, and the columns to start with."""
    scalers = [design.scaler(problem.participants) for problem in problems]
    strongest, loudest = _null_correlations(design, problems, scalers)
    rows = [_rows(design, problem) for problem in problems]
    works = [
        _Work(problem, row, _first(problem, row, scaler, float(alpha)))
        for problem, row, scaler, alpha in zip(problems, rows, scalers, strongest, strict=True)
    ]
    return works, loudest


def _resume(works: Sequence[_Work], chosen: Indices, starts: Sequence[Fits | None]) -> Indices:
    """Begin at given fits instead of null models; return the candidates with theirs."""
    for work, start in zip(works, starts, strict=False):
        if start is not None:
            chosen = np.union1d(chosen, start.support)
            work.fits.candidates, work.fits.points = start.candidates, list(start.points)
    return chosen


def _rows(design: Design, problem: Problem) -> _Rows:
    counts = design.n_rows_of(problem.participants)
    weights = np.repeat(problem.weights / counts, counts)
    return _Rows(design.rows_of(problem.participants), np.repeat(problem.y, counts), weights / weights.sum())


def _null_correlations(
    design: Design, problems: Sequence[Problem], scalers: Sequence[Scaler]
) -> tuple[Floats, Indices]:
    """Each problem's strongest penalty, and the columns that correlate most with any problem's null residual."""
    U = np.zeros((len(problems), design.columns.shape[1]))
    for k, problem in enumerate(problems):
        rows = _rows(design, problem)
        eta = np.full(len(rows.y), problem.loss.null_intercept(rows.y, rows.weights))
        U[k, rows.index] = problem.loss.feasible(
            rows.y, rows.weights, rows.weights * problem.loss.residual(rows.y, eta)
        )
    correlation = np.abs(U @ design.columns.T) / np.stack([scaler.scale for scaler in scalers])
    strongest = correlation.max(axis=1)
    loudest = np.argsort(-(correlation / np.maximum(strongest, 1e-300)[:, None]).max(axis=0), kind="stable")
    return strongest, np.sort(loudest[:_FIRST_CANDIDATES])


def _first(problem: Problem, rows: _Rows, scaler: Scaler, strongest: float) -> Fits:
    """Null models, without candidates."""
    intercept = problem.loss.null_intercept(rows.y, rows.weights)
    null = _point(problem.loss, rows, intercept, np.zeros(0), np.full(len(rows.y), intercept))
    n = len(problem.steps)
    alphas = max(strongest, np.finfo(np.float64).tiny) / problem.steps
    return Fits(alphas, scaler, np.zeros(0, np.intp), [null] * n, np.full(n, np.inf))


def _fit_candidates(columns: Floats, candidates: Indices, work: _Work) -> None:
    """Solve every uncertified penalty of one path on the candidates."""
    problem, rows, fits = work.problem, work.rows, work.fits
    usable = np.isfinite(fits.scaler.scale[candidates])
    candidates = candidates[usable]
    scale, mean = fits.scaler.scale[candidates], fits.scaler.mean[candidates]
    Z = columns[usable].take(rows.index, axis=1)
    Z -= mean[:, None]
    Z /= scale[:, None]
    points, fresh = _moved(work, candidates, Z), not fits.candidates.size
    fits.candidates, fits.points = candidates, points
    for k, alpha in enumerate(fits.alphas):
        if fits.gaps[k] > CERTIFIED:
            start = points[k - 1] if fresh and k else points[k]
            task = Task(Z, rows.y, rows.weights, problem.loss, float(alpha), _INNER)
            points[k] = minimise_task(task, start)


def _moved(work: _Work, new: Indices, Z: Floats) -> list[Point]:
    """Express a path's models on other candidates; what they lose is refitted."""
    _, i, j = np.intersect1d(work.fits.candidates, new, assume_unique=True, return_indices=True)
    betas = np.zeros((len(work.fits.points), len(new)))
    betas[:, j] = [point.beta[i] for point in work.fits.points]
    intercepts = work.fits.intercepts
    etas = betas @ Z + intercepts[:, None]
    return [
        _point(work.problem.loss, work.rows, float(intercept), beta, eta)
        for intercept, beta, eta in zip(intercepts, betas, etas, strict=True)
    ]


def _point(loss: Loss, rows: _Rows, intercept: float, beta: Floats, eta: Floats) -> Point:
    """Complete a model with a dual point made of its residuals."""
    return Point(intercept, beta, eta, loss.feasible(rows.y, rows.weights, rows.weights * loss.residual(rows.y, eta)))


def _check(design: Design, works: Sequence[_Work]) -> tuple[Indices, Indices]:
    """Certify fits over all columns; return the columns that violate a condition, and those that nearly do."""
    duals = [np.stack([point.dual for point in work.fits.points]) for work in works]
    U = np.zeros((sum(len(dual) for dual in duals), design.columns.shape[1]))
    for part, work, dual in zip(_parts(duals), works, duals, strict=True):
        U[part, work.rows.index] = dual
    correlation = np.abs(U @ design.columns.T)
    wanted, close = [], []
    for part, work, dual in zip(_parts(duals), works, duals, strict=True):
        fits = work.fits
        relative = correlation[part] / fits.scaler.scale
        relative /= fits.alphas[:, None]
        fits.gaps = _relative_gaps(work, dual, relative.max(axis=1))
        late = fits.gaps > CERTIFIED
        wanted += [_worst_violators(each) for each in relative[late]]
        if not late.any():
            close.append(np.flatnonzero((relative > _NEARLY).any(axis=0)))
    return _union(wanted), _union(close)


def _union(columns: Sequence[Indices]) -> Indices:
    return np.unique(np.concatenate([np.zeros(0, np.intp), *columns]))


def _worst_violators(relative: Floats) -> Indices:
    """Columns that break ``|z_j' u| <= alpha`` of one fit most: a few, as one that enters often settles others."""
    loud = np.flatnonzero(relative > 1)
    return loud[np.argsort(-relative[loud], kind="stable")[:_FEW]]


def _parts(duals: Sequence[Floats]) -> Iterator[slice]:
    end = 0
    for dual in duals:
        yield slice(end, end := end + len(dual))


def _relative_gaps(work: _Work, dual: Floats, excess: Floats) -> Floats:
    """Duality gaps over all columns: the dual points shrink by their largest `excess` over the penalty."""
    rows, loss, fits = work.rows, work.problem.loss, work.fits
    norm = np.array([np.abs(point.beta).sum() for point in fits.points])
    primal = loss.value(rows.y, fits.eta) @ rows.weights + fits.alphas * norm
    feasible = dual / np.maximum(excess, 1.0)[:, None]
    gaps = primal - loss.dual(rows.y, rows.weights, feasible)
    return np.asarray(gaps / np.maximum(primal, np.finfo(np.float64).tiny))
