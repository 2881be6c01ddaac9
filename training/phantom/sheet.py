"""A contact sheet like Figure 2 of Byra et al. 2021: one person with more and more fat, on both vendors' screens."""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from app.core.values import View
from training.phantom.screen import LAYOUTS, VIEW_TITLES, Layout
from training.phantom.simulation import simulate_view

PDFF_PERCENT = (7.0, 19.0, 39.0)
"""The rows of the paper's Figure 2."""
SHEET_SEED = 2021
"""No cohort has it."""
_THUMBNAIL = (256, 192)
_MARGIN = 22
_GREY_LEVELS = 48
"""Fewer than 256, as speckle does not compress: the sheet stays small enough for the repository."""


def write_contact_sheet(path: Path, participant: int = 1) -> Path:
    """Draw a row for each fat fraction and vendor, a column for each view.

    Parameters
    ----------
    path : Path
        The PNG to write.
    participant : int
        Who is shown: the anatomy of all rows.

    Returns
    -------
    Path
        `path`.
    """
    width, height = _THUMBNAIL
    rows = [(layout, pdff) for layout in LAYOUTS for pdff in PDFF_PERCENT]
    sheet = Image.new("L", (_MARGIN + width * len(View), _MARGIN + height * len(rows)))
    for column, view in enumerate(View):
        _write(sheet, VIEW_TITLES[view], _MARGIN + column * width + width // 2, _MARGIN // 2)
    for row, (layout, pdff_percent) in enumerate(rows):
        top = _MARGIN + row * height
        sheet.paste(_row_title(f"PDFF {pdff_percent:.0f} %", height), (0, top))
        for column, view in enumerate(View):
            sheet.paste(_thumbnail(participant, pdff_percent, view, layout), (_MARGIN + column * width, top))
    sheet.quantize(_GREY_LEVELS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(path, optimize=True)
    return path


def _thumbnail(participant: int, pdff_percent: float, view: View, layout: Layout) -> Image.Image:
    screen = simulate_view(participant, SHEET_SEED, pdff_percent, view, layout)
    return Image.fromarray(screen.pixels).resize(_THUMBNAIL, Image.Resampling.LANCZOS)


def _write(image: Image.Image, text: str, column: int, row: int) -> None:
    """Write a line centred on a pixel."""
    ImageDraw.Draw(image).text((column, row), text, font=ImageFont.load_default(13), fill=230, anchor="mm")


def _row_title(text: str, height: int) -> Image.Image:
    """Draw a title that reads upwards."""
    strip = Image.new("L", (height, _MARGIN))
    _write(strip, text, height // 2, _MARGIN // 2)
    return strip.transpose(Image.Transpose.ROTATE_90)
