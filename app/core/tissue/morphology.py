"""Grids of cells: erosion, dilation, connected components."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.core.tissue.geometry import Mask, Pixel

Indices = NDArray[np.int64]


class Runs(NamedTuple):
    """Horizontal runs of cells: where each begins and where it has ended, counted along rows with a fence around."""

    starts: Indices
    ends: Indices


def eroded(mask: Mask, n: int) -> Mask:
    """Erode by a square of n cells; beyond the border counts as True, so that a sector may touch it."""
    return ~dilated(~mask, n)


def dilated(mask: Mask, n: int) -> Mask:
    """Dilate by a square of n cells (n odd)."""
    reach = n // 2
    inside = slice(reach, reach + mask.shape[0]), slice(reach, reach + mask.shape[1])
    fenced = np.zeros((mask.shape[0] + 2 * reach, mask.shape[1] + 2 * reach), np.bool_)
    fenced[inside] = mask
    flat = fenced.ravel()  # one long line is ten times as fast, and what runs over a row's end stays in the fence
    for step in (1, fenced.shape[1]):
        flat = _smeared(flat, range(step, (reach + 1) * step, step))
    return flat.reshape(fenced.shape)[inside]


def _smeared(line: Mask, distances: range) -> Mask:
    """Spread every True cell so far in both directions."""
    smeared = line.copy()
    for distance in distances:
        smeared[distance:] |= line[:-distance]
        smeared[:-distance] |= line[distance:]
    return smeared


def enlarged(cells: NDArray[Pixel], scale: int, shape: tuple[int, ...]) -> NDArray[Pixel]:
    """Give every cell scale x scale pixels, as far as the shape has room for them."""
    wide = np.empty((*cells.shape, scale), cells.dtype)
    for k in range(scale):  # many times faster than repeating single cells
        wide[:, :, k] = cells
    return np.repeat(wide.reshape(len(cells), -1), scale, 0)[: shape[0], : shape[1]]


def components(cells: Mask, min_share: float, most: int | None = None) -> list[Mask]:
    """Split a grid into its 4-connected components, largest first, without those below a share of the largest.

    Of more than `most` the smaller ones are left out.
    """
    runs = runs_of(cells)
    label = _joined(len(runs.starts), *_touching(runs, cells.shape[1]))
    lengths = runs.ends - runs.starts
    sizes = np.bincount(label, lengths)
    large = np.flatnonzero(sizes > min_share * sizes.max(initial=0))
    labels = np.full(cells.shape, -1)
    labels[cells] = np.repeat(label, lengths)
    return [labels == k for k in large[np.argsort(-sizes[large], kind="stable")][:most]]


def runs_of(cells: Mask) -> Runs:
    """Find every row's runs of True cells, in the order of the cells."""
    fenced = np.zeros((cells.shape[0], cells.shape[1] + 2), np.bool_)
    fenced[:, 1:-1] = cells
    flat = fenced.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    return Runs(changes[::2], changes[1::2])


def _touching(runs: Runs, columns: int) -> tuple[Indices, Indices]:
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
