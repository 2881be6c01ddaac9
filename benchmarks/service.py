"""Time this service beside the bare network and beside what else one might use, in one run.

``python -m benchmarks.service --low-precision models/demo-int8/1.0.0``; ``--quick`` for a look. docs/speed.md explains
every row. Contestants take turns, block by block, so that a busy machine is busy for all of them; every request is a
new question. Ratios are of medians within the run.
"""

import argparse
import itertools
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx2
import numpy as np

from app.adapters.machine.cpus import usable_cpus
from app.adapters.machine.memory import TIDY_S
from benchmarks.contestants import (
    Server,
    bare_session,
    bento_service,
    has_rivals,
    machine,
    plain_service,
    this_service,
    write_json,
)
from benchmarks.load import Load, load
from benchmarks.processes import memory_mib, peak_mib
from benchmarks.studies import KINDS, Kind, Study, make_studies
from training.progress import progress

CLIENTS = (1, 2, 4, 8)
RIVALS = ("FastAPI and torch", "BentoML")


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to look.

    Attributes
    ----------
    rounds : int
        Turns of every contestant.
    requests : int
        Of one block; twice as many with several clients.
    starts : int
        Of the service, for its start-up time.
    soak : int
        Requests between two looks at the memory.
    """

    rounds: int = 5
    requests: int = 8
    starts: int = 3
    soak: int = 5000


@dataclass(slots=True)
class Row:
    """All blocks of one contestant, kind and number of clients."""

    latencies_s: list[float] = field(default_factory=list)
    throughputs: list[float] = field(default_factory=list)
    client_cpu_s: list[float] = field(default_factory=list)

    def add(self, block: Load) -> None:
        """Take one block in."""
        count = len(block.latencies_s)
        self.latencies_s += block.latencies_s
        self.throughputs.append(count / block.wall_s)
        self.client_cpu_s.append(block.client_cpu_s / count)


@dataclass(frozen=True, slots=True)
class Figures:
    """One row of the table; latencies in milliseconds, throughput in studies a second."""

    contestant: str
    kind: str
    clients: int
    median_ms: float
    quartiles_ms: tuple[float, float]
    p99_ms: float
    of_floor: float
    studies_per_s: float
    of_floors_throughput: float
    client_cpu_ms: float


Key = tuple[str, Kind, int]


def figures(key: Key, row: Row, floor_s: float) -> Figures:
    """Summarise one row against the floor's median."""
    contestant, kind, clients = key
    latencies = np.array(row.latencies_s)
    low, median, high, p99 = (float(each) for each in np.percentile(1e3 * latencies, (25, 50, 75, 99)))
    throughput = float(np.median(row.throughputs))
    return Figures(
        contestant, kind, clients, median, (low, high), p99, median / (1e3 * floor_s), throughput,
        throughput * floor_s, float(1e3 * np.median(row.client_cpu_s)),
    )  # fmt: skip


def race(
    floors: Mapping[str, Callable[[], float]],
    servers: Mapping[str, Server],
    studies: Mapping[Kind, list[Study]],
    plan: Plan,
) -> tuple[dict[str, list[float]], dict[Key, Row]]:
    """Let everybody take turns."""
    floor_s: dict[str, list[float]] = defaultdict(list)
    rows: dict[Key, Row] = defaultdict(Row)
    for name, kind in itertools.product(servers, KINDS):  # the first requests load and allocate
        load(servers[name].target, studies[kind], 2, 4)
    for _ in progress(range(plan.rounds), "rounds", plan.rounds, "round"):
        for name, server in servers.items():
            for kind, clients in itertools.product(KINDS, CLIENTS):
                for floor, study in floors.items():
                    floor_s[floor] += [study(), study()]
                requests = plan.requests * min(clients, 2)
                rows[name, kind, clients].add(load(server.target, studies[kind], clients, max(requests, clients)))
    return floor_s, rows


def start_ups(bundle: Path, threads: int, folder: Path, count: int) -> tuple[float, float]:
    """Start the service some times; median seconds until it is ready, and MiB that it holds then."""
    found = []
    for _ in range(count):
        with this_service(bundle, threads, folder) as server:
            found.append((server.ready_after_s, memory_mib(server.pid)))
    ready_s, held_mib = np.median(found, axis=0)
    return float(ready_s), float(held_mib)


def memory(bundle: Path, threads: int, folder: Path, studies: Sequence[Study], soak: int) -> dict[str, float]:
    """Hold the memory after a tenth of the requests against that after all, overlays asked for all the while."""
    with this_service(bundle, threads, folder) as server:
        found = {"start_mib": memory_mib(server.pid)}
        for name, requests in (("early", soak // 10), ("late", soak - soak // 10)):
            for _ in progress(range(0, requests, 50), f"{name} requests", -(-requests // 50), "block"):
                load(server.target, studies, 8, 50)
                look_at_overlays(server)
            time.sleep(TIDY_S + 1)  # what is kept is asked for, not what the last moment needed
            found[f"{name}_mib"] = memory_mib(server.pid)
        return found | {"peak_mib": peak_mib(server.pid), "requests": float(soak)}


def look_at_overlays(server: Server) -> None:
    """Ask for every overlay of the newest analysis."""
    with httpx2.Client(base_url=f"http://127.0.0.1:{server.target.port}") as client:
        newest = client.get("/v1/analyses?limit=1").json()["analyses"][0]
        for view, target in itertools.product(newest["views"], ("pdff", "ge5", "ge10")):
            client.get(view["overlay_url"], params={"target": target}).raise_for_status()


def markdown(table: Sequence[Figures], floors_ms: Mapping[str, float], extras: Mapping[str, object]) -> str:
    """Report as a table."""
    lines = [
        *(f"- floor, {name}: {value:.0f} ms a study" for name, value in floors_ms.items()),
        "",
        "| contestant | images | clients | median, ms (quartiles) | p99, ms | x floor | studies/s | of the floor's |",
        "|---|---|---|---|---|---|---|---|",
        *(
            f"| {f.contestant} | {f.kind} | {f.clients} | {f.median_ms:.0f} ({f.quartiles_ms[0]:.0f} to "
            f"{f.quartiles_ms[1]:.0f}) | {f.p99_ms:.0f} | {f.of_floor:.2f} | {f.studies_per_s:.2f} | "
            f"{f.of_floors_throughput:.2f} |"
            for f in table
        ),
        "",
        *(f"- {name}: {value}" for name, value in extras.items()),
    ]
    return "\n".join(lines) + "\n"


def compete(bundles: Mapping[str, Path], plan: Plan, folder: Path, *, rivals: bool) -> tuple[str, object]:
    """Run everything; give the report and the document behind it."""
    threads, first = usable_cpus(), next(iter(bundles.values()))
    studies = {kind: make_studies(folder / kind, 4, kind) for kind in KINDS}
    floors = {name: bare_session(bundle, threads) for name, bundle in bundles.items()}
    with ExitStack() as stack:
        servers = {name: stack.enter_context(this_service(each, threads, folder)) for name, each in bundles.items()}
        if rivals:
            servers[RIVALS[0]] = stack.enter_context(plain_service(first, folder))
            servers[RIVALS[1]] = stack.enter_context(bento_service(first, threads, folder))
        floor_s, rows = race(floors, servers, studies, plan)
    medians = {name: float(np.median(each)) for name, each in floor_s.items()}
    fp32 = medians[next(iter(bundles))]
    table = [figures(key, row, medians.get(key[0], fp32)) for key, row in rows.items()]
    extras: dict[str, object] = {**machine(), "threads": threads}
    extras |= {f"bytes of a study, {kind}": len(studies[kind][0].body) for kind in KINDS}
    for name, bundle in bundles.items():
        ready_s, held_mib = start_ups(bundle, threads, folder, plan.starts)
        extras[f"{name}, ready after"] = f"{ready_s:.2f} s, holding {held_mib:.0f} MiB"
        held = memory(bundle, threads, folder, studies["jpeg"], plan.soak)
        extras[f"{name}, memory"] = ", ".join(f"{key} {value:.0f}" for key, value in held.items())
    if not rivals:
        extras["rivals"] = f"left out: {RIVALS_MISSING}"
    document = {"floors_s": medians, "rows": [_plain(each) for each in table], "extras": extras}
    return markdown(table, {name: 1e3 * value for name, value in medians.items()}, extras), document


RIVALS_MISSING = "`make bench` makes their environment"


def _plain(row: Figures) -> dict[str, object]:
    return {name: getattr(row, name) for name in Figures.__slots__}


def main() -> None:
    """Measure, print, write JSON and Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, default=Path("models/demo/1.0.0"))
    parser.add_argument("--low-precision", type=Path, help="an 8-bit bundle, timed beside it")
    parser.add_argument("--quick", action="store_true", help="two rounds, few requests")
    for name in ("rounds", "requests", "soak"):
        parser.add_argument(f"--{name}", type=int, help=f"see Plan.{name}")
    parser.add_argument("--out", type=Path, default=Path("out/benchmarks"))
    options = parser.parse_args()
    plan = Plan(rounds=2, requests=4, starts=1, soak=200) if options.quick else Plan()
    chosen = {name: getattr(options, name) for name in ("rounds", "requests", "soak") if getattr(options, name)}
    bundles = {"this service, fp32": options.bundle}
    if options.low_precision:
        bundles["this service, int8"] = options.low_precision
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        report, document = compete(bundles, replace(plan, **chosen), Path(folder), rivals=has_rivals())
    print(report)
    (options.out / "service.md").write_text(report, encoding="utf-8")
    write_json(options.out / "service.json", document)


if __name__ == "__main__":
    main()
