"""glibc's allocator, told to give memory back; other C libraries are left as they are."""

import ctypes
from typing import Final

_M_ARENA_MAX: Final = -8
_ARENAS: Final = 2
"""By default every thread gets a heap of its own, and each keeps the largest picture that passed through it."""


def use_few_arenas() -> None:
    """Let all threads share two heaps; call it before there are threads."""
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(_M_ARENA_MAX, _ARENAS)


def return_unused() -> None:
    """Give back what was freed, such as the copies of the weights that loading a network leaves behind."""
    if malloc_trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        malloc_trim(0)
