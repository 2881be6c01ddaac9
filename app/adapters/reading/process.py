"""The other side of `app.adapters.reading.readers`: a process that forks readers; each reads object after object.

Libraries, the networks that read text and the site's rules are made ready once, before the first fork: a reader starts
in milliseconds, and its memory is mostly shared. None of them has started a thread by then.
"""

import gc
import os
import pickle
import resource
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from app.adapters.dicom import introduce
from app.adapters.machine.cpus import stand_back
from app.adapters.machine.memory import return_unused
from app.adapters.reading.channel import DECLARED, INTRODUCE, NOTHING_MORE, SECONDS, receive, send
from app.adapters.reading.objects import Instructions, read_crops
from app.adapters.screens.text_reader import text_reader
from app.core.errors import AnalysisError
from app.core.naming import compile_rules
from app.core.objects import Introduction
from app.core.values import Crop

CPU_S: Final = 2.0
"""For one object; the largest that is accepted takes a third of it."""
SCREEN_CPU_S: Final = 3.0
"""To read its screen; one of 1024 x 768 takes a tenth of it."""
WALL_S: Final = 20.0
"""For an object, and again for its screen; waiting for a processor included."""
MEMORY_BYTES: Final = 1 << 30
"""Beyond what the process has when it starts."""
RESTLESS_S: Final = 0.5
"""After so long without an object a reader gives back memory that it holds for the next."""
READY: Final = b"ready"


def main() -> None:
    """Fork a reader for every channel that comes through the control socket, until that is closed."""
    control = socket.socket(fileno=int(sys.argv[1]))
    instructions = pickle.loads(receive(control))  # noqa: S301 - from the service
    text_reader()
    compile_rules(instructions.rules)
    restrict()
    stand_back()
    return_unused()
    gc.freeze()  # collecting would touch, and so copy, every page that is shared
    while channels := socket.recv_fds(control, 1, 1)[1]:
        if os.fork() == 0:
            control.close()
            serve(socket.socket(fileno=channels[0]), instructions)
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


def serve(channel: socket.socket, instructions: Instructions) -> None:
    """Read what comes through one channel."""
    with channel, suppress(EOFError, ConnectionError):  # the service is gone, or has closed the channel
        send(channel, READY)
        while True:
            verb = _next(channel)
            started_s = time.process_time()
            for answer in answers(receive(channel), instructions, verb):
                send(channel, answer)
            send(channel, SECONDS.pack(time.process_time() - started_s))


def _next(channel: socket.socket) -> bytes:
    """Wait for an object; give back what the last one needed when nothing comes for a while."""
    try:
        return receive(channel, RESTLESS_S)
    except TimeoutError:
        return_unused()
        return receive(channel)


def answers(content: bytes, instructions: Instructions, verb: bytes) -> Iterator[bytes]:
    """Do what is asked with one object, then read its screen.

    Each has its time: beyond it the kernel ends this process, whatever it does.

    Yields
    ------
    bytes
        A crop, an introduction or a refusal, pickled; then a better crop, or `NOTHING_MORE`.
    """
    attempts = (
        _introduction(content) if verb == INTRODUCE else _attempts(content, instructions, declared=verb == DECLARED)
    )
    for cpu_s in (CPU_S, SCREEN_CPU_S):
        _set_timers(cpu_s, WALL_S)
        found = next(attempts, None)
        _set_timers(0, 0)
        yield NOTHING_MORE if found is None else pickle.dumps(found, protocol=5)


def _introduction(content: bytes) -> Iterator[Introduction]:
    yield introduce(content)


def _attempts(content: bytes, instructions: Instructions, *, declared: bool) -> Iterator[Crop | AnalysisError]:
    try:
        yield from read_crops(content, instructions, text_reader(), declared=declared)
    except AnalysisError as error:
        yield error.with_traceback(None)


def _set_timers(cpu_s: float, wall_s: float) -> None:
    signal.setitimer(signal.ITIMER_PROF, cpu_s)
    signal.setitimer(signal.ITIMER_REAL, wall_s)


def _virtual_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


if __name__ == "__main__":
    main()
