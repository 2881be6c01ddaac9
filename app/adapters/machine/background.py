"""Work beside the requests, for as long as a context lasts."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def in_background(name: str, work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Run something in a thread of its own, and wait for its end when the context ends.

    Parameters
    ----------
    name : str
        The thread's.
    work : callable
        Given an event that tells it to stop.
    """
    stopping = threading.Event()
    thread = threading.Thread(target=work, args=[stopping], name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
