import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from app.adapters.drawing.png import decode_png, encode_png


@given(st.integers(1, 40), st.integers(1, 40), st.booleans(), st.integers(0, 2**32 - 1))
def test_another_reader_finds_every_pixel(rows: int, columns: int, colour: bool, seed: int) -> None:
    shape = (rows, columns, 3) if colour else (rows, columns)
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    with Image.open(io.BytesIO(encode_png(pixels))) as image:
        assert image.mode == ("RGB" if colour else "L")
        image.verify()
    np.testing.assert_array_equal(decode_png(encode_png(pixels)), pixels)


def test_a_view_into_a_larger_picture_is_written_as_it_looks() -> None:
    screen = np.random.default_rng(1).integers(0, 256, (60, 80), dtype=np.uint8)
    np.testing.assert_array_equal(decode_png(encode_png(screen[10:50:2, 5:77:3])), screen[10:50:2, 5:77:3])


def test_smooth_pictures_become_small() -> None:
    ramp = np.tile(np.arange(256, dtype=np.uint8), (256, 1))
    assert len(encode_png(ramp)) < ramp.size / 50


def test_other_shapes_are_no_pictures() -> None:
    with pytest.raises(KeyError):
        encode_png(np.zeros(3, np.uint8).reshape(3, 1, 1, 1))
