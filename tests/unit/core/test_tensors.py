import numpy as np
import pytest

from app.core.tensors import to_tensor
from app.core.values import Preprocessing


def some_tissue(shape: tuple[int, int] = (300, 400)) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)


def test_shape_and_type_are_the_backbones() -> None:
    tensor = to_tensor(some_tissue(), Preprocessing())
    assert tensor.shape == (3, 224, 224)
    assert tensor.dtype == np.float32


def test_an_image_of_the_right_size_is_only_normalised() -> None:
    tissue = some_tissue((224, 224))
    tensor = to_tensor(tissue, Preprocessing())
    expected = (tissue / 255 - 0.485) / 0.229
    np.testing.assert_allclose(tensor[0], expected, atol=1e-6)


def test_the_channels_are_one_grey_level() -> None:
    preprocessing = Preprocessing()
    tensor = to_tensor(some_tissue(), preprocessing)
    grey = tensor * np.reshape(preprocessing.std, (3, 1, 1)) + np.reshape(preprocessing.mean, (3, 1, 1))
    np.testing.assert_allclose(grey[0], grey[2], atol=1e-6)


def test_resizing_is_antialiased() -> None:
    """A fine checkerboard averages out instead of turning into a coarse one."""
    board = (np.indices((896, 896)).sum(axis=0) % 2 * 255).astype(np.uint8)
    plain = Preprocessing(scale=1, mean=(0, 0, 0), std=(1, 1, 1))
    inner = to_tensor(board, plain)[0, 8:-8, 8:-8]
    assert inner.std() < 2
    assert inner.mean() == pytest.approx(127.5, abs=1)


def test_caffe_style_preprocessing_is_possible() -> None:
    """Keras's ResNet-50 wants BGR means in grey levels and no division."""
    preprocessing = Preprocessing(colour_order="bgr", scale=1, mean=(103.939, 116.779, 123.68), std=(1, 1, 1))
    tensor = to_tensor(np.full((224, 224), 100, np.uint8), preprocessing)
    np.testing.assert_allclose(tensor[:, 0, 0], [-3.939, -16.779, -23.68], atol=1e-4)


def test_the_input_is_left_alone() -> None:
    tissue = some_tissue()
    before = tissue.copy()
    to_tensor(tissue, Preprocessing())
    np.testing.assert_array_equal(tissue, before)
