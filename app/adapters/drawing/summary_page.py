"""The summary of an analysis as one picture, for viewers that show nothing but pictures."""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from app import __version__
from app.adapters.drawing.pictures import draw_overlay_pixels, shrink
from app.core.notices import NOTICE, VIEW_NAMES, remarks
from app.core.values import Analysis, GreyImage, Target, View, ViewEstimate

WIDTH, HEIGHT = 1280, 1590
"""Pixels: a screen's width, and room for every warning."""
_MARGIN: Final = 40
_PICTURE_WIDTH: Final = 580
_PICTURE_HEIGHT: Final = 495
_TOP: Final = 306
_INK, _SOFT, _WARN, _PAPER = "#f2f4f7", "#aab4c0", "#ffb454", "#101418"


def draw_summary(analysis: Analysis, tissues: Mapping[View, GreyImage]) -> NDArray[np.uint8]:
    """Draw what an analysis says, and what it was made from.

    Parameters
    ----------
    analysis : Analysis
    tissues : mapping of View to ndarray of uint8, shape (rows, columns)
        The crop of each view that was used.

    Returns
    -------
    ndarray of uint8, shape (1590, 1280, 3)
        Light on dark, as reading rooms are.
    """
    page = Image.new("RGB", (WIDTH, HEIGHT), _PAPER)
    draw = ImageDraw.Draw(page)
    _draw_estimate(draw, analysis)
    for place, view in enumerate(analysis.estimate.views):
        corner = _MARGIN + place % 2 * (WIDTH // 2 - 10), _TOP + place // 2 * (_PICTURE_HEIGHT + 56)
        _draw_view(page, draw, corner, view, tissues[view.view])
    _draw_notes(draw, analysis)
    return np.asarray(page)


def _draw_estimate(draw: ImageDraw.ImageDraw, analysis: Analysis) -> None:
    estimate = analysis.estimate
    _text(draw, (_MARGIN, 28), "Estimate of liver fat from ultrasound", 34)
    _text(draw, (_MARGIN, 76), _banner(analysis), 22, _WARN)
    _text(draw, (_MARGIN, 116), f"PDFF {estimate.pdff_percent:.1f} %", 64)
    calls = (
        ("5", estimate.probability_ge5, estimate.thresholds.ge5, estimate.steatosis_ge5),
        ("10", estimate.probability_ge10, estimate.thresholds.ge10, estimate.steatosis_ge10),
    )
    for row, (cutoff, probability, threshold, called) in enumerate(calls):
        said = f"PDFF >= {cutoff} %: {'yes' if called else 'no'}"
        _text(draw, (480, 126 + 36 * row), said, 26)
        _text(draw, (730, 129 + 36 * row), f"P {probability:.2f}, yes from {threshold:.2f}", 22, _SOFT)
    count = len(estimate.views)
    made = f"Mean of {count} of 4 views" if count > 1 else "One of 4 views"
    _text(draw, (_MARGIN, 208), f"{made}. P is a score at equal class frequency, not calibrated.", 20, _SOFT)
    explained = "Maps: where PDFF >= 5 % is read from. Red speaks for more fat, blue for less."
    _text(draw, (_MARGIN, 240), explained, 20, _SOFT)


def _banner(analysis: Analysis) -> str:
    return f"SYNTHETIC: not for clinical use. {NOTICE}" if analysis.bundle.synthetic else NOTICE


def _draw_view(
    page: Image.Image, draw: ImageDraw.ImageDraw, corner: tuple[int, int], view: ViewEstimate, tissue: GreyImage
) -> None:
    x, y = corner
    numbers = (
        f"PDFF {view.pdff_percent:.1f} %   P(>=5 %) {view.probability_ge5:.2f}   P(>=10 %) {view.probability_ge10:.2f}"
    )
    _text(draw, (x, y - 24), VIEW_NAMES[view.view], 22)
    _text(draw, (x, y + 4), numbers, 18, _SOFT)
    picture = Image.fromarray(draw_overlay_pixels(shrink(tissue, _PICTURE_WIDTH), view.cams[Target.GE5], Target.GE5))
    picture.thumbnail((_PICTURE_WIDTH, _PICTURE_HEIGHT - 20))
    page.paste(picture, (x, y + 32))


def _draw_notes(draw: ImageDraw.ImageDraw, analysis: Analysis) -> None:
    bundle, y = analysis.bundle, HEIGHT - 178
    for line in _notes(analysis):
        _text(draw, (_MARGIN, y), line, 17, _WARN)
        y += 24
    made = f"liver-pdff {__version__}, bundle {bundle.name} {bundle.version}, SHA-256 {bundle.sha256}"
    _text(draw, (_MARGIN, HEIGHT - 40), made, 16, _SOFT)


def _notes(analysis: Analysis) -> Iterator[str]:
    """Say the limits and the warnings; what does not fit is counted, never dropped in silence."""
    lines = [line for text in remarks(analysis) for line in _wrapped(text)]
    yield from lines[:4] if len(lines) > 5 else lines
    if len(lines) > 5:
        yield f"… and {len(lines) - 4} more lines of warnings: see the structured report."


def _wrapped(text: str, width: int = 140) -> list[str]:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def _text(draw: ImageDraw.ImageDraw, corner: tuple[int, int], text: str, size: int, colour: str = _INK) -> None:
    draw.text(corner, text, colour, ImageFont.load_default(size))
