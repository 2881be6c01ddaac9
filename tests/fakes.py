"""Small real classes that stand in for heavy parts."""

from typing import cast

import numpy as np
from numpy.typing import NDArray

from app.adapters.bundle_store import Bundle
from app.adapters.manifest import Manifest
from app.core.pipeline import Model
from app.core.values import BundleIdentity, Features, LinearHead, Preprocessing, Target, Thresholds, View

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


class FakeBundle(Bundle):
    """Answers with `FakeBackbone`, for tests of what happens around an estimate."""

    @property
    def identity(self) -> BundleIdentity:
        return BundleIdentity("fake", "1", self.sha256, synthetic=True)


def fake_bundle(sha256: str = "0" * 64) -> FakeBundle:
    """A bundle without files."""
    model = Model(FakeBackbone(), some_heads(), Preprocessing(), Thresholds(0.5, 0.5))
    return FakeBundle(cast(Manifest, None), sha256, model, "")
