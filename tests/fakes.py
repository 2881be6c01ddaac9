"""Small real classes that stand in for heavy parts."""

import numpy as np
from numpy.typing import NDArray

from app.core.values import Features, LinearHead, Target, View

N_FEATURES = 2048


class FakeBackbone:
    """Averages blocks of 32 x 32 pixels and spreads them over 2048 channels: cheap, deterministic, GAP is the mean."""

    def __call__(self, tensors: NDArray[np.float32]) -> Features:
        blocks = tensors.reshape(len(tensors), 3, 7, 32, 7, 32).mean(axis=(3, 5))
        gains = np.linspace(-1, 1, N_FEATURES, dtype=np.float32)[:, np.newaxis, np.newaxis]
        activation = np.tile(blocks, (1, N_FEATURES // 3 + 1, 1, 1))[:, :N_FEATURES] * gains
        return Features(gap=activation.mean(axis=(2, 3), dtype=np.float64), activation=activation)


def some_head(seed: int, n_weights: int = 12) -> LinearHead:
    """A sparse head with random weights."""
    rng = np.random.default_rng(seed)
    weights = np.zeros(N_FEATURES)
    weights[rng.choice(N_FEATURES, n_weights, replace=False)] = rng.normal(0, 1, n_weights)
    return LinearHead(weights, float(rng.normal()))


def some_heads() -> dict[View, dict[Target, LinearHead]]:
    """Three heads a view."""
    return {view: {target: some_head(10 * i + j) for j, target in enumerate(Target)} for i, view in enumerate(View)}
