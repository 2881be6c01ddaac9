"""Receiver operating characteristic curves, of one sample or of thousands of weighted ones at once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.adapters.bundle.manifest import OperatingPoint
from app.core.values import Floats

Bools = NDArray[np.bool_]
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class RocCurve:
    """ROC curves of one score in one or more samples of the same participants.

    Attributes
    ----------
    false_positive_rate, true_positive_rate : ndarray of float64, shape (n_samples, n_thresholds + 1)
        From (0, 0), where nobody is called positive, to (1, 1). Every distinct score is a threshold: collinear
        points are kept, because one inside a slanted segment (a tie) can be the nearest to (0, 1).
    thresholds : ndarray of float64, shape (n_thresholds + 1,)
        Descending from infinity; a score at or above the threshold is called positive.
    """

    false_positive_rate: Floats
    true_positive_rate: Floats
    thresholds: Floats

    def auc(self) -> Floats:
        """Area under each curve by trapezia, shape (n_samples,): ties count one half, as in Mann and Whitney's U."""
        return np.asarray(np.trapezoid(self.true_positive_rate, self.false_positive_rate, axis=1), np.float64)

    def nearest(self) -> NDArray[np.intp]:
        """Index of each curve's point nearest the corner (0, 1), shape (n_samples,); the strictest of equals."""
        distance = np.hypot(self.false_positive_rate, 1 - self.true_positive_rate)
        return np.asarray(np.argmin(distance, axis=1), np.intp)


def roc_curve(scores: Floats, positive: Bools, counts: Counts | None = None) -> RocCurve:
    """Draw the empirical ROC curve.

    Parameters
    ----------
    scores : ndarray of float64, shape (n_participants,)
        Higher speaks for positive.
    positive : ndarray of bool, shape (n_participants,)
    counts : ndarray of int64, shape (n_samples, n_participants), optional
        How often each participant stands in each sample; without it there is one sample, everybody once.

    Returns
    -------
    RocCurve

    Raises
    ------
    ValueError
        If one of the classes is empty, or a score is not finite.

    References
    ----------
    .. [1] Fawcett, "An introduction to ROC analysis", Pattern Recognit Lett 2006, algorithm 1.
    """
    _check(scores, positive)
    counts = np.ones((1, len(scores)), np.int64) if counts is None else counts
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    ranked, is_positive = counts[:, order], positive[order]
    return RocCurve(
        _rates(ranked * ~is_positive, ends),
        _rates(ranked * is_positive, ends),
        np.concatenate([[np.inf], scores[order][ends]]),
    )


def nearest_operating_point(probability: Floats, positive: Bools) -> OperatingPoint:
    """Choose the ROC point nearest the corner (0, 1).

    Parameters
    ----------
    probability : ndarray of float64, shape (n_participants,)
    positive : ndarray of bool, shape (n_participants,)

    Returns
    -------
    OperatingPoint

    References
    ----------
    .. [1] Fawcett, "An introduction to ROC analysis", Pattern Recognit Lett 2006; Byra et al. 2021's reference 7.
    """
    curve = roc_curve(probability, positive)
    nearest = int(curve.nearest()[0])
    # the curve starts at infinity, the point at which nobody is positive: that is a threshold of 1
    return operating_point(probability, positive, float(min(curve.thresholds[nearest], 1.0)))


def operating_point(probability: Floats, positive: Bools, threshold: float) -> OperatingPoint:
    """Tell what a threshold gives: the shares of positive and of negative participants that it calls rightly."""
    called = probability >= threshold
    return OperatingPoint(
        probability=threshold,
        sensitivity=float(called[positive].mean()),
        specificity=float(1 - called[~positive].mean()),
    )


def _rates(ranked: Counts, ends: NDArray[np.intp]) -> Floats:
    """Share of a class at or above each distinct score, after a leading zero."""
    reached = np.cumsum(ranked, axis=1)[:, ends]
    return np.pad(reached / reached[:, -1:], ((0, 0), (1, 0)))


def _check(scores: Floats, positive: Bools) -> None:
    if positive.all() or not positive.any():
        raise ValueError(f"A ROC curve needs both classes; {int(positive.sum())} of {len(positive)} are positive.")
    if not np.isfinite(scores).all():
        raise ValueError("A ROC curve needs finite scores.")
