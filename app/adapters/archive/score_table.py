"""A table of scores that grows study by study and survives being killed: pyarrow's only door.

While a run goes on, rows stand in a journal beside the table, a line each, written as soon as a study is done. At the
end, journal and former table become the new one, in one step.
"""

import fcntl
import json
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from app.core.scores import Row, columns

_TYPES = {str: pa.string(), float: pa.float64(), bool: pa.bool_(), int: pa.int64()}
SCHEMA = pa.schema([(name, _TYPES[kind]) for name, kind in columns().items()])


class ScoreTable:
    """The rows so far; as a context it can be added to.

    Parameters
    ----------
    path : Path
        Parquet file. What is already in it, or in its journal, is kept and not asked again.
    bundle_sha256 : str
        Whose answers the rows are.

    Raises
    ------
    ValueError
        If it holds another bundle's answers, or is no such table.
    """

    def __init__(self, path: Path, bundle_sha256: str) -> None:
        self._path = path
        self._journal = path.with_name(f"{path.name}.journal")
        self._bundle_sha256 = bundle_sha256
        self._rows: dict[str, Row] = {}
        self._keep(_read_table(path))

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._journal.open("a")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise ValueError(f"Another run writes {self._path} at the moment.") from error
        whole = len("".join(_whole_lines(self._journal)).encode())
        self._file.truncate(whole)  # what a killed run left of its last line
        self._keep(map(json.loads, _whole_lines(self._journal)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def outcome(self, study_instance_uid: str) -> str | None:
        """Tell what became of a study; None if it was not asked yet."""
        row = self._rows.get(study_instance_uid)
        return str(row["outcome"]) if row else None

    def add(self, row: Row) -> None:
        """Keep a row, whatever happens next to this process."""
        self._keep([row])
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()

    def finish(self) -> None:
        """Write the table, sorted by study, and remove the journal."""
        rows = [self._rows[uid] for uid in sorted(self._rows)]
        unfinished = self._path.with_name(f"{self._path.name}.unfinished")
        pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), unfinished)
        unfinished.replace(self._path)
        self._journal.unlink()

    def _keep(self, rows: Iterable[Row]) -> None:
        for row in rows:
            if row["bundle_sha256"] != self._bundle_sha256:
                raise ValueError(
                    f"{self._path} holds answers of bundle {row['bundle_sha256']}, not of {self._bundle_sha256}. "
                    "Name another --out."
                )
            self._rows[str(row["study_instance_uid"])] = row


def _read_table(path: Path) -> list[Row]:
    if not path.exists():
        return []
    try:
        return list(pq.read_table(path, schema=SCHEMA).to_pylist())
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise ValueError(f"{path} is no table of scores. Name another --out.") from error


def _whole_lines(journal: Path) -> list[str]:
    return [line for line in journal.read_text().splitlines(keepends=True) if line.endswith("\n")]
