"""A head is linear in GAP features, so its map adds up to its output, exactly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.cam import class_activation_map
from app.core.heads import predict
from app.core.values import LinearHead
from tests.fakes import N_FEATURES, some_head


def some_activation(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).gamma(1, 1, (N_FEATURES, 7, 7)).astype(np.float32)


@given(seed=st.integers(0, 2**32 - 1), n_weights=st.integers(0, 64))
def test_mean_plus_intercept_is_the_prediction(seed: int, n_weights: int) -> None:
    head, activation = some_head(seed, n_weights), some_activation(seed)
    cam = class_activation_map(head, activation)
    gap = activation.mean(axis=(1, 2), dtype=np.float64)
    assert cam.mean() + head.intercept == pytest.approx(predict(head, gap), abs=1e-12)


def test_map_keeps_its_sign() -> None:
    activation = np.zeros((N_FEATURES, 7, 7), np.float32)
    activation[0, 0, 0], activation[1, 6, 6] = 1, 1
    weights = np.zeros(N_FEATURES)
    weights[:2] = 2, -3
    cam = class_activation_map(LinearHead(weights, 0), activation)
    assert (cam[0, 0], cam[6, 6]) == (2, -3)


def test_map_of_an_empty_head_is_zero() -> None:
    head = LinearHead(np.zeros(N_FEATURES), 4.0)
    assert not class_activation_map(head, some_activation(1)).any()
    assert predict(head, some_activation(1).mean(axis=(1, 2), dtype=np.float64)) == 4.0


def test_refuses_another_number_of_features() -> None:
    with pytest.raises(ValueError, match="100 feature maps, but 2048 weights"):
        class_activation_map(some_head(1), some_activation(1)[:100])
