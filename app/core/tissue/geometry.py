"""Boxes and masks."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from app.core.values import ScreenPixels, TissueBox

Mask = NDArray[np.bool_]
Pixel = TypeVar("Pixel", bound=np.generic)


def whole(pixels: ScreenPixels) -> TissueBox:
    """Return the box of all pixels."""
    return TissueBox(0, 0, pixels.shape[1], pixels.shape[0])


def cut(array: NDArray[Pixel], box: TissueBox) -> NDArray[Pixel]:
    """Return a view of what the box holds."""
    return array[box.y0 : box.y1, box.x0 : box.x1]


def bounds(mask: Mask) -> TissueBox:
    """Return the tightest box around the True pixels, of which there must be one."""
    x, y = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    return TissueBox(int(x[0]), int(y[0]), int(x[-1]) + 1, int(y[-1]) + 1)


def row_ends(mask: Mask) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return each row's first True pixel and the one behind its last; 0 and 0 if the row has none."""
    first, last = mask.argmax(axis=1), mask.shape[1] - mask[:, ::-1].argmax(axis=1)
    return first, np.where(mask[np.arange(len(mask)), first], last, 0)


def share_of(mask: Mask) -> float:
    """Return the share of True pixels; counting is many times faster than the mean of a boolean array."""
    return float(np.count_nonzero(mask) / mask.size)


def shifted(box: TissueBox, dx: int, dy: int) -> TissueBox:
    """Move a box."""
    return TissueBox(box.x0 + dx, box.y0 + dy, box.x1 + dx, box.y1 + dy)


def size(box: TissueBox) -> tuple[int, int]:
    """Return width and height, negative for boxes that are inside out."""
    return box.x1 - box.x0, box.y1 - box.y0


def area(box: TissueBox) -> int:
    """Return width times height, 0 for boxes that are inside out."""
    width, height = size(box)
    return max(0, width) * max(0, height)


def intersection(a: TissueBox, b: TissueBox) -> TissueBox:
    """Return what two boxes share; it is inside out along an axis on which they lie apart."""
    return TissueBox(max(a.x0, b.x0), max(a.y0, b.y0), min(a.x1, b.x1), min(a.y1, b.y1))


def overlap(a: TissueBox, b: TissueBox) -> float:
    """Return intersection over union."""
    common = area(intersection(a, b))
    return common / (area(a) + area(b) - common)
