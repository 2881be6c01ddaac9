"""Ultrasound screens whose tissue is known: phantoms in three layouts of furniture, none of which the product draws.

A layout says where the sector lies and what stands around it: header bars of several finishes, parameter columns,
grey bars, rulers, focus marks, soft keys, logos, body marks, traces and result tables.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from app.core.values import ScreenPixels, TissueBox, View
from training.phantom.screen import Layout, scan_conversion
from training.phantom.simulation import simulate_view

Mask = NDArray[np.bool_]
Pen = ImageDraw.ImageDraw
Finish = Callable[[int, int], NDArray[np.float64]]
"""Height and width -> grey levels of a bar."""

PATIENT = "QUIXOTE ZEBEDEE"
"""Stands in every header."""


def flat(height: int, width: int) -> NDArray[np.float64]:
    return np.full((height, width), 52.0)


def graded_down(height: int, width: int) -> NDArray[np.float64]:
    return np.repeat(np.linspace(96, 24, height)[:, None], width, 1)


def graded_across(height: int, width: int) -> NDArray[np.float64]:
    return np.repeat(np.linspace(20, 110, width)[None], height, 0)


def bevelled(height: int, width: int) -> NDArray[np.float64]:
    bar = np.full((height, width), 64.0)
    bar[:2], bar[-2:], bar[:, :2], bar[:, -2:] = 150, 20, 150, 20
    return bar


FINISHES: dict[str, Finish | None] = {
    "black": None,
    "flat": flat,
    "graded down": graded_down,
    "graded across": graded_across,
    "bevelled": bevelled,
}


@dataclass(frozen=True, slots=True)
class Style:
    """A vendor's screen.

    Attributes
    ----------
    layout : Layout
        Where the sector lies, and how large the screen is.
    header_rows : int
        Height of the header.
    panels : tuple of TissueBox
        Grey panels of parameters.
    soft_keys : bool
        Whether a row of keys stands at the bottom.
    """

    layout: Layout
    header_rows: int
    panels: tuple[TissueBox, ...] = ()
    soft_keys: bool = False


STYLES = {
    "plain": Style(Layout("", 1024, 768, 506, 92, 704, 984, 20), 60),
    "barred": Style(Layout("", 1024, 768, 556, 66, 716, 58, 992, float(np.deg2rad(30.0))), 64),
    "console": Style(
        Layout("", 1280, 960, 640, 96, 820, 1090, 180, float(np.deg2rad(33.0))),
        72,
        (TissueBox(0, 72, 150, 880), TissueBox(1140, 72, 1280, 880)),
        soft_keys=True,
    ),
}


@dataclass(frozen=True, slots=True, eq=False)
class KnownScreen:
    """A screen and the truth about it.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (rows, columns, 3)
    tissue : ndarray of bool, shape (rows, columns)
        The sector.
    header_rows : int
        Nothing of these rows is tissue.
    """

    pixels: ScreenPixels
    tissue: Mask
    header_rows: int

    @property
    def box(self) -> TissueBox:
        y, x = np.flatnonzero(self.tissue.any(axis=1)), np.flatnonzero(self.tissue.any(axis=0))
        return TissueBox(int(x[0]), int(y[0]), int(x[-1]) + 1, int(y[-1]) + 1)


def known_screen(
    style: str, participant: int, view: View, finish: str = "black", pdff_percent: float = 8.0
) -> KnownScreen:
    """Draw a phantom in a layout."""
    levels, tissue = _sector(style, participant, view, pdff_percent)
    drawn = _furniture(style, finish, participant)
    pixels = np.where(tissue[..., None], levels[..., None], drawn)
    return KnownScreen(np.asarray(pixels, np.uint8), tissue, STYLES[style].header_rows)


def as_jpeg(pixels: ScreenPixels, quality: int, subsampling: int = 2) -> ScreenPixels:
    """Compress and decompress; subsampling 0 is 4:4:4, 2 is 4:2:0."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling=subsampling)
    return np.array(Image.open(file).convert("RGB"))


def with_wedges(screen: KnownScreen, style: str, degrees: float, at: Sequence[float]) -> KnownScreen:
    """Lose the contact with the skin over some degrees, each around an angle of the sector: black from the skin on."""
    layout = STYLES[style].layout
    y, x = np.mgrid[: layout.rows, : layout.columns]
    apex_x, apex_y = layout.middle_column, _apex_row(screen, layout)
    angle = np.rad2deg(np.arctan2(x - apex_x, y - apex_y))
    lost = np.any([np.abs(angle - centre) <= degrees / 2 for centre in at], axis=0)
    pixels = screen.pixels.copy()
    pixels[lost & screen.tissue] = 0
    return KnownScreen(pixels, screen.tissue, screen.header_rows)


def _apex_row(screen: KnownScreen, layout: Layout) -> float:
    """Where the sector's two sides meet: half its width at the top over the tangent of half its angle, above."""
    box = screen.box
    top = np.flatnonzero(screen.tissue[box.y0])
    return float(box.y0 - (top[-1] - top[0]) / 2 / np.tan(layout.half_angle_rad))


@cache
def _sector(style: str, participant: int, view: View, pdff_percent: float) -> tuple[NDArray[np.uint8], Mask]:
    layout = STYLES[style].layout
    screen = simulate_view(participant, 777, pdff_percent, view, layout)
    edge_cm = screen.pixel_spacing_cm * (layout.bottom_row - layout.top_row)
    depth_cm = next(d for d in (14.0, 16.0, 18.0) if _fits(layout, d, screen.pixel_spacing_cm, edge_cm))
    tissue = np.zeros(layout.rows * layout.columns, np.bool_)
    tissue[scan_conversion(layout, depth_cm).places] = True
    return screen.pixels, tissue.reshape(layout.rows, layout.columns)


def _fits(layout: Layout, depth_cm: float, spacing_cm: float, edge_cm: float) -> bool:
    return abs(scan_conversion(layout, depth_cm).pixel_spacing_cm - spacing_cm) < 1e-9 and edge_cm > 0


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _furniture(style: str, finish: str, participant: int) -> ScreenPixels:
    look = STYLES[style]
    layout = look.layout
    canvas = np.zeros((layout.rows, layout.columns, 3))
    bar = FINISHES[finish]
    if bar:
        tint = np.array((0.85, 0.95, 1.1))
        canvas[: look.header_rows] = bar(look.header_rows, layout.columns)[..., None] * tint
    for panel in look.panels:
        canvas[panel.y0 : panel.y1, panel.x0 : panel.x1] = graded_down(panel.y1 - panel.y0, panel.x1 - panel.x0)[
            ..., None
        ]
    if look.soft_keys:
        for k in range(8):
            x = k * layout.columns // 8
            canvas[-70:, x + 4 : x + layout.columns // 8 - 4] = bevelled(70, layout.columns // 8 - 8)[..., None]
    image = Image.fromarray(canvas.clip(0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(image)
    _header(pen, look, participant)
    _marks(pen, look)
    for panel in look.panels:
        _parameters(pen, panel)
    if look.soft_keys:
        for k, key in enumerate(("Dual", "Zoom", "Freeze", "Store", "Text", "Body", "Measure", "Exit")):
            pen.text((k * layout.columns // 8 + 40, layout.rows - 44), key, font=_font(18), fill=(230, 230, 230))
    return np.asarray(image)


def _header(pen: Pen, look: Style, participant: int) -> None:
    right = look.layout.columns - 12
    pen.ellipse((10, 8, 44, 42), outline=(220, 220, 220), width=3)
    pen.text((54, 4), "ST. ELSEWHERE  ULTRASOUND", font=_font(18), fill=(225, 225, 225))
    pen.text((54, 30), f"{PATIENT}  QX-{participant:05d}  1970-01-01", font=_font(18), fill=(240, 240, 240))
    pen.text((right, 4), "27.11.2026 10:15:00", font=_font(16), fill=(225, 225, 225), anchor="ra")
    pen.text((right, 30), "MI 1.1  TIs 0.6  C5-1", font=_font(16), fill=(225, 225, 225), anchor="ra")


def _parameters(pen: Pen, panel: TissueBox) -> None:
    names = ("Gen", "Gn 60", "DR 65", "Map F", "Pers 2", "FR 31 Hz", "XRES 3", "SonoCT", "P 100 %", "D 16.0 cm")
    for k, name in enumerate(names):
        pen.text((panel.x0 + 14, panel.y0 + 30 + 34 * k), name, font=_font(17), fill=(235, 225, 120))
    for k, name in enumerate(("Liver L 14.2 cm", "CBD 4 mm", "RK 10.9 cm")):
        pen.text((panel.x0 + 6, panel.y1 - 130 + 30 * k), name, font=_font(15), fill=(120, 235, 235))


def _marks(pen: Pen, look: Style) -> None:
    layout = look.layout
    inwards = 1 if layout.scale_column < layout.columns // 2 else -1
    for k in range(17):
        row = layout.top_row + 10 + k * (layout.bottom_row - layout.top_row - 10) // 16
        length = 12 if k % 5 == 0 else 6
        pen.line((layout.scale_column, row, layout.scale_column - inwards * length, row), fill=(200, 200, 200), width=2)
    focus = layout.top_row + 240
    tip, base = layout.scale_column + 3 * inwards, layout.scale_column + 14 * inwards
    pen.polygon(((tip, focus), (base, focus - 7), (base, focus + 7)), fill=(250, 200, 40))
    for step in range(200):
        row = layout.top_row + 20 + step
        pen.line((layout.bar_column, row, layout.bar_column + 16, row), fill=(255 - step * 255 // 199,) * 3)
    x = layout.scale_column + 24 * inwards
    curve = [(x + round(8 * np.sin(k / 3)), layout.bottom_row - 200 + 12 * k) for k in range(16)]
    pen.line(curve, fill=(90, 200, 90), width=2)
    mark_x, mark_y = layout.middle_column - int(0.42 * layout.columns) + 70, layout.bottom_row - 70
    pen.arc((mark_x, mark_y, mark_x + 40, mark_y + 56), 0, 360, fill=(200, 200, 200), width=2)
    pen.line((mark_x + 8, mark_y + 20, mark_x + 30, mark_y + 28), fill=(250, 160, 20), width=3)
    ecg = [
        (60 + 6 * k, layout.rows - (86 if look.soft_keys else 16) - (14 if k % 17 == 0 else k % 3)) for k in range(100)
    ]
    pen.line(ecg, fill=(0, 230, 60), width=2)
