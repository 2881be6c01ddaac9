"""Of the drawn pixels those of the sector: no strokes, no bars, no logos."""

from typing import Final

from app.core.tissue.geometry import Mask, bounds, intersection, size
from app.core.tissue.hull import hull_area
from app.core.tissue.morphology import components, dilated, enlarged, eroded
from app.core.tissue.panels import refuse_side_by_side
from app.core.tissue.pictures import coverage
from app.core.values import TissueBox

CELLS: Final = 192
"""Cells along the shorter side of the grid on which blobs are cleaned: 4 pixels a cell on a 1024 x 768 screen."""
STROKE_CELLS: Final = 5
"""Text, ticks, callipers and body marks are drawn with strokes thinner than this many cells."""
TIP_CELLS: Final = 5
"""What the cleaning cut off the sector's acute corners is looked for in so many cells, centre included."""
FRAGMENT_COLUMNS: Final = 0.6
"""Of the narrower blob's columns, shared by two that lie above each other."""
FRAGMENT_AREA: Final = 0.05
"""Of the main blob: what a shadow or a cyst cuts off from it is larger; bars, logos and text boxes are smaller."""
GROWTH_ABOVE: Final = 1.6
"""Area of the joint outline over the outlines' sum, at most, for a fragment above or below the main blob..."""
GROWTH_BESIDE: Final = 1.15
"""...and beside it, where other things than tissue are drawn too."""


def main_blob(drawn: Mask) -> Mask | None:
    """Keep the pixels of the largest compact blob and its fragments; None if there is none."""
    scale = max(1, round(min(drawn.shape) / CELLS))
    cells = coverage(drawn, scale) >= 128
    blobs = components(dilated(eroded(cells, STROKE_CELLS), STROKE_CELLS), FRAGMENT_AREA)
    if not blobs:
        return None
    refuse_side_by_side(blobs)
    main = _with_fragments(blobs)
    main = dilated(main, TIP_CELLS) & cells | main
    return drawn & enlarged(main, scale, drawn.shape)


def _with_fragments(blobs: list[Mask]) -> Mask:
    """Join the largest blob with those that a shadow or a cyst has cut off from it."""
    main = blobs[0]
    for blob in blobs[1:]:
        apart = hull_area(main) + hull_area(blob)
        above = _over_each_other(bounds(main), bounds(blob))
        if hull_area(main | blob) <= (GROWTH_ABOVE if above else GROWTH_BESIDE) * apart:
            main = main | blob
    return main


def _over_each_other(a: TissueBox, b: TissueBox) -> bool:
    columns, _ = size(intersection(a, b))
    return columns >= FRAGMENT_COLUMNS * min(size(a)[0], size(b)[0])
