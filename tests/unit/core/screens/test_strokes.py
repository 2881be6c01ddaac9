import numpy as np
import pytest
from PIL import Image

from app.core.screens.letters import sector_of
from app.core.screens.looking import look
from app.core.screens.marks import has_marks
from app.core.screens.strokes import CELL, MAX_SEARCHED_PIXELS, ink_levels, likeness, pieces
from app.core.tissue import extract_tissue, find_silhouette
from app.core.tissue.geometry import Mask, area, intersection, overlap
from app.core.tissue.pictures import coverage
from app.core.tissue.shape import drawn
from app.core.values import ScreenPixels, TissueBox
from tests.factories import sector
from tests.screens import INKS, phantom, written

BLACK = np.zeros((480, 640), np.uint8)


def places(pixels: ScreenPixels, within: Mask | None = None) -> list[TissueBox]:
    covered = coverage(tissue(pixels) if within is None else within, CELL)
    return pieces(likeness(ink_levels(pixels), covered))


def tissue(pixels: ScreenPixels) -> Mask:
    return np.asarray(sector(*pixels.shape[:2]) > 0)


def test_the_edge_of_the_tissue_is_no_place() -> None:
    silhouette = drawn(find_silhouette(phantom(1)).shape, phantom(1).shape)
    assert places(phantom(1) * silhouette, silhouette) == []


def covers(found: list[TissueBox], x: int, y: int, width: int, height: int) -> bool:
    """Whether one piece holds all of a text."""
    wanted = TissueBox(x, y, x + width, y + height)
    return any(intersection(piece, wanted) == wanted for piece in found)


@pytest.mark.parametrize("ink", INKS)
@pytest.mark.parametrize("size", [10, 16, 28])
def test_writing_on_black_is_found_and_its_surroundings_with_it(ink: str, size: int) -> None:
    found = places(written(BLACK, "QUIXOTE", (20, 440), size, ink))
    assert covers(found, 20, 440 + size // 4, 4 * size, size * 3 // 4)


@pytest.mark.parametrize("ink", INKS)
def test_writing_on_tissue_is_found(ink: str) -> None:
    found = places(written(phantom(1), "QUIXOTE", (480, 400), 14, ink), phantom(1) > 0)
    assert covers(found, 484, 404, 56, 10)


def test_an_empty_screen_has_no_place() -> None:
    assert places(BLACK) == []


def test_a_smooth_background_has_no_place() -> None:
    gradient = np.repeat(np.linspace(20, 200, 640).astype(np.uint8)[np.newaxis], 480, 0)
    assert places(gradient) == []


def test_pieces_do_not_touch() -> None:
    pixels = BLACK
    for k in range(6):
        pixels = written(pixels, f"LINE {k}", (30 + 90 * k, 30 + 70 * k))
    found = places(pixels)
    assert len(found) > 1
    assert all(overlap(a, b) == 0 for i, a in enumerate(found) for b in found[:i])


def test_a_screen_full_of_writing_is_searched_in_part() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1200, 1600), dtype=np.uint8)
    assert sum(map(area, places(noise))) <= MAX_SEARCHED_PIXELS


def test_pieces_are_made_of_cells() -> None:
    assert all(edge % CELL == 0 for box in places(written(BLACK, "LK", (100, 100))) for edge in box)


def crossed(pixels: ScreenPixels, x: int, y: int, ink: tuple[int, int, int], arm: int = 6) -> ScreenPixels:
    marked = np.repeat(pixels[..., np.newaxis], 3, axis=2)
    marked[y - arm : y + arm + 1, x] = ink
    marked[y, x - arm : x + arm + 1] = ink
    return marked


class TestMarks:
    @pytest.mark.parametrize("ink", INKS.values(), ids=INKS)
    def test_a_calliper_is_seen(self, ink: tuple[int, int, int]) -> None:
        pixels = phantom(1)
        assert has_marks(ink_levels(crossed(pixels, 506, 400, ink)), coverage(sector_of(pixels), CELL))

    def test_plain_tissue_has_none(self) -> None:
        pixels = phantom(1)
        inside = np.zeros(pixels.shape, np.bool_)
        inside[200:600, 400:600] = True
        assert not has_marks(ink_levels(pixels), coverage(inside, CELL))

    def test_what_lies_outside_the_tissue_does_not_count(self) -> None:
        pixels = phantom(1)
        nowhere = coverage(np.zeros(pixels.shape, np.bool_), CELL)
        assert not has_marks(ink_levels(crossed(pixels, 30, 400, (255, 255, 255))), nowhere)


class TestInTissue:
    """Names in the tissue are places to look at, whatever lies under them."""

    @staticmethod
    def is_found(pixels: ScreenPixels, x: int, y: int, width: int) -> bool:
        crop = extract_tissue(pixels)
        seen = look(pixels, crop).places
        wanted = TissueBox(x - crop.box.x0, y - crop.box.y0, x - crop.box.x0 + width, y - crop.box.y0 + 12)
        return any(area(intersection(place, wanted)) > 0.5 * area(wanted) for place in seen)

    @pytest.mark.parametrize("size", [14, 20, 28])
    def test_over_a_black_vessel(self, size: int) -> None:
        screen = phantom(2).copy()
        screen[300:360, 380:720] = 0
        assert self.is_found(written(screen, "SCHMIDT ANNA", (400, 312), size), 400, 318, 6 * size)

    @pytest.mark.parametrize("size", [14, 20, 28])
    def test_with_a_black_shadow(self, size: int) -> None:
        shadow = np.array(Image.fromarray(written(phantom(2), "SCHMIDT ANNA", (402, 312), size)))
        dark = np.where(np.any(shadow != phantom(2)[..., np.newaxis], axis=2, keepdims=True), 0, shadow)
        assert self.is_found(written(dark.astype(np.uint8), "SCHMIDT ANNA", (400, 310), size), 400, 316, 6 * size)

    @pytest.mark.parametrize("sigma", [8, 12, 18])
    def test_in_noise(self, sigma: float) -> None:
        noise = np.random.default_rng(1).normal(0, sigma, phantom(2).shape) * (phantom(2) > 0)
        screen = (phantom(2) + noise).clip(0, 255).astype(np.uint8)
        assert self.is_found(written(screen, "SCHMIDT ANNA", (400, 312), 20), 400, 318, 120)
        assert look(screen, extract_tissue(screen)).places == ()
