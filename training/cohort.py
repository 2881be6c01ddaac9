"""The cohort table: participant_id, view, path, pdff_percent."""

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from app.core.values import View

COLUMNS = ("participant_id", "view", "path", "pdff_percent")


@dataclass(frozen=True, slots=True)
class Participant:
    """One person of a study.

    Attributes
    ----------
    participant_id : str
    paths : mapping of View to Path
        One DICOM file a view.
    pdff_percent : float
        Reference value, percent.
    """

    participant_id: str
    paths: Mapping[View, Path]
    pdff_percent: float


def read_cohort(table: Path) -> list[Participant]:
    """Read and check a cohort table.

    Parameters
    ----------
    table : Path
        CSV; relative paths are relative to it.

    Returns
    -------
    list of Participant
        In the order of their first rows.

    Raises
    ------
    ValueError
        Listing every row that is wrong.
    """
    with table.open(newline="") as file:
        reader = csv.DictReader(file)
        if missing := [column for column in COLUMNS if column not in (reader.fieldnames or ())]:
            raise ValueError(f"{table} lacks the column(s) {', '.join(missing)}")
        rows = list(reader)
    problems = [
        f"line {line}: {problem}" for line, row in enumerate(rows, start=2) if (problem := _problem(row, table))
    ]
    _refuse(table, problems)
    groups: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        groups[row["participant_id"]].append(row)
    _refuse(table, [problem for name, group in groups.items() for problem in _group_problems(name, group)])
    return [_participant(name, group, table.parent) for name, group in groups.items()]


def _problem(row: Mapping[str, str], table: Path) -> str | None:
    if not row["participant_id"]:
        return "participant_id is empty"
    if row["view"] not in set(View):
        return f"view must be one of {', '.join(View)}"
    if not (table.parent / row["path"]).is_file():
        return "path names no file"
    try:
        in_range = 0 <= float(row["pdff_percent"]) <= 100
    except ValueError:
        return "pdff_percent is not a number"
    return None if in_range else "pdff_percent lies outside 0 to 100"


def _group_problems(name: str, group: list[dict[str, str]]) -> Iterable[str]:
    views = [row["view"] for row in group]
    if sorted(views) != sorted(View):
        yield f"{name}: needs each of the four views once, has {', '.join(sorted(views))}"
    if len({row["pdff_percent"] for row in group}) > 1:
        yield f"{name}: pdff_percent differs between rows"


def _refuse(table: Path, problems: list[str]) -> None:
    if problems:
        raise ValueError(f"{table} is not usable:\n" + "\n".join(problems))


def _participant(name: str, group: list[dict[str, str]], folder: Path) -> Participant:
    paths = {View(row["view"]): folder / row["path"] for row in group}
    return Participant(name, {view: paths[view] for view in View}, float(group[0]["pdff_percent"]))
