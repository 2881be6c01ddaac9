import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.adapters.machine.cpus import stand_back, usable_cpus

CORES = len(os.sched_getaffinity(0))


def groups(folder: Path, own: str, files: dict[str, str]) -> tuple[Path, Path]:
    """A tree of control groups as the kernel shows it, and the file that says which one is ours."""
    for name, content in files.items():
        (folder / "fs" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "fs" / name).write_text(content)
    (folder / "own").write_text(own)
    return folder / "fs", folder / "own"


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("0::/\n", {"cpu.max": "max 100000\n"}, CORES),
        ("0::/\n", {"cpu.max": "100000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "5000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "150000 100000\n"}, min(2, CORES)),
        ("0::/pod/box\n", {"pod/cpu.max": "100000 100000\n", "pod/box/cpu.max": "max 100000\n"}, 1),
        ("0::/docker/of-the-host\n", {"cpu.max": "100000 100000\n"}, 1),
        ("4:cpu,cpuacct:/\n", {"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
        ("4:cpu,cpuacct:/\n", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, CORES),
        ("2:memory:/\n", {}, CORES),
    ],
)
def test_the_containers_quota_counts(own: str, files: dict[str, str], expected: int, tmp_path: Path) -> None:
    assert usable_cpus(*groups(tmp_path, own, files)) == expected


def test_without_control_groups_affinity_counts(tmp_path: Path) -> None:
    assert usable_cpus(tmp_path / "fs", tmp_path / "own") == CORES


def test_a_process_bound_to_one_core_takes_one(tmp_path: Path) -> None:
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); " + (
        "from app.settings import Settings; print(Settings().threads)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a priority for each thread")
def test_who_stands_back_does_so_alone() -> None:
    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    before = priority()
    with ThreadPoolExecutor(1, initializer=stand_back) as pool:
        assert pool.submit(priority).result() > before
    assert priority() == before
