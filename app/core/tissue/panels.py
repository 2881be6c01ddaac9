"""One panel per picture: screens that show several are refused."""

from typing import Final

import numpy as np

from app.core.errors import MultipleTissueRegions
from app.core.tissue.geometry import Mask, bounds, intersection, size
from app.core.values import TissueBox

PANEL_AREA: Final = 0.4
"""Of the larger panel: side-by-side panels have like sizes."""
PANEL_ROWS: Final = 0.6
"""Of the higher panel's rows, shared with the other one."""
PANEL_COLUMNS: Final = 0.1
"""Of the narrower panel's columns, at most, shared with the other one."""


def refuse_several(count: int, cause: str) -> None:
    """Raise `MultipleTissueRegions` for more than one panel."""
    if count > 1:
        raise MultipleTissueRegions(f"{cause} Send one panel per image.", tissue_regions=count)


def refuse_other_panels(blob: Mask, others: list[Mask]) -> None:
    """Raise `MultipleTissueRegions` where something of like size stands beside the tissue."""
    panels = [other for other in others if _is_panel(blob, other)]
    refuse_several(1 + len(panels), "The picture shows several panels side by side.")


def _is_panel(blob: Mask, other: Mask) -> bool:
    is_large = np.count_nonzero(other) >= PANEL_AREA * np.count_nonzero(blob)
    return is_large and _stand_side_by_side(bounds(blob), bounds(other))


def _stand_side_by_side(a: TissueBox, b: TissueBox) -> bool:
    columns, rows = size(intersection(a, b))
    alike = rows >= PANEL_ROWS * max(size(a)[1], size(b)[1])
    return alike and columns <= PANEL_COLUMNS * min(size(a)[0], size(b)[0])
