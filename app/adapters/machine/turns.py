"""Work for a pool of threads that others use too."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from itertools import islice
from typing import TypeVar

A = TypeVar("A")
T = TypeVar("T")


def in_window(submit: Callable[[A], "Future[T]"], items: Iterable[A], width: int) -> Iterator[T]:
    """Keep so many items under way, and give what is done; after a failure what waits is cancelled."""
    waiting = iter(items)
    under_way = {submit(item) for item in islice(waiting, width)}
    try:
        while under_way:
            done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            under_way |= {submit(item) for item in islice(waiting, len(done))}
            yield from (each.result() for each in done)
    finally:
        for each in under_way:
            each.cancel()


def in_turn(pool: Executor, work: Callable[[A], T], items: Iterable[A], at_once: int) -> list[T]:
    """Do something with each item, with few of them in the pool's queue at a time: others' work gets its turn.

    Returns
    -------
    list
        In the order of the items.
    """

    def numbered(item: tuple[int, A]) -> tuple[int, T]:
        return item[0], work(item[1])

    done = in_window(lambda item: pool.submit(numbered, item), enumerate(items), at_once)
    return [result for _, result in sorted(done, key=lambda pair: pair[0])]
