"""Whether a disk has room: a database that can be read says nothing of it."""

import shutil
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final

from app.core.errors import StorageUnavailable

ROOM_BYTES: Final = 16 << 20
"""A study with its crops takes a few MiB."""
_PROBE_BYTES: Final = 64 << 10
_RETRY_AFTER_S: Final = 30


def check_room(folder: Path, purpose: str) -> None:
    """See whether something can be written into a folder, and something is left for others.

    Parameters
    ----------
    folder : Path
    purpose : str
        What it is for, as the refusal says: it names no path.

    Raises
    ------
    StorageUnavailable
        If the disk is full or nearly so, or takes no writes: a quota, a file system that was mounted read-only.
    """
    try:
        with TemporaryFile(dir=folder, buffering=0) as probe:  # without a name: nothing stays, whatever happens
            has_room = probe.write(bytes(_PROBE_BYTES)) == _PROBE_BYTES and shutil.disk_usage(folder).free >= ROOM_BYTES
    except OSError as error:
        raise _no_room(purpose) from error
    if not has_room:
        raise _no_room(purpose)


def _no_room(purpose: str) -> StorageUnavailable:
    return StorageUnavailable(
        f"The disk for {purpose} is full or takes no writes. Make room: the service goes on by itself.",
        retry_after_s=_RETRY_AFTER_S,
    )
