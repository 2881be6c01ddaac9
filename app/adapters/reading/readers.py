"""Reading in processes of their own: a codec that crashes, hangs or eats memory takes one of them, not the service.

What comes back is unpickled from a process that has seen hostile bytes, so nothing but our own values is built from it.
"""

import io
import logging
import os
import pickle
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from queue import LifoQueue
from threading import Lock
from types import TracebackType
from typing import Any, Final, Self

from app.adapters.reading.allowance import Allowance
from app.adapters.reading.channel import DECLARED, INTRODUCE, SECONDS, UNDECLARED, receive, send
from app.adapters.reading.objects import Instructions
from app.core.errors import AnalysisError, InternalError, UndecodablePixels
from app.core.objects import Introduction
from app.core.screens.looking import unread
from app.core.values import Content, Crop

logger = logging.getLogger(__name__)

MODULE: Final = "app.adapters.reading.process"
PATIENCE_S: Final = 25.0
"""A reader ends by itself after 20 s (`app.adapters.reading.process`); this is for one that cannot."""
_ENVIRONMENT: Final = {
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}
"""An image's arrays come and go: in pages of 2 MiB (glibc on Linux) that is ten faults a study and not thousands."""
_LOST: Final = (EOFError, OSError, pickle.UnpicklingError, struct.error)
"""What is seen of a process that an object has killed, or turned."""
LOST_S: Final = 2.5
"""What a lost process counts for: the processor time that it may use, and starting another."""
Answer = Crop | Introduction | AnalysisError
_ALLOWED_MODULES: Final = ("app.core.values", "app.core.errors", "app.core.objects")
_ALLOWED_NUMPY: Final = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy._core.numeric", "_frombuffer"),
    ("numpy._core.multiarray", "_reconstruct"),
}


class Readers:
    """A fixed number of reading processes; as a context they end with it.

    Parameters
    ----------
    processes : int
        So many objects are read at once.
    on_loss : callable
        Called whenever a process was lost and replaced.
    instructions : Instructions
        What they look for.
    module : str
        What the processes run.
    """

    def __init__(
        self,
        processes: int,
        on_loss: Callable[[], None] = lambda: None,
        instructions: Instructions = Instructions(),  # noqa: B008 - frozen
        module: str = MODULE,
    ) -> None:
        self._nursery = _Nursery(module, instructions)
        self._processes = processes
        self._idle: LifoQueue[_Reader] = LifoQueue()
        self._on_loss = on_loss
        for _ in range(processes):
            self._idle.put(_Reader(self._nursery.connect()))

    def read(self, content: Content, *, declared: bool = False, allowance: Allowance | None = None) -> Crop:
        """Read one object and crop it, as `app.adapters.reading.objects.last_crop` does.

        An object whose screen cannot be read in time comes back with a warning, and as if there was no text on it.

        Parameters
        ----------
        content : bytes or memoryview
        declared : bool
            Whether the sender named the view.
        allowance : Allowance, optional
            Of the request.

        Raises
        ------
        DicomError
            Whatever `read_instance` refuses, `UndecodablePixels` for what does not come to an end, and
            `ReadingTimeSpent` if nothing is left of the allowance.
        ImageError
            Whatever `crop_instance` refuses.
        InternalError
            If no process can be started.
        """
        found = self._ask(DECLARED if declared else UNDECLARED, content, allowance)
        if isinstance(found, AnalysisError):
            try:
                raise found
            finally:
                del found, content  # else the error would hold this frame, and with it itself and the object
        if not isinstance(found, Crop):
            raise _unreadable()
        return found

    def introduce(self, content: Content, *, allowance: Allowance | None = None) -> Introduction:
        """Read what one object says of itself, as `app.adapters.dicom.introduce` does.

        Raises
        ------
        UndecodablePixels, ReadingTimeSpent, InternalError
            As `read`.
        """
        found = self._ask(INTRODUCE, content, allowance)
        if not isinstance(found, Introduction):
            raise _unreadable()
        return found

    def _ask(self, verb: bytes, content: Content, allowance: Allowance | None) -> Answer:
        allowance = allowance or Allowance()
        reader = self._idle.get()
        try:
            allowance.require()
            found, spent_s = reader.ask(verb, content)
            if reader.lost:
                reader = self._replaced(reader, reader.lost)
            allowance.spend(spent_s)
        except _LOST as error:
            allowance.spend(LOST_S)
            reader = self._replaced(reader, error)
            raise _unreadable() from error
        except InternalError as error:
            reader = self._replaced(reader, error)
            raise
        finally:
            self._idle.put(reader)
        return found

    def _replaced(self, reader: "_Reader", error: Exception) -> "_Reader":
        reader.close()
        logger.warning("a reading process was lost and is replaced: cause=%s", type(error).__name__)
        self._on_loss()
        return _Reader(self._nursery.connect())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Wait for what is being read, then end the processes."""
        for _ in range(self._processes):
            self._idle.get().close()
        self._nursery.close()


class _Reader:
    """The channel to one process.

    Attributes
    ----------
    lost : Exception or None
        What ended it while it read a screen.
    """

    def __init__(self, channel: socket.socket) -> None:
        self.lost: Exception | None = None
        self._channel = channel
        self._has_greeted = False

    def ask(self, verb: bytes, content: Content) -> tuple[Answer, float]:
        """Give the answer, and how many seconds of processor time it took."""
        self._await_greeting()
        send(self._channel, verb)
        send(self._channel, content)
        found = load(receive(self._channel, PATIENCE_S))
        try:
            better = receive(self._channel, PATIENCE_S)
            (spent_s,) = SECONDS.unpack(receive(self._channel, PATIENCE_S))
            return load(better) if better else found, spent_s
        except _LOST as error:
            self.lost = error
            return unread(found) if isinstance(found, Crop) else found, LOST_S

    def _await_greeting(self) -> None:
        """Tell a process that never came to life from one that an object has killed."""
        if self._has_greeted:
            return
        try:
            receive(self._channel, PATIENCE_S)
        except (EOFError, OSError) as error:
            raise InternalError("Objects cannot be read at the moment. Tell the operator.") from error
        self._has_greeted = True

    def close(self) -> None:
        self._channel.close()  # the process sees it, and ends


class _Nursery:
    """The process that forks readers; started again should it be lost."""

    def __init__(self, module: str, instructions: Instructions) -> None:
        self._module = module
        self._instructions = pickle.dumps(instructions)
        self._lock = Lock()
        self._start()

    def _start(self) -> None:
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", self._module, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=os.environ | _ENVIRONMENT,
            )
        with suppress(OSError):  # the process has ended already; asking for a reader will show it
            send(self._control, self._instructions)

    def connect(self) -> socket.socket:
        """Have a reader forked, and give the channel to it."""
        ours, theirs = socket.socketpair()
        with self._lock, ours, theirs:
            try:
                self._hand_over(theirs)
            except OSError:  # it is gone
                self._restart()
                self._hand_over(theirs)
            return socket.socket(fileno=ours.detach())

    def _hand_over(self, channel: socket.socket) -> None:
        socket.send_fds(self._control, [b"+"], [channel.fileno()])

    def _restart(self) -> None:
        self._control.close()
        self._process.kill()
        self._process.wait()
        self._start()

    def close(self) -> None:
        self._control.close()  # the process sees it, and ends
        self._process.wait()


def _unreadable() -> UndecodablePixels:
    return UndecodablePixels(
        "The object cannot be read in the time and memory that one object gets: send it again, or uncompressed."
    )


def load(answer: bytes) -> Answer:
    """Unpickle an answer.

    Raises
    ------
    UnpicklingError
        If it is not one.
    """
    try:
        found = _OurValuesOnly(io.BytesIO(answer)).load()
    except Exception as error:  # named again: bytes from a process that may be anybody's can raise whatever pickle has
        raise pickle.UnpicklingError("not an answer") from error
    if not isinstance(found, Answer):
        raise pickle.UnpicklingError("neither a crop, an introduction nor a refusal")
    return found


class _OurValuesOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if "." not in name and (module in _ALLOWED_MODULES or (module, name) in _ALLOWED_NUMPY):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is no part of an answer")
