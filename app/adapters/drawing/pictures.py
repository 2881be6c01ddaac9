"""Pictures for people: the signed CAM laid over the tissue crop, with a scale."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from app.adapters.drawing.png import encode_png
from app.core.values import Floats, GreyImage, Target

_LARGEST_ALPHA = 0.65
_SCALE_HEIGHT = 66
_RED = (214, 39, 40)
_BLUE = (31, 98, 204)

UNITS = {
    Target.PDFF: "percentage points of PDFF",
    Target.GE5: "log-odds of PDFF >= 5 %",
    Target.GE10: "log-odds of PDFF >= 10 %",
}
"""What a CAM's number means: its mean over the map, plus the intercept, is the head's output."""


def draw_overlay(tissue: GreyImage, cam: Floats, target: Target) -> bytes:
    """Lay one class activation map over its tissue, as PNG."""
    return encode_png(draw_overlay_pixels(tissue, cam, target))


def draw_overlay_pixels(tissue: GreyImage, cam: Floats, target: Target) -> NDArray[np.uint8]:
    """Lay one class activation map over its tissue.

    Parameters
    ----------
    tissue : ndarray of uint8, shape (rows, columns)
    cam : ndarray of float64, shape (7, 7)
        Signed, in the head's unit.
    target : Target

    Returns
    -------
    ndarray of uint8, shape (rows + 66, columns, 3)
        The tissue in grey, positive contributions red, negative blue, stronger ones more opaque; below it a scale
        with its limits and unit. The limits are symmetric about zero, at the map's largest magnitude.
    """
    largest = float(np.abs(cam).max())
    signed = enlarge(cam, tissue.shape) / largest if largest > 0 else np.zeros(tissue.shape)
    tinted = tint(tissue, signed)
    return np.vstack([tinted, draw_scale(tissue.shape[1], largest, UNITS[target])])


def enlarge(cam: Floats, shape: tuple[int, ...]) -> Floats:
    """Interpolate a map to the tissue's shape, bilinearly: bicubic would overshoot and invent extremes."""
    image = Image.fromarray(cam.astype(np.float32))
    return np.asarray(image.resize((shape[1], shape[0]), Image.Resampling.BILINEAR), np.float64)


def tint(tissue: GreyImage, signed: Floats) -> NDArray[np.uint8]:
    """Blend red (positive) and blue (negative) into grey levels; `signed` lies in -1..1, shape (rows, columns)."""
    alpha = np.rint(255 * _LARGEST_ALPHA * np.abs(np.clip(signed, -1, 1))).astype(np.uint8) * (tissue > 0)
    grey = Image.fromarray(tissue)
    red, blue = (Image.new("RGB", grey.size, colour) for colour in (_RED, _BLUE))
    colour = Image.composite(red, blue, Image.fromarray(signed >= 0))
    return np.asarray(Image.composite(colour, grey.convert("RGB"), Image.fromarray(alpha)))


def draw_scale(width: int, largest: float, unit: str) -> NDArray[np.uint8]:
    """Draw the colour bar with its limits and unit, shape (64, width, 3)."""
    ramp = np.tile(np.linspace(-1, 1, width - 24), (14, 1))
    bar = Image.fromarray(tint(np.full(ramp.shape, 96, np.uint8), ramp))
    strip = Image.new("RGB", (width, _SCALE_HEIGHT))
    strip.paste(bar, (12, 8))
    draw = ImageDraw.Draw(strip)
    font = ImageFont.load_default(15)
    for x, anchor, text in (
        (12, "la", f"{-largest:.3g}"),
        (width // 2, "ma", "0"),
        (width - 12, "ra", f"+{largest:.3g}"),
    ):
        draw.text((x, 24), text, "white", font, anchor)
    draw.text((width // 2, 44), unit, "white", font, "ma")
    return np.asarray(strip)


def shrink(tissue: GreyImage, width: int) -> GreyImage:
    """Scale a crop down to a width in pixels for a page; a narrower one is left as it is."""
    rows, columns = tissue.shape
    if columns <= width:
        return tissue
    size = (width, round(rows * width / columns))
    return np.asarray(Image.fromarray(tissue).resize(size, Image.Resampling.LANCZOS))
