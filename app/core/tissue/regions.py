"""Declared regions (PS3.3 C.8.5.5), and which of them can be believed."""

from typing import Final

from app.core.tissue.geometry import area, cut, intersection, overlap, size, whole
from app.core.tissue.pictures import MIN_SIDE, texture
from app.core.values import ScreenPixels, TissueBox, UltrasoundRegion

TWO_DIMENSIONAL: Final = 1
"""(0018,6012) Region Spatial Format: 2D."""
M_MODE: Final = 2
SPECTRAL: Final = 3
"""(0018,6012): depth or velocity over time."""
TISSUE: Final = 1
"""(0018,6014) Region Data Type: tissue."""
COLOUR_FLOW: Final = 2
"""(0018,6014) Region Data Type: colour flow."""

MIN_REGION_SHARE: Final = 0.05
"""Of the image: smaller declared regions are colour bars, thumbnails or nonsense."""
MAX_REGION_LOSS: Final = 0.1
"""Of a declared region's area: one that lies further outside the image was written for another image size."""
SAME_REGION_OVERLAP: Final = 0.9
"""Intersection over union from which two declared regions are one panel written twice."""
SEPARATE: Final = 0.1
"""Intersection over union up to which two declared regions lie beside each other."""
BLANK_TEXTURE: Final = 0.005
"""Share of horizontal neighbours that differ in a declared region that is not in use, callipers and ticks included."""


def tissue_panels(pixels: ScreenPixels, regions: tuple[UltrasoundRegion, ...]) -> tuple[TissueBox, ...]:
    """Return the declared 2D regions that can be believed, each panel once.

    Tissue regions (data type 1) are taken; where there is none, those of colour flow (data type 2), under which the
    B-mode lies. Dropped are regions that are empty, tiny, blank, or written for another image size.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (rows, columns) or (rows, columns, 3)
    regions : tuple of UltrasoundRegion

    Returns
    -------
    tuple of TissueBox
        Inside the image, in the order of `regions`.
    """
    for data_type in (TISSUE, COLOUR_FLOW):
        declared = _declared(regions, data_type)
        boxes = [intersection(box, whole(pixels)) for box in declared if _is_sensible(box, pixels)]
        if boxes:
            return _distinct(boxes)
    return ()


def shows_time(pixels: ScreenPixels, regions: tuple[UltrasoundRegion, ...], tissue: TissueBox) -> bool:
    """Tell whether a spectrum or an M-mode is declared, and drawn, beside the tissue: then the screen is divided.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (rows, columns) or (rows, columns, 3)
    regions : tuple of UltrasoundRegion
    tissue : TissueBox
        The declared region of the tissue.
    """
    boxes = [r.box for r in regions if r.spatial_format in (M_MODE, SPECTRAL) and _is_sensible(r.box, pixels)]
    return any(overlap(intersection(box, whole(pixels)), tissue) < SEPARATE for box in boxes)


def declares_flow(regions: tuple[UltrasoundRegion, ...]) -> bool:
    """Tell whether a colour flow region is declared, believable or not."""
    return bool(_declared(regions, COLOUR_FLOW))


def _declared(regions: tuple[UltrasoundRegion, ...], data_type: int) -> list[TissueBox]:
    return [r.box for r in regions if (r.spatial_format, r.data_type) == (TWO_DIMENSIONAL, data_type)]


def _is_sensible(box: TissueBox, pixels: ScreenPixels) -> bool:
    inside = intersection(box, whole(pixels))
    large = area(inside) >= MIN_REGION_SHARE * area(whole(pixels))
    kept = area(inside) >= (1 - MAX_REGION_LOSS) * area(box)
    return large and kept and min(size(inside)) >= MIN_SIDE and texture(cut(pixels, inside)) >= BLANK_TEXTURE


def _distinct(boxes: list[TissueBox]) -> tuple[TissueBox, ...]:
    return tuple(b for i, b in enumerate(boxes) if all(overlap(b, a) < SAME_REGION_OVERLAP for a in boxes[:i]))
