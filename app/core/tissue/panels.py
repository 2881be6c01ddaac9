"""One panel per picture: screens that show several are refused."""

from itertools import combinations
from typing import Final

from app.core.errors import MultipleTissueRegions
from app.core.tissue.geometry import Mask, bounds, intersection, share_of, size
from app.core.values import TissueBox

PANEL_AREA: Final = 0.4
"""Of the larger panel: side-by-side panels have like sizes."""
PANEL_ROWS: Final = 0.6
"""Of the higher panel's rows, shared with the other one."""
PANEL_COLUMNS: Final = 0.1
"""Of the narrower panel's columns, at most, shared with the other one."""


def refuse_several(count: int) -> None:
    """Raise `MultipleTissueRegions` for more than one panel."""
    if count > 1:
        raise MultipleTissueRegions(
            "Send one panel per image: (0018,6011) Sequence of Ultrasound Regions or the picture shows several.",
            tissue_regions=count,
        )


def refuse_side_by_side(blobs: list[Mask]) -> None:
    """Raise `MultipleTissueRegions` for blobs, largest first, of which two look like panels."""
    panels = [b for b in blobs if share_of(b) >= PANEL_AREA * share_of(blobs[0])]
    if any(_stand_side_by_side(bounds(a), bounds(b)) for a, b in combinations(panels, 2)):
        refuse_several(len(panels))


def _stand_side_by_side(a: TissueBox, b: TissueBox) -> bool:
    columns, rows = size(intersection(a, b))
    alike = rows >= PANEL_ROWS * max(size(a)[1], size(b)[1])
    return alike and columns <= PANEL_COLUMNS * min(size(a)[0], size(b)[0])
