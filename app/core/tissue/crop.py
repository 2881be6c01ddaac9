"""The whole walk: a screen and its declared regions in, its tissue out."""

from typing import Final

from app.core.errors import ColourDoppler, NoTissue
from app.core.tissue.colour import has_colour_flow
from app.core.tissue.geometry import area, bounds, cut, share_of, shifted, whole
from app.core.tissue.panels import refuse_several
from app.core.tissue.pictures import MIN_SIDE, texture, to_grey, without_idle_colour
from app.core.tissue.regions import declares_flow, shows_time, tissue_panels
from app.core.tissue.shape import drawn
from app.core.tissue.silhouette import DOUBTFUL, MIN_DOUBTFUL_INSIDE, MIN_TISSUE_SHARE, Silhouette, find_silhouette
from app.core.values import GreyImage, ScreenPixels, Tissue, UltrasoundRegion

MIN_TEXTURE: Final = 0.02
"""Share of horizontal neighbours that differ: a sector that is black but for its near field has 0.05, a form 0."""
LIT: Final = 20
"""Grey level: brighter pixels show echoes."""
MIN_LIT: Final = 0.18
"""Of the shape: a probe in air lights 0.14 at most, a dark liver 0.35 at least."""


def extract_tissue(
    pixels: ScreenPixels, regions: tuple[UltrasoundRegion, ...] = (), *, is_flow_image: bool = False
) -> Tissue:
    """Crop a screen to its tissue.

    The shape of the tissue is fitted inside the declared region, if a single one can be believed, else in the whole
    picture; everything outside the shape is set to 0.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (rows, columns) or (rows, columns, 3)
        The displayed frame; not changed.
    regions : tuple of UltrasoundRegion
        Sequence of Ultrasound Regions, possibly empty or wrong.
    is_flow_image : bool
        Whether (0008,0008) Image Type says that the image shows colour flow.

    Returns
    -------
    Tissue
        The grey crop, its box in `pixels`, and where it comes from.

    Raises
    ------
    NoTissue
        If nothing but background, text or flat forms is seen, if what is seen has none of the shapes, or if the
        tissue is less than 64 pixels a side.
    MultipleTissueRegions
        If several panels are declared, or seen side by side.
    ColourDoppler
        If the tissue carries a colour flow overlay, see `has_colour_flow`.
    """
    pixels = without_idle_colour(pixels)
    panels = tissue_panels(pixels, regions)
    refuse_several(len(panels), "(0018,6011) Sequence of Ultrasound Regions declares several tissue regions.")
    if panels and shows_time(pixels, regions, panels[0]):
        refuse_several(2, "(0018,6011) Sequence of Ultrasound Regions declares a spectrum or M-mode beside the tissue.")
    searched = panels[0] if panels else whole(pixels)
    screen = cut(pixels, searched)
    if min(screen.shape[:2]) < MIN_SIDE:
        raise _too_small()
    silhouette = find_silhouette(screen)
    mask = drawn(silhouette.shape, screen.shape[:2])
    if not mask.any():
        raise _shapeless()
    inner = bounds(mask)
    box, mask = shifted(inner, searched.x0, searched.y0), cut(mask, inner)
    _check(cut(screen, inner), silhouette, share_of(mask) * area(inner) / area(searched))
    if has_colour_flow(cut(pixels, box), mask, declared=is_flow_image or declares_flow(regions)):
        raise ColourDoppler("Send the B-mode image without the colour flow overlay.")
    grey = to_grey(cut(pixels, box)) * mask
    _refuse_dark(grey, share_of(mask))
    return Tissue(grey, box, "region" if panels else "image", is_doubtful=not silhouette.is_good)


def _check(tissue: ScreenPixels, found: Silhouette, share: float) -> None:
    """Refuse what is too small, a `share` of what was searched, or flat, or of no known shape."""
    if min(tissue.shape[:2]) < MIN_SIDE:
        raise _too_small()
    if share < MIN_TISSUE_SHARE:
        raise NoTissue(
            f"What may be tissue covers less than {MIN_TISSUE_SHARE:.0%} of the image: send one that shows B-mode "
            "tissue."
        )
    if texture(tissue) < MIN_TEXTURE:
        raise NoTissue("The image shows a flat form and no tissue: send one that shows B-mode tissue.")
    if found.explained < DOUBTFUL or found.inside < MIN_DOUBTFUL_INSIDE:
        raise _shapeless()


def _too_small() -> NoTissue:
    return NoTissue(f"The tissue is too small: send an image with at least {MIN_SIDE} x {MIN_SIDE} pixels of it.")


def _shapeless() -> NoTissue:
    return NoTissue(
        "What the image shows has neither the outline of a sector nor that of a rectangle: send one that shows "
        "B-mode tissue."
    )


def _refuse_dark(grey: GreyImage, share_of_box: float) -> None:
    if share_of(grey > LIT) < MIN_LIT * share_of_box:
        raise NoTissue("The image shows almost no echoes: send one that shows B-mode tissue.")
