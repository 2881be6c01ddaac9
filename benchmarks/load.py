"""Clients that ask as fast as they are answered, and what came of it."""

import http.client
import itertools
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from benchmarks.studies import BOUNDARY, Study

_numbers = itertools.count(int(time.time()) * 1_000_000)
TIMEOUT_S = 300


class Target(NamedTuple):
    """Where a contestant listens."""

    port: int
    path: str


@dataclass(frozen=True, slots=True)
class Load:
    """One block of requests.

    Attributes
    ----------
    latencies_s : tuple of float
        Of every request, from the first byte sent to the last received.
    wall_s : float
    client_cpu_s : float
        Of this process: what the load itself took from the same processors.
    """

    latencies_s: tuple[float, ...]
    wall_s: float
    client_cpu_s: float


def load(target: Target, studies: Sequence[Study], clients: int, requests: int) -> Load:
    """Let some clients share some requests; each sends its next when it has its answer."""
    latencies: list[list[float]] = [[] for _ in range(clients)]
    failures: list[BaseException] = []

    def client(number: int) -> None:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=TIMEOUT_S)
            for turn in range(number, requests, clients):
                latencies[number].append(ask(connection, target.path, studies[turn % len(studies)]))
        except BaseException as failure:  # noqa: BLE001 - raised again below
            failures.append(failure)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    started, cpu = time.perf_counter(), time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wall, cpu = time.perf_counter() - started, time.process_time() - cpu
    if failures:
        raise failures[0]
    return Load(tuple(itertools.chain(*latencies)), wall, cpu)


def ask(connection: http.client.HTTPConnection, path: str, study: Study) -> float:
    """Send one study as a new question; return the seconds until the answer was read."""
    body = study.asked_as(next(_numbers))
    started = time.perf_counter()
    connection.request("POST", path, body, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"})
    response = connection.getresponse()
    content = response.read()
    elapsed = time.perf_counter() - started
    if response.status not in (200, 201):
        raise RuntimeError(f"{path} answered {response.status}: {content[:300]!r}")
    return elapsed
