"""What Pillow does best: luminance, averages of blocks; and how much a picture is one of tissue."""

from typing import Final

import numpy as np
from PIL import Image

from app.core.tissue.geometry import Mask, share_of
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


def without_idle_colour(pixels: ScreenPixels) -> ScreenPixels:
    """Keep one channel of a colour picture whose channels are all alike; other pictures pass through.

    Scanners send grey screens as colour. Every step behind this one gives the same answer for one channel, at a third
    of the cost.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (rows, columns) or (rows, columns, 3)

    Returns
    -------
    ndarray of uint8
        Of shape (rows, columns) if nothing in the picture has a colour.
    """
    if pixels.ndim == 2 or not _is_grey(pixels):
        return pixels
    return np.ascontiguousarray(pixels[..., 0])


def _is_grey(pixels: ScreenPixels) -> bool:
    """Compare every sample with the one before it, along whole rows: channel by channel takes thrice the time."""
    samples = pixels.reshape(len(pixels), -1)
    differs = samples[:, 1:] ^ samples[:, :-1]
    differs &= np.tile(np.array([255, 255, 0], np.uint8), pixels.shape[1])[:-1]  # not across two pixels
    return not differs.max()


def reduced(pixels: ScreenPixels, scale: int | tuple[int, int]) -> ScreenPixels:
    """Average blocks of scale x scale pixels, or of width and height; the last ones may be smaller."""
    return pixels if scale == 1 else np.asarray(to_image(pixels).reduce(scale))


def coverage(mask: Mask, scale: int) -> GreyImage:
    """Return how much of every block is True, 0 to 255."""
    return reduced(mask.view(np.uint8) * np.uint8(255), scale)


def texture(pixels: ScreenPixels) -> float:
    """Return the share of horizontal neighbours that differ."""
    green = pixels if pixels.ndim == 2 else pixels[..., 1]
    return share_of(green[::2, 1:] != green[::2, :-1])
