"""Studies and cohorts of phantoms on disk."""

import csv
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from app.core.values import View
from training.phantom.files import make_dataset, sop_instance_uid, write_atomically
from training.phantom.simulation import simulate_view
from training.progress import progress

COLUMNS = ("participant_id", "view", "path", "pdff_percent")
_PDFF_PERCENT = (1.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0)
_SHARE = np.array([0, 17, 51, 84, 107, 121, 130, 135]) / 135
"""Byra et al. 2021: 17 of 135 below 5 %, 51 below 10 %, 5 above 30 %; the points between are ours."""


def draw_pdff_percent(n_participants: int, seed: int) -> NDArray[np.float64]:
    """Draw fat fractions distributed as in the paper's Figure 1.

    One value is drawn from each of `n_participants` equal shares of the distribution, so 135 participants meet the
    paper's counts exactly and a small cohort still covers the range.

    Parameters
    ----------
    n_participants : int
    seed : int

    Returns
    -------
    ndarray of float64, shape (n_participants,)
        PDFF in percent, 1 to 40, in random order.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, n_participants]))
    share = (rng.permutation(n_participants) + rng.random(n_participants)) / n_participants
    return np.interp(share, _SHARE, _PDFF_PERCENT)


def write_study(folder: Path, participant: int, seed: int, pdff_percent: float) -> dict[View, Path]:
    """Write one participant's four DICOM files; files that are already there are kept.

    Parameters
    ----------
    folder : Path
        Made if missing.
    participant, seed : int
    pdff_percent : float

    Returns
    -------
    dict of View to Path
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = {view: folder / f"{view}.dcm" for view in View}
    for view, path in paths.items():
        if not _is_written(path, sop_instance_uid(participant, seed, pdff_percent, view)):
            screen = simulate_view(participant, seed, pdff_percent, view)
            write_atomically(make_dataset(screen, participant, seed, pdff_percent, view), path)
    return paths


def _is_written(path: Path, uid: str) -> bool:
    """Say whether the file holds this very image; a leftover of another seed or version does not count."""
    if not path.exists():
        return False
    try:
        found = dcmread(path, stop_before_pixels=True, specific_tags=["SOPInstanceUID", "Rows", "Columns"])
    except InvalidDicomError:
        return False
    return bool(found.get("SOPInstanceUID") == uid and path.stat().st_size > found.Rows * found.Columns)


def write_cohort(folder: Path, n_participants: int, seed: int, jobs: int = -1) -> Path:
    """Write a cohort: a folder per participant, and ``cohort.csv``. A killed run resumes.

    Parameters
    ----------
    folder : Path
        Made if missing.
    n_participants : int
    seed : int
    jobs : int
        Processes; -1 takes one per core.

    Returns
    -------
    Path
        Of ``cohort.csv``: participant_id, view, path (relative to the table), pdff_percent.
    """
    fractions = [float(pdff) for pdff in draw_pdff_percent(n_participants, seed)]
    tasks = (
        delayed(write_study)(folder / _participant_id(i, seed), i, seed, pdff)
        for i, pdff in enumerate(fractions, start=1)
    )
    done = Parallel(n_jobs=jobs, return_as="generator")(tasks)
    studies = list(progress(done, "phantom studies", n_participants, "study"))
    return _write_table(folder, fractions, studies)


def _participant_id(participant: int, seed: int) -> str:
    """Name a participant by cohort and number: those of another seed are other people."""
    return f"PHANTOM-{seed}-{participant:04d}"


def _write_table(folder: Path, fractions: list[float], studies: list[dict[View, Path]]) -> Path:
    table, unfinished = folder / "cohort.csv", folder / "cohort.csv.part"
    with unfinished.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        for pdff, paths in zip(fractions, studies, strict=True):
            for view, path in paths.items():
                writer.writerow((path.parent.name, view, path.relative_to(folder).as_posix(), f"{pdff:.4f}"))
    return unfinished.replace(table)
