"""A backbone small enough to commit: batch norm folded, weights as 8-bit integers with one step per output channel.

Rounding moves a feature by less than a percent of its spread; the demonstration's heads are fitted on the features of
the *expanded* weights, so that nothing is approximated after that.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.resnet50 import BATCH_NORM_EPSILON, ConvLayer, StateDict, check_state_dict, conv_layers, folded

LEVELS = 127
"""Integers run from -127 to 127: symmetric, so that zero stays zero."""
_PROVENANCE = "provenance"

Compact = Mapping[str, NDArray[np.generic]]
"""Per convolution ``….weight`` int8, ``….step`` float32 and ``….bias`` float32 (out channels,)."""


def compress(state: StateDict) -> dict[str, NDArray[np.generic]]:
    """Fold the batch norms and round every output channel to multiples of its largest weight / 127.

    Parameters
    ----------
    state : mapping of str to ndarray
        A ResNet-50's parameters under torchvision's names.

    Returns
    -------
    dict of str to ndarray
        See `Compact`.

    Raises
    ------
    ValueError
        If the weights are not a ResNet-50's.
    """
    check_state_dict(state)
    compact: dict[str, NDArray[np.generic]] = {}
    for layer in conv_layers():
        weight, bias = folded(state, layer)
        step = channel_steps(weight)
        compact[f"{layer.conv}.weight"] = np.rint(weight / step[:, None, None, None]).astype(np.int8)
        compact[f"{layer.conv}.step"] = step
        compact[f"{layer.conv}.bias"] = bias
    return compact


def channel_steps(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give the quantisation step of each output channel; 1 for a channel of zeros."""
    largest = np.abs(weight).max(axis=(1, 2, 3))
    return np.where(largest > 0, largest / np.float32(LEVELS), np.float32(1)).astype(np.float32)


def expand(compact: Compact) -> dict[str, NDArray[np.float32]]:
    """Give parameters under torchvision's names whose batch norms add the folded bias and do nothing else.

    Parameters
    ----------
    compact : mapping of str to ndarray
        What `compress` gave.

    Returns
    -------
    dict of str to ndarray of float32
    """
    state: dict[str, NDArray[np.float32]] = {}
    for layer in conv_layers():
        step = np.asarray(compact[f"{layer.conv}.step"], np.float32)
        state[f"{layer.conv}.weight"] = (
            np.asarray(compact[f"{layer.conv}.weight"], np.float32) * step[:, None, None, None]
        )
        state |= _adding(layer, np.asarray(compact[f"{layer.conv}.bias"], np.float32))
    return state


def _adding(layer: ConvLayer, bias: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Give the batch norm that adds `bias`: unit scale once epsilon is added to the variance."""
    return {
        f"{layer.norm}.weight": np.ones_like(bias),
        f"{layer.norm}.bias": bias,
        f"{layer.norm}.running_mean": np.zeros_like(bias),
        f"{layer.norm}.running_var": np.full_like(bias, 1 - BATCH_NORM_EPSILON),
    }


def save_compact(path: Path, compact: Compact, provenance: str) -> Path:
    """Write an ``.npz`` file without pickles; the same values give the same bytes.

    Parameters
    ----------
    path : Path
    compact : mapping of str to ndarray
    provenance : str
        One sentence on what the weights were trained on, and the command; kept in the file.

    Returns
    -------
    Path
        `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        np.savez_compressed(file, **{_PROVENANCE: np.asarray(provenance, np.str_)}, **dict(compact))  # type: ignore[arg-type] # names as keywords
    return path


def load_compact(path: Path) -> tuple[dict[str, NDArray[np.float32]], str]:
    """Read what `save_compact` wrote: expanded parameters, and their provenance."""
    with np.load(path, allow_pickle=False) as file:
        return expand(file), str(file[_PROVENANCE])
