"""The crop on whole screens: phantoms in three layouts, with everything that vendors draw around the tissue."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter

from app.core.errors import ColourDoppler, MultipleTissueRegions, NoTissue
from app.core.tissue import extract_tissue, find_silhouette
from app.core.tissue.pictures import without_idle_colour
from app.core.tissue.shape import drawn
from app.core.values import GreyImage, ScreenPixels, TissueBox, UltrasoundRegion, View
from tests.known_screens import FINISHES, STYLES, KnownScreen, Mask, as_jpeg, known_screen, with_wedges

ENCODINGS: dict[str, Callable[[ScreenPixels], ScreenPixels]] = {
    "RGB": lambda pixels: pixels,
    "JPEG 95 4:4:4": lambda pixels: as_jpeg(pixels, 95, 0),
    "JPEG 85": lambda pixels: as_jpeg(pixels, 85),
    "JPEG 75 4:4:4": lambda pixels: as_jpeg(pixels, 75, 0),
    "JPEG 60": lambda pixels: as_jpeg(pixels, 60),
}
WHOLE = 0.98
"""Of the sector: the least that a crop keeps."""
HALO = 0.02
"""Of the sector's area: the most that a crop keeps around it."""


def region(box: TissueBox, data_type: int = 1) -> tuple[UltrasoundRegion, ...]:
    return (UltrasoundRegion(box, 1, data_type),)


def whole_screen(screen: KnownScreen) -> TissueBox:
    return TissueBox(0, 0, screen.pixels.shape[1], screen.pixels.shape[0])


def silhouette(pixels: ScreenPixels) -> Mask:
    return drawn(find_silhouette(without_idle_colour(pixels)).shape, pixels.shape[:2])


def shares(screen: KnownScreen, found: Mask) -> tuple[float, float]:
    """Shares of the sector's area that are kept, and that are kept around it."""
    size = np.count_nonzero(screen.tissue)
    return np.count_nonzero(found & screen.tissue) / size, np.count_nonzero(found & ~screen.tissue) / size


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("finish", FINISHES)
@pytest.mark.parametrize("style", STYLES)
class TestFurniture:
    def test_the_crop_is_the_sector_and_nothing_of_the_header(self, style: str, finish: str, encoding: str) -> None:
        for participant, view in enumerate(View, start=1):
            screen = known_screen(style, participant, view, finish)
            found = silhouette(ENCODINGS[encoding](screen.pixels))
            kept, around = shares(screen, found)
            assert kept >= WHOLE
            assert around <= HALO
            assert not (found & screen.pixels.any(axis=2))[: screen.header_rows].any()

    def test_a_generous_region_a_tight_one_and_none_end_at_the_same_crop(
        self, style: str, finish: str, encoding: str
    ) -> None:
        screen = known_screen(style, 5, View.LIVER_KIDNEY, finish)
        pixels = ENCODINGS[encoding](screen.pixels)
        boxes = [extract_tissue(pixels).box]
        boxes += [extract_tissue(pixels, region(box)).box for box in (whole_screen(screen), screen.box)]
        assert np.ptp(np.array(boxes), axis=0).max() <= 8


WEDGES = [(4, (0,)), (4, (-15,)), (8, (12,)), (8, (-20, 9)), (16, (0,)), (16, (15,)), (16, (-24,)), (16, (-15, 12))]


class TestShadows:
    @pytest.mark.parametrize(("degrees", "at"), WEDGES)
    @pytest.mark.parametrize("style", STYLES)
    def test_a_contact_shadow_neither_splits_nor_shrinks_the_sector(
        self, style: str, degrees: float, at: tuple[float, ...]
    ) -> None:
        for participant, view in enumerate(View, start=1):
            screen = with_wedges(known_screen(style, participant, view, "flat"), style, degrees, at)
            assert shares(screen, silhouette(screen.pixels))[0] >= WHOLE
            assert shares(screen, silhouette(as_jpeg(screen.pixels, 75)))[0] >= WHOLE

    @pytest.mark.parametrize("style", STYLES)
    def test_a_far_field_that_fades_to_a_few_echoes_is_kept(self, style: str) -> None:
        screen = known_screen(style, 3, View.HEPATIC_VEINS)
        depth = np.linspace(0, 1, len(screen.pixels))[:, np.newaxis, np.newaxis]
        faded = np.where(depth > 0.6, screen.pixels * (1.05 - depth), screen.pixels).astype(np.uint8)
        assert shares(screen, silhouette(faded))[0] >= WHOLE

    @pytest.mark.parametrize("lost", [-1, 1])
    def test_a_side_without_any_echo_is_completed_from_the_other(self, lost: int) -> None:
        screen = with_wedges(known_screen("plain", 1, View.LIVER_KIDNEY), "plain", 20, (lost * 30,))
        assert shares(screen, silhouette(screen.pixels))[0] >= WHOLE

    def test_a_side_is_not_completed_where_something_is_written(self) -> None:
        screen = with_wedges(known_screen("plain", 1, View.LIVER_KIDNEY), "plain", 20, (-30,))
        image = Image.fromarray(screen.pixels)
        ImageDraw.Draw(image).text((110, 480), "QUIXOTE", font=ImageFont.load_default(40), fill=(255, 255, 255))
        pixels = np.array(image)
        written = np.any(pixels != screen.pixels, axis=2)
        assert not (silhouette(pixels) & written).any()


def panel(participant: int, width: int) -> ScreenPixels:
    """A sector alone, so many pixels wide."""
    screen = known_screen("plain", participant, View.HEPATIC_VEINS)
    x0, y0, x1, y1 = screen.box
    tissue = np.where(screen.tissue[..., np.newaxis], screen.pixels, 0)[y0:y1, x0:x1]
    return np.array(Image.fromarray(tissue).resize((width, width * (y1 - y0) // (x1 - x0))))


def pasted(*places: tuple[int, int, ScreenPixels]) -> ScreenPixels:
    """A black screen with pictures on it; where they overlap the brighter one is seen."""
    screen = np.zeros((768, 1024, 3), np.uint8)
    for x, y, picture in places:
        part = screen[y : y + len(picture), x : x + picture.shape[1]]
        np.maximum(part, picture[: len(part), : part.shape[1]], out=part)
    return screen


def rectangles(gap: int, gains: tuple[float, float]) -> GreyImage:
    """Two images of a linear array beside each other."""
    y, x = np.mgrid[:480, :640]
    sides = (x >= 40) & (x < 320 - gap // 2), (x >= 320 + (gap + 1) // 2) & (x < 600)
    screen = np.zeros((480, 640))
    for seed, (side, gain) in enumerate(zip(sides, gains, strict=True)):
        speckle = gaussian_filter(np.random.default_rng(seed).rayleigh(45, screen.shape), (1, 2))
        screen[side] = (gain * speckle * np.linspace(1, 0.4, 480)[:, np.newaxis])[side]
    screen[(y < 60) | (y >= 420)] = 0
    return screen.astype(np.uint8)


class TestPanels:
    @pytest.mark.parametrize("gap", [-30, -6, 0, 2, 6, 20, 60])
    def test_two_sectors_side_by_side_are_refused(self, gap: int) -> None:
        width = (940 - max(gap, 0)) // 2
        screen = pasted((40, 100, panel(1, width)), (40 + width + gap, 100, panel(2, width)))
        with pytest.raises(MultipleTissueRegions, match=r"shows (two|several) panels"):
            extract_tissue(screen)

    @pytest.mark.parametrize("gap", [0, 1, 2, 4, 8, 20])
    @pytest.mark.parametrize("gains", [(1.0, 1.0), (1.0, 0.7)])
    def test_two_rectangles_are_refused_also_where_they_touch(self, gap: int, gains: tuple[float, float]) -> None:
        with pytest.raises(MultipleTissueRegions):
            extract_tissue(rectangles(gap, gains))

    def test_one_above_the_other_and_four_are_refused(self) -> None:
        above = pasted((230, 5, panel(1, 530)), (230, 385, panel(2, 530)))
        four = pasted(*((x, y, panel(1 + x + y, 480)) for x in (20, 524) for y in (20, 395)))
        for screen in (above, four):
            with pytest.raises(MultipleTissueRegions):
                extract_tissue(screen)

    def test_a_wide_rectangle_with_a_dark_band_is_one(self) -> None:
        one = rectangles(0, (1.0, 1.0))
        one[:, 320:600] = one[:, 319:39:-1]  # speckle goes on where the halves meet
        one[:, 430:460] //= 12
        assert extract_tissue(one).box[0] == pytest.approx(40, abs=2)

    @pytest.mark.parametrize("spatial_format", [2, 3])
    def test_a_spectrum_or_m_mode_below_the_tissue_divides_the_screen(self, spatial_format: int) -> None:
        screen = pasted((230, 5, panel(1, 530)))
        upper, lower = TissueBox(230, 0, 760, 375), TissueBox(40, 400, 990, 760)
        screen[420:740, 60:970] = np.random.default_rng(1).integers(0, 90, (320, 910, 1))
        time = (UltrasoundRegion(lower, spatial_format, 3),)
        with pytest.raises(MultipleTissueRegions, match="spectrum or M-mode"):
            extract_tissue(screen, region(upper) + time)
        screen[400:] = 0  # declared, as systems go on doing, and not in use
        assert extract_tissue(screen, region(upper) + time).source == "region"

    def test_what_declares_them_is_named(self) -> None:
        screen = known_screen("plain", 1, View.HEPATIC_VEINS)
        halves = (*region(TissueBox(0, 60, 500, 700)), *region(TissueBox(500, 60, 1000, 700)))
        with pytest.raises(MultipleTissueRegions, match=r"\(0018,6011\).* declares several"):
            extract_tissue(screen.pixels, halves)


def worksheet(size: int, ground: int = 0) -> ScreenPixels:
    image = Image.new("RGB", (1024, 768), (ground,) * 3)
    pen, ink = ImageDraw.Draw(image), (255,) * 3 if ground < 128 else (0,) * 3
    for row in range(10, 750, size * 3 // 2):
        for column in range(20, 1000, 11 * size):
            pen.text((column, row), "Liver 14.2 cm", font=ImageFont.load_default(size), fill=ink)
    return np.array(image)


class TestForms:
    @pytest.mark.parametrize("ground", [0, 30, 200])
    @pytest.mark.parametrize("size", [11, 18, 30])
    @pytest.mark.parametrize("encoding", ["RGB", "JPEG 60"])
    def test_a_worksheet_in_a_region_shows_no_tissue(self, size: int, ground: int, encoding: str) -> None:
        sheet = ENCODINGS[encoding](worksheet(size, ground))
        with pytest.raises(NoTissue):
            extract_tissue(sheet, region(TissueBox(0, 0, 1024, 768)))


def with_sparse_flow(screen: KnownScreen, count: int, radius: float) -> ScreenPixels:
    """Short vessels in red or blue, brighter in their middle, as a colour box with little flow shows them."""
    rng = np.random.default_rng(count)
    y, x = np.mgrid[: screen.pixels.shape[0], : screen.pixels.shape[1]]
    places = np.argwhere(screen.tissue)[rng.integers(0, np.count_nonzero(screen.tissue), count)]
    pixels = screen.pixels.astype(np.float64)
    for k, (row, column) in enumerate(places):
        turn = rng.uniform(0, np.pi)
        along = ((x - column) * np.cos(turn) + (y - row) * np.sin(turn)) / (2 * radius)
        across = ((y - row) * np.cos(turn) - (x - column) * np.sin(turn)) / radius
        speed = 1 - along**2 - across**2
        colour = np.stack([120 + 135 * speed, 30 + 170 * speed**2, 10 * speed], axis=-1)
        flows = (speed > 0) & screen.tissue
        pixels[flows] = (colour if k % 2 else colour[..., ::-1])[flows]
    return pixels.clip(0, 255).astype(np.uint8)


def with_coloured_marks(screen: KnownScreen, size: int) -> ScreenPixels:
    image = Image.fromarray(screen.pixels)
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(size)
    x, y = screen.box.x0 + 300, screen.box.y0 + 150
    pen.text((x, y + 60), "RT LOBE LIVER", fill=(255, 255, 0), font=font)
    pen.text((x + 20, y + 160), "12.3 cm", fill=(0, 255, 0), font=font)
    pen.line((x, y + 240, x + 80, y + 270), fill=(0, 255, 255), width=3)
    pen.polygon([(x + 150, y + 200), (x + 168, y + 200), (x + 159, y + 214)], fill=(255, 160, 0))
    pen.ellipse((x + 200, y + 80, x + 290, y + 150), outline=(255, 80, 80), width=2)
    return np.array(image)


class TestColour:
    @pytest.mark.parametrize(("count", "radius"), [(12, 7), (30, 5)])
    @pytest.mark.parametrize("encoding", ENCODINGS)
    def test_sparse_flow_is_refused(self, count: int, radius: float, encoding: str) -> None:
        screen = known_screen("console", 2, View.RIGHT_PORTAL_VEIN)
        with pytest.raises(ColourDoppler):
            extract_tissue(ENCODINGS[encoding](with_sparse_flow(screen, count, radius)))

    def test_less_is_enough_where_the_object_says_so(self) -> None:
        screen = known_screen("console", 2, View.RIGHT_PORTAL_VEIN)
        pixels = with_sparse_flow(screen, 60, 3.5)
        extract_tissue(pixels)
        with pytest.raises(ColourDoppler):
            extract_tissue(pixels, is_flow_image=True)
        with pytest.raises(ColourDoppler):
            extract_tissue(pixels, region(whole_screen(screen)) + region(whole_screen(screen), data_type=2))

    @pytest.mark.parametrize("size", [14, 24, 36])
    @pytest.mark.parametrize("encoding", ENCODINGS)
    def test_coloured_marks_are_not_flow(self, size: int, encoding: str) -> None:
        screen = known_screen("console", 2, View.RIGHT_PORTAL_VEIN)
        extract_tissue(ENCODINGS[encoding](with_coloured_marks(screen, size)))

    def test_a_flow_image_whose_colour_is_off_is_plain_b_mode(self) -> None:
        extract_tissue(known_screen("plain", 2, View.RIGHT_PORTAL_VEIN).pixels, is_flow_image=True)
