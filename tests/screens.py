"""Screens with writing on them, in whichever of a few fonts are installed."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from app.core.screens.values import Reading
from app.core.values import GreyImage, ScreenPixels, TissueBox, View
from training.phantom.screen import LAYOUTS
from training.phantom.simulation import simulate_view

FONT_FOLDER = Path("/usr/share/fonts/truetype")
FONTS = (
    *("dejavu/DejaVuSans.ttf", "dejavu/DejaVuSansMono-Bold.ttf", "dejavu/DejaVuSerif.ttf"),
    *("liberation/LiberationSans-Regular.ttf", "liberation/LiberationMono-Regular.ttf", "freefont/FreeSans.ttf"),
)
INKS = {"white": (240, 240, 240), "yellow": (255, 255, 0), "cyan": (0, 255, 255), "orange": (255, 165, 0)}


def installed_fonts() -> list[str]:
    """Name the fonts that are there; the empty name is Pillow's own."""
    return ["", *(name for name in FONTS if (FONT_FOLDER / name).exists())]


@cache
def font(name: str, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.truetype(FONT_FOLDER / name, size) if name else ImageFont.load_default(size)


def written(
    pixels: ScreenPixels,
    text: str,
    at: tuple[int, int],
    size: int = 16,
    ink: str = "white",
    name: str = "",
    outline: bool = False,
) -> NDArray[np.uint8]:
    """Write on an RGB copy of a screen."""
    image = Image.fromarray(pixels).convert("RGB")
    pen = ImageDraw.Draw(image)
    pen.text(at, text, INKS[ink], font(name, size), stroke_width=int(outline), stroke_fill=(0, 0, 0))
    return np.asarray(image)


@cache
def phantom(participant: int, view: View = View.HEPATIC_VEINS) -> GreyImage:
    """Simulate a screen of the first vendor, and wipe out what stands below its sector."""
    pixels = simulate_view(participant, 17, 12.0, view, LAYOUTS[0]).pixels.copy()
    pixels[708:] = 0
    return pixels


class ScriptedReader:
    """Finds what it was told to find, wherever it looks, and reads what it was told to read."""

    def __init__(self, texts: Sequence[str] = (), boxes: Sequence[TissueBox] = ()) -> None:
        self.texts = list(texts)
        self.boxes = list(boxes)
        self.finds = 0

    def find(self, pixels: ScreenPixels) -> list[TissueBox]:
        self.finds += 1
        return self.boxes

    def read(self, pixels: ScreenPixels) -> Reading:
        return Reading(self.texts.pop(0), 1.0)
