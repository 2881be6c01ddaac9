"""Work beside the requests, for as long as a context lasts."""

import logging
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

logger = logging.getLogger(__name__)

RETRY_S: Final = 60.0
BROKEN_AFTER: Final = 3
"""Failures in a row: one may be a database that restarts, or two processes that were in each other's way."""

Work = Callable[[threading.Event], object]


class Background:
    """Tasks that are done time and again, each in a thread of its own.

    Parameters
    ----------
    on_failure : callable
        Called with a task's name whenever it raises an exception.
    """

    def __init__(self, on_failure: Callable[[str], None] = lambda _: None) -> None:
        self._on_failure = on_failure
        self._failures: dict[str, int] = {}

    def broken(self) -> list[str]:
        """Name the tasks that failed `BROKEN_AFTER` times in a row, and not yet worked again."""
        return sorted(name for name, count in self._failures.items() if count >= BROKEN_AFTER)

    @contextmanager
    def task(self, name: str, work: Work, interval_s: float, retry_s: float = RETRY_S) -> Iterator[None]:
        """Do something at once and time and again, whatever it raises, and wait for its end when the context ends.

        Parameters
        ----------
        name : str
            The thread's.
        work : callable
            One round. Given an event that tells it to stop: a round that may last looks at it every second.
        interval_s : float
            Between two rounds.
        retry_s : float
            After a round that failed.
        """
        stopping = threading.Event()
        self._failures[name] = 0
        arguments = [name, work, interval_s, retry_s, stopping]
        thread = threading.Thread(target=self._persist, args=arguments, name=name, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            thread.join()

    def _persist(self, name: str, work: Work, interval_s: float, retry_s: float, stopping: threading.Event) -> None:
        pause = 0.0
        while not stopping.wait(pause):
            pause = interval_s if self._succeeds(name, work, stopping) else retry_s

    def _succeeds(self, name: str, work: Work, stopping: threading.Event) -> bool:
        try:
            work(stopping)
        except Exception as error:  # noqa: BLE001 - any other would end the thread without a word
            where = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{where.name}:{where.lineno}"  # the message may hold what was stored
            cause = type(error).__name__
            logger.error("%s failed and is tried again: cause=%s in=%s", name, cause, place)  # noqa: TRY400 - as above
            self._failures[name] += 1
            self._on_failure(name)
            return False
        self._failures[name] = 0
        return True
