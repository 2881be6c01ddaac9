"""The whole walk: a screen and its declared regions in, its tissue out."""

from typing import Final

import numpy as np

from app.core.errors import ColourDoppler, NoTissue
from app.core.tissue.colour import has_colour_flow
from app.core.tissue.geometry import Mask, bounds, cut, share_of, shifted, whole
from app.core.tissue.panels import refuse_several
from app.core.tissue.pictures import MIN_SIDE, to_grey, without_idle_colour
from app.core.tissue.regions import declares_flow, tissue_panels
from app.core.tissue.silhouette import find_silhouette
from app.core.values import ScreenPixels, Tissue, UltrasoundRegion

MIN_SHARE_OF_REGION: Final = 0.2
"""Of the declared region: a smaller sector inside it is not believed, the region is."""


def extract_tissue(pixels: ScreenPixels, regions: tuple[UltrasoundRegion, ...] = ()) -> Tissue:
    """Crop a screen to its tissue.

    A single sensible declared region bounds the search; inside it, or in the whole picture, the sector's outline is
    found and everything outside is set to 0. Where a declared region shows no believable outline, all of it is taken.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (rows, columns) or (rows, columns, 3)
        The displayed frame; not changed.
    regions : tuple of UltrasoundRegion
        Sequence of Ultrasound Regions, possibly empty or wrong.

    Returns
    -------
    Tissue
        The grey crop, its box in `pixels`, and where it comes from.

    Raises
    ------
    NoTissue
        If nothing but background, text or flat forms is seen, or the tissue is less than 64 pixels a side.
    MultipleTissueRegions
        If several panels are declared, or seen side by side.
    ColourDoppler
        If the tissue carries a colour flow overlay, see `has_colour_flow`.
    """
    pixels = without_idle_colour(pixels)
    panels = tissue_panels(pixels, regions)
    refuse_several(len(panels))
    searched = panels[0] if panels else whole(pixels)
    mask = _search(cut(pixels, searched), declared=bool(panels))
    inner = bounds(mask)
    box = shifted(inner, searched.x0, searched.y0)
    mask = cut(mask, inner)
    if has_colour_flow(cut(pixels, box), mask, declared=declares_flow(regions)):
        raise ColourDoppler("Send the B-mode image without the colour flow overlay.")
    grey = to_grey(cut(pixels, box)) * mask
    return Tissue(grey, box, "region" if panels else "image")


def _search(screen: ScreenPixels, declared: bool) -> Mask:
    """Find the silhouette; inside a declared region fall back on the region itself."""
    mask = find_silhouette(screen)
    if declared and (mask is None or share_of(mask) < MIN_SHARE_OF_REGION):
        return np.ones(screen.shape[:2], np.bool_)
    if mask is None:
        raise NoTissue(f"Send an image that shows B-mode tissue, at least {MIN_SIDE} x {MIN_SIDE} pixels of it.")
    return mask
