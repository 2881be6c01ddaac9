"""Work beside the requests, for as long as a context lasts."""

import logging
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

logger = logging.getLogger(__name__)

RETRY_S: Final = 60.0


@contextmanager
def in_background(
    name: str,
    work: Callable[[threading.Event], None],
    on_failure: Callable[[str], None] = lambda _: None,
    retry_s: float = RETRY_S,
) -> Iterator[None]:
    """Run something in a thread of its own, restart it when it fails, and wait for its end when the context ends.

    Parameters
    ----------
    name : str
        The thread's.
    work : callable
        Given an event that tells it to stop.
    on_failure : callable
        Called with the name whenever the work raises an exception.
    retry_s : float
        Time until the work is started again.
    """
    stopping = threading.Event()
    thread = threading.Thread(target=_persist, args=[name, work, on_failure, retry_s, stopping], name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def _persist(
    name: str,
    work: Callable[[threading.Event], None],
    on_failure: Callable[[str], None],
    retry_s: float,
    stopping: threading.Event,
) -> None:
    while not stopping.is_set():
        try:
            work(stopping)
        except Exception as error:  # noqa: BLE001 - any other would end the thread without a word
            where = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{where.name}:{where.lineno}"  # the message may hold what was stored
            cause = type(error).__name__
            logger.error("%s failed and is started again: cause=%s in=%s", name, cause, place)  # noqa: TRY400 - as above
            on_failure(name)
            stopping.wait(retry_s)
        else:
            return
