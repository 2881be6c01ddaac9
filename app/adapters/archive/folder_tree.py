"""Studies in a folder tree, whatever its shape: files belong together by their (0020,000D) Study Instance UID."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.adapters.dicom import read_identity
from app.core.errors import DicomError

_HEAD_BYTES: Final = 64 * 1024
"""Behind it, as a rule, there are only pixels."""


@dataclass(frozen=True, slots=True)
class FileStudy:
    """One study's files.

    Attributes
    ----------
    study_instance_uid : str
        (0020,000D).
    paths : tuple of Path
    """

    study_instance_uid: str
    paths: tuple[Path, ...]

    def contents(self) -> Iterator[bytes]:
        """Read its files one after another."""
        return (path.read_bytes() for path in self.paths)


def list_files(folder: Path) -> list[Path]:
    """List the files of a tree, sorted.

    Raises
    ------
    NotADirectoryError
    """
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is no folder.")
    return sorted(path for path in folder.rglob("*") if path.is_file())


def group_studies(paths: Iterable[Path]) -> list[FileStudy]:
    """Put files together into studies, in the order of their first files; what is no DICOM object of a study is left.

    Raises
    ------
    OSError
        If a file cannot be read.
    """
    studies: dict[str, list[Path]] = defaultdict(list)
    for path in paths:
        if uid := _study_instance_uid(path):
            studies[uid].append(path)
    return [FileStudy(uid, tuple(files)) for uid, files in studies.items()]


def _study_instance_uid(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        try:
            return read_identity(head).study_instance_uid or read_identity(head + file.read()).study_instance_uid
        except DicomError:
            return ""
