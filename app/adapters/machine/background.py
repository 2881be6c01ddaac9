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
    """Run something in a thread of its own, again should it fail, and wait for its end when the context ends.

    Parameters
    ----------
    name : str
        The thread's.
    work : callable
        Given an event that tells it to stop.
    on_failure : callable
        Given the name whenever the work raises something, whatever it is.
    retry_s : float
        Until it is begun again.
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
        except Exception as error:  # noqa: BLE001 - else it would end for good, and nobody would know
            where = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{where.name}:{where.lineno}"  # the message may hold what was stored
            logger.error("%s failed and is begun again: cause=%s in=%s", name, type(error).__name__, place)  # noqa: TRY400
            on_failure(name)
            stopping.wait(retry_s)
        else:
            return
