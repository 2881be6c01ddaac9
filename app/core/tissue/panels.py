"""One panel per picture: screens that show several are refused."""

from typing import Final

import numpy as np

from app.core.errors import MultipleTissueRegions
from app.core.tissue.geometry import Mask, bounds, cut, intersection, size
from app.core.tissue.pictures import texture
from app.core.values import Floats, GreyImage, TissueBox

PANEL_AREA: Final = 0.4
"""Of the tissue: panels have like sizes."""
PANEL_ROWS: Final = 0.6
"""Of the lower panel's rows, shared with one beside it."""
PANEL_TEXTURE: Final = 0.2
"""Share of horizontal neighbours that differ in a panel of tissue; a box of colour has less."""
SEAM_PLACE: Final = 0.06
"""Of the width, from the middle: two panels that touch are equally wide."""
SPECKLE: Final = 0.5
"""Correlation of neighbouring columns of one image..."""
SEAM: Final = 0.4
"""...and how much of it is left, at most, where two images meet: a shadow's edge keeps more of it."""
RIM: Final = 4
"""Rows at the top and the bottom that are left out: the edge itself is common to all columns."""
MIN_PANELS: Final = 48
"""Pixels along the shorter side: less is not looked at."""
BALANCE: Final = 0.2
"""Brightness of the darker side of a seam over that of the brighter."""
SEAM_REACH: Final = 12
"""Pixels on both sides of a seam of which the brightness is compared."""


def refuse_several(count: int, cause: str) -> None:
    """Raise `MultipleTissueRegions` for more than one panel."""
    if count > 1:
        raise MultipleTissueRegions(f"{cause} Send one panel per image.", tissue_regions=count)


def panels_among(others: list[Mask], blob: Mask, level: GreyImage) -> list[Mask]:
    """Return those that have texture and are about as large as the blob: beside, above or below it."""
    own = np.count_nonzero(blob)
    large = [other for other in others if np.count_nonzero(other) >= PANEL_AREA * own]
    return [other for other in large if texture(cut(level, bounds(other))) >= PANEL_TEXTURE]


def stand_side_by_side(a: Mask, b: Mask) -> bool:
    """Tell whether two blobs share most rows of the lower one."""
    heights = size(bounds(a))[1], size(bounds(b))[1]
    return size(intersection(bounds(a), bounds(b)))[1] >= PANEL_ROWS * min(heights)


def refuse_seam(level: GreyImage, box: TissueBox) -> None:
    """Raise `MultipleTissueRegions` where two images touch in the middle of a box, with no gap or a narrow one.

    Speckle is wider than a pixel, so neighbouring columns of one image are alike; those of two images are not.

    Parameters
    ----------
    level : ndarray of uint8, shape (rows, columns)
        Brightness above the background.
    box : TissueBox
        Bounds of what was found.
    """
    if min(size(box)) < MIN_PANELS:
        return
    inside = cut(level, box)[RIM:-RIM].astype(np.float64)
    alike = _likeness(inside)
    usual = float(np.median(alike))
    middle, reach = len(alike) // 2, max(2, int(SEAM_PLACE * len(alike)))
    at = middle - reach + int(alike[middle - reach : middle + reach].argmin())
    if usual >= SPECKLE and alike[at] < SEAM * usual and _is_balanced(inside, at + 1):
        refuse_several(2, "The picture shows two panels that touch.")


def _likeness(picture: Floats) -> Floats:
    """Return the correlation of each column with the next, over what differs from the column's trend with depth."""
    detail = picture[1:] - picture[:-1]
    power = (detail**2).sum(axis=0)
    common = (detail[:, 1:] * detail[:, :-1]).sum(axis=0)
    return np.asarray(common / np.sqrt(power[1:] * power[:-1] + 1))


def _is_balanced(picture: Floats, at: int) -> bool:
    """Tell whether both sides of a column are lit alike."""
    sides = picture[:, max(0, at - SEAM_REACH) : at].mean(), picture[:, at : at + SEAM_REACH].mean()
    return bool(min(sides) >= BALANCE * max(sides))
