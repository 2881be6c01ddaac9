"""Choose and fit one sparse head: weights, folds, grid search, refit, folded back to raw-feature weights."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.core.values import Floats, LinearHead, Target
from training.protocol import CUTOFF_PERCENT, StudyProtocol
from training.solvers import LOGISTIC, SQUARED, Design, Fits, Problem, solve

Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class FittedHead:
    """A head and what cross-validation said of it.

    Attributes
    ----------
    head : LinearHead
        Fitted on everyone, at the chosen penalty.
    out_of_fold : ndarray of float64, shape (n_participants,)
        Each participant's output, percent PDFF or log-odds, from the fold that had not seen them.
    step : float
        How many times weaker than the strongest the chosen penalty is.
    """

    head: LinearHead
    out_of_fold: Floats
    step: float


@dataclass(frozen=True, slots=True, eq=False)
class GridSearch:
    """A cross-validated path, and the model refitted at the chosen penalty.

    Attributes
    ----------
    out_of_fold : ndarray of float64, shape (n_penalties, m)
        Outputs for the participants, from the folds that had not seen them.
    chosen : int
        Index of the penalty.
    refit : Fits
        One fit, on all participants of the search.
    relative_gap : float
        The largest certificate among all fits of the search.
    """

    out_of_fold: Floats
    chosen: int
    refit: Fits
    relative_gap: float


def fit_head(design: Design, pdff_percent: Floats, target: Target, seed: int) -> FittedHead:
    """Choose a penalty by stratified 4-fold cross-validation and fit the head on everyone.

    Parameters
    ----------
    design : Design
        Raw GAP features of one view.
    pdff_percent : ndarray of float64, shape (n_participants,)
    target : Target
        Lasso for PDFF, L1 logistic regression for a cutoff.
    seed : int
        Of the folds.

    Returns
    -------
    FittedHead

    References
    ----------
    .. [1] Byra et al., J Ultrasound Med 2021, "Model Development and Evaluation".
    """
    protocol = StudyProtocol(seed=seed)
    search = grid_search(design, pdff_percent, np.arange(len(pdff_percent)), target, protocol)
    weights, intercepts = search.refit.raw(design)
    step = float(protocol.penalty_steps()[search.chosen])
    return FittedHead(LinearHead(weights[0], float(intercepts[0])), search.out_of_fold[search.chosen], step)


def grid_search(
    design: Design, pdff_percent: Floats, participants: Indices, target: Target, protocol: StudyProtocol
) -> GridSearch:
    """Choose a penalty by stratified cross-validation among some participants, and refit on all of them.

    Parameters
    ----------
    design : Design
        Features of the whole cohort; no label, weight or scaler outside `participants` is read.
    pdff_percent : ndarray of float64, shape (n_participants,)
        Of the whole cohort.
    participants : ndarray of int, shape (m,)
    target : Target
    protocol : StudyProtocol

    Returns
    -------
    GridSearch

    Raises
    ------
    SingleClassError, NotConvergedError
    """
    steps = protocol.penalty_steps()
    folds = stratified_folds(pdff_strata(pdff_percent[participants], protocol), protocol.n_folds, protocol.seed)
    problems = [
        training_problem(pdff_percent, participants[folds != k], target, protocol, steps)
        for k in range(protocol.n_folds)
    ]
    fits = solve(design, problems)
    out_of_fold = np.empty((len(steps), len(participants)))
    for k, fit in enumerate(fits):
        out_of_fold[:, folds == k] = fit.predict(design, participants[folds == k])
    chosen = choose(validation_losses(out_of_fold, pdff_percent[participants], target, protocol), folds, protocol)
    final = training_problem(pdff_percent, participants, target, protocol, steps[chosen : chosen + 1])
    (refit,) = solve(design, [final], [fits[0].at(chosen)])
    gap = float(max(fit.gaps.max() for fit in (*fits, refit)))
    return GridSearch(out_of_fold, chosen, refit, gap)


def training_problem(
    pdff_percent: Floats, participants: Indices, target: Target, protocol: StudyProtocol, steps: Floats
) -> Problem:
    """Target, weights and loss of one training set; nothing outside it is read."""
    pdff = pdff_percent[participants]
    y = labels(pdff, target)
    loss = SQUARED if target is Target.PDFF else LOGISTIC
    return Problem(participants, y, fit_weights(pdff, target, protocol), loss, steps)


def labels(pdff_percent: Floats, target: Target) -> Floats:
    """Return what a head learns: PDFF in percent, or 1 at or above the cutoff and 0 below."""
    if target is Target.PDFF:
        return pdff_percent
    return (pdff_percent >= CUTOFF_PERCENT[target]).astype(np.float64)


def fit_weights(pdff_percent: Floats, target: Target, protocol: StudyProtocol) -> Floats:
    """Weights of participants by the protocol; the mean is 1."""
    if target is Target.PDFF and protocol.regression_weights == "inverse_frequency":
        return inverse_frequency_weights(pdff_percent, protocol.pdff_bin_percent)
    if target is not Target.PDFF and protocol.classifier_weights == "balanced":
        return balanced_weights(labels(pdff_percent, target))
    return np.ones_like(pdff_percent)


def inverse_frequency_weights(pdff_percent: Floats, bin_percent: float = 5.0) -> Floats:
    """Weigh each participant inversely to how frequent their PDFF value is, in bins; the mean is 1."""
    bins = (pdff_percent // bin_percent).astype(np.int64)
    weights: Floats = 1 / np.bincount(bins)[bins]
    return np.asarray(weights / weights.mean(), np.float64)


def balanced_weights(positive: Floats) -> Floats:
    """Weigh each participant inversely to the size of their class; the mean is 1 where both classes occur."""
    sizes = np.bincount(positive.astype(np.int64), minlength=2)
    return np.asarray(0.5 * len(positive) / sizes[positive.astype(np.int64)], np.float64)


def pdff_strata(pdff_percent: Floats, protocol: StudyProtocol) -> NDArray[np.int64]:
    """Classes that folds keep balanced."""
    return np.digitize(pdff_percent, protocol.strata_percent)


def stratified_folds(strata: NDArray[np.int64], n_folds: int, seed: int) -> NDArray[np.int64]:
    """Deal participants to folds, stratum after stratum, each shuffled.

    Parameters
    ----------
    strata : ndarray of int, shape (m,)
    n_folds : int
    seed : int

    Returns
    -------
    ndarray of int, shape (m,)
        Fold of each participant. Within a stratum, and over all, fold sizes differ by at most one.

    Raises
    ------
    ValueError
        If there are fewer participants than folds.
    """
    if len(strata) < n_folds:
        raise ValueError(f"{len(strata)} participants cannot be split into {n_folds} folds")
    shuffled = np.random.default_rng(seed).permutation(len(strata))
    dealt = shuffled[np.argsort(strata[shuffled], kind="stable")]
    folds = np.empty(len(strata), np.int64)
    folds[dealt] = np.arange(len(strata)) % n_folds
    return folds


def validation_losses(outputs: Floats, pdff_percent: Floats, target: Target, protocol: StudyProtocol) -> Floats:
    """Weighted loss of each penalty and participant, shape of `outputs`; its mean over participants is the score."""
    loss = SQUARED if target is Target.PDFF else LOGISTIC
    weights = fit_weights(pdff_percent, target, protocol) if protocol.selection_weights == "as_fit" else 1.0
    return np.asarray(weights * loss.value(labels(pdff_percent, target), outputs))


def choose(losses: Floats, folds: NDArray[np.int64], protocol: StudyProtocol) -> int:
    """Index of the chosen penalty, from losses of shape (n_penalties, m).

    References
    ----------
    .. [1] Hastie, Tibshirani, Friedman, "The Elements of Statistical Learning", section 7.10 (one standard error).
    """
    mean = losses.mean(axis=1)
    best = int(np.argmin(mean))
    if protocol.selection == "minimum":
        return best
    by_fold = [losses[best, folds == k].mean() for k in range(protocol.n_folds)]
    allowed = mean[best] + np.std(by_fold, ddof=1) / np.sqrt(protocol.n_folds)
    return int(np.argmax(mean <= allowed))
