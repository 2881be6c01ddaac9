"""A reading process in which objects do what a broken codec would: crash, spin, hang, eat memory, answer nonsense."""

import hashlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from app.adapters.dicom import read_instance
from app.adapters.reading import process
from app.core.errors import NotDicom
from app.core.pipeline import crop_instance
from tests.factories import us_instance


class Command:
    """What an attacker's pickle would hold."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.system, ("echo owned",)


def eat() -> object:
    try:
        return np.ones(1 << 31, np.uint8)
    except MemoryError as error:
        raise NotDicom("no memory") from error


MISDEEDS: dict[bytes, Callable[[], Any]] = {
    b"crash": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    b"abort": os.abort,
    b"spin": lambda: hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1),  # native code that never looks at a signal
    b"sleep": lambda: time.sleep(1000),
    b"eat": eat,
    b"command": Command,
    b"number": lambda: 7,
    b"leave": lambda: os._exit(0),
}


ON_SCREEN = b"on the screen: "


def misbehave(content: bytes, *_: object, **__: object) -> Iterator[Any]:
    """Do it at once, or behind `ON_SCREEN` while the screen is read; anything else is read as it should be."""
    misdeed = content.removeprefix(ON_SCREEN)
    if misdeed == content:
        yield MISDEEDS[content]() if content in MISDEEDS else crop_instance(read_instance(content))
    else:
        yield crop_instance(read_instance(us_instance(rows=240, columns=320)))
        yield MISDEEDS[misdeed]()


if __name__ == "__main__":
    process.read_crops = misbehave  # type: ignore[attr-defined] # what a reader runs, exchanged
    process.CPU_S, process.SCREEN_CPU_S, process.WALL_S = 1.0, 1.0, 2.0  # type: ignore[misc] # too long for a test
    process.main()
