"""Grids of cells: erosion, dilation, connected components."""

import numpy as np
from numpy.typing import NDArray

from app.core.tissue.geometry import Mask, Pixel

Labels = NDArray[np.int64]
"""0 outside, one positive number for every component."""


def eroded(mask: Mask, n: int) -> Mask:
    """Erode by a square of n cells; beyond the border counts as True, so that a sector may touch it."""
    return ~dilated(~mask, n)


def dilated(mask: Mask, n: int) -> Mask:
    """Dilate by a square of n cells (n odd)."""
    for axis in (0, 1):
        length = mask.shape[axis]
        padded = np.pad(mask, [(n // 2, n // 2) if i == axis else (0, 0) for i in (0, 1)])
        shifts = [padded[k : k + length] if axis == 0 else padded[:, k : k + length] for k in range(n)]
        mask = np.logical_or.reduce(shifts)
    return mask


def enlarged(cells: NDArray[Pixel], scale: int, shape: tuple[int, ...]) -> NDArray[Pixel]:
    """Give every cell scale x scale pixels, as far as the shape has room for them."""
    return np.repeat(np.repeat(cells, scale, 0), scale, 1)[: shape[0], : shape[1]]


def components(cells: Mask, min_share: float) -> list[Mask]:
    """Split a grid into its 4-connected components, largest first, without those below a share of the largest."""
    labels = _labelled(cells)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    large = np.flatnonzero(sizes > min_share * sizes.max())
    return [labels == k for k in large[np.argsort(-sizes[large], kind="stable")]]


def _labelled(cells: Mask) -> Labels:
    """Label every component by the largest index in it, spread along rows and columns."""
    labels = np.where(cells, np.arange(1, cells.size + 1).reshape(cells.shape), 0)
    while True:
        spread = _largest_of_run(_largest_of_run(labels).T).T
        if np.array_equal(spread, labels):
            return labels
        labels = spread


def _largest_of_run(labels: Labels) -> Labels:
    """Replace every row's runs of positive numbers by their largest."""
    rows, columns = labels.shape
    flat = np.pad(labels, ((0, 0), (0, 1))).ravel()  # the added 0 ends every row's last run
    changes = np.flatnonzero(np.diff(flat > 0, prepend=False))
    if changes.size == 0:
        return labels
    largest = np.maximum.reduceat(flat, changes)
    flat[changes[0] :] = np.repeat(largest, np.diff(changes, append=flat.size))
    return flat.reshape(rows, columns + 1)[:, :-1]
