"""A cohort's features as solvers read them, and the scaler of any subset of participants."""

from collections.abc import Sequence
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
    """Features of a cohort's images of one view, or of several views side by side.

    Attributes
    ----------
    X : ndarray of float64, shape (n_images, n_rows, p)
        Row 0 of an image is the image as it is; the others are augmented.
    owner : ndarray of int, shape (n_images,), optional
        Whose image each is: participants count from 0, each has at least one, and one's images stand together. Left
        out, everybody has one image.
    """

    X: Floats
    owner: Indices | None = None

    def __post_init__(self) -> None:
        if self.owner is not None and not _counts_up(self.owner, len(self.X)):
            raise ValueError("owner must name participants 0, 1, 2, … in order, one for each image, and skip none")

    def first(self, n: int) -> "Design":
        """Keep the images of the first participants."""
        count = int(self.n_images[:n].sum())
        return Design(self.X[:count], None if self.owner is None else self.owner[:count])

    @cached_property
    def n_images(self) -> Indices:
        """Images of each participant, shape (n_participants,)."""
        return np.ones(len(self.X), np.intp) if self.owner is None else np.bincount(self.owner)

    @cached_property
    def _first(self) -> Indices:
        """Index of each participant's first image, shape (n_participants,)."""
        return np.cumsum(self.n_images) - self.n_images

    @cached_property
    def centre(self) -> Floats:
        """Mean of all rows, shape (p,): a shift for precision only, which every fold's own scaler takes out again."""
        return np.asarray(self.X.mean(axis=(0, 1)))

    @cached_property
    def columns(self) -> Floats:
        """All rows less `centre`, shape (p, n_images * n_rows): a feature is contiguous, to gather a few fast."""
        shifted = (self.X - self.centre).reshape(-1, self.X.shape[2])
        return np.ascontiguousarray(shifted.T)

    @cached_property
    def single_columns(self) -> NDArray[np.float32]:
        """Return `columns` in single precision, for products over all of them."""
        return self.columns.astype(np.float32)

    @cached_property
    def plain(self) -> Floats:
        """Each participant's images as they are, averaged, shape (n_participants, p): a head's output is linear."""
        return np.asarray(np.add.reduceat(self.X[:, 0], self._first) / self.n_images[:, None])

    @cached_property
    def _sums(self) -> tuple[Floats, Floats]:
        shifted = self.X - self.centre
        sums = shifted.sum(axis=1), np.einsum("nrp,nrp->np", shifted, shifted)
        return tuple(np.add.reduceat(each, self._first) for each in sums)  # type: ignore[return-value] # of two

    def n_rows_of(self, participants: Indices) -> Indices:
        """Rows of each participant, all images and their augmented copies, shape of `participants`."""
        return np.asarray(self.n_images[participants] * self.X.shape[1])

    def rows_of(self, participants: Indices) -> Indices:
        """Rows of some participants, one after the other: all of a participant's, or none."""
        starts, counts = self._first[participants] * self.X.shape[1], self.n_rows_of(participants)
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return np.asarray(np.repeat(starts, counts) + within)

    def scaler(self, participants: Indices) -> Scaler:
        """Scaler of some participants' rows, in `columns`' shifted units.

        Sums of squares are taken about the cohort's centre, so that nothing cancels. The bound below which a
        variance is rounding alone is that of Chan, Golub, LeVeque, "Algorithms for computing the sample variance",
        Am Stat 1983.
        """
        count, epsilon = int(self.n_rows_of(participants).sum()), np.finfo(np.float64).eps
        mean = self._sums[0][participants].sum(axis=0) / count
        variance = np.maximum(self._sums[1][participants].sum(axis=0) / count - mean**2, 0.0)
        floor = count * epsilon * mean**2 + (count * epsilon * (self.centre + mean)) ** 2
        return Scaler(mean, np.where(variance <= floor, np.inf, np.sqrt(variance)))


def side_by_side(parts: Sequence[Design]) -> Design:
    """Join the features of several views, image by image.

    Raises
    ------
    ValueError
        If a participant has more images of one view than of another: which belong together is then unknown.
    """
    check_side_by_side(parts)
    return parts[0] if len(parts) == 1 else Design(np.concatenate([part.X for part in parts], axis=2), parts[0].owner)


def check_side_by_side(parts: Sequence[Design]) -> None:
    """Raise what `side_by_side` would."""
    if any(not np.array_equal(part.n_images, parts[0].n_images) for part in parts):
        raise ValueError("the composite model needs as many images of one view as of the others for each participant")


def _counts_up(owner: Indices, n_images: int) -> bool:
    """Whether participants stand in order and none is skipped."""
    steps = np.diff(owner, prepend=0)
    return len(owner) == n_images and (n_images == 0 or owner[0] == 0) and bool(np.isin(steps, (0, 1)).all())
