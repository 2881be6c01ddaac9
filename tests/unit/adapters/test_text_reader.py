"""The networks of rapidocr's wheel, judged by what was drawn."""

import os
import subprocess
import sys
import unicodedata
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from app.adapters.screens.text_reader import OnnxTextReader, is_installed, text_reader
from app.core.tissue.geometry import area, cut, intersection
from app.core.values import TissueBox
from tests.screens import INKS, installed_fonts, written

pytestmark = pytest.mark.skipif(not is_installed(), reason="rapidocr is not installed: the extra `screen`")
BLACK = np.zeros((96, 480), np.uint8)


@pytest.fixture(scope="module")
def reader() -> OnnxTextReader:
    reader = text_reader()
    assert reader
    return reader


def read(reader: OnnxTextReader, pixels: NDArray[np.uint8]) -> list[str]:
    return [reader.read(np.ascontiguousarray(cut(pixels, box))).text for box in reader.find(pixels)]


def plain(text: str) -> str:
    """Drop spaces, accents and case."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(each for each in letters if each.isalnum())


@pytest.mark.parametrize(("font", "ink", "size"), [*product(installed_fonts(), INKS, (11, 14, 20, 28))])
def test_a_line_is_read_in_every_font_ink_and_size(reader: OnnxTextReader, font: str, ink: str, size: int) -> None:
    (text,) = read(reader, written(BLACK, "HEPATIC VEINS", (20, 30), size, ink, font))
    assert plain(text) == "hepaticveins"


@pytest.mark.parametrize(
    "text", ["Lebervenen", "Niere längs", "veine porte droite", "Hígado riñón", "Veia hepática", "Vena porta destra"]
)
@pytest.mark.skipif(len(installed_fonts()) == 1, reason="no font with accents is installed")
def test_latin_letters_are_read(reader: OnnxTextReader, text: str) -> None:
    (found,) = read(reader, written(BLACK, text, (20, 30), 22, name=installed_fonts()[1]))
    assert plain(found) == plain(text)


def test_a_box_lies_around_its_letters(reader: OnnxTextReader) -> None:
    pixels = written(BLACK, "QUIXOTE", (100, 30), 20)
    rows, columns = np.nonzero(pixels.max(axis=2) > 60)
    ink = TissueBox(int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
    (box,) = reader.find(pixels)
    assert intersection(box, ink) == ink
    assert area(box) < 3 * area(ink)


@pytest.mark.parametrize("shape", [(1, 1), (8, 300), (33, 65), (96, 480)])
def test_a_part_of_any_size_may_be_searched_and_read(reader: OnnxTextReader, shape: tuple[int, int]) -> None:
    pixels = np.zeros(shape, np.uint8)
    assert reader.find(pixels) == []
    assert reader.read(pixels).text == ""


def test_grey_and_rgb_are_read_alike(reader: OnnxTextReader) -> None:
    pixels = written(BLACK, "LIVER", (20, 30), 20)
    assert read(reader, pixels) == read(reader, np.ascontiguousarray(pixels[..., 0])) == ["LIVER"]


def test_reading_writes_no_file_says_nothing_and_imports_no_rapidocr(tmp_path: Path) -> None:
    script = (
        "import sys, numpy as np; from app.adapters.screens.text_reader import text_reader; r = text_reader(); "
        "p = np.zeros((64, 256), np.uint8); p[20:40, 20:22] = 255; r.find(p); r.read(p); "
        "sys.exit(any(name.partition('.')[0] in ('rapidocr', 'cv2', 'requests') for name in sys.modules))"
    )
    environment = os.environ | {"TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert list(tmp_path.iterdir()) == []
