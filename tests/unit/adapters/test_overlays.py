import numpy as np

from app.adapters.drawing.overlays import CACHE_BYTES, _cache, overlay_png
from app.adapters.drawing.pictures import draw_overlay
from app.adapters.drawing.png import encode_png
from app.core.values import Target

TISSUE = np.random.default_rng(1).integers(0, 256, (300, 400), dtype=np.uint8)
CAM = np.random.default_rng(2).normal(size=(7, 7))


def test_what_is_kept_is_what_is_drawn() -> None:
    for _ in range(2):
        assert overlay_png(encode_png(TISSUE), CAM, Target.GE5) == draw_overlay(TISSUE, CAM, Target.GE5)


def test_another_crop_map_or_head_is_another_picture() -> None:
    png = encode_png(TISSUE)
    pictures = {
        overlay_png(png, CAM, Target.GE5),
        overlay_png(png, CAM, Target.GE10),
        overlay_png(png, -CAM, Target.GE5),
        overlay_png(encode_png(255 - TISSUE), CAM, Target.GE5),
    }
    assert len(pictures) == 4


def test_however_many_are_asked_for_the_memory_stays_bounded() -> None:
    png = encode_png(TISSUE)
    for number in range(60):
        overlay_png(png, CAM + number, Target.PDFF)
    assert 0 < _cache.currsize <= CACHE_BYTES
