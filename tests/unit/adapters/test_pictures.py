import numpy as np
import pytest
from numpy.typing import NDArray

from app.adapters.drawing.pictures import draw_overlay, enlarge, shrink, tint
from app.adapters.drawing.png import decode_png, encode_png
from app.core.values import Target

TISSUE = np.full((140, 210), 120, np.uint8)


def red_minus_blue(picture: NDArray[np.uint8]) -> NDArray[np.int64]:
    return np.subtract(picture[..., 0], picture[..., 2], dtype=np.int64)


def test_png_is_without_loss() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (50, 60), dtype=np.uint8)
    np.testing.assert_array_equal(decode_png(encode_png(pixels)), pixels)


class TestOverlay:
    def test_positive_is_red_and_negative_is_blue(self) -> None:
        cam = np.zeros((7, 7))
        cam[1, 1], cam[5, 5] = 2.0, -2.0
        signed = red_minus_blue(decode_png(draw_overlay(TISSUE, cam, Target.GE5))[:140])
        assert signed[30, 45] > 50
        assert signed[110, 165] < -50
        assert signed[70, 105] == 0

    def test_zero_leaves_the_tissue_grey(self) -> None:
        picture = decode_png(draw_overlay(TISSUE, np.zeros((7, 7)), Target.PDFF))[:140]
        np.testing.assert_array_equal(picture, np.repeat(TISSUE[..., None], 3, axis=2))

    def test_what_is_no_tissue_stays_black(self) -> None:
        tissue = TISSUE.copy()
        tissue[:, :100] = 0
        picture = decode_png(draw_overlay(tissue, np.ones((7, 7)), Target.PDFF))[:140]
        assert not picture[:, :100].any()

    def test_the_scale_is_symmetric_about_zero(self) -> None:
        """A map of one sign does not borrow the other colour: zero keeps its place in the middle."""
        picture = decode_png(draw_overlay(TISSUE, np.linspace(1, 2, 49).reshape(7, 7), Target.PDFF))
        assert red_minus_blue(picture[:140]).min() > 0
        bar = red_minus_blue(picture[150:152, 14:-14])
        assert bar[:, :20].max() < 0 < bar[:, -20:].min()

    @pytest.mark.parametrize("target", list(Target))
    def test_every_head_has_a_unit(self, target: Target) -> None:
        assert draw_overlay(TISSUE, np.eye(7), target)


def test_enlarging_invents_no_extremes() -> None:
    cam = np.random.default_rng(1).normal(size=(7, 7))
    large = enlarge(cam, (140, 210))
    assert large.min() >= cam.min() - 1e-6
    assert large.max() <= cam.max() + 1e-6


def test_tinting_stays_in_range() -> None:
    signed = np.linspace(-3, 3, TISSUE.size).reshape(TISSUE.shape)
    assert tint(np.full_like(TISSUE, 255), signed).max() <= 255


def test_shrinking_keeps_the_aspect_ratio() -> None:
    assert shrink(TISSUE, 105).shape == (70, 105)
    assert shrink(TISSUE, 500) is TISSUE
