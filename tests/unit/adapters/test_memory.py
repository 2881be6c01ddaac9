"""Settings of a process that cannot be taken back, each in a process of its own."""

import os
import subprocess
import sys

import pytest

LOADING = """
import gc
from app.adapters.machine.memory import loading_for_good

before = gc.get_freeze_count()
with loading_for_good():
    assert not gc.isenabled()
    kept = [[] for _ in range(5000)]
assert gc.isenabled()
assert gc.get_freeze_count() - before > 5000
cycle = []
cycle.append(cycle)
del cycle
assert gc.collect() > 0, "what comes later is collected as ever"
"""


def test_what_was_loaded_is_left_out_of_later_collections() -> None:
    subprocess.run([sys.executable, "-c", LOADING], check=True)


ALLOCATOR = """
import ctypes, pathlib

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]

def held():
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * 4096

def fill(size):
    piece = libc.malloc(size)
    ctypes.memset(piece, 1, size)
    return piece
"""
HOLDING = """
import sys
from app.adapters.machine.memory import hold_little

if sys.argv[1] == "little":
    hold_little()
libc.free(fill(24 << 20))  # by default glibc learns from this to keep pieces of this size in its heap
before = held()
large, last = fill(16 << 20), fill(1000)  # the last keeps the heap from shrinking
libc.free(large)
print(held() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the allocator is glibc's")
def test_large_pieces_go_back_when_they_are_freed() -> None:
    kept = {how: int(_said_by(HOLDING, how)) for how in ("little", "as usual")}
    assert kept["as usual"] > 8 << 20, "else there would be nothing to set"
    assert kept["little"] < 1 << 20


TIDYING = """
from app.adapters.machine.memory import return_unused

before = held()
pieces = [fill(100_000) for _ in range(200)]
last = fill(100_000)  # keeps the heap from shrinking
for piece in pieces:
    libc.free(piece)
print(held() - before)
return_unused()
print(held() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the allocator is glibc's")
def test_what_was_freed_goes_back_in_time() -> None:
    kept, left = map(int, _said_by(TIDYING).split())
    assert kept > 16 << 20, "else there would be nothing to give back"
    assert left < 2 << 20


def _said_by(script: str, *arguments: str) -> bytes:
    command = [sys.executable, "-c", ALLOCATOR + script, *arguments]
    return subprocess.run(command, env=_untuned(), check=True, capture_output=True).stdout


def _untuned() -> dict[str, str]:
    """Give the allocator as it comes: dask's local cluster, which other tests start, leaves settings of its own."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_TUNABLES"))}
