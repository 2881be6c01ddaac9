"""The service on one processor of several, as in a container with ``--cpus 1``: one thread, and nothing thrashes.

    python -m benchmarks.one_core

The service may use the first processor only and is told no number of threads; its clients use the others. The floor
is the bare session, one thread on the first processor, in turn with the service.
"""

import argparse
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from benchmarks.contestants import bare_session, machine, this_service
from benchmarks.load import load
from benchmarks.processes import family
from benchmarks.service import Row, figures, markdown
from benchmarks.studies import KINDS, make_studies

CLIENTS = (1, 8)


@contextmanager
def on(processors: set[int]) -> Iterator[None]:
    """Let this thread, and the threads and processes that it starts, use some processors only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, processors)
    yield
    os.sched_setaffinity(0, before)


def measure(bundle: Path, folder: Path, rounds: int, requests: int) -> str:
    """Let the service and the floor take turns, and report as a table."""
    first, *others = sorted(os.sched_getaffinity(0))
    studies = {kind: make_studies(folder / kind, 2, kind) for kind in KINDS}
    turns = [(kind, clients) for kind in KINDS for clients in CLIENTS]
    rows = {turn: Row() for turn in turns}
    floors: list[float] = []
    with ExitStack() as stack:
        with on({first}):
            server = stack.enter_context(this_service(bundle, None, folder))
            floor = bare_session(bundle, 1)
        for _ in range(rounds):
            for kind, clients in turns:
                with on({first}):
                    floors += [floor(), floor()]
                with on(set(others)):
                    rows[kind, clients].add(load(server.target, studies[kind], clients, requests))
        readers = len(list(family(server.pid))) - 2  # less the service and the readers' parent
    floor_s = float(np.median(floors))
    table = [
        figures((f"this service, {readers} reading process(es)", *turn), row, floor_s) for turn, row in rows.items()
    ]
    return markdown(table, {"one thread": 1e3 * floor_s}, machine())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, default=Path("models/demo/1.0.0"))
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--requests", type=int, default=12)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(measure(options.bundle, Path(folder), options.rounds, options.requests))


if __name__ == "__main__":
    main()
