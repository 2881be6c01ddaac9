"""A cohort's features as solvers read them, and the scaler of any subset of participants."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from app.core.values import Floats

Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Scaler:
    """Mean and standard deviation of each feature, shape (p,); a constant feature's scale is infinite: it is unused."""

    mean: Floats
    scale: Floats


@dataclass(frozen=True, eq=False)
class Design:
    """Features of a cohort.

    Attributes
    ----------
    X : ndarray of float64, shape (n_participants, n_rows, p)
        Row 0 of a participant is the image as it is; the others are augmented.
    """

    X: Floats

    @property
    def n_rows(self) -> int:
        """Rows a participant."""
        return int(self.X.shape[1])

    @cached_property
    def centre(self) -> Floats:
        """Mean of all rows, shape (p,): a shift for precision only, which every fold's own scaler takes out again."""
        return np.asarray(self.X.mean(axis=(0, 1)))

    @cached_property
    def columns(self) -> Floats:
        """All rows less `centre`, shape (p, n_participants * n_rows): a feature is contiguous, to gather a few fast."""
        shifted = (self.X - self.centre).reshape(-1, self.X.shape[2])
        return np.ascontiguousarray(shifted.T)

    @cached_property
    def _sums(self) -> tuple[Floats, Floats]:
        shifted = self.X - self.centre
        return shifted.sum(axis=1), np.einsum("nrp,nrp->np", shifted, shifted)

    def rows_of(self, participants: Indices) -> Indices:
        """Rows of some participants, shape (len(participants) * n_rows,): all of a participant's, or none."""
        return np.asarray((participants[:, None] * self.n_rows + np.arange(self.n_rows)).ravel())

    def scaler(self, participants: Indices) -> Scaler:
        """Scaler of some participants' rows, in `columns`' shifted units.

        Sums of squares are taken about the cohort's centre, so that nothing cancels. The bound below which a
        variance is rounding alone is that of Chan, Golub, LeVeque, "Algorithms for computing the sample variance",
        Am Stat 1983.
        """
        count, epsilon = len(participants) * self.n_rows, np.finfo(np.float64).eps
        mean = self._sums[0][participants].sum(axis=0) / count
        variance = np.maximum(self._sums[1][participants].sum(axis=0) / count - mean**2, 0.0)
        floor = count * epsilon * mean**2 + (count * epsilon * (self.centre + mean)) ** 2
        return Scaler(mean, np.where(variance <= floor, np.inf, np.sqrt(variance)))
