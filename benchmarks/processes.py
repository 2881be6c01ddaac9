"""What a running service holds: its own process and all below it."""

import os
from collections.abc import Iterator
from pathlib import Path


def family(pid: int) -> Iterator[int]:
    """Name a process and all below it."""
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from family(int(child))


def memory_mib(pid: int) -> float:
    """Sum the family's proportional set sizes: what is shared counts once for all that share it."""
    return sum(_kib(f"/proc/{each}/smaps_rollup", "Pss") for each in family(pid)) / 1024


def peak_mib(pid: int) -> float:
    """Most that the process alone has ever held."""
    return _kib(f"/proc/{pid}/status", "VmHWM") / 1024


def cpu_s(pid: int) -> float:
    """Sum the processor seconds of the family, and of its children that have ended."""
    return sum(_ticks(each) for each in family(pid)) / os.sysconf("SC_CLK_TCK")


def open_files(pid: int) -> int:
    """Count the family's open files."""
    return sum(len(list(Path(f"/proc/{each}/fd").iterdir())) for each in family(pid))


def _kib(file: str, name: str) -> int:
    return next(int(line.split()[1]) for line in Path(file).read_text().splitlines() if line.startswith(f"{name}:"))


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15]))  # utime, stime, cutime, cstime: proc_pid_stat(5)
