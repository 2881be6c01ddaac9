"""What Pillow does best: luminance, averages of blocks; and how much a picture is one of tissue."""

from typing import Final

import numpy as np
from PIL import Image

from app.core.tissue.geometry import Mask
from app.core.values import GreyImage, ScreenPixels

MIN_SIDE: Final = 64
"""Pixels: below this the 224 x 224 network input would be mostly interpolation."""


def to_image(pixels: ScreenPixels) -> Image.Image:
    """Hand pixels to Pillow."""
    return Image.fromarray(np.ascontiguousarray(pixels))


def to_grey(pixels: ScreenPixels) -> GreyImage:
    """Turn a screen into luminance, Rec. 601, rounded; grey pixels pass through.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (rows, columns) or (rows, columns, 3)

    Returns
    -------
    ndarray of uint8, shape (rows, columns)
        A new array.
    """
    return pixels.copy() if pixels.ndim == 2 else np.array(to_image(pixels).convert("L"))


def reduced(pixels: ScreenPixels, scale: int) -> ScreenPixels:
    """Average blocks of scale x scale pixels; the last ones may be smaller."""
    return np.asarray(to_image(pixels).reduce(scale))


def coverage(mask: Mask, scale: int) -> GreyImage:
    """Return how much of every block is True, 0 to 255."""
    return reduced(mask.view(np.uint8) * np.uint8(255), scale)


def texture(pixels: ScreenPixels) -> float:
    """Return the share of horizontal neighbours that differ."""
    green = pixels if pixels.ndim == 2 else pixels[..., 1]
    return float((green[::2, 1:] != green[::2, :-1]).mean())
