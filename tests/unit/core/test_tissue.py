"""The crop's laws, on synthetic screens whose tissue is known, and real pictures whose boxes were checked by eye."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from app.core.errors import ColourDoppler, ImageError, MultipleTissueRegions, NoTissue
from app.core.tissue import extract_tissue, find_silhouette, to_grey
from app.core.tissue.shape import drawn
from app.core.values import GreyImage, ScreenPixels, TissueBox, UltrasoundRegion

Mask = NDArray[np.bool_]
ROWS, COLUMNS = 480, 640
CLOSE = 8
"""Pixels: two cells of the grid on which the screen is cleaned."""


def sector(apex: tuple[float, float], near: float, far: float, half_angle_degrees: float) -> Mask:
    y, x = np.mgrid[:ROWS, :COLUMNS]
    dx, dy = x - apex[0], y - apex[1]
    radius, angle = np.hypot(dx, dy), np.degrees(np.arctan2(dx, dy))
    return np.asarray((radius >= near) & (radius <= far) & (np.abs(angle) <= half_angle_degrees))


def rectangle(x0: int, y0: int, x1: int, y1: int) -> Mask:
    y, x = np.mgrid[:ROWS, :COLUMNS]
    return np.asarray((x >= x0) & (x < x1) & (y >= y0) & (y < y1))


CURVED = sector((320, -20), 100, 440, 35)
PHASED = sector((320, 50), 4, 370, 42)
LINEAR = rectangle(170, 60, 470, 420)
PROBES = pytest.mark.parametrize("tissue", [CURVED, PHASED, LINEAR], ids=["curved", "phased", "linear"])


def speckle(tissue: Mask, background: int = 0, seed: int = 1) -> GreyImage:
    levels = np.random.default_rng(seed).rayleigh(45, tissue.shape).clip(1, 255)
    return np.where(tissue, levels, background).astype(np.uint8)


def rgb(grey: GreyImage) -> ScreenPixels:
    return np.repeat(grey[..., None], 3, axis=2)


def annotated(screen: ScreenPixels) -> ScreenPixels:
    """Add header text, a grey bar, depth ticks, a logo, a body mark and an ECG trace beside the tissue."""
    image = Image.fromarray(screen)
    pen = ImageDraw.Draw(image)
    pen.text((6, 6), "HOSPITAL  C5-1  28Hz  MI 1.1  TIS 0.4  12:34:56", fill=(255, 255, 255))
    pen.text((6, 40), "Gen\nGn 60\nC 61\n3/3/4", fill=(230, 230, 90))
    for k in range(100):
        pen.line((600, 60 + k, 612, 60 + k), fill=(255 - 2 * k,) * 3)
    for y in range(60, 460, 40):
        pen.line((626, y, 632, y), fill=(255, 255, 255), width=2)
    pen.ellipse((540, 14, 566, 40), fill=(60, 90, 200))
    pen.line((14, 430, 20, 460, 40, 460, 46, 430), fill=(255, 255, 255), width=2)
    pen.line([(60 + 4 * k, 470 - (14 if k % 20 == 0 else k % 3)) for k in range(120)], fill=(0, 255, 0))
    return np.array(image)


def with_flow(screen: ScreenPixels, radius: int = 30) -> ScreenPixels:
    image = Image.fromarray(screen)
    pen = ImageDraw.Draw(image)
    pen.ellipse((300, 200, 300 + radius, 200 + radius), fill=(200, 20, 10))
    pen.ellipse((340, 210, 340 + radius, 210 + radius), fill=(10, 30, 210))
    return np.array(image)


def bounds(mask: Mask) -> TissueBox:
    x, y = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    return TissueBox(int(x[0]), int(y[0]), int(x[-1]) + 1, int(y[-1]) + 1)


def silhouette(screen: ScreenPixels) -> Mask:
    return drawn(find_silhouette(screen).shape, screen.shape[:2])


def assert_close(box: TissueBox, expected: TissueBox | tuple[int, ...], tolerance: int = CLOSE) -> None:
    assert np.abs(np.subtract(box, expected)).max() <= tolerance, f"{tuple(box)} is not {tuple(expected)}"


def region(box: tuple[int, int, int, int], spatial_format: int = 1, data_type: int = 1) -> UltrasoundRegion:
    return UltrasoundRegion(TissueBox(*box), spatial_format, data_type)


class TestToGrey:
    def test_is_rounded_rec_601_luminance(self) -> None:
        pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
        exact = pixels @ np.array([0.299, 0.587, 0.114])
        assert np.abs(to_grey(pixels) - exact).max() <= 0.51

    def test_passes_grey_through_as_a_copy(self) -> None:
        pixels = speckle(CURVED)
        grey = to_grey(pixels)
        assert np.array_equal(grey, pixels)
        assert not np.shares_memory(grey, pixels)


class TestFromThePicture:
    @PROBES
    @pytest.mark.parametrize("background", [0, 3, 40])
    def test_the_box_is_the_tissue(self, tissue: Mask, background: int) -> None:
        result = extract_tissue(speckle(tissue, background))
        assert_close(result.box, bounds(tissue))
        assert result.source == "image"

    @PROBES
    def test_a_dark_blue_screen_is_background_too(self, tissue: Mask) -> None:
        screen = rgb(speckle(tissue))
        screen[~tissue] = (8, 12, 50)
        assert_close(extract_tissue(screen).box, bounds(tissue))

    @PROBES
    def test_what_is_drawn_beside_the_tissue_changes_nothing(self, tissue: Mask) -> None:
        plain = rgb(speckle(tissue))
        before, after = extract_tissue(plain), extract_tissue(annotated(plain))
        assert after.box == before.box
        assert np.array_equal(after.pixels, before.pixels)

    @PROBES
    def test_outside_the_sector_is_black_and_inside_is_kept(self, tissue: Mask) -> None:
        screen = speckle(tissue, background=40)
        result = extract_tissue(screen)
        inside = tissue[result.box.y0 : result.box.y1, result.box.x0 : result.box.x1]
        original = screen[result.box.y0 : result.box.y1, result.box.x0 : result.box.x1]
        assert (result.pixels[inside] == original[inside]).mean() > 0.97
        assert np.count_nonzero(result.pixels[~inside]) < 0.1 * inside.size

    @PROBES
    def test_cropping_a_crop_changes_nothing(self, tissue: Mask) -> None:
        crop = extract_tissue(annotated(rgb(speckle(tissue)))).pixels
        again = extract_tissue(crop)
        assert_close(again.box, (0, 0, crop.shape[1], crop.shape[0]))

    @PROBES
    @pytest.mark.parametrize("tint", [(0.7, 1, 0.75), (0.55, 0.8, 1), (1, 0.85, 0.6), (0, 1, 0)])
    def test_a_tinted_map_is_not_colour_flow_and_moves_nothing(self, tissue: Mask, tint: tuple[float, ...]) -> None:
        grey = rgb(speckle(tissue))
        tinted = (grey * np.array(tint)).astype(np.uint8)
        assert_close(extract_tissue(tinted).box, extract_tissue(grey).box, tolerance=2)

    def test_vessels_and_shadows_belong_to_the_tissue(self) -> None:
        holes = rectangle(280, 200, 360, 260) | sector((320, -20), 180, 440, 3)
        screen = speckle(CURVED)
        screen[holes] = 0
        assert silhouette(screen)[holes & CURVED].mean() > 0.97

    def test_a_side_that_fades_to_black_is_completed_from_the_other(self) -> None:
        x = np.arange(COLUMNS)
        fading = (speckle(CURVED) * np.clip((470 - x) / 130, 0, 1)).astype(np.uint8)
        assert_close(extract_tissue(fading).box, bounds(CURVED), tolerance=16)

    def test_a_sector_cut_by_the_screen_is_not_completed(self) -> None:
        cut = CURVED & rectangle(0, 0, 450, ROWS)
        assert_close(extract_tissue(speckle(cut)).box, bounds(cut))

    def test_tissue_that_touches_the_border_is_kept_to_the_border(self) -> None:
        touching = sector((320, -150), 150, 629, 30)
        assert_close(extract_tissue(speckle(touching)).box, bounds(touching))

    def test_a_picture_full_of_tissue_is_taken_whole(self) -> None:
        assert extract_tissue(speckle(np.ones((300, 400), np.bool_))).box == TissueBox(0, 0, 400, 300)

    def test_a_header_bar_that_touches_the_sector_is_left_out(self) -> None:
        screen = rgb(speckle(CURVED))
        top = bounds(CURVED).y0
        screen[:top] = (37, 62, 94)
        assert_close(extract_tissue(screen).box, bounds(CURVED))

    def test_a_far_field_one_level_above_black_is_found(self) -> None:
        deep = CURVED & rectangle(0, 200, COLUMNS, ROWS)
        screen = speckle(CURVED)
        screen[deep] = 1
        assert_close(extract_tissue(screen).box, bounds(CURVED))

    def test_the_input_is_left_alone_and_the_answer_is_the_same_again(self) -> None:
        screen = annotated(rgb(speckle(CURVED)))
        screen.setflags(write=False)
        first, second = extract_tissue(screen), extract_tissue(screen)
        assert first.box == second.box
        assert np.array_equal(first.pixels, second.pixels)

    @settings(max_examples=40, deadline=None)
    @given(
        pixels=arrays(np.uint8, st.tuples(st.integers(1, 150), st.integers(1, 150))),
        box=st.tuples(*[st.integers(-50, 200)] * 4),
        noise=st.integers(0, 2**32 - 1),
    )
    def test_the_box_is_in_bounds_or_the_picture_is_refused(
        self, pixels: GreyImage, box: tuple[int, int, int, int], noise: int
    ) -> None:
        pixels = pixels + np.random.default_rng(noise).integers(0, 30, pixels.shape, dtype=np.uint8)
        try:
            result = extract_tissue(pixels, (region(box),))
        except ImageError:
            return
        x0, y0, x1, y1 = result.box
        assert 0 <= x0 < x1 <= pixels.shape[1]
        assert 0 <= y0 < y1 <= pixels.shape[0]
        assert result.pixels.shape == (y1 - y0, x1 - x0)
        assert result.pixels.dtype == np.uint8

    @settings(max_examples=15, deadline=None)
    @given(
        apex=st.integers(250, 390),
        near=st.integers(60, 140),
        depth=st.integers(200, 320),
        half_angle=st.integers(20, 38),
        seed=st.integers(0, 1000),
    )
    def test_any_curved_sector_is_found(self, apex: int, near: int, depth: int, half_angle: int, seed: int) -> None:
        tissue = sector((apex, 40 - near), near, near + depth, half_angle)
        assert_close(extract_tissue(speckle(tissue, seed=seed)).box, bounds(tissue), tolerance=12)


class TestFromTheRegions:
    BOX = (120, 40, 521, 440)

    def test_the_sector_is_found_within_the_region(self) -> None:
        result = extract_tissue(annotated(rgb(speckle(CURVED))), (region((60, 40, 600, 450)),))
        assert_close(result.box, bounds(CURVED))
        assert result.source == "region"

    def test_a_region_that_holds_almost_nothing_is_refused(self) -> None:
        near_field = rectangle(280, 60, 300, 130)
        with pytest.raises(NoTissue, match="too small"):
            extract_tissue(speckle(near_field), (region(self.BOX),))

    def test_a_region_one_pixel_too_large_is_clamped(self) -> None:
        full = np.ones((ROWS, COLUMNS), np.bool_)
        result = extract_tissue(speckle(full), (region((0, 0, COLUMNS + 1, ROWS + 1)),))
        assert result.box == TissueBox(0, 0, COLUMNS, ROWS)

    @pytest.mark.parametrize(
        "useless",
        [
            region((10, 10, 10, 10)),
            region((300, 100, 200, 50)),
            region((20, 20, 60, 60)),
            region((0, 0, 2 * COLUMNS, 2 * ROWS)),
            region((120, 40, 521, 440), spatial_format=3),
            region((0, 0, 640, 480), spatial_format=0, data_type=0),
            region((0, 0, 60, 470)),
        ],
        ids=["empty", "inside out", "tiny", "of another image", "spectral", "undefined", "blank"],
    )
    def test_a_region_that_cannot_be_believed_is_passed_over(self, useless: UltrasoundRegion) -> None:
        result = extract_tissue(speckle(CURVED), (useless,))
        assert result.source == "image"
        assert_close(result.box, bounds(CURVED))

    def test_two_panels_are_refused_with_their_number(self) -> None:
        halves = (region((100, 40, 320, 440)), region((320, 40, 540, 440)))
        with pytest.raises(MultipleTissueRegions, match=r"\(0018,6011\)") as refusal:
            extract_tissue(speckle(CURVED), halves)
        assert refusal.value.facts == {"tissue_regions": 2}

    def test_one_panel_declared_twice_is_one(self) -> None:
        twice = (region(self.BOX), region((121, 40, 523, 439)))
        assert extract_tissue(speckle(CURVED), twice).source == "region"

    def test_a_region_picks_one_of_two_panels(self) -> None:
        two = rectangle(40, 60, 300, 400) | rectangle(340, 60, 600, 400)
        assert_close(extract_tissue(speckle(two), (region((330, 50, 610, 410)),)).box, (340, 60, 600, 400))


class TestNoTissue:
    @pytest.mark.parametrize(
        ("screen", "words"),
        [
            (np.zeros((ROWS, COLUMNS), np.uint8), "shows no tissue"),
            (np.full((ROWS, COLUMNS, 3), 90, np.uint8), "shows no tissue"),
            (annotated(np.zeros((ROWS, COLUMNS, 3), np.uint8)), "64 x 64"),
            (speckle(rectangle(300, 200, 350, 250)), "64 x 64"),
            (speckle(np.ones((63, 400), np.bool_)), "64 x 64"),
            (rgb(np.where(LINEAR, 120, 0).astype(np.uint8)), "flat form"),
            (np.where(CURVED, 12, 0).astype(np.uint8) + (speckle(CURVED) > 60) * np.uint8(3), "almost no echoes"),
        ],
        ids=["black", "constant", "text", "small tissue", "small picture", "flat form", "dark"],
    )
    def test_is_refused_for_the_reason_that_holds(self, screen: ScreenPixels, words: str) -> None:
        with pytest.raises(NoTissue, match=words):
            extract_tissue(screen)

    def test_a_screen_full_of_text_is_refused(self) -> None:
        image = Image.new("RGB", (COLUMNS, ROWS))
        ImageDraw.Draw(image).text((5, 5), "\n".join(["Measurement 12.3 cm  Ratio 0.45 " * 3] * 30), fill="white")
        with pytest.raises(NoTissue):
            extract_tissue(np.array(image))


class TestSideBySide:
    def test_two_sectors_are_refused(self) -> None:
        two = sector((165, 0), 60, 330, 25) | sector((475, 0), 60, 330, 25)
        with pytest.raises(MultipleTissueRegions) as refusal:
            extract_tissue(annotated(rgb(speckle(two))))
        assert refusal.value.facts == {"tissue_regions": 2}

    def test_two_rectangles_are_refused(self) -> None:
        with pytest.raises(MultipleTissueRegions):
            extract_tissue(speckle(rectangle(40, 60, 300, 400) | rectangle(320, 60, 580, 400)))


class TestColour:
    @PROBES
    def test_colour_flow_is_refused(self, tissue: Mask) -> None:
        with pytest.raises(ColourDoppler):
            extract_tissue(with_flow(rgb(speckle(tissue))))

    def test_colour_flow_on_a_tinted_map_is_refused(self) -> None:
        tinted = (rgb(speckle(CURVED)) * np.array([0.7, 1, 0.8])).astype(np.uint8)
        with pytest.raises(ColourDoppler):
            extract_tissue(with_flow(tinted))

    def test_power_doppler_brighter_than_any_tissue_is_refused(self) -> None:
        screen = rgb(speckle(CURVED))
        screen[rectangle(280, 200, 340, 240)] = (255, 230, 0)
        with pytest.raises(ColourDoppler):
            extract_tissue(screen)

    def test_coloured_text_callipers_and_marks_are_not_flow(self) -> None:
        image = Image.fromarray(rgb(speckle(CURVED)))
        pen = ImageDraw.Draw(image)
        pen.text((260, 200), "LIVER RT LOBE", fill=(255, 255, 0))
        pen.line((250, 260, 360, 330), fill=(0, 255, 0), width=2)
        pen.polygon([(300, 250), (308, 250), (304, 258)], fill=(255, 160, 0))
        pen.line([(200 + 3 * k, 380 + (k % 9)) for k in range(70)], fill=(0, 255, 255))
        assert_close(extract_tissue(np.array(image)).box, bounds(CURVED))

    def test_colour_outside_the_tissue_is_not_flow(self) -> None:
        screen = rgb(speckle(CURVED))
        screen[60:200, 600:620] = (255, 60, 0)
        assert_close(extract_tissue(screen).box, bounds(CURVED))

    @pytest.mark.parametrize("data_types", [(1, 2), (2,)])
    def test_a_flow_region_without_colour_is_plain_b_mode(self, data_types: tuple[int, ...]) -> None:
        regions = tuple(region((60, 40, 600, 450), data_type=k) for k in data_types)
        assert extract_tissue(rgb(speckle(CURVED)), regions).source == "region"

    def test_a_declared_flow_region_makes_a_small_patch_count(self) -> None:
        screen = with_flow(rgb(speckle(CURVED)), radius=13)
        tissue, flow = region((60, 40, 600, 450)), region((200, 150, 450, 300), data_type=2)
        extract_tissue(screen, (tissue,))
        with pytest.raises(ColourDoppler):
            extract_tissue(screen, (tissue, flow))


REAL_BOXES = {
    "10009.png": (167, 133, 711, 546),
    "10045.png": (14, 52, 558, 458),
    "10055.png": (133, 212, 963, 817),
    "10105.png": (193, 72, 639, 423),
    "10109.png": (76, 58, 645, 468),
    "10118.png": (0, 59, 711, 468),
    "10151.png": (38, 57, 756, 565),
    "10170.png": (17, 60, 778, 562),
    "10242.png": (11, 32, 1013, 745),
    "10262.png": (26, 32, 998, 710),
    "10268.png": (13, 31, 1008, 710),
    "10291.png": (147, 111, 602, 489),
    "10299.png": (35, 32, 960, 710),
    "10323.png": (86, 97, 616, 428),
    "10338.png": (33, 31, 960, 710),
    "10360.png": (5, 31, 960, 710),
    "10388.png": (64, 32, 960, 710),
    "10392.png": (0, 34, 984, 746),
}
"""Boxes found by `extract_tissue` and checked by eye; tolerance 16 pixels."""


@pytest.fixture
def read_real() -> Callable[[str], ScreenPixels]:
    shared = os.environ.get("LIVER_PDFF_SHARED_DATA")
    if not shared:
        pytest.skip("LIVER_PDFF_SHARED_DATA does not name the folder with ultrasound/annotated_liver")
    folder = Path(shared) / "ultrasound" / "annotated_liver"
    if not folder.is_dir():
        pytest.skip("LIVER_PDFF_SHARED_DATA has no ultrasound/annotated_liver")
    return lambda name: np.array(Image.open(folder / name).convert("RGB"))


@pytest.mark.real
@pytest.mark.parametrize("name", REAL_BOXES)
def test_the_real_picture_is_cropped_where_the_eye_would(name: str, read_real: Callable[[str], ScreenPixels]) -> None:
    assert_close(extract_tissue(read_real(name)).box, REAL_BOXES[name], tolerance=16)
