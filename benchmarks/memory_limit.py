"""A bound on the memory of a service and all its processes, as a container has it."""

import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.processes import family

MIB: Final = 1 << 20
_ROOT: Final = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class MemoryLimit:
    """What bounds memory.

    Attributes
    ----------
    mib : int
    kept_by : str
        In words: a control group bounds all processes together, RLIMIT_DATA each for itself.
    group : Path or None
        Folder of the control group.
    """

    mib: int
    kept_by: str
    group: Path | None

    def apply(self, pid: int) -> None:
        """Bound processes that run already, where no control group did so from the beginning."""
        if self.group is None:
            for each in family(pid):
                resource.prlimit(each, resource.RLIMIT_DATA, (self.mib * MIB, self.mib * MIB))

    def document(self) -> dict[str, object]:
        """Say what bounded memory and, of a control group, how near it came."""
        said: dict[str, object] = {"mib": self.mib, "kept_by": self.kept_by}
        if self.group:
            for name in ("memory.max_usage_in_bytes", "memory.peak"):
                with suppress(OSError):
                    said["peak_mib"] = int((self.group / name).read_text()) // MIB
            for name in ("memory.oom_control", "memory.events"):
                with suppress(OSError):
                    counts = dict(line.split() for line in (self.group / name).read_text().splitlines())
                    said["processes_killed"] = int(counts.get("oom_kill", 0))
        return said


@contextmanager
def memory_limit(mib: int) -> Iterator[MemoryLimit]:
    """Bound what is started inside; this process itself must `leave` before it does its own work.

    A control group needs a writable /sys/fs/cgroup (root, usually). Without one, RLIMIT_DATA bounds each process for
    itself: a service of several may take several times as much.
    """
    group = _make_group(mib)
    if group is None:
        yield MemoryLimit(mib, "RLIMIT_DATA, each process for itself: no memory control group can be made here", None)
        return
    version, folder, own = group
    try:
        _move(os.getpid(), folder)
        yield MemoryLimit(mib, f"memory control group (v{version}), all processes together", folder)
    finally:
        _move(os.getpid(), own)
        for _ in range(50):  # a process of the service that is still ending keeps it
            with suppress(OSError):
                folder.rmdir()
                break
            time.sleep(0.1)


def leave(limit: MemoryLimit) -> None:
    """Take this process out of the bound; what it has started stays in."""
    if limit.group:
        _move(os.getpid(), limit.group.parent)


def _make_group(mib: int) -> tuple[int, Path, Path] | None:
    """Make a control group below our own; give version, folder and our own."""
    groups = {line.split(":")[1]: line.split(":", 2)[2] for line in Path("/proc/self/cgroup").read_text().splitlines()}
    for version, root, name, file in (
        (1, _ROOT / "memory", "memory", "memory.limit_in_bytes"),
        (2, _ROOT, "", "memory.max"),
    ):
        own = root / groups.get(name, "-").lstrip("/")
        folder = own / f"liver-pdff-{os.getpid()}"
        if name not in groups or not own.is_dir():
            continue
        try:
            folder.mkdir()
            (folder / file).write_text(str(mib * MIB))
        except OSError:
            with suppress(OSError):
                folder.rmdir()
            continue
        return version, folder, own
    return None


def _move(pid: int, group: Path) -> None:
    (group / "cgroup.procs").write_text(str(pid))
