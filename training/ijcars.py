"""Importer of the public liver ultrasound set of Byra et al. 2018: a MATLAB file -> PNG images and a cohort table.

References
----------
.. [1] Byra et al., "Transfer learning with deep convolutional neural network for liver steatosis assessment in
   ultrasound images", Int J CARS 2018; data: Zenodo, record 1009146.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.io import loadmat

from app.core.values import View
from training.cohort import COLUMNS
from training.progress import progress

FIELDS = ("id", "class", "fat", "images")
STEATOSIS_ABOVE_PERCENT = 5
"""``class`` is 1 where more than 5 % of the hepatocytes hold fat."""
CAUTION = (
    "`fat` is the share of hepatocytes with fat in a biopsy, percent: it is not PDFF, and 5 % and 10 % of it are other "
    "limits than 5 % and 10 % PDFF. The column pdff_percent holds it in lack of another."
)


@dataclass(frozen=True, slots=True, eq=False)
class Patient:
    """One entry of the set.

    Attributes
    ----------
    name : str
    fat_percent : float
        Hepatocytes with fat, percent.
    images : ndarray of uint8, shape (n_images, rows, columns)
        B-mode frames of the liver/kidney view.
    """

    name: str
    fat_percent: float
    images: NDArray[np.uint8]


def import_ijcars(path: Path, folder: Path) -> Path:
    """Write every image as PNG, and a cohort table of one view with several images a participant.

    Parameters
    ----------
    path : Path
        ``dataset_liver_bmodes_steatosis_assessment_IJCARS.mat``.
    folder : Path
        Receives ``images/`` and ``cohort.csv``.

    Returns
    -------
    Path
        The cohort table.

    Raises
    ------
    ValueError
        If the file is not that set; every entry that is wrong is named.
    """
    patients = read_ijcars(path)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    table = folder / "cohort.csv"
    partial = table.with_name(table.name + ".part")
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for patient in progress(patients, "images", len(patients), "participant"):
            writer.writerows(_write_images(patient, folder))
    return partial.replace(table)


def read_ijcars(path: Path) -> list[Patient]:
    """Read and check the struct array ``data``.

    Raises
    ------
    ValueError
    """
    document = loadmat(path, squeeze_me=True, struct_as_record=True)
    data = np.atleast_1d(document.get("data", np.zeros(0)))
    if missing := [field for field in FIELDS if field not in (data.dtype.names or ())]:
        raise ValueError(f"{path} holds no struct array `data` with the field(s) {', '.join(missing)}")
    if problems := list(_problems(data)):
        raise ValueError(f"{path} is not usable:\n" + "\n".join(problems))
    return [Patient(f"{_number(entry['id']):g}", _number(entry["fat"]), _frames(entry["images"])) for entry in data]


def _problems(data: NDArray[Any]) -> Iterator[str]:
    names = [_number(entry["id"]) for entry in data]
    if len(set(names)) < len(names):
        yield "an id stands there twice"
    for position, entry in enumerate(data, start=1):
        yield from (f"entry {position}: {problem}" for problem in _entry_problems(entry))


def _entry_problems(entry: Any) -> Iterator[str]:
    fat, positive, images = _number(entry["fat"]), _number(entry["class"]), np.asarray(entry["images"])
    if not 0 <= fat <= 100:
        yield "fat lies outside 0 to 100"
    elif positive != (fat > STEATOSIS_ABOVE_PERCENT):
        yield f"class {positive:g} contradicts fat {fat:g} %"
    if images.ndim not in (2, 3) or images.dtype != np.uint8:
        yield f"images is {images.dtype} of shape {images.shape}, not uint8 of shape (n, rows, columns)"


def _number(value: Any) -> float:
    """Take a scalar, which MATLAB stores as a matrix."""
    flat = np.ravel(value)
    return float(flat[0]) if flat.size == 1 and np.issubdtype(flat.dtype, np.number) else float("nan")


def _frames(images: Any) -> NDArray[np.uint8]:
    """One image that lost its first axis gets it back."""
    array = np.asarray(images, np.uint8)
    return array[np.newaxis] if array.ndim == 2 else array


def _write_images(patient: Patient, folder: Path) -> Sequence[tuple[str, str, str, str]]:
    rows = []
    for number, image in enumerate(patient.images, start=1):
        name = f"images/{patient.name}-{number:02d}.png"
        Image.fromarray(np.ascontiguousarray(image)).save(folder / name)
        rows.append((patient.name, str(View.LIVER_KIDNEY), name, f"{patient.fat_percent:g}"))
    return rows
