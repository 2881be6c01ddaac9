"""Crop screens whose tissue is known: how much of the sector is kept, what of the header, and what it does to PDFF.

Run ``python -m benchmarks.crops``: about four minutes on two cores. It needs the demonstration bundle (`make bundle`)
and, to search the crops for letters, the extra ``screen``.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np

from app.adapters.bundle.store import load_bundle
from app.adapters.screens.text_reader import text_reader
from app.core.errors import ImageError
from app.core.pipeline import estimate_study
from app.core.tissue import extract_tissue
from app.core.values import Crop, GreyImage, ScreenPixels, Tissue, TissueBox, UltrasoundRegion, View
from tests.known_screens import FINISHES, PATIENT, STYLES, KnownScreen, as_jpeg, known_screen, with_wedges

ENCODINGS: Final[dict[str, Callable[[ScreenPixels], ScreenPixels]]] = {
    "RGB": lambda pixels: pixels,
    "JPEG 95 4:4:4": lambda pixels: as_jpeg(pixels, 95, 0),
    "JPEG 85": lambda pixels: as_jpeg(pixels, 85),
    "JPEG 75 4:4:4": lambda pixels: as_jpeg(pixels, 75, 0),
    "JPEG 60": lambda pixels: as_jpeg(pixels, 60),
}
WEDGES: Final = [(degrees, at) for degrees in (4, 8, 16) for at in ((0,), (-15,), (12,), (22,), (-14, 9))]
REGIONS: Final = ("none", "whole screen", "tight")


def main() -> None:
    """Print all four tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--participants", type=int, default=8, help="phantoms in each layout")
    parser.add_argument("--bundle", type=Path, default=Path("models/demo/1.0.0"))
    options = parser.parse_args()
    numbers = range(1, options.participants + 1)
    report_crops(numbers)
    report_wedges(numbers)
    report_estimates(numbers, options.bundle)


def report_crops(numbers: range) -> None:
    """Print, for every encoding and region, what is kept of the sector and around it, and whether letters are."""
    kept, around, headers, named, crops, refused = [], [], 0, 0, 0, 0
    for screen, encode, region in _cases(numbers):
        crops += 1
        tissue = _crop(screen, encode(screen.pixels), region)
        if tissue is None:
            refused += 1
            continue
        mask = _on_screen(tissue, screen)
        lit = screen.tissue & screen.pixels.any(axis=2)
        kept.append(np.count_nonzero(mask & lit) / np.count_nonzero(lit))
        around.append(np.count_nonzero(mask & ~screen.tissue) / np.count_nonzero(screen.tissue))
        headers += bool((mask & screen.pixels.any(axis=2))[: screen.header_rows].any())
        named += _holds_name(tissue.pixels)
    print(f"crops {crops}, refused {refused}")
    print(f"  echoes of the sector kept: least {min(kept):.4f}, median {np.median(kept):.4f}")
    print(f"  lit pixels around it, of its area: most {max(around):.4f}, median {np.median(around):.4f}")
    print(f"  crops that hold something of the header: {headers}; letters of the patient's name: {named}")


def report_wedges(numbers: range) -> None:
    """Print how many sectors with contact shadows are answered whole."""
    whole, count = 0, 0
    for style in STYLES:
        for number in numbers:
            view = list(View)[number % 4]
            for degrees, at in WEDGES:
                screen = with_wedges(known_screen(style, number, view, "flat"), style, degrees, at)
                tissue = _crop(screen, as_jpeg(screen.pixels, 75) if number % 2 else screen.pixels, "none")
                count += 1
                whole += tissue is not None and np.abs(np.subtract(tissue.box, screen.box)).max() <= 16
    print(f"contact shadows of 4, 8 and 16 degrees: {whole} of {count} whole ({whole / count:.1%})")


def report_estimates(numbers: range, folder: Path) -> None:
    """Print how far the declared region moves a study's PDFF."""
    model = load_bundle(folder, threads=2).model
    spreads = []
    for style in STYLES:
        for number in numbers:
            screens = {view: known_screen(style, number, view, "graded down", 4.0 * number) for view in View}
            encode = list(ENCODINGS.values())[number % len(ENCODINGS)]
            answers = [
                estimate_study(
                    {view: _as_crop(_crop(s, encode(s.pixels), region)) for view, s in screens.items()}, model
                )
                for region in REGIONS
            ]
            spreads.append(np.ptp([answer.pdff_percent for answer in answers]))
    share = np.mean(np.array(spreads) <= 0.5)
    print(f"PDFF of {len(spreads)} studies with no, a generous and a tight region: apart by at most {max(spreads):.2f}")
    print(f"  points, median {np.median(spreads):.2f}; within 0.5 points: {share:.1%}")


def _cases(numbers: range) -> Iterator[tuple[KnownScreen, Callable[[ScreenPixels], ScreenPixels], str]]:
    for style in STYLES:
        for number in numbers:
            for k, finish in enumerate(FINISHES):
                screen = known_screen(style, number, list(View)[(number + k) % 4], finish)
                for j, encode in enumerate(ENCODINGS.values()):
                    yield screen, encode, REGIONS[(number + k + j) % 3]


def _crop(screen: KnownScreen, pixels: ScreenPixels, region: str) -> Tissue | None:
    rows, columns = pixels.shape[:2]
    boxes = {"none": [], "whole screen": [TissueBox(0, 0, columns, rows)], "tight": [screen.box]}[region]
    try:
        return extract_tissue(pixels, tuple(UltrasoundRegion(box, 1, 1) for box in boxes))
    except ImageError:
        return None


def _as_crop(tissue: Tissue | None) -> Crop:
    if tissue is None:
        raise SystemExit("a phantom was refused: see the first table")
    return Crop(sop_instance_uid="", study_instance_uid="", frame_number=1, decoder="", tissue=tissue)


def _on_screen(tissue: Tissue, screen: KnownScreen) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    mask = np.zeros(screen.tissue.shape, np.bool_)
    x0, y0, x1, y1 = tissue.box
    mask[y0:y1, x0:x1] = tissue.pixels > 0
    return mask


def _holds_name(pixels: GreyImage) -> bool:
    """Search a crop with the text reader itself, for four letters of the name in a row."""
    reader = text_reader()
    if reader is None:
        raise SystemExit("letters are searched for with the extra `screen`, which is not installed")
    words = PATIENT.split()
    parts = {word[k : k + 4] for word in words for k in range(len(word) - 3)}
    for box in reader.find(pixels):
        text = reader.read(np.ascontiguousarray(pixels[box.y0 : box.y1, box.x0 : box.x1])).text.upper()
        if any(part in text for part in parts):
            return True
    return False


if __name__ == "__main__":
    main()
