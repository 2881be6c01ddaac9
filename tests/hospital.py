"""A study as a hospital sends it: sixty objects, and only the writing on their screens says what they show.

No attribute names a view, and one Series Description stands on all. Each of the four views was stored twice; the others
are other organs, other vessels, colour flow, spectra, worksheets, split screens and cines.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from pydicom.uid import JPEGBaseline8Bit

from app.core.values import ScreenPixels, View
from tests.factories import Region, uid, us_instance
from tests.known_screens import FINISHES, STYLES, as_jpeg, known_screen
from tests.screens import INKS, written

SERIES_DESCRIPTIONS = ("US LIVER AND RENAL", "US ABDOMEN COMPLETE")
QUALITIES = (95, 85, 75)
ENCODINGS = ("YBR_FULL_422", "RGB", "YBR_FULL")
PLACES = {
    "plain": ((110, 110), (740, 120), (700, 718), (430, 630)),
    "barred": ((110, 110), (770, 110), (700, 728), (480, 640)),
    "console": ((200, 120), (860, 130), (700, 835), (560, 740)),
}
"""Columns and rows of annotations: beside the probe's face, on both sides; below the sector; in its far field."""


class Kind(StrEnum):
    """What the scanner stored."""

    B_MODE = "b_mode"
    CINE = "cine"
    COLOUR_FLOW = "colour_flow"
    SPECTRUM = "spectrum"
    TWO_PANELS = "two_panels"
    WORKSHEET = "worksheet"


@dataclass(frozen=True, slots=True)
class Shot:
    """One object of the examination.

    Attributes
    ----------
    annotation : str
        What the sonographer typed on the screen.
    view : View or None
        What a reader of the screen takes it for.
    kind : Kind
    """

    annotation: str
    view: View | None = None
    kind: Kind = Kind.B_MODE


def _others(*annotations: str) -> tuple[Shot, ...]:
    return tuple(Shot(annotation) for annotation in annotations)


SHOTS = (
    *_others("PANCREAS", "PANC HEAD", "PANCREAS TAIL", "AORTA PROX", "MID AORTA", "BIF AORTA", "IVC", "LT LOBE"),
    *_others("LT LOBE LONG", "LT PORTAL VEIN", "CAUDATE", "FALCIFORM LIG"),
    Shot("HEPATIC VEINS", View.HEPATIC_VEINS),
    *_others("RHV", "MAIN PORTAL VEIN", "ANT RT PV"),
    Shot("RT PORTAL VEIN", View.RIGHT_PORTAL_VEIN),
    Shot("RT POST PV", View.RIGHT_POSTERIOR_PORTAL_VEIN),
    Shot("RPV", kind=Kind.COLOUR_FLOW),
    Shot("MPV", kind=Kind.SPECTRUM),
    Shot("HEPATIC VEINS", kind=Kind.SPECTRUM),
    Shot("HEP ARTERY", kind=Kind.COLOUR_FLOW),
    Shot("HEP ARTERY", kind=Kind.SPECTRUM),
    *_others("RT LOBE DOME", "RT LOBE TRANS", "LIVER LENGTH", "GALLBLADDER", "GB LONG", "GB NECK", "GB FUNDUS"),
    *_others("GB TRANS LLD", "GB WALL", "CBD", "CBD PROX", "R/O STONE"),
    Shot("GALLBLADDER", kind=Kind.TWO_PANELS),
    Shot("LIVER/RT KIDNEY", View.LIVER_KIDNEY),
    *_others("RT KIDNEY", "RK LONG LAT", "RK TRV MID", "SPLEEN", "SPLEEN TRANS", "SPLEEN/LT KIDNEY"),
    *_others("LT KIDNEY", "LK TRV"),
    Shot("LK LONG", kind=Kind.COLOUR_FLOW),
    *_others("URINARY BLADDER", "ASCITES RLQ", "SPLEEN LENGTH"),
    Shot("RT LOBE SWEEP", kind=Kind.CINE),
    Shot("HEP VEINS CONFLUENCE", View.HEPATIC_VEINS),
    Shot("RT PV TRANS", View.RIGHT_PORTAL_VEIN),
    Shot("RT POSTERIOR PORTAL VEIN", View.RIGHT_POSTERIOR_PORTAL_VEIN, Kind.CINE),
    Shot("MORISONS POUCH", View.LIVER_KIDNEY),
    Shot("HEPATIC VEINS", kind=Kind.COLOUR_FLOW),
    Shot("LIVER/RT KIDNEY", kind=Kind.TWO_PANELS),
    *_others("LIVER VOL", "PLEURA RT"),
    *(Shot(page, kind=Kind.WORKSHEET) for page in ("ABDOMEN REPORT 1/2", "ABDOMEN REPORT 2/2")),
)
"""In the order in which they were taken."""

_WITH_A_FEW = ("LT PORTAL VEIN", "GALLBLADDER", "SPLEEN/LT KIDNEY", "RPV", "MPV", "RT LOBE SWEEP", "ABDOMEN REPORT 1/2")
FEW_SHOTS = tuple(shot for shot in SHOTS if shot.view or shot.annotation in _WITH_A_FEW)
"""The views and one of each kind beside them."""


@dataclass(frozen=True, slots=True)
class HospitalStudy:
    """The objects of one examination.

    Attributes
    ----------
    shots : tuple of Shot
    uids : tuple of str
        SOP Instance UIDs, as everything here in the order in which the images were taken.
    contents : tuple of bytes
    """

    study_instance_uid: str
    shots: tuple[Shot, ...]
    uids: tuple[str, ...]
    contents: tuple[bytes, ...]

    @property
    def expected(self) -> dict[View, str]:
        """The SOP Instance UID that stands for each view: all are named as well, so the one taken last."""
        return {shot.view: uid for shot, uid in zip(self.shots, self.uids, strict=True) if shot.view}


def hospital_study(shots: Sequence[Shot] = SHOTS, study: int = 1) -> HospitalStudy:
    """Draw and write a study; no two of its pictures are equal, nor those of two studies."""
    contents = [_instance(shot, number, study) for number, shot in enumerate(shots, 1)]
    uids = [uid("hospital", study, number) for number in range(1, len(shots) + 1)]
    return HospitalStudy(uid("study", 1, study), tuple(shots), tuple(uids), tuple(contents))


def _instance(shot: Shot, number: int, study: int) -> bytes:
    style = tuple(STYLES)[number % len(STYLES)]
    frames = [_drawn(shot, style, number, participant) for participant in _participants(shot, number, study)]
    pixels = np.stack([as_jpeg(frame, QUALITIES[number // 3 % 3]) for frame in frames])
    return us_instance(
        view=None,
        study=study,
        number=number,
        pixels=pixels,
        photometric=ENCODINGS[number % len(ENCODINGS)],
        transfer_syntax=JPEGBaseline8Bit,
        regions=_regions(pixels, shot, number),
        attributes=_attributes(shot, number, study),
    )


def _participants(shot: Shot, number: int, study: int) -> range:
    """Name a phantom for each frame, so that no two are alike."""
    first = 1000 * study + 10 * number
    return range(first, first + (3 if shot.kind is Kind.CINE else 1))


def _attributes(shot: Shot, number: int, study: int) -> dict[str, object]:
    flow = shot.kind is Kind.COLOUR_FLOW
    return {
        "SOPInstanceUID": uid("hospital", study, number),
        "StudyDescription": SERIES_DESCRIPTIONS[study % 2],
        "SeriesDescription": SERIES_DESCRIPTIONS[study % 2],
        "ProtocolName": "ABDOMEN",
        "BodyPartExamined": "ABDOMEN",
        "BurnedInAnnotation": "YES",
        "ImageType": ["ORIGINAL", "PRIMARY", "ABDOMINAL", "0011" if flow else "0001"],
        "AcquisitionDate": "20240101",
        "AcquisitionTime": f"12{number // 2:02}{number % 2 * 30:02}",
    }


def _regions(pixels: NDArray[np.uint8], shot: Shot, number: int) -> list[Region]:
    """Declare the whole screen below the header, as generous vendors do, on every other plain image."""
    plain = shot.kind in (Kind.B_MODE, Kind.CINE) and number % 2
    return [Region(0, 70, pixels.shape[2] - 1, pixels.shape[1] - 1)] if plain else []


# --- what the screens show ------------------------------------------------------------------------------------


def _drawn(shot: Shot, style: str, number: int, participant: int) -> ScreenPixels:
    if shot.kind is Kind.WORKSHEET:
        return _worksheet(shot.annotation, number)
    picture = shot.view or tuple(View)[number % 4]
    screen = known_screen(style, participant, picture, tuple(FINISHES)[number % len(FINISHES)]).pixels
    if shot.kind is Kind.COLOUR_FLOW:
        screen = _with_flow(screen)
    if shot.kind is Kind.SPECTRUM:
        screen = _above_a_spectrum(screen, number)
    if shot.kind is Kind.TWO_PANELS:
        screen = _beside(screen, known_screen(style, participant + 5, picture).pixels)
    place = PLACES[style][number % (2 if shot.kind is Kind.SPECTRUM else 4)]
    size, ink = 16 + 2 * (number % 4), tuple(INKS)[number // 4 % len(INKS)]
    return written(screen, shot.annotation, place, size, ink, outline=True)


def _with_flow(screen: ScreenPixels) -> ScreenPixels:
    image = Image.fromarray(screen)
    pen = ImageDraw.Draw(image)
    x, y = screen.shape[1] // 2, screen.shape[0] // 2
    pen.rectangle((x - 120, y - 80, x + 120, y + 80), outline=(90, 200, 90))
    pen.ellipse((x - 80, y - 20, x + 10, y + 15), fill=(210, 40, 20))
    pen.ellipse((x + 20, y - 10, x + 90, y + 30), fill=(20, 60, 220))
    return np.asarray(image)


def _above_a_spectrum(screen: ScreenPixels, seed: int) -> ScreenPixels:
    """Shrink the picture into the upper half, and draw the speeds of some heartbeats below it."""
    rows, columns = screen.shape[:2]
    image = Image.new("RGB", (columns, rows))
    image.paste(Image.fromarray(screen).resize((columns // 2, rows // 2)), (columns // 4, 0))
    canvas = np.array(image)
    canvas[rows // 2 + 40 : rows - 50, 100:-100] = _spectrum(rows // 2 - 90, columns - 200, seed)[..., None]
    return canvas


def _spectrum(rows: int, columns: int, seed: int) -> NDArray[np.uint8]:
    """Draw speeds over time: bright where many cells move so fast, black beyond the fastest, a baseline at 0."""
    height = (np.arange(rows)[::-1, None] - rows // 4) / rows
    fastest = 0.2 + 0.4 * np.abs(np.sin(np.arange(columns) / 60 + seed)) ** 3
    share = np.exp(-(((height - 0.7 * fastest) / (0.3 * fastest)) ** 2)) * (height > 0.02) * (height < fastest)
    levels = share * np.random.default_rng(seed).rayleigh(110, (rows, columns))
    levels[np.abs(height[:, 0]) < 1 / rows] = 180
    return levels.clip(0, 255).astype(np.uint8)


def _beside(left: ScreenPixels, right: ScreenPixels) -> ScreenPixels:
    rows, columns = left.shape[:2]
    image = Image.new("RGB", (columns, rows))
    for k, screen in enumerate((left, right)):
        image.paste(Image.fromarray(screen).resize((columns // 2, rows // 2)), (k * columns // 2, rows // 4))
    return np.asarray(image)


def _worksheet(title: str, number: int) -> ScreenPixels:
    names = (
        "Liver",
        "Spleen",
        "Rt Kidney",
        "Lt Kidney",
        "CBD",
        "GB wall",
        "Aorta",
        "Portal vein",
        "RPV",
        "Hepatic vein",
    )
    page = written(np.full((768, 1024, 3), 24, np.uint8), title, (60, 90), 22)
    for k, name in enumerate(names):
        page = written(page, f"{name}    {k + number / 10:.1f} cm    {3 * k}.2 cm/s", (80, 150 + 44 * k), 18, "cyan")
    return page
