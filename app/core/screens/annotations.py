"""Which lines of a screen are annotations, told by where they stand, and what they say of the view together."""

import re
from collections.abc import Sequence
from typing import Final

from app.core.naming import ViewRule, name_view
from app.core.screens.values import Line
from app.core.tissue.geometry import size
from app.core.values import ScreenNaming, TissueBox

HEADER_SHARE: Final = 0.08
"""Of the screen's rows: what begins there, or ends above the tissue, is the scanner's header."""
WORD_GAP: Final = 1.6
"""Heights of a line: so far apart, side by side, words are one line."""
LINE_GAP: Final = 0.8
"""Heights: so far below each other, and aligned, lines are one annotation..."""
MAX_HEIGHT_RATIO: Final = 1.5
"""...if their letters are of like size."""
MIN_STACKED: Final = 4
"""Aligned lines outside the tissue, one below the other: a column of parameters or a table of results."""
STACK_GAP: Final = 2.5
"""Heights: the rows of a column lie at most so far apart."""
MIN_SIDE_BY_SIDE: Final = 4
"""Lines side by side below the tissue: a row of soft keys."""
VALUE: Final = re.compile(
    r"\d\s*(%|°|[cm]?m\b|ml\b|[cm]?m/s|[km]?hz\b|db\b|fps\b|bpm\b|kpa\b)|[:=]\s*[-+]?\d", re.IGNORECASE
)
"""A number with a unit, or behind a colon: a measurement or a parameter."""

MISREAD: Final = re.compile(r"[^\W\d_]\d[^\W\d_]")
"""A digit between letters: P0ST. What is left of such a line names another view too easily."""

AMBIGUOUS: Final = frozenset({"lk"})
"""Annotations that name a view in an attribute, and on most screens something else: the left kidney."""


def joined_boxes(boxes: Sequence[TissueBox]) -> list[TissueBox]:
    """Join words that stand side by side into lines, so that none is read without the words around it."""
    lines: list[TissueBox] = []
    for box in sorted(boxes):
        beside = next((line for line in lines if _is_beside(line, box)), None)
        if beside is None:
            lines.append(box)
        else:
            lines[lines.index(beside)] = _around(beside, box)
    return lines


def annotation_boxes(lines: Sequence[TissueBox], tissue: TissueBox, rows: int) -> list[TissueBox]:
    """Leave out the lines that are not annotations: header, columns of parameters, tables, soft keys.

    Parameters
    ----------
    lines : sequence of TissueBox
        As `joined_boxes` gives them.
    tissue : TissueBox
    rows : int
        Height of the screen.
    """
    below_header = [line for line in lines if line.y0 >= HEADER_SHARE * rows and line.y1 > tissue.y0]
    return [
        line
        for line in below_header
        if not (_is_stacked(line, below_header, tissue) or _is_in_a_row(line, below_header, tissue))
    ]


def name_screen(lines: Sequence[Line], rules: Sequence[ViewRule]) -> ScreenNaming:
    """Tell which view the annotations of a screen name: only where all that name one name the same.

    Parameters
    ----------
    lines : sequence of Line
        The annotations, read.
    rules : sequence of ViewRule

    Returns
    -------
    ScreenNaming
    """
    annotations = [line for line in lines if not (VALUE.search(line.text) or line.text.casefold().strip() in AMBIGUOUS)]
    paragraphs = _paragraphs(annotations)
    namings = [naming for text in paragraphs if not MISREAD.search(text) and (naming := name_view(text, rules))]
    doubts = [*(line.text for line in annotations), *(text for each in paragraphs for text in _with_a_space_less(each))]
    views = {naming.view for naming in (*namings, *(name_view(text, rules) for text in doubts)) if naming}
    if not namings or len(views) != 1:
        return ScreenNaming(None)
    return ScreenNaming(views.pop(), any(naming.alone for naming in namings))


def _with_a_space_less(text: str) -> list[str]:
    """Undo each space that the reader may have seen in small print: "right po sterior portal vein"."""
    words = text.split()
    return [" ".join([*words[:k], words[k] + words[k + 1], *words[k + 2 :]]) for k in range(len(words) - 1)]


def _paragraphs(lines: Sequence[Line]) -> list[str]:
    """Join lines that stand below each other."""
    groups: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: line.box.y0):
        above = next((group for group in groups if _is_below(group[-1].box, line.box)), None)
        if above is None:
            groups.append([line])
        else:
            above.append(line)
    return [" ".join(line.text for line in group) for group in groups]


def _is_beside(left: TissueBox, right: TissueBox) -> bool:
    """Tell whether a box continues the line that ends to its left."""
    gap = right.x0 - left.x1
    return _is_level(left, right) and _is_like(left, right) and gap <= WORD_GAP * min(_height(left), _height(right))


def _is_below(upper: TissueBox, lower: TissueBox) -> bool:
    """Tell whether a line continues the one above it: aligned at the left, at the right or in the middle."""
    height = min(_height(upper), _height(lower))
    gap = lower.y0 - upper.y1
    return _is_like(upper, lower) and -height / 2 <= gap <= LINE_GAP * height and _is_aligned(upper, lower)


def _is_stacked(line: TissueBox, lines: Sequence[TissueBox], tissue: TissueBox) -> bool:
    """Tell whether a line outside the tissue stands in a column of at least `MIN_STACKED`."""
    if tissue.x0 < line.x1 and line.x0 < tissue.x1 and line.y0 < tissue.y1:
        return False
    column = sorted((other for other in lines if _is_aligned(line, other)), key=lambda other: other.y0)
    k = column.index(line)
    first, last = k, k
    while first and _follows(column[first - 1], column[first]):
        first -= 1
    while last + 1 < len(column) and _follows(column[last], column[last + 1]):
        last += 1
    return last - first + 1 >= MIN_STACKED


def _follows(upper: TissueBox, lower: TissueBox) -> bool:
    return lower.y0 - upper.y1 <= STACK_GAP * _height(upper)


def _is_in_a_row(line: TissueBox, lines: Sequence[TissueBox], tissue: TissueBox) -> bool:
    """Tell whether a line below the tissue stands in a row of at least `MIN_SIDE_BY_SIDE`."""
    return line.y0 >= tissue.y1 and sum(_is_level(line, other) for other in lines) >= MIN_SIDE_BY_SIDE


def _is_level(a: TissueBox, b: TissueBox) -> bool:
    shared = min(a.y1, b.y1) - max(a.y0, b.y0)
    return shared > 0.6 * min(_height(a), _height(b))


def _is_like(a: TissueBox, b: TissueBox) -> bool:
    low, high = sorted((_height(a), _height(b)))
    return high <= MAX_HEIGHT_RATIO * low


def _is_aligned(a: TissueBox, b: TissueBox) -> bool:
    tolerance = min(_height(a), _height(b)) / 2
    middle = abs(a.x0 + a.x1 - b.x0 - b.x1) / 2
    return min(abs(a.x0 - b.x0), abs(a.x1 - b.x1), middle) <= tolerance


def _height(box: TissueBox) -> int:
    return size(box)[1]


def _around(a: TissueBox, b: TissueBox) -> TissueBox:
    return TissueBox(min(a.x0, b.x0), min(a.y0, b.y0), max(a.x1, b.x1), max(a.y1, b.y1))
