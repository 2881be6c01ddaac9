"""The other side of `app.adapters.reading.readers`: a process that forks readers; each reads object after object.

Libraries are loaded once, before the first fork: a reader starts in milliseconds, and its memory is mostly shared.
"""

import gc
import os
import pickle
import resource
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from app.adapters.dicom import read_instance
from app.adapters.machine.cpus import stand_back
from app.adapters.machine.memory import return_unused
from app.adapters.reading.channel import receive, send
from app.core.errors import AnalysisError
from app.core.pipeline import crop_instance
from app.core.values import Crop

CPU_S: Final = 2.0
"""For one object; the largest that is accepted takes a third of it."""
WALL_S: Final = 20.0
"""For one object, waiting for a processor included."""
MEMORY_BYTES: Final = 1 << 30
"""Beyond what the process has when it starts."""
RESTLESS_S: Final = 0.5
"""After so long without an object a reader gives back memory that it holds for the next."""
READY: Final = b"ready"


def main() -> None:
    """Fork a reader for every channel that comes through the control socket, until that is closed."""
    control = socket.socket(fileno=int(sys.argv[1]))
    restrict()
    stand_back()
    return_unused()
    gc.freeze()  # collecting would touch, and so copy, every page that is shared
    while channels := socket.recv_fds(control, 1, 1)[1]:
        if os.fork() == 0:
            control.close()
            serve(socket.socket(fileno=channels[0]))
            return
        os.close(channels[0])


def restrict() -> None:
    """Give up what reading does not need: memory, core dumps (which would hold a patient's picture), survival."""
    if sys.platform == "linux":  # elsewhere the limit does not exist, or is not kept
        limit = _virtual_bytes() + MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the service, which tells us
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # whoever waits for a reader sees its channel end
    with suppress(OSError):  # a container may forbid it
        Path("/proc/self/oom_score_adj").write_text("1000")


def serve(channel: socket.socket) -> None:
    """Read what comes through one channel."""
    with channel, suppress(EOFError, ConnectionError):  # the service is gone, or has closed the channel
        send(channel, READY)
        while True:
            send(channel, answer(_next(channel)))


def _next(channel: socket.socket) -> bytes:
    """Wait for an object; give back what the last one needed when nothing comes for a while."""
    try:
        return receive(channel, RESTLESS_S)
    except TimeoutError:
        return_unused()
        return receive(channel)


def answer(content: bytes) -> bytes:
    """Read one object within its time: beyond it the kernel ends this process, whatever it is doing."""
    _set_timers(CPU_S, WALL_S)
    found = _attempt(content)
    _set_timers(0, 0)
    return pickle.dumps(found, protocol=5)


def _attempt(content: bytes) -> Crop | AnalysisError:
    try:
        return crop_instance(read_instance(content))
    except AnalysisError as error:
        return error.with_traceback(None)


def _set_timers(cpu_s: float, wall_s: float) -> None:
    signal.setitimer(signal.ITIMER_PROF, cpu_s)
    signal.setitimer(signal.ITIMER_REAL, wall_s)


def _virtual_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


if __name__ == "__main__":
    main()
