"""What a running service holds: its own process and all below it."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

_GONE = (FileNotFoundError, ProcessLookupError)
"""A process or a thread may end while it is looked at: readers are replaced."""


def family(pid: int) -> Iterator[int]:
    """Name a process and all below it."""
    yield pid
    with suppress(*_GONE):
        for task in Path(f"/proc/{pid}/task").iterdir():
            yield from (each for child in _children(task) for each in family(child))


def _children(task: Path) -> list[int]:
    with suppress(*_GONE):
        return [int(child) for child in (task / "children").read_text().split()]
    return []


def memory_mib(pid: int) -> float:
    """Sum the family's proportional set sizes: what is shared counts once for all that share it."""
    return _sum(pid, lambda each: _kib(f"/proc/{each}/smaps_rollup", "Pss")) / 1024


def peak_mib(pid: int) -> float:
    """Most that the process alone has ever held."""
    return _kib(f"/proc/{pid}/status", "VmHWM") / 1024


def cpu_s(pid: int) -> float:
    """Sum the processor seconds of the family, and of its children that have ended."""
    return _sum(pid, _ticks) / os.sysconf("SC_CLK_TCK")


def open_files(pid: int) -> int:
    """Count the family's open files."""
    return _sum(pid, lambda each: len(list(Path(f"/proc/{each}/fd").iterdir())))


def _sum(pid: int, measure: Callable[[int], int]) -> int:
    total = 0
    for each in family(pid):
        with suppress(*_GONE):
            total += measure(each)
    return total


def _kib(file: str, name: str) -> int:
    return next(int(line.split()[1]) for line in Path(file).read_text().splitlines() if line.startswith(f"{name}:"))


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15]))  # utime, stime, cutime, cstime: proc_pid_stat(5)
