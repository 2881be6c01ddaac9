"""The screen's background, its bars, and how far from the background every pixel is."""

from functools import reduce
from typing import Final

import numpy as np

from app.core.tissue.geometry import Mask, share_of
from app.core.values import GreyImage, ScreenPixels, TissueBox

Colour = tuple[int, ...]
"""One grey level, or red, green and blue."""

BAR_SHARE: Final = 0.6
"""Of a border line: a header bar has this much of one colour, text included."""
BAR_ELSEWHERE: Final = 0.02
"""Of the picture without the bar: the bar's colour is not found there, the background's is."""
BAR_MAX_ROWS: Final = 0.2
"""Of the picture's height: bars are narrower."""
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
"""Steps above the background that count as drawn. The first that yields a solid blob is taken: on a clean screen
the far field may be one level above black. With noise the first is skipped."""
MAX_BORDER_NOISE: Final = 0.02
"""Share of the nearly background-coloured border that is not exactly it: above, compression left noise."""


def without_bars(screen: ScreenPixels) -> TissueBox:
    """Return the screen without header and footer bars, which the sector may touch."""
    rows, columns = screen.shape[:2]
    return TissueBox(0, _bar_rows(screen), columns, rows - _bar_rows(screen[::-1]))


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


def _above(channel: GreyImage, level: np.uint8) -> GreyImage:
    return np.maximum(channel, level) - level if level else channel


def _apart(channel: GreyImage, level: np.uint8) -> GreyImage:
    return np.maximum(channel, level) - np.minimum(channel, level)


def clean_thresholds(distance: GreyImage) -> tuple[int, ...]:
    """Return the thresholds above the noise, as it is seen along the border."""
    border = _border(distance)
    dark = border[border <= THRESHOLDS[-1]]
    return tuple(threshold for threshold in THRESHOLDS if _is_clean(dark > threshold))


def _is_clean(above: Mask) -> bool:
    """Tell whether few neighbours lie on different sides of the threshold."""
    return bool(np.count_nonzero(above[1:] != above[:-1]) <= MAX_BORDER_NOISE * above.size)


def _bar_rows(screen: ScreenPixels) -> int:
    """Count the rows from the top that belong to a bar of a colour that is nowhere else."""
    colour, share = _colours(screen[0])[0]
    if share < BAR_SHARE:
        return 0
    limit = int(BAR_MAX_ROWS * len(screen))
    in_bar = _is_colour(screen[: limit + 1, ::2], colour)
    in_bar = in_bar.sum(axis=1) >= BAR_SHARE / 2 * in_bar.shape[1]
    rows = int(in_bar.argmin()) if not in_bar.all() else limit + 1
    elsewhere = _is_colour(screen[rows::4, ::4], colour)
    return rows if rows <= limit and share_of(elsewhere) < BAR_ELSEWHERE else 0


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
