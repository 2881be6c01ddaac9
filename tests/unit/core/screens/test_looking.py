"""The whole look at a screen: by a scripted reader what does not need a real one, by the real one the rest."""

import time
from difflib import SequenceMatcher
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.adapters.screens.text_reader import OnnxTextReader, is_installed, text_reader
from app.core.naming import DEFAULT_VIEW_RULES
from app.core.screens.looking import MAX_LINES, Look, cleaned, look, read_screen, unread
from app.core.tissue import extract_tissue
from app.core.tissue.geometry import cut, shifted
from app.core.values import Crop, ScreenNaming, ScreenPixels, TissueBox, View
from tests.screens import INKS, ScriptedReader, installed_fonts, phantom, written

needs_reader = pytest.mark.skipif(not is_installed(), reason="rapidocr is not installed: the extra `screen`")
LABEL = ("RIGHT PORTAL VEIN", View.RIGHT_PORTAL_VEIN)
PLACES = {"bottom left": (12, 735), "below": (430, 708), "beside": (20, 420), "inside": (430, 400)}
CANARY = "QUIXOTE ZEBEDEE"
SPOT = (420, 380)


@pytest.fixture(scope="module")
def reader() -> OnnxTextReader:
    reader = text_reader()
    assert reader
    return reader


def crop_of(pixels: ScreenPixels) -> Crop:
    return Crop("1", "2", 1, "", extract_tissue(pixels))


def cleaned_by(reader: OnnxTextReader | None, pixels: ScreenPixels) -> Crop:
    crop = crop_of(pixels)
    return cleaned(crop, pixels, look(pixels, crop.tissue), reader)


def letters_of(name: str, crop: Crop, reader: OnnxTextReader) -> list[str]:
    """Give what is read around a name's place, once and twice as large, and shares three letters in a row with it."""
    around = TissueBox(SPOT[0] - 60, SPOT[1] - 40, SPOT[0] + 420, SPOT[1] + 80)
    place = np.ascontiguousarray(cut(crop.tissue.pixels, shifted(around, -crop.tissue.box.x0, -crop.tissue.box.y0)))
    searched = [place, np.asarray(Image.fromarray(place).resize((2 * place.shape[1], 2 * place.shape[0])))]
    lines = [np.ascontiguousarray(cut(pixels, box)) for pixels in searched for box in reader.find(pixels)]
    texts = [reader.read(line).text.upper() for line in lines]
    return [text for text in texts if SequenceMatcher(None, text, name).find_longest_match().size >= 3]


def codes(crop: Crop) -> list[str]:
    return [warning.code for warning in crop.warnings]


class TestNaming:
    @needs_reader
    @pytest.mark.parametrize(("place", "ink"), [*product(PLACES, INKS)])
    def test_a_label_is_read_wherever_it_stands(self, reader: OnnxTextReader, place: str, ink: str) -> None:
        pixels = written(phantom(1), LABEL[0], PLACES[place], 16, ink)
        assert read_screen(pixels, extract_tissue(pixels), reader, DEFAULT_VIEW_RULES).view is LABEL[1]

    @needs_reader
    @pytest.mark.parametrize("font", installed_fonts())
    def test_no_text_in_the_header_names_a_view(self, reader: OnnxTextReader, font: str) -> None:
        pixels = written(phantom(1), LABEL[0], (300, 40), 18, "white", font)
        assert read_screen(pixels, extract_tissue(pixels), reader, DEFAULT_VIEW_RULES) == ScreenNaming(None)

    @needs_reader
    @pytest.mark.parametrize("text", ["GALLBLADDER", "SPLEEN", "ABDOMEN", "LT LOBE", "RPV 1.2 cm"])
    def test_other_texts_name_nothing(self, reader: OnnxTextReader, text: str) -> None:
        pixels = written(phantom(1), text, PLACES["bottom left"])
        assert read_screen(pixels, extract_tissue(pixels), reader, DEFAULT_VIEW_RULES) == ScreenNaming(None)

    @needs_reader
    def test_a_screen_costs_at_most_half_a_second_of_processor_time(self, reader: OnnxTextReader) -> None:
        pixels = written(phantom(1), LABEL[0], PLACES["below"])
        tissue = extract_tissue(pixels)
        started = time.process_time()
        read_screen(pixels, tissue, reader, DEFAULT_VIEW_RULES)
        assert time.process_time() - started < 0.5

    def test_a_worksheet_names_nothing_and_is_not_read(self) -> None:
        boxes = [TissueBox(8 + 30 * k, 4 * k, 28 + 30 * k, 4 * k + 10) for k in range(MAX_LINES + 1)]
        pixels = written(phantom(1), LABEL[0], PLACES["inside"], 28)
        tissue = extract_tissue(pixels)
        assert read_screen(pixels, tissue, ScriptedReader(boxes=boxes), DEFAULT_VIEW_RULES) == ScreenNaming(None)


class TestLetters:
    @needs_reader
    @pytest.mark.parametrize(("size", "ink", "outline"), [*product((10, 16, 28), INKS, (False, True))])
    def test_no_letter_of_a_name_is_left(self, reader: OnnxTextReader, size: int, ink: str, outline: bool) -> None:
        crop = cleaned_by(reader, written(phantom(1), CANARY, SPOT, size, ink, outline=outline))
        assert codes(crop) == ["marks_in_tissue"]
        assert letters_of(CANARY, crop, reader) == []

    @needs_reader
    @pytest.mark.parametrize("font", installed_fonts())
    def test_without_the_extra_no_letter_is_left_either(self, reader: OnnxTextReader, font: str) -> None:
        crop = cleaned_by(None, written(phantom(1), CANARY, SPOT, 16, "white", font))
        assert codes(crop) == ["marks_in_tissue"]
        assert letters_of(CANARY, crop, reader) == []

    @needs_reader
    @pytest.mark.parametrize("ink", INKS)
    def test_the_test_would_see_letters(self, reader: OnnxTextReader, ink: str) -> None:
        assert letters_of(CANARY, crop_of(written(phantom(1), CANARY, SPOT, 16, ink)), reader)

    @needs_reader
    @pytest.mark.parametrize("participant", range(4))
    def test_plain_tissue_is_kept_to_the_last_bit(self, reader: OnnxTextReader, participant: int) -> None:
        pixels = phantom(participant, View.LIVER_KIDNEY)
        crop = cleaned_by(reader, pixels)
        assert crop.warnings == ()
        assert np.array_equal(crop.tissue.pixels, crop_of(pixels).tissue.pixels)

    def test_where_nothing_is_suspected_no_reader_is_asked(self) -> None:
        reader = ScriptedReader()
        crop = crop_of(phantom(1))
        assert cleaned(crop, phantom(1), Look((), marked=False), reader).tissue is crop.tissue
        assert reader.finds == 0

    def test_what_is_too_high_for_letters_is_kept(self) -> None:
        crop = crop_of(phantom(1))
        seen = Look((TissueBox(100, 100, 400, 300),), marked=False)
        assert cleaned(crop, phantom(1), seen, ScriptedReader(boxes=[TissueBox(0, 0, 200, 150)])).tissue is crop.tissue

    def test_a_calliper_is_kept_and_warned_of(self) -> None:
        pixels = phantom(1).copy()
        pixels[394:407, 506] = pixels[400, 500:513] = 255
        crop = cleaned_by(None, pixels)
        assert codes(crop) == ["marks_in_tissue"]
        assert np.array_equal(crop.tissue.pixels, crop_of(pixels).tissue.pixels)


def test_a_screen_that_could_not_be_read_is_warned_of() -> None:
    assert codes(unread(crop_of(phantom(1)))) == ["screen_not_read"]


def test_no_warning_repeats_what_was_read() -> None:
    pixels: NDArray[np.uint8] = written(phantom(1), CANARY, SPOT)
    assert not any(word in warning.detail for warning in cleaned_by(None, pixels).warnings for word in CANARY.split())
