"""The report as PDF, one A4 page: reportlab's only door. The same report gives the same bytes."""

from collections.abc import Sequence
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

import reportlab
import reportlab.rl_config
from reportlab.graphics.barcode.qr import QrCode
from reportlab.lib.colors import HexColor, linearlyInterpolatedColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase.pdfmetrics import registerFont, registerFontFamily
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Flowable, Image, KeepInFrame, Paragraph, SimpleDocTemplate, Spacer, Table

from app import __version__
from app.core.notices import NOTICE, VIEW_NAMES
from app.core.report import SCALE_PERCENT, Report, describe_image, place_on_scale

_MARGIN: Final = 11 * mm
_WIDTH, _HEIGHT = A4[0] - 2 * _MARGIN, A4[1] - 2 * _MARGIN
_INK, _SOFT, _LINE, _FILL, _RED = map(HexColor, ("#1b2430", "#5b6776", "#d5dbe3", "#f4f6f9", "#9c1c1c"))
_COLD, _WARM, _HOT = map(HexColor, ("#dfe9f5", "#f3d9a4", "#c8502f"))
_LARGEST_PICTURE: Final = 48 * mm
_STEPS: Final = 120
_FONT, _BOLD = "Vera", "VeraBd"
_BODY = ParagraphStyle("body", fontName=_FONT, fontSize=8, leading=10.5, textColor=_INK)
_SMALL = ParagraphStyle("small", _BODY, fontSize=6.3, leading=8)
_QUIET = ParagraphStyle("quiet", _BODY, textColor=_SOFT)
_RIGHT = ParagraphStyle("right", _BODY, alignment=2)
_TITLE = ParagraphStyle("title", _BODY, fontName=_BOLD, fontSize=14, leading=17)
_HEADING = ParagraphStyle("heading", _BODY, fontName=_BOLD, fontSize=9.5, leading=12, spaceBefore=7, spaceAfter=3)
_WARNING = ParagraphStyle(
    "warning", _BODY, fontName=_BOLD, textColor=_RED, borderColor=_RED, borderWidth=1, borderPadding=4
)
_BULLET = ParagraphStyle("bullet", _BODY, leftIndent=9, bulletIndent=1)


def draw_report(report: Report) -> bytes:
    """Write a report as PDF.

    Parameters
    ----------
    report : Report

    Returns
    -------
    bytes
        One page, its fonts embedded.
    """
    _register_fonts()
    file = BytesIO()
    document = SimpleDocTemplate(
        file,
        pagesize=A4,
        leftMargin=_MARGIN - 6,  # the frame's own padding
        rightMargin=_MARGIN - 6,
        topMargin=_MARGIN - 6,
        bottomMargin=_MARGIN - 6,
        title=report.title,
        author=f"liver-pdff {__version__}",
        subject=report.analysis.id,
        invariant=1,
        pageCompression=1,
        lang="en",
    )
    # whatever is to be remarked, it stays one page
    document.build([KeepInFrame(_WIDTH, _HEIGHT, list(_page(report)), mode="shrink")])
    return file.getvalue()


@cache
def _register_fonts() -> None:
    reportlab.rl_config.useA85 = 0  # pictures as bytes, not as text
    folder = Path(reportlab.__file__).parent / "fonts"
    for name in (_FONT, _BOLD):
        registerFont(TTFont(name, str(folder / f"{name}.ttf")))
    registerFontFamily(_FONT, normal=_FONT, bold=_BOLD, italic=_FONT, boldItalic=_BOLD)


def _page(report: Report) -> Sequence[Flowable]:
    return [
        *_head(report),
        _answer(report),
        _numbers(report),
        Spacer(0, 4),
        Paragraph(escape(report.operating_points), _QUIET),
        Paragraph("Tissue, and what spoke for (red) and against (blue) PDFF ≥ 5 %", _HEADING),
        _views(report),
        Paragraph("To keep in mind", _HEADING),
        *(Paragraph(escape(each), _BULLET, bulletText="•") for each in report.remarks),
        Paragraph("Provenance", _HEADING),
        _provenance(report),
    ]


def _head(report: Report) -> list[Flowable]:
    moment = f"{report.analysis.created_at:%Y-%m-%d %H:%M} UTC"
    synthetic = " Synthetic bundle: not for clinical use." if report.analysis.bundle.synthetic else ""
    head = Table([[Paragraph(report.title, _TITLE), Paragraph(moment, _RIGHT)]], [_WIDTH * 0.7, _WIDTH * 0.3])
    head.setStyle([*_FLUSH, ("LINEBELOW", (0, 0), (-1, -1), 1.5, _INK), ("VALIGN", (0, 0), (-1, -1), "BOTTOM")])
    notice = Table([[Paragraph(NOTICE + synthetic, _WARNING)]], [_WIDTH])
    notice.setStyle([("LEFTPADDING", (0, 0), (-1, -1), 5), ("RIGHTPADDING", (0, 0), (-1, -1), 5)])
    return [head, Spacer(0, 8), notice, Spacer(0, 2)]


def _answer(report: Report) -> Flowable:
    estimate = report.analysis.estimate
    number = ParagraphStyle("number", _TITLE, fontSize=27, leading=31)
    views = len(estimate.views)
    said = [
        Paragraph(f'{estimate.pdff_percent:.1f} <font size="11">% PDFF</font>', number),
        Paragraph(f"mean of {views} view{'' if views == 1 else 's'}", _QUIET),
    ]
    answer = Table([[said, _Scale(_WIDTH * 0.66, estimate.pdff_percent)]], [_WIDTH * 0.32, _WIDTH * 0.68])
    answer.setStyle([*_FLUSH, ("VALIGN", (0, 0), (-1, -1), "MIDDLE"), ("BOTTOMPADDING", (0, 0), (-1, -1), 6)])
    return answer


class _Scale(Flowable):
    """The estimate on a scale with the marks that matter."""

    def __init__(self, width: float, pdff_percent: float) -> None:
        super().__init__()
        self.width, self.height = width - 16, 34.0
        self._place = place_on_scale(pdff_percent)

    def draw(self) -> None:
        canvas = self.canv
        for step in range(_STEPS):
            canvas.setFillColor(_colour(step / _STEPS))
            canvas.rect(step * self.width / _STEPS, 14, self.width / _STEPS + 0.5, 9, stroke=0, fill=1)
        canvas.setStrokeColor(_INK)
        canvas.setLineWidth(0.5)
        for percent in SCALE_PERCENT:
            x = place_on_scale(percent) * self.width
            canvas.line(x, 11, x, 26)
            canvas.setFillColor(_SOFT)
            canvas.setFont(_FONT, 6.5)
            canvas.drawCentredString(x, 3, f"{percent} %" if percent == SCALE_PERCENT[-1] else str(percent))
        self._draw_needle(self._place * self.width)

    def _draw_needle(self, x: float) -> None:
        needle = self.canv.beginPath()
        needle.moveTo(x, 23)
        needle.lineTo(x - 5, 33)
        needle.lineTo(x + 5, 33)
        needle.close()
        self.canv.setFillColor(_INK)
        self.canv.drawPath(needle, stroke=0, fill=1)


def _colour(share: float) -> Any:
    if share < 0.4:
        return linearlyInterpolatedColor(_COLD, _WARM, 0, 0.4, share)
    return linearlyInterpolatedColor(_WARM, _HOT, 0.4, 1, share)


def _numbers(report: Report) -> Flowable:
    estimate = report.analysis.estimate
    rows = [["View", "PDFF, %", "P(PDFF ≥ 5 %)", "P(PDFF ≥ 10 %)", "frame"]]
    rows += [[VIEW_NAMES[view.view], *_said(view), str(view.frame_number)] for view in estimate.views]
    rows.append([report.summary, *_said(estimate), ""])
    rows.append(["Call at the bundle's operating point", "", *report.calls, ""])
    table = Table(rows, [_WIDTH * share for share in (0.33, 0.11, 0.24, 0.24, 0.08)])
    total = len(rows) - 2
    table.setStyle(
        [
            ("FONT", (0, 0), (-1, -1), _FONT, 8),
            ("FONT", (0, 0), (-1, 0), _BOLD, 7.5),
            ("FONT", (0, total), (-1, total), _BOLD, 8),
            ("TEXTCOLOR", (0, 0), (-1, -1), _INK),
            ("TEXTCOLOR", (0, 0), (-1, 0), _SOFT),
            ("BACKGROUND", (0, total), (-1, total), _FILL),
            ("ALIGN", (1, 0), (-1, -1), "RIGHT"),
            ("LINEBELOW", (0, 0), (-1, -1), 0.5, _LINE),
            ("TOPPADDING", (0, 0), (-1, -1), 2),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
        ]
    )
    return table


def _said(said: Any) -> list[str]:
    return [f"{said.pdff_percent:.1f}", f"{said.probability_ge5:.2f}", f"{said.probability_ge10:.2f}"]


def _views(report: Report) -> Flowable:
    views = report.analysis.estimate.views
    names: list[Flowable] = [Paragraph(VIEW_NAMES[view.view], _SMALL) for view in views]
    pictures = [report.pictures[view.view] for view in views]
    tissues: list[Flowable] = [_picture(each.tissue) for each in pictures]
    overlays: list[Flowable] = [_picture(each.overlay) for each in pictures]
    table = Table([names, tissues, overlays], [_WIDTH / 4] * len(views), hAlign="LEFT")
    table.setStyle([("VALIGN", (0, 0), (-1, -1), "TOP"), ("TOPPADDING", (0, 0), (-1, -1), 1),
                    ("LEFTPADDING", (0, 0), (-1, -1), 0), ("BOTTOMPADDING", (0, 0), (-1, -1), 3)])  # fmt: skip
    return table


def _picture(png: bytes) -> Image:
    picture = Image(BytesIO(png))
    scale = min((_WIDTH / 4 - 4) / picture.imageWidth, _LARGEST_PICTURE / picture.imageHeight)
    picture.drawWidth, picture.drawHeight = picture.imageWidth * scale, picture.imageHeight * scale
    picture.hAlign = "LEFT"
    return picture


def _provenance(report: Report) -> Flowable:
    analysis, bundle = report.analysis, report.analysis.bundle
    rows = [["Study Instance UID", escape(analysis.estimate.study_instance_uid)]]
    rows += [[VIEW_NAMES[view.view], escape(describe_image(view))] for view in analysis.estimate.views]
    rows.append(["Bundle", escape(f"{bundle.name} {bundle.version} ({bundle.precision}) · {bundle.sha256}")])
    rows.append(["Analysis", f"{analysis.id} · liver-pdff {__version__}"])
    if report.address:
        link = f'<link href={quoteattr(report.address)} color="#1f62cc">{escape(report.address)}</link>'
        rows.append(["Found at", link])
    wide = _WIDTH - (24 * mm if report.address else 0)
    facts = Table(
        [[Paragraph(name, _SMALL), Paragraph(said, _SMALL)] for name, said in rows], [33 * mm, wide - 33 * mm]
    )
    facts.setStyle([*_FLUSH, ("VALIGN", (0, 0), (-1, -1), "TOP")])
    if not report.address:
        return facts
    code = QrCode(report.address, width=22 * mm, height=22 * mm, qrBorder=0)
    beside = Table([[facts, code]], [wide, _WIDTH - wide])
    beside.setStyle([*_FLUSH, ("VALIGN", (0, 0), (-1, -1), "TOP")])
    return beside


_FLUSH: Final = [
    (f"{side}PADDING", (0, 0), (-1, -1), 0) for side in ("LEFT", "RIGHT", "TOP", "BOTTOM")
]  # fmt: skip
