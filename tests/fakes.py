"""Small real classes that stand in for heavy parts."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from app.adapters.bundle.manifest import Manifest
from app.adapters.bundle.store import Bundle
from app.adapters.dicom import introduce, read_instance
from app.adapters.reading.allowance import Allowance
from app.core.cam import class_activation_map
from app.core.heads import predict
from app.core.objects import Introduction
from app.core.pipeline import Model, crop_instance
from app.core.values import (
    BundleIdentity,
    Content,
    Crop,
    HeadOutputs,
    LinearHead,
    Preprocessing,
    ScreenNaming,
    Target,
    Thresholds,
    View,
)

N_FEATURES = 2048


class FakeNetwork:
    """Averages blocks of 32 x 32 pixels, spreads them over 2048 channels and asks real heads: cheap, deterministic."""

    def __init__(self) -> None:
        self.heads = some_heads()
        self.batches: list[int] = []

    def __call__(self, pictures: NDArray[np.uint8], views: Sequence[View]) -> HeadOutputs:
        self.batches.append(len(pictures))
        blocks = pictures.reshape(-1, 1, 7, 32, 7, 32).mean(axis=(3, 5)) / 127.5 - 1
        activations = blocks * np.linspace(-1, 1, N_FEATURES)[:, np.newaxis, np.newaxis]
        asked = [(self.heads[view].values(), activation) for view, activation in zip(views, activations, strict=True)]
        cams = np.array([[class_activation_map(head, each) for head in heads] for heads, each in asked])
        values = np.array([[predict(head, each.mean(axis=(1, 2))) for head in heads] for heads, each in asked])
        return HeadOutputs(values, cams)


class ReadersInProcess:
    """Reads where it is called, for tests that start many services.

    Parameters
    ----------
    screens : mapping of str to ScreenNaming
        What stands on the screens of images, by SOP Instance UID; other screens are not read.
    """

    def __init__(self, screens: Mapping[str, ScreenNaming] | None = None) -> None:
        self.screens = screens or {}
        self.read_uids: list[str] = []

    def introduce(self, content: Content, *, allowance: Allowance | None = None) -> Introduction:
        return introduce(bytes(content))

    def read(self, content: Content, *, declared: bool = False, allowance: Allowance | None = None) -> Crop:
        crop = crop_instance(read_instance(bytes(content)))
        self.read_uids.append(crop.sop_instance_uid)
        return replace(crop, screen=self.screens.get(crop.sop_instance_uid))

    def close(self) -> None:
        pass


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
    """Answers with `FakeNetwork`, for tests of what happens around an estimate."""

    @property
    def identity(self) -> BundleIdentity:
        return BundleIdentity("fake", "1", self.sha256, synthetic=True, precision="fp32")


def fake_bundle(sha256: str = "0" * 64) -> FakeBundle:
    """A bundle without files."""
    model = Model(FakeNetwork(), Preprocessing(), Thresholds(0.5, 0.5))
    return FakeBundle(cast(Manifest, None), sha256, model, "")
