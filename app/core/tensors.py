"""From grey levels to the network's input: the one copy, which training uses too."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.core.values import GreyImage, Preprocessing, Tissue

_RESAMPLING = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def to_tensor(tissue: GreyImage, preprocessing: Preprocessing) -> NDArray[np.float32]:
    """Resize one tissue crop, replicate it into three channels and normalise it as the backbone expects.

    Parameters
    ----------
    tissue : ndarray of uint8, shape (rows, columns)
        Grey levels of the tissue crop.
    preprocessing : Preprocessing
        What the bundle's backbone was trained with.

    Returns
    -------
    ndarray of float32, shape (3, size, size)

    References
    ----------
    .. [1] Byra et al., J Ultrasound Med 2021, "Model Development": bicubic to 224 x 224 pixels, then the
       settings originally designed for the pretrained CNN. Resizing is antialiased, as speckle finer than
       the target grid would otherwise alias into texture.
    """
    grey = resize(tissue, preprocessing.size, preprocessing.resampling).astype(np.float32)
    mean, std = _per_channel(preprocessing)
    return ((grey * np.float32(preprocessing.scale))[np.newaxis] - mean) / std


def to_picture(tissue: Tissue, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """Resize a tissue crop to what a network takes: grey levels of shape (size, size).

    The network's graph begins with the arithmetic of `to_tensor`, operation by operation.
    """
    return resize(tissue.pixels, preprocessing.size, preprocessing.resampling)


def to_pictures(tissues: Iterable[Tissue], preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """Resize a study's crops, shape (n, size, size)."""
    return np.stack([to_picture(tissue, preprocessing) for tissue in tissues])


def resize(tissue: GreyImage, size: int, resampling: str) -> GreyImage:
    """Resize to a square of `size` pixels, antialiased; the aspect ratio is not kept (as in the paper)."""
    return np.asarray(Image.fromarray(tissue).resize((size, size), _RESAMPLING[resampling]))


def _per_channel(preprocessing: Preprocessing) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation of shape (3, 1, 1).

    Both are kept in the order of the backbone's channels, so a grey image needs no reordering by `colour_order`.
    """
    mean = np.asarray(preprocessing.mean, np.float32).reshape(3, 1, 1)
    std = np.asarray(preprocessing.std, np.float32).reshape(3, 1, 1)
    return mean, std
