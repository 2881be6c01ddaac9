"""Memory: glibc's allocator, told to give it back (other C libraries are left as they are), and Python's collector."""

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_M_ARENA_MAX: Final = -8
_ARENAS: Final = 2
"""By default every thread gets a heap of its own, and each keeps the largest picture that passed through it."""


def use_few_arenas() -> None:
    """Let all threads share two heaps; call it before there are threads."""
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(_M_ARENA_MAX, _ARENAS)


@contextmanager
def loading_for_good() -> Iterator[None]:
    """Leave what is loaded inside out of every later garbage collection, and do not collect meanwhile.

    A pass over all that the libraries hold takes 0.1 s, in which no request moves. Only for what ends with the process.
    """
    gc.disable()
    yield
    gc.freeze()
    gc.enable()


def return_unused() -> None:
    """Give back what was freed, such as the copies of the weights that loading a network leaves behind."""
    if malloc_trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        malloc_trim(0)
