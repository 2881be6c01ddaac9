import numpy as np
import pytest
from numpy.typing import NDArray

from app.core.screens.letters import OUTLINE, sector_of, without
from app.core.values import GreyImage, TissueBox
from tests.factories import sector, sector_region


def crop() -> GreyImage:
    x0, y0, x1, y1, *_ = sector_region()
    return sector()[y0 : y1 + 1, x0 : x1 + 1]


BOX = TissueBox(120, 150, 220, 170)


def marked(pixels: GreyImage, value: int, box: TissueBox = BOX) -> NDArray[np.uint8]:
    """Write a value wherever the box has tissue."""
    pixels = pixels.copy()
    part = pixels[box.y0 : box.y1, box.x0 : box.x1]
    part[part > 0] = value
    return pixels


@pytest.mark.parametrize("value", [1, 128, 255])
def test_what_is_filled_does_not_depend_on_what_was_written(value: int) -> None:
    assert np.array_equal(without(marked(crop(), value), [BOX]), without(crop(), [BOX]))


def test_all_else_is_kept() -> None:
    filled = without(crop(), [BOX])
    changed = filled != crop()
    changed[BOX.y0 - OUTLINE : BOX.y1 + OUTLINE, BOX.x0 - OUTLINE : BOX.x1 + OUTLINE] = False
    assert not changed.any()


def test_the_filling_looks_like_its_surroundings() -> None:
    filled = without(marked(crop(), 255), [BOX])
    inside = filled[BOX.y0 : BOX.y1, BOX.x0 : BOX.x1].astype(float)
    original = crop()[BOX.y0 : BOX.y1, BOX.x0 : BOX.x1].astype(float)
    assert abs(inside.mean() - original.mean()) < 5
    assert 0.7 < inside.std() / original.std() < 1.4


def test_two_lines_do_not_fill_each_other() -> None:
    lines = [BOX, TissueBox(BOX.x0, BOX.y1 + 12, BOX.x1, BOX.y1 + 32)]
    pixels = marked(marked(crop(), 255, lines[0]), 255, lines[1])
    assert np.array_equal(without(pixels, lines), without(crop(), lines))


@pytest.mark.parametrize("box", [TissueBox(0, 0, 300, 40), TissueBox(-5, 100, 60, 120), TissueBox(100, 330, 300, 500)])
def test_outside_the_sector_stays_black(box: TissueBox) -> None:
    assert not without(crop(), [box])[~sector_of(crop())].any()


def test_a_black_box_inside_the_sector_is_filled() -> None:
    pixels = crop()
    pixels[BOX.y0 : BOX.y1, BOX.x0 : BOX.x1] = 0
    filled = without(pixels, [BOX])
    assert filled[BOX.y0 : BOX.y1, BOX.x0 : BOX.x1].min() > 0


def test_a_crop_that_is_all_letters_ends_black() -> None:
    pixels = crop()
    assert not without(pixels, [TissueBox(0, 0, pixels.shape[1], pixels.shape[0])]).any()


def test_the_crop_is_not_changed() -> None:
    pixels = crop()
    before = pixels.copy()
    without(pixels, [BOX])
    assert np.array_equal(pixels, before)
