"""Dask's only door: a pool of processes, here or on other machines."""

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

from distributed import Client


@contextmanager
def dask_pool(where: str, threads: int) -> Iterator[tuple[Executor, int, int]]:
    """Start processes, or connect to a cluster.

    Parameters
    ----------
    where : str
        A number of processes on this machine, or a scheduler's address.
    threads : int
        Of this machine, to be shared out; of each process of a cluster.

    Yields
    ------
    pool : Executor
    at_once : int
        Tasks that it works on at the same time.
    threads : int
        For the network, in each process.
    """
    processes = int(where) if where.isdigit() else 0
    each = max(1, threads // processes) if processes else threads
    # one more task than the network has threads: a study is read while others are computed
    client = (
        Client(n_workers=processes, threads_per_worker=each + 1, dashboard_address=None) if processes else Client(where)
    )
    with client:
        yield client.get_executor(pure=False), sum(client.nthreads().values()), each
