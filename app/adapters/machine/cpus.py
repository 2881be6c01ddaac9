"""How many processors this process may use (its affinity, and its container's share of them), and who goes first."""

import math
import os
import sys
import threading
from pathlib import Path
from typing import Final

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUP = Path("/proc/self/cgroup")
_STEP_BACK: Final = 5
"""Of the kernel's 20 steps: a third of the time that others get who want the same core, and never none."""


def usable_cpus(cgroups: Path = _CGROUPS, own_cgroup: Path = _OWN_CGROUP) -> int:
    """Count the processors that this process may keep busy, at least one.

    A container with ``--cpus 1.5`` still sees every core of its host: threads beyond its quota would be stopped for
    the rest of each period, in the middle of a layer that all others wait for.

    Parameters
    ----------
    cgroups : Path
        Where the kernel shows control groups (Linux cgroup v2, or v1 with its ``cpu`` controller).
    own_cgroup : Path
        Which of them this process is in.

    Returns
    -------
    int
        The smaller of affinity and quota; a part of a processor counts as one.
    """
    return max(1, math.ceil(min(_affinity(), *_quotas(cgroups, own_cgroup))))


def stand_back() -> None:
    """Let this thread, and what it starts, give way: where cores are short, who answers requests goes first.

    Only Linux has a priority for each thread; elsewhere nothing changes.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + _STEP_BACK)


def _affinity() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _quotas(cgroups: Path, own_cgroup: Path) -> list[float]:
    """Read the quotas of this process's control group and of all above it; infinity where there is none."""
    quotas = [math.inf]
    for line in _lines(own_cgroup):
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            root, read = cgroups, _v2
        elif "cpu" in controllers.split(","):
            root, read = cgroups / "cpu", _v1
        else:
            continue
        folder = root / path.lstrip("/")
        # inside a container the path is the host's, and the container's own group is mounted as the root
        quotas += [read(each) for each in (folder, *folder.parents) if each.is_relative_to(root)]
    return quotas


def _v2(group: Path) -> float:
    """``cpu.max``: quota and period in microseconds, or ``max`` and a period."""
    return next((_ratio(*line.split()) for line in _lines(group / "cpu.max")), math.inf)


def _v1(group: Path) -> float:
    """``cpu.cfs_quota_us`` over ``cpu.cfs_period_us``; a quota of -1 is none."""
    quota, period = (next(iter(_lines(group / f"cpu.cfs_{name}_us")), "-1") for name in ("quota", "period"))
    return _ratio(quota, period)


def _ratio(quota: str, period: str) -> float:
    return math.inf if quota in {"max", "-1"} else int(quota) / int(period)


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.is_file() else []
