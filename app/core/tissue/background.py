"""The screen's background, and how far from it every pixel is."""

from functools import reduce
from typing import Final

import numpy as np

from app.core.tissue.geometry import Mask, share_of
from app.core.values import GreyImage, ScreenPixels

Colour = tuple[int, ...]
"""One grey level, or red, green and blue."""

BLACK: Final = 8
"""Grey level up to which a background is a black one."""
SAME_COLOUR: Final = 3
"""Grey levels: JPEG moves a flat colour by less."""
MIN_BACKGROUND_OF_BORDER: Final = 0.1
"""A crop filled with tissue has no colour that is as frequent along its border..."""
MIN_BACKGROUND_OF_IMAGE: Final = 0.02
"""...and in the whole of it."""
MOST_COLOURS: Final = 10
"""More cannot each have a tenth of the border."""
THRESHOLDS: Final = (0, 2, 5)
"""Steps above the background that count as drawn. The first whose edges make a good shape is taken: on a clean screen
the far field may be one level above black. With noise the first is skipped."""
MAX_BORDER_NOISE: Final = 0.02
"""Share of the nearly background-coloured border that is not exactly it: above, compression left noise."""


def find_background(screen: ScreenPixels) -> Colour | None:
    """Return the screen's background: the darkest of the border's frequent colours; None if tissue fills the picture.

    Parameters
    ----------
    screen : ndarray of uint8, shape (rows, columns) or (rows, columns, 3)

    Returns
    -------
    tuple of int, or None
        One grey level, or red, green and blue.
    """
    frequent = [colour for colour, share in _colours(_border(screen)) if share >= MIN_BACKGROUND_OF_BORDER]
    colour = min(frequent, key=lambda c: max(c) // (BLACK + 1), default=None)
    if colour is None or share_of(_is_colour(screen[::4, ::4], colour)) < MIN_BACKGROUND_OF_IMAGE:
        return None
    return colour


def distance_from(screen: ScreenPixels, colour: Colour) -> GreyImage:
    """Return the largest difference over the channels: a tint that keeps one channel changes nothing.

    Screens have several blacks, so nothing is darker than black.
    """
    channels = np.atleast_3d(screen)
    compare = _above if max(colour) <= BLACK else _apart
    return reduce(np.maximum, (compare(channels[..., k], np.uint8(level)) for k, level in enumerate(colour)))


def brightest_channel(screen: ScreenPixels) -> GreyImage:
    """Return the largest of the channels: the distance from black."""
    return distance_from(screen, (0,) * np.atleast_3d(screen).shape[2])


def _above(channel: GreyImage, level: np.uint8) -> GreyImage:
    return np.maximum(channel, level) - level if level else channel


def _apart(channel: GreyImage, level: np.uint8) -> GreyImage:
    return np.maximum(channel, level) - np.minimum(channel, level)


def clean_thresholds(distance: GreyImage) -> tuple[int, ...]:
    """Return the thresholds above the noise, as it is seen along the border; the highest in any case."""
    border = _border(distance)
    dark = border[border <= THRESHOLDS[-1]]
    return *(threshold for threshold in THRESHOLDS[:-1] if _is_clean(dark > threshold)), THRESHOLDS[-1]


def _is_clean(above: Mask) -> bool:
    """Tell whether few neighbours lie on different sides of the threshold."""
    return bool(np.count_nonzero(above[1:] != above[:-1]) <= MAX_BORDER_NOISE * above.size)


def _border(screen: ScreenPixels) -> ScreenPixels:
    return np.concatenate([screen[0], screen[-1], screen[:, 0], screen[:, -1]])


def _colours(line: ScreenPixels) -> list[tuple[Colour, float]]:
    """Return the colours of pixels of shape (n,) or (n, 3) and their shares, the most frequent first."""
    channels = line.reshape(len(line), -1)
    packed = channels.astype(np.int64) @ (256 ** np.arange(channels.shape[1]))
    _, first, counts = np.unique(packed, return_index=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:MOST_COLOURS]
    return [(tuple(channels[first[k]].tolist()), float(counts[k] / len(line))) for k in order]


def _is_colour(pixels: ScreenPixels, colour: Colour) -> Mask:
    return distance_from(pixels, colour) <= SAME_COLOUR
