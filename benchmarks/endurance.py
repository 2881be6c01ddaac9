"""Ask a real service for three times what it can do, rightly and wrongly, and check every answer.

``python -m benchmarks.endurance --requests 20000 --minutes 15``. Requests come at their own times, whatever became of
those before. Good studies are asked as new questions and must get their template's numbers; a stored one is sent again
and read; bad ones must be refused; some break off in the middle of the body, some trickle. Beside them health and
metrics are asked four times a second, and memory and open files of the service's processes are sampled.

With ``--hostile 20`` the second and fourth fifth of the time have hostile clients too (`benchmarks.hostile`), 20 for
every 100 requests, and the report holds these fifths against the calm ones. ``--memory-limit 2048`` bounds the
service's memory, MiB.
"""

import argparse
import http.client
import itertools
import json
import random
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.hostile import Plan, attack
from benchmarks.memory_limit import MemoryLimit, leave, memory_limit
from benchmarks.processes import memory_mib, open_files
from benchmarks.studies import BOUNDARY, Study, make_studies
from training.demo import running_service

FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
MIX = {"new": 60, "repeat": 12, "read": 12, "bad": 8, "cut_off": 5, "slow": 3}
"""Shares of the kinds, percent."""
CLIENTS = 160
HEALTH = ("/livez", "/readyz", "/metrics")
HEALTH_INTERVAL_S = 0.25
TIMEOUT_S = 120
WARM_UP_SHARE = 0.25
"""Of the time, before memory is compared."""
PARTS = 5
"""Of the time: calm, hostile, calm, hostile, calm."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What one template must be answered.

    Attributes
    ----------
    study : Study
    analysis : dict
        As it was answered before the load.
    """

    study: Study
    analysis: dict[str, Any]

    def fits(self, answer: dict[str, Any]) -> bool:
        """Tell whether an answer has this template's numbers; engine and pixels are the same, so nothing may differ."""
        return numbers(answer) == numbers(self.analysis)


def numbers(analysis: dict[str, Any]) -> dict[str, float]:
    """Take the numbers of an analysis."""
    names = ("pdff_percent", "probability_ge5", "probability_ge10")
    whole = {name: analysis["estimate"][name] for name in names}
    return whole | {f"{view['view']}.{name}": view[name] for view in analysis["views"] for name in names}


@dataclass(slots=True)
class Tally:
    """What came of a run: added to by many threads; health comes whole, from its own process."""

    statuses: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    late_s: list[float] = field(default_factory=list)
    health_s: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    """When it was asked, and how long it took."""
    good_s: list[float] = field(default_factory=list)
    """When new studies were answered."""
    hostile: Counter[str] = field(default_factory=Counter)
    memory: list[tuple[float, float, int]] = field(default_factory=list)
    """Seconds since the start, MiB (proportional set size), open files; of all the service's processes."""


class Load:
    """The requests of each kind against one service.

    Parameters
    ----------
    port : int
    references : sequence of Reference
    tally : Tally
    """

    def __init__(self, port: int, references: Sequence[Reference], tally: Tally) -> None:
        self._port = port
        self._references = references
        self._tally = tally
        self._numbers = itertools.count(time.time_ns())
        self._begin_s = time.perf_counter()
        self.kinds: dict[str, Callable[[random.Random], str]] = {
            "new": self._new,
            "repeat": self._repeat,
            "read": self._read,
            "bad": self._bad,
            "cut_off": self._cut_off,
            "slow": self._slow,
        }

    def __call__(self, kind: str, rng: random.Random) -> None:
        """Send one request and count what came of it."""
        try:
            outcome = self.kinds[kind](rng)
        except (OSError, http.client.HTTPException) as error:
            outcome = type(error).__name__
            self._tally.wrong.append(f"{kind}: no answer, {error!r}")
        self._tally.statuses[f"{kind} {outcome}"] += 1

    def _new(self, rng: random.Random) -> str:
        reference = rng.choice(self._references)
        status, answer = self.post(reference.study.asked_as(next(self._numbers)))
        if status == 201:
            self._tally.good_s.append(time.perf_counter() - self._begin_s)
        return self._judged("new", status, (201, 503), status != 201 or reference.fits(answer))

    def _repeat(self, rng: random.Random) -> str:
        reference = rng.choice(self._references)
        status, answer = self.post(reference.study.body)
        return self._judged("repeat", status, (200, 503), status != 200 or answer == reference.analysis)

    def _read(self, rng: random.Random) -> str:
        reference = rng.choice(self._references)
        status, answer = self.ask("GET", f"/v1/analyses/{reference.analysis['id']}")
        return self._judged("read", status, (200,), answer == reference.analysis)

    def _bad(self, rng: random.Random) -> str:
        body = bytearray(rng.choice(self._references).study.body)
        at = body.index(b"DICM") + rng.randrange(4)
        body[at] ^= 0x20
        status, answer = self.post(bytes(body))
        return self._judged("bad", status, (415, 503), answer["code"] in ("not_dicom", "overloaded"))

    def _cut_off(self, rng: random.Random) -> str:
        body = rng.choice(self._references).study.body
        connection = self._begin(len(body))
        connection.send(body[: rng.randrange(len(body))])
        connection.close()
        return "closed"

    def _slow(self, rng: random.Random) -> str:
        reference = rng.choice(self._references)
        body = reference.study.asked_as(next(self._numbers))
        connection = self._begin(len(body))
        step = len(body) // 20 + 1
        for at in range(0, len(body), step):
            connection.send(body[at : at + step])
            time.sleep(0.2)
        status, answer = _answer(connection)
        return self._judged("slow", status, (201, 503), status != 201 or reference.fits(answer))

    def _begin(self, length: int) -> http.client.HTTPConnection:
        connection = self._connection()
        connection.putrequest("POST", "/v1/analyses")
        for name, value in {**FORM, "Content-Length": str(length)}.items():
            connection.putheader(name, value)
        connection.endheaders()
        return connection

    def _judged(self, kind: str, status: int, expected: Sequence[int], is_right: bool) -> str:
        if status not in expected or not is_right:
            self._tally.wrong.append(f"{kind}: {status}")
        return str(status)

    def post(self, body: bytes) -> tuple[int, dict[str, Any]]:
        """Send a form."""
        return self.ask("POST", "/v1/analyses", body)

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, dict[str, Any]]:
        """Send one request on a connection of its own. A service that is busy answers before it has read all."""
        connection = self._connection()
        with suppress(BrokenPipeError, ConnectionResetError):  # what was answered meanwhile is still there to be read
            connection.request(method, path, body, FORM if body else {})
        return _answer(connection)

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_S)


def _answer(connection: http.client.HTTPConnection) -> tuple[int, dict[str, Any]]:
    with connection.getresponse() as response:
        content = response.read()
    connection.close()
    return response.status, json.loads(content)


def watch_health(port: int, begin_s: float, seconds: float) -> tuple[dict[str, list[tuple[float, float]]], list[str]]:
    """Ask health and metrics, one after the other; give when, how long each took, and what was not answered 200.

    For a process of its own: a thread of the load's would measure how long it waits for its turn among the others.
    """
    times_s: dict[str, list[tuple[float, float]]] = {path: [] for path in HEALTH}
    wrong: list[str] = []
    for path in itertools.cycle(HEALTH):
        if time.perf_counter() > begin_s + seconds:
            return times_s, wrong
        time.sleep(HEALTH_INTERVAL_S / len(HEALTH))
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
        started = time.perf_counter()
        try:
            connection.request("GET", path)
            outcome = str(connection.getresponse().status)
        except (OSError, http.client.HTTPException) as error:
            outcome = repr(error)
        times_s[path].append((started - begin_s, time.perf_counter() - started))
        connection.close()
        if outcome != "200":
            wrong.append(f"{path}: {outcome}")
    raise AssertionError("cycle ends never")


def watch_processes(pid: int, tally: Tally, stop: threading.Event) -> None:
    """Sample memory and open files every five seconds."""
    started = time.perf_counter()
    while not stop.wait(5):
        tally.memory.append((time.perf_counter() - started, memory_mib(pid), open_files(pid)))


def capacity(load: Load, references: Sequence[Reference], seconds: float) -> float:
    """Measure how many new studies a second the service answers."""
    deadline, rng = time.perf_counter() + seconds, random.Random(1)  # noqa: S311 - a load, no secret

    def client(_: int) -> int:
        done = 0
        while time.perf_counter() < deadline:
            load.post(references[done % len(references)].study.asked_as(rng.getrandbits(60)))
            done += 1
        return done

    with ThreadPoolExecutor(4) as pool:
        return sum(pool.map(client, range(4))) / seconds


def send_all(load: Load, tally: Tally, requests: int, seconds: float) -> None:
    """Send requests at even times; how late each starts tells whether the clients kept up."""
    rng = random.Random(7)  # noqa: S311 - a load, no secret
    kinds = rng.choices(list(MIX), list(MIX.values()), k=requests)
    started = time.perf_counter()

    def send(number: int) -> None:
        tally.late_s.append(time.perf_counter() - started - number * seconds / requests)
        load(kinds[number], random.Random(number))  # noqa: S311 - a load, no secret

    with ThreadPoolExecutor(CLIENTS) as pool:
        sent = []
        for number in range(requests):
            time.sleep(max(0.0, started + number * seconds / requests - time.perf_counter()))
            sent.append(pool.submit(send, number))
            if number % 500 == 0:
                print(f"\r{number} of {requests} requests, {len(tally.wrong)} wrong", end="", flush=True)
        for each in sent:
            each.result()  # a fault of ours must not pass for a request that was answered
    print()


def hostile_phases(seconds: float) -> list[tuple[float, float]]:
    """Give beginning and end of each part with hostile clients."""
    part = seconds / PARTS
    return [(part * number, part * (number + 1)) for number in range(1, PARTS, 2)]


def is_hostile(at_s: float, seconds: float) -> bool:
    """Tell whether hostile clients were there."""
    return any(begin <= at_s < end for begin, end in hostile_phases(seconds))


def report(tally: Tally, capacity_per_s: float, requests: int, seconds: float) -> dict[str, Any]:
    """Say what came of it."""
    before, after = compared(tally, seconds)
    mib = [statistics.median(each[1] for each in part) for part in (before, after)]
    files = [statistics.median(each[2] for each in part) for part in (before, after)]
    said = {
        "requests": requests,
        "seconds": seconds,
        "capacity_studies_per_s": capacity_per_s,
        "new_studies_offered_over_capacity": requests * MIX["new"] / 100 / seconds / capacity_per_s,
        "wrong": tally.wrong[:20],
        "wrong_count": len(tally.wrong),
        "server_errors": sum(count for outcome, count in tally.statuses.items() if _is_error(outcome)),
        "statuses": dict(sorted(tally.statuses.items())),
        "health_ms": health_ms(tally, lambda _: True),
        "memory_mib_after_warm_up_and_at_the_end": mib,
        "memory_growth_percent": 100 * (mib[1] / mib[0] - 1),
        "memory_mib_at_most": max(each[1] for each in tally.memory),
        "open_files_after_warm_up_and_at_the_end": files,
        "start_delay_ms": {"p50": ms(tally.late_s, 0.5), "p99": ms(tally.late_s, 0.99)},
    }
    return said | (report_hostile(tally, seconds) if tally.hostile else {})


def report_hostile(tally: Tally, seconds: float) -> dict[str, Any]:
    """Hold the parts with hostile clients against those without."""
    hostile_s = sum(end - begin for begin, end in hostile_phases(seconds))
    good = [sum(is_hostile(at, seconds) is wanted for at in tally.good_s) for wanted in (False, True)]
    rates = [good[0] / (seconds - hostile_s), good[1] / hostile_s]
    return {
        "hostile_clients": dict(sorted(tally.hostile.items())),
        "hostile_server_errors": sum(count for outcome, count in tally.hostile.items() if _is_error(outcome)),
        "good_studies_per_s_calm_and_hostile": rates,
        "good_studies_kept_percent": 100 * rates[1] / rates[0],
        "health_ms_calm": health_ms(tally, lambda at: not is_hostile(at, seconds)),
        "health_ms_hostile": health_ms(tally, lambda at: is_hostile(at, seconds)),
    }


def _is_error(outcome: str) -> bool:
    status = outcome.split()[-1]
    return status.isdigit() and int(status) >= 500 and status != "503"


def compared(tally: Tally, seconds: float) -> tuple[list[tuple[float, float, int]], list[tuple[float, float, int]]]:
    """Choose samples of memory to compare: after the warm-up and at the end, or of the first and last calm part."""
    if tally.hostile:
        part = seconds / PARTS
        first = [each for each in tally.memory if part / 2 < each[0] < part]
        last = [each for each in tally.memory if each[0] > seconds - part / 2]
        return first, last
    settled = [each for each in tally.memory if each[0] > WARM_UP_SHARE * seconds]
    fifth = max(1, len(settled) // 5)
    return settled[:fifth], settled[-fifth:]


def health_ms(tally: Tally, wanted: Callable[[float], bool]) -> dict[str, dict[str, float]]:
    """Say how long health took at the times that are wanted."""
    chosen = {path: [took for at, took in times if wanted(at)] for path, times in tally.health_s.items()}
    return {
        path: {"p50": ms(times, 0.5), "p99": ms(times, 0.99), "max": ms(times, 1)}
        for path, times in chosen.items()
        if times
    }


def ms(times_s: Sequence[float], share: float) -> float:
    """Give a quantile in milliseconds."""
    ranked = sorted(times_s)
    return round(1000 * ranked[min(len(ranked) - 1, int(share * len(ranked)))], 1)


@dataclass(frozen=True, slots=True)
class Run:
    """What is asked for.

    Attributes
    ----------
    requests : int
    seconds : float
    bundle : Path
    hostile_percent : float
        Hostile clients for a hundred requests, in the parts that have them; 0 for none.
    memory_limit_mib : int or None
    """

    requests: int
    seconds: float
    bundle: Path
    hostile_percent: float = 0
    memory_limit_mib: int | None = None


def endure(run: Run, folder: Path) -> dict[str, Any]:
    """Run everything against a service of its own; give the report."""
    tally, stop = Tally(), threading.Event()
    studies = make_studies(folder, 4, "jpeg")
    with ExitStack() as stack:
        limit = stack.enter_context(memory_limit(run.memory_limit_mib)) if run.memory_limit_mib else None
        started = running_service(run.bundle, f"sqlite:///{folder}/test.db", folder / "service.log")
        service = stack.enter_context(started)
        _bound(limit, service.process.pid)
        port = int(service.client.base_url.port or 0)
        load = Load(port, [], tally)
        references = [Reference(study, load.post(study.body)[1]) for study in studies]
        capacity_per_s = capacity(Load(port, references, tally), references, 20)
        with ThreadPoolExecutor(1) as pool, ProcessPoolExecutor(2, get_context("spawn")) as apart:
            load, begin_s = Load(port, references, tally), time.perf_counter()  # every process has the same clock
            health = apart.submit(watch_health, port, begin_s, run.seconds)
            rate = run.hostile_percent / 100 * run.requests / run.seconds
            plan = Plan(port, begin_s, hostile_phases(run.seconds), rate, references[0].analysis["id"])
            hostile = apart.submit(attack, plan) if rate else None
            processes = pool.submit(watch_processes, service.process.pid, tally, stop)
            try:
                send_all(load, tally, run.requests, run.seconds)
            finally:
                stop.set()
            tally.health_s, refused = health.result()
            tally.wrong += refused
            if hostile:
                tally.hostile, errors = hostile.result()
                tally.wrong += errors
            processes.result()
        if service.process.poll() is not None:
            tally.wrong.append(f"the service ended with {service.process.returncode}")
        limited = {"memory_limit": limit.document()} if limit else {}
        return report(tally, capacity_per_s, run.requests, run.seconds) | limited


def _bound(limit: MemoryLimit | None, pid: int) -> None:
    if limit:
        leave(limit)
        limit.apply(pid)


def main() -> None:
    """Run it, print JSON, and fail if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--bundle", type=Path, default=Path("models/demo/1.0.0"))
    parser.add_argument("--hostile", type=float, default=0, help="hostile clients for a hundred requests")
    parser.add_argument("--memory-limit", type=int, metavar="MIB", help="of the service and all its processes")
    given = parser.parse_args()
    run = Run(given.requests, 60 * given.minutes, given.bundle, given.hostile, given.memory_limit)
    with tempfile.TemporaryDirectory() as name:
        found = endure(run, Path(name))
    print(json.dumps(found, indent=2))
    if found["wrong_count"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
