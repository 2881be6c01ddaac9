"""A vendor's screen: the scan-converted sector, and the annotations around it."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy.sparse import csr_array

from app.core.values import GreyImage, TissueBox, View
from training.phantom.grid import HALF_ANGLE_RAD, N_DEPTHS, N_LINES, PROBE_RADIUS_CM, Field
from training.phantom.physics import Acquisition

VIEW_TITLES = {
    View.HEPATIC_VEINS: "Hepatic veins / IVC",
    View.RIGHT_PORTAL_VEIN: "Right portal vein",
    View.RIGHT_POSTERIOR_PORTAL_VEIN: "Right posterior portal vein",
    View.LIVER_KIDNEY: "Liver/kidney sagittal",
}
"""The views as sonographers write them."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a vendor puts things on the screen, pixels.

    Attributes
    ----------
    name : str
        Shown in the header.
    columns, rows : int
        Screen size.
    middle_column : int
        Column of the sector's middle line.
    top_row, bottom_row : int
        Rows of the sector's highest and lowest sample.
    scale_column, bar_column : int
        Columns of the depth ticks and of the grey bar.
    half_angle_rad : float
        Half of the opening angle that is shown, at most the simulated `HALF_ANGLE_RAD`.
    header_rows : int
        Height of a grey bar behind the header; 0 for a black header.
    probe : str
        Shown in the header.
    """

    name: str
    columns: int
    rows: int
    middle_column: int
    top_row: int
    bottom_row: int
    scale_column: int
    bar_column: int
    half_angle_rad: float = HALF_ANGLE_RAD
    header_rows: int = 0
    probe: str = "C5-1"


LAYOUTS = (
    Layout("FAKE SONO 1", 1024, 768, 506, 92, 704, 984, 20),
    Layout("MOCK SCAN 2", 1024, 768, 556, 78, 716, 58, 992, float(np.deg2rad(30.0)), 62, "3C5-A"),
)
"""Two vendors: a wide sector on a black screen, and a narrower, larger one beside its depth scale under a grey bar."""


@dataclass(frozen=True, slots=True, eq=False)
class Screen:
    """One stored image.

    Attributes
    ----------
    vendor : str
        Name of the layout.
    pixels : ndarray of uint8, shape (rows, columns)
    region : TissueBox
        Encloses the sector.
    pixel_spacing_cm : float
        Of both axes.
    origin : tuple of int
        Column and row of the middle of the probe's face, relative to the region.
    frequency_mhz : float
        Of the probe.
    """

    vendor: str
    pixels: GreyImage
    region: TissueBox
    pixel_spacing_cm: float
    origin: tuple[int, int]
    frequency_mhz: float


@dataclass(frozen=True, slots=True, eq=False)
class ScanConversion:
    """Bilinear interpolation from the polar grid to the sector's pixels.

    Attributes
    ----------
    weights : csr_array of float32, shape (n_pixels, N_DEPTHS * N_LINES)
    places : ndarray of intp, shape (n_pixels,)
        Flat screen index of each pixel.
    region : TissueBox
    pixel_spacing_cm : float
    face_row : int
        Row of the middle of the probe's face.
    """

    weights: csr_array
    places: NDArray[np.intp]
    region: TissueBox
    pixel_spacing_cm: float
    face_row: int


@lru_cache(maxsize=8)
def scan_conversion(layout: Layout, depth_cm: float) -> ScanConversion:
    """Prepare the interpolation for one layout and depth."""
    edge_cm = PROBE_RADIUS_CM * (1 - np.cos(layout.half_angle_rad))  # the probe's edges lie above its middle
    spacing_cm = (depth_cm + edge_cm) / (layout.bottom_row - layout.top_row)
    face_row = round(layout.top_row + edge_cm / spacing_cm)
    rows, columns = np.mgrid[: layout.rows, : layout.columns]
    x_cm, y_cm = (columns - layout.middle_column) * spacing_cm, (rows - face_row) * spacing_cm
    depth = (np.hypot(x_cm, y_cm + PROBE_RADIUS_CM) - PROBE_RADIUS_CM) / depth_cm * (N_DEPTHS - 1)
    angle_rad = np.arctan2(x_cm, y_cm + PROBE_RADIUS_CM)
    line = np.clip(angle_rad / HALF_ANGLE_RAD + 1, 0, 2) / 2 * (N_LINES - 1)
    seen = (depth >= 0) & (depth <= N_DEPTHS - 1) & (np.abs(angle_rad) <= layout.half_angle_rad)
    weights = _bilinear(depth[seen], line[seen])
    return ScanConversion(weights, np.flatnonzero(seen), _bounds(seen), float(spacing_cm), face_row)


def _bilinear(depth: NDArray[np.float64], line: NDArray[np.float64]) -> csr_array:
    """Weights of the four neighbours of fractional grid positions."""
    i, j = np.minimum(depth.astype(int), N_DEPTHS - 2), np.minimum(line.astype(int), N_LINES - 2)
    u, v = depth - i, line - j
    weights = np.stack([(1 - u) * (1 - v), (1 - u) * v, u * (1 - v), u * v], axis=1)
    corner = i * N_LINES + j
    neighbours = np.stack([corner, corner + 1, corner + N_LINES, corner + N_LINES + 1], axis=1)
    starts = np.arange(0, weights.size + 1, 4)
    parts = (weights.ravel().astype(np.float32), neighbours.ravel().astype(np.int32), starts.astype(np.int32))
    return csr_array(parts, shape=(len(depth), N_DEPTHS * N_LINES))


def _bounds(mask: NDArray[np.bool_]) -> TissueBox:
    """Give the smallest box around a mask."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return TissueBox(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def show(layout: Layout, grey: Field, view: View, participant: int, settings: Acquisition) -> Screen:
    """Put polar grey levels on the screen, with annotations outside the region.

    Parameters
    ----------
    layout : Layout
    grey : ndarray of float32, shape (N_DEPTHS, N_LINES)
        0 to 255.
    view : View
    participant : int
        Shown in the header.
    settings : Acquisition

    Returns
    -------
    Screen
    """
    conversion = scan_conversion(layout, settings.depth_cm)
    canvas = _furniture(layout, settings.depth_cm).copy()
    _captions(canvas, layout, view, participant, settings)
    pixels = np.array(canvas)
    pixels.flat[conversion.places] = conversion.weights @ grey.ravel()
    box = conversion.region
    origin = (layout.middle_column - box.x0, conversion.face_row - box.y0)
    return Screen(layout.name, pixels, box, conversion.pixel_spacing_cm, origin, settings.frequency_mhz)


@lru_cache(maxsize=4)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


@lru_cache(maxsize=8)
def _furniture(layout: Layout, depth_cm: float) -> Image.Image:
    """Draw what does not change from image to image: header, logo, warning, depth ticks, grey bar."""
    canvas = Image.new("L", (layout.columns, layout.rows))
    pen = ImageDraw.Draw(canvas)
    if layout.header_rows:
        pen.rectangle((0, 0, layout.columns, layout.header_rows - 1), fill=48)
    pen.ellipse((10, 8, 44, 42), outline=200, width=3)
    pen.arc((16, 14, 38, 36), 200, 340, fill=200, width=3)
    pen.text((54, 8), layout.name, font=_font(18), fill=220)
    warning = "SYNTHETIC PHANTOM - NOT A PATIENT"
    pen.text((layout.columns // 2, layout.rows - 30), warning, font=_font(18), fill=230, anchor="ma")
    _depth_ticks(pen, layout, depth_cm)
    _grey_bar(pen, layout)
    return canvas


def _inwards(layout: Layout, column: int) -> int:
    """Give the direction from a column towards the screen's middle: 1 is right, -1 is left."""
    return 1 if column < layout.columns // 2 else -1


def _depth_ticks(pen: ImageDraw.ImageDraw, layout: Layout, depth_cm: float) -> None:
    """Draw a tick per centimetre, pointing away from the sector, and a number every five."""
    conversion = scan_conversion(layout, depth_cm)
    column, outwards = layout.scale_column, -_inwards(layout, layout.scale_column)
    for cm in range(int(depth_cm) + 1):
        row = round(conversion.face_row + cm / conversion.pixel_spacing_cm)
        length = 10 if cm % 5 == 0 else 5
        pen.line((column, row, column + outwards * length, row), fill=190)
        if cm % 5 == 0 and cm:
            anchor = "lm" if outwards > 0 else "rm"
            pen.text((column + outwards * 14, row), str(cm), font=_font(13), fill=190, anchor=anchor)


def _grey_bar(pen: ImageDraw.ImageDraw, layout: Layout) -> None:
    for step in range(160):
        row = layout.top_row + 20 + step
        pen.line((layout.bar_column, row, layout.bar_column + 13, row), fill=255 - step * 255 // 159)


def _captions(canvas: Image.Image, layout: Layout, view: View, participant: int, settings: Acquisition) -> None:
    """Write what belongs to this image."""
    pen = ImageDraw.Draw(canvas)
    small, right = _font(14), layout.columns - 12
    pen.text((54, 32), f"FAKE PATIENT  PHANTOM-{participant:04d}", font=small, fill=210)
    pen.text((right, 8), "MI 1.1  TIs 0.6", font=small, fill=210, anchor="ra")
    technique = f"{layout.probe}  {settings.frequency_mhz:.1f} MHz  DR {settings.dynamic_range_db:.0f} dB"
    pen.text((right, 26), technique, font=small, fill=210, anchor="ra")
    pen.text((right, 44), f"{settings.depth_cm:.0f} cm  Abdomen", font=small, fill=210, anchor="ra")
    pen.text((12, layout.rows - 34), VIEW_TITLES[view], font=_font(16), fill=230)
    _focus_mark(pen, layout, settings)


def _focus_mark(pen: ImageDraw.ImageDraw, layout: Layout, settings: Acquisition) -> None:
    """Draw a triangle beside the scale that points at the focal depth."""
    conversion = scan_conversion(layout, settings.depth_cm)
    row = round(conversion.face_row + settings.focus_cm / conversion.pixel_spacing_cm)
    inwards = _inwards(layout, layout.scale_column)
    tip, base = layout.scale_column + 3 * inwards, layout.scale_column + 12 * inwards
    pen.polygon(((tip, row), (base, row - 5), (base, row + 5)), fill=220)
