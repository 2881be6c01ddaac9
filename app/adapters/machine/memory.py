"""Memory: glibc's allocator, told to give it back (other C libraries are left as they are), and Python's collector."""

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

TIDY_S: Final = 10.0
"""Between two times: the heaps keep what the busiest moment needed."""
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
_OPTIONS: Final = {
    _M_ARENA_MAX: 2,  # by default every thread gets a heap of its own, and each keeps what its largest study needed
    _M_MMAP_THRESHOLD: 1 << 20,  # what is larger goes back when it is freed; by default up to 32 MiB come to stay
    _M_TRIM_THRESHOLD: 4 << 20,
}


def hold_little() -> None:
    """Let all threads share two heaps, and keep large pieces out of them; call it before there are threads."""
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        for option, value in _OPTIONS.items():
            mallopt(option, value)


@contextmanager
def loading_for_good() -> Iterator[None]:
    """Leave what is loaded inside out of every later garbage collection, and do not collect meanwhile.

    A pass over all that the libraries hold takes 0.1 s, in which no request moves. Only for what ends with the process.
    """
    gc.disable()
    yield
    gc.freeze()
    gc.enable()


def return_unused(_stopping: object = None) -> None:
    """Give back what was freed, such as the copies of the weights that loading a network leaves behind."""
    if malloc_trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        malloc_trim(0)
