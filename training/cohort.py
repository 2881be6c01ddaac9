"""The cohort table: participant_id, view, path, pdff_percent."""

import codecs
import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from app.core.values import View

COLUMNS = ("participant_id", "view", "path", "pdff_percent")
DELIMITERS = ",;\t"
"""Spreadsheets write different ones; the one that occurs most often in the header is taken."""


@dataclass(frozen=True, slots=True)
class Participant:
    """One person of a study.

    Attributes
    ----------
    participant_id : str
    paths : mapping of View to tuple of Path
        DICOM, PNG or JPEG; one or more images of each view that the cohort has.
    pdff_percent : float
        Reference value, percent.
    """

    participant_id: str
    paths: Mapping[View, tuple[Path, ...]]
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
        In the order of their first rows. All have the same views; several rows of one participant and view are
        several images.

    Raises
    ------
    ValueError
        Listing every row that is wrong.
    """
    lines = _read(table)
    problems = [f"line {line}: {problem}" for line, row in lines.items() if (problem := _problem(row, table))]
    _refuse(table, [*problems, *_repeated(lines, table)] if lines else ["it has no row"])
    groups: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in lines.values():
        groups[row["participant_id"]].append(row)
    views = {row["view"] for row in lines.values()}
    _refuse(table, [problem for name, group in groups.items() for problem in _group_problems(name, group, views)])
    return [_participant(name, group, table.parent) for name, group in groups.items()]


def _read(table: Path) -> dict[int, dict[str, str]]:
    """Read the rows that are not empty, by line number. Cells are stripped; missing ones are empty."""
    text = _text(table)
    header = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=header.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, restval="", restkey="")
    names = [name.strip() for name in reader.fieldnames or ()]
    if missing := [column for column in COLUMNS if column not in names]:
        raise ValueError(f"{table} lacks the column(s) {', '.join(missing)}")
    reader.fieldnames = names
    rows = ((reader.line_num, {name: row[name].strip() for name in COLUMNS}) for row in reader)
    lines = {line: row for line, row in rows if any(row.values())}
    if delimiter != ",":  # then a comma may be a decimal comma
        lines = {line: row | {"pdff_percent": row["pdff_percent"].replace(",", ".")} for line, row in lines.items()}
    return lines


def _text(table: Path) -> str:
    """Decode a table: UTF-8 or UTF-16 by its byte order mark, else UTF-8, else Windows-1252."""
    content = table.read_bytes()
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    for encoding in ("utf-8-sig", "cp1252"):
        with suppress(UnicodeDecodeError):
            return content.decode(encoding)
    raise ValueError(f"{table} is not text: save it as CSV UTF-8")


def _problem(row: Mapping[str, str], table: Path) -> str | None:
    if any("\0" in cell for cell in row.values()):
        return "it holds a NUL character: save the table as CSV UTF-8"
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


def _repeated(lines: Mapping[int, Mapping[str, str]], table: Path) -> Iterable[str]:
    """Name rows whose file an earlier row has: an image is one participant's, and one view's."""
    first: dict[Path, int] = {}
    for line, row in lines.items():
        if "\0" in row["path"]:
            continue
        path = (table.parent / row["path"]).resolve()
        if first.setdefault(path, line) != line:
            yield f"line {line}: path is that of line {first[path]}"


def _group_problems(name: str, group: list[dict[str, str]], views: set[str]) -> Iterable[str]:
    if missing := views - {row["view"] for row in group}:
        yield f"{name}: has no {', '.join(view for view in View if view in missing)}, as others have"
    if len({row["pdff_percent"] for row in group}) > 1:
        yield f"{name}: pdff_percent differs between rows"


def _refuse(table: Path, problems: list[str]) -> None:
    if problems:
        raise ValueError(f"{table} is not usable:\n" + "\n".join(problems))


def _participant(name: str, group: list[dict[str, str]], folder: Path) -> Participant:
    paths = {view: tuple(folder / row["path"] for row in group if row["view"] == view) for view in View}
    return Participant(name, {view: each for view, each in paths.items() if each}, float(group[0]["pdff_percent"]))
