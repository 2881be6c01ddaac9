"""Grids of cells: erosion, dilation, connected components."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.core.tissue.geometry import Mask, Pixel

Indices = NDArray[np.int64]


class _Runs(NamedTuple):
    """Horizontal runs of cells: where each begins and where it has ended, counted along rows with a fence around."""

    starts: Indices
    ends: Indices


def eroded(mask: Mask, n: int) -> Mask:
    """Erode by a square of n cells; beyond the border counts as True, so that a sector may touch it."""
    return ~dilated(~mask, n)


def dilated(mask: Mask, n: int) -> Mask:
    """Dilate by a square of n cells (n odd)."""
    return _smeared(_smeared(mask, n).T, n).T


def _smeared(mask: Mask, n: int) -> Mask:
    """Dilate along the columns alone."""
    smeared = mask.copy()
    for k in range(1, n // 2 + 1):
        smeared[k:] |= mask[:-k]
        smeared[:-k] |= mask[k:]
    return smeared


def enlarged(cells: NDArray[Pixel], scale: int, shape: tuple[int, ...]) -> NDArray[Pixel]:
    """Give every cell scale x scale pixels, as far as the shape has room for them."""
    wide = np.empty((*cells.shape, scale), cells.dtype)
    for k in range(scale):  # many times faster than repeating single cells
        wide[:, :, k] = cells
    return np.repeat(wide.reshape(len(cells), -1), scale, 0)[: shape[0], : shape[1]]


def components(cells: Mask, min_share: float) -> list[Mask]:
    """Split a grid into its 4-connected components, largest first, without those below a share of the largest."""
    runs = _runs_of(cells)
    label = _joined(len(runs.starts), *_touching(runs, cells.shape[1]))
    lengths = runs.ends - runs.starts
    sizes = np.bincount(label, lengths)
    large = np.flatnonzero(sizes > min_share * sizes.max(initial=0))
    labels = np.full(cells.shape, -1)
    labels[cells] = np.repeat(label, lengths)
    return [labels == k for k in large[np.argsort(-sizes[large], kind="stable")]]


def _runs_of(cells: Mask) -> _Runs:
    """Find every row's runs of True cells, in the order of the cells."""
    fenced = np.zeros((cells.shape[0], cells.shape[1] + 2), np.int8)
    fenced[:, 1:-1] = cells
    step = np.diff(fenced, axis=1)  # +1 where a run begins, -1 behind its end
    (row, start), (_, end) = np.nonzero(step > 0), np.nonzero(step < 0)
    return _Runs(row * fenced.shape[1] + start, row * fenced.shape[1] + end)


def _touching(runs: _Runs, columns: int) -> tuple[Indices, Indices]:
    """Pair every run with those of the next row that share a column with it."""
    below = columns + 2
    first = np.searchsorted(runs.ends, runs.starts + below, side="right")
    count = np.searchsorted(runs.starts, runs.ends + below, side="left") - first
    upper = np.repeat(np.arange(len(first)), count)
    lower = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + first[upper]
    return upper, lower


def _joined(n: int, upper: Indices, lower: Indices) -> Indices:
    """Label each of n runs with the last one that pairs connect it to."""
    label = np.arange(n)
    while True:
        before = label.copy()
        np.maximum.at(label, upper, before[lower])
        np.maximum.at(label, lower, label[upper])
        label = label[label]
        if np.array_equal(label, before):
            return label
