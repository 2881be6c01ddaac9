"""Pictures of a cohort: told by content, cropped as the service crops, refused with the file's name."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.core.values import View
from tests.factories import sector, us_instance
from training.images import read_tissue
from training.phantom import write_study

SCREEN = sector(300, 400, seed=1)


def save(path: Path, pixels: np.ndarray, mode: str = "L", **options: object) -> Path:
    Image.fromarray(pixels).convert(mode).save(path, **options)  # type: ignore[arg-type]  # quality, of a JPEG
    return path


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P"])
def test_a_png_gives_the_tissue_of_its_pixels(tmp_path: Path, mode: str) -> None:
    plain = read_tissue(save(tmp_path / "plain.png", SCREEN))
    found = read_tissue(save(tmp_path / "image.png", SCREEN, mode))
    assert found.shape == plain.shape
    assert np.abs(found.astype(int) - plain).max() <= 1
    assert plain.shape < SCREEN.shape


def test_the_name_does_not_matter(tmp_path: Path) -> None:
    path = save(tmp_path / "image.png", SCREEN)
    odd = path.rename(tmp_path / "image.dcm")
    assert read_tissue(odd).max() > 0


def test_a_jpeg_is_read(tmp_path: Path) -> None:
    found = read_tissue(save(tmp_path / "image.jpg", SCREEN, quality=95))
    assert abs(found.shape[0] - read_tissue(save(tmp_path / "image.png", SCREEN)).shape[0]) <= 8


def test_a_picture_of_a_dicom_image_gives_the_same_tissue(tmp_path: Path) -> None:
    (tmp_path / "image.dcm").write_bytes(us_instance(view=None, pixels=SCREEN))
    np.testing.assert_array_equal(
        read_tissue(tmp_path / "image.dcm"), read_tissue(save(tmp_path / "image.png", SCREEN))
    )


def test_a_phantom_is_read_as_the_service_reads_it(tmp_path: Path) -> None:
    path = write_study(tmp_path, 1, 5, 12.0)[View.LIVER_KIDNEY]
    assert min(read_tissue(path).shape) > 224


def test_refusals_name_the_file_and_what_to_do(tmp_path: Path) -> None:
    deep = tmp_path / "deep.png"
    Image.fromarray(SCREEN.astype(np.uint16) * 257).save(deep)
    cut = save(tmp_path / "cut.png", SCREEN)
    cut.write_bytes(cut.read_bytes()[:2000])
    see_through = tmp_path / "glass.png"
    Image.fromarray(np.dstack([SCREEN, SCREEN, SCREEN, SCREEN])).save(see_through)
    black = save(tmp_path / "black.png", np.zeros_like(SCREEN))
    text = tmp_path / "notes.txt"
    text.write_text("not an image")
    for path, says in (
        (deep, "8-bit"),
        (cut, "damaged"),
        (see_through, "transparent"),
        (black, "tissue"),
        (text, "DICOM"),
    ):
        with pytest.raises(ValueError, match=says) as caught:
            read_tissue(path)
        assert str(path) in str(caught.value)
