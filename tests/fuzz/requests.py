"""Fuzz a running service with HTTP requests that are nearly right, on raw sockets.

::

    .venv/bin/python -m tests.fuzz.requests --requests 1000000 --seed 1 --keys both --out out/requests
    .venv/bin/python -m tests.fuzz.requests --replay out/requests/FILE.json

What is sent comes from `tests.fuzz.hostile_requests`. All the while a study is asked that must get its own numbers, to
the last digit. A fault is: a status of 500 or more, but for a 503 that says when to come again; five seconds without
the answer or the end that a request is owed; a refusal that is no problem+json with a code; what was sent, unescaped in
a page; an answer to somebody without a key; a traceback in the log; a process that is gone. Each is written to a file
with all that was sent on its connection. The same seed sends the same bytes, in batches that connections share out.
"""

import argparse
import asyncio
import itertools
import json
import re
import socket
import struct
import sys
import tempfile
import threading
import time
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import httpx2
from pydicom.uid import JPEGBaseline8Bit

from app.adapters.storage.api_keys import ApiKeys
from app.adapters.storage.database import open_current
from app.core.access import SIGN_IN, AccessScope, Actor, required_scope
from benchmarks.endurance import numbers
from benchmarks.processes import cpu_s, family, memory_mib
from tests.factories import ct_instance, four_view_study, truncated, uid, us_instance
from tests.fuzz.hostile_requests import (
    BASIC_MARK,
    CANARY,
    ID_MARK,
    KEY_MARK,
    Form,
    Material,
    Owed,
    Sent,
    file_part,
    make_batch,
)
from training.demo import RunningService, running_service

Keys = Literal["off", "required"]
CONNECTIONS: Final = 8
VISITS: Final = 20
"""Batches on one connection at most: a fault's file has them all."""
PATIENCE_S: Final = 5.0
"""On a machine that does nothing else."""
LONG_ANSWER_S: Final = 60.0
"""More for the whole of it: the audit trail is as long as it is."""
GLANCE_S: Final = 0.03
"""How long to look for an answer that is not owed."""
WAIT_FOR_END: Final = 200
"""One of so many incomplete requests is waited for until the service gives it up."""
STUDY_EVERY_S: Final = 2.0
LARGEST_FAILURES: Final = 50
LIMITS: Final = {
    "LIVER_PDFF_HEAD_TIMEOUT_S": "2",
    "LIVER_PDFF_UPLOAD_TIMEOUT_S": "3",
    "LIVER_PDFF_STOW_TIMEOUT_S": "3",
    "LIVER_PDFF_KEEP_ALIVE_S": "3",
    "LIVER_PDFF_LOG_LEVEL": "WARNING",
}
"""Below our patience, so that whatever is incomplete must end within it too."""
OPEN_PATHS: Final = ("/livez", "/readyz", "/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json", "/favicon.ico")


class Answer(NamedTuple):
    """One answer, taken from the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def is_last(self) -> bool:
        """Whether the connection ends with it."""
        return "close" in self.headers.get("connection", "").lower()

    @property
    def media_type(self) -> str:
        """Without parameters."""
        return self.headers.get("content-type", "").partition(";")[0]


class NotHttp(Exception):
    """The service wrote what is no HTTP answer."""


_STATUS_LINE: Final = re.compile(rb"HTTP/1\.1 (\d{3}) [ -~]*")
_HEADER: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")


async def read_answer(
    reader: asyncio.StreamReader, method: bytes, begun: Callable[[], None] = lambda: None
) -> Answer | None:
    """Read one answer, and say when it has begun; None if the connection ends before it does.

    Raises
    ------
    NotHttp
        If it is cut off, or its lines, length or chunks are none.
    """
    while True:
        head = await _read_head(reader)
        if head is None:
            return None
        status, headers = head
        if status >= 200 or status == 101:
            begun()
            return Answer(status, headers, await _read_body(reader, method, status, headers))


async def _read_head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]] | None:
    try:
        lines = (await reader.readuntil(b"\r\n\r\n"))[:-4].split(b"\r\n")
    except asyncio.IncompleteReadError as end:
        if end.partial:
            raise NotHttp(f"ends in its head: {end.partial[:100]!r}") from end
        return None
    first = _STATUS_LINE.fullmatch(lines[0])
    found = [_HEADER.fullmatch(line) for line in lines[1:]]
    if first is None or None in found:
        raise NotHttp(f"no head: {lines!r:.300}")
    pairs = [(each[1].decode().lower(), each[2].decode("latin-1")) for each in found if each]
    return int(first[1]), dict(pairs)


async def _read_body(reader: asyncio.StreamReader, method: bytes, status: int, headers: Mapping[str, str]) -> bytes:
    if method == b"HEAD" or status in (101, 204, 304):
        return b""
    try:
        if "transfer-encoding" not in headers:
            return await reader.readexactly(int(headers["content-length"]))
        body = b""
        while size := int(await reader.readuntil(b"\r\n"), 16):
            body += await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readexactly(2)
    except (asyncio.IncompleteReadError, KeyError, ValueError) as error:
        raise NotHttp(f"a body of no length, or cut off: {error!r}") from error
    return body


# --- what an answer may not be ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Judge:
    """Tells what is wrong with an answer.

    Attributes
    ----------
    keys : str
    open_bodies : frozenset of bytes
        What anybody may read.
    expected : sequence of dict
        Numbers of each template.
    """

    keys: Keys
    open_bodies: frozenset[bytes]
    expected: Sequence[Mapping[str, float]]

    def complaints(self, sent: Sent, answer: Answer, *, is_keyless: bool) -> Iterator[str]:
        """Name each fault.

        Parameters
        ----------
        sent : Sent
        answer : Answer
        is_keyless : bool
            Whether no key was in anything that was sent on the connection.
        """
        if answer.status >= 500 and not (answer.status == 503 and answer.headers.get("retry-after", "").isdigit()):
            yield f"{answer.status}"
        if answer.status >= 400 and sent.method != b"HEAD" and not self._is_refusal(sent, answer):
            yield f"{answer.status} is no problem with a code: {answer.media_type} {answer.body[:100]!r}"
        if answer.media_type == "text/html" and (CANARY in answer.body or b"<script>alert" in answer.body):
            yield "what was sent stands unescaped in a page"
        is_led_away = (
            answer.status == 303 and answer.headers.get("location", "").startswith(SIGN_IN) and not answer.body
        )
        is_admitted = answer.status < 400 and not is_led_away
        if self.keys == "required" and is_keyless and is_admitted and not self._is_open(sent, answer):
            yield f"{answer.status} without a key"
        if sent.template is not None and answer.status != 503:
            yield from self._study(sent.template, answer)

    @staticmethod
    def _is_refusal(sent: Sent, answer: Answer) -> bool:
        if answer.media_type == "application/problem+json":
            problem = json.loads(answer.body)
            return problem["status"] == answer.status and bool(problem["code"]) and bool(problem["errors"])
        if answer.media_type == "application/dicom+json":  # PS3.18 10.5: none of the instances was stored
            return answer.status == 409
        if sent.path.startswith(b"/static") and answer.status in (400, 416):
            return answer.media_type == "text/plain"  # Starlette's own words for a Range of a file
        return answer.media_type == "text/html" and b"text/html" in sent.data

    def _is_open(self, sent: Sent, answer: Answer) -> bool:
        if answer.body and answer.body in self.open_bodies:
            return True
        path = sent.path.decode("latin-1")
        path = re.sub(r"^https?://[^/]*", "", path)
        return required_scope("GET", path) is None and sent.method in (b"GET", b"HEAD")

    def _study(self, template: int, answer: Answer) -> Iterator[str]:
        if answer.status not in (200, 201):
            yield f"a whole study was answered {answer.status}"
        elif numbers(json.loads(answer.body)) != self.expected[template]:
            yield "a whole study got other numbers than alone"


# --- sending ----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Tally:
    """What came of a run."""

    sent: int = 0
    connections: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    studies: int = 0
    slowest_livez_s: float = 0.0
    slowest_answer_s: float = 0.0


@dataclass(slots=True)
class Target:
    """A service under test; what only it knows is put where its marks stand."""

    port: int
    key: str
    analysis_id: str = ""
    patience_s: float = PATIENCE_S

    def filled(self, data: bytes) -> bytes:
        """Put key and analysis in."""
        basic = b64encode(f"x:{self.key}".encode())
        for mark, value in ((ID_MARK, self.analysis_id.encode()), (KEY_MARK, self.key.encode()), (BASIC_MARK, basic)):
            if mark in data:
                data = data.replace(mark, value)
        return data


class Fault(Exception):
    """Something was answered, or was not, as it must never be."""


class Connection:
    """Visits of one client on one connection.

    Parameters
    ----------
    target : Target
    judge : Judge
    tally : Tally
    """

    def __init__(self, target: Target, judge: Judge, tally: Tally) -> None:
        self._target, self._judge, self._tally = target, judge, tally
        self.history: list[Sent] = []
        self.asked: Sent | None = None
        self.visits = 0
        self.is_open = True

    async def open(self) -> None:
        """Connect."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._target.port, limit=1 << 20)
        self._tally.connections += 1

    async def visit(self, batch: Sequence[Sent]) -> None:
        """Send a batch: all but its last request at once, then that.

        Raises
        ------
        Fault
        """
        self.visits += 1
        together, rest = (list(batch[:-1]), batch[-1:]) if batch[-1].is_last else (list(batch), ())
        if together:
            await self._ask(together)
        for last in rest:
            if self.is_open:
                await self._ask_last(last)

    async def _ask(self, together: Sequence[Sent]) -> None:
        writing = asyncio.create_task(self._write(together))
        try:
            for sent in together:
                self.asked = sent
                answer = await self._answer(sent, self._target.patience_s)
                if answer is None:
                    raise Fault("no answer: the connection was closed")
                self._check(sent, answer)
                if answer.is_last:
                    self.is_open = False
                    return
        finally:
            writing.cancel()
            with suppress(asyncio.CancelledError, ConnectionError):
                await writing

    async def _ask_last(self, sent: Sent) -> None:
        self.is_open, self.asked = False, sent
        await self._write([sent])
        is_owed = sent.owed is not Owed.NOTHING or self._tally.sent % WAIT_FOR_END == 0
        try:
            answer = await self._answer(sent, self._target.patience_s if is_owed else GLANCE_S)
        except Fault:
            if is_owed:
                raise
            return
        if answer is None:
            if sent.owed is Owed.ANSWER:
                raise Fault("no answer: the connection was closed")
            self._tally.statuses["closed"] += 1
        else:
            self._check(sent, answer)

    async def _write(self, batch: Sequence[Sent]) -> None:
        self.history += batch
        with suppress(ConnectionError):  # what was answered meanwhile is still there to be read
            self._writer.write(self._target.filled(b"".join(each.data for each in batch)))
            await self._writer.drain()

    async def _answer(self, sent: Sent, patience_s: float) -> Answer | None:
        started = time.perf_counter()
        try:
            async with asyncio.timeout(patience_s) as bound:
                until = asyncio.get_running_loop().time() + patience_s + LONG_ANSWER_S
                return await read_answer(self._reader, sent.method, lambda: bound.reschedule(until))
        except TimeoutError as error:
            raise Fault(f"nothing within {patience_s:g} s") from error
        except NotHttp as error:
            raise Fault(f"not HTTP: {error}") from error
        except ConnectionError:  # a reset: closed while more was on its way
            return None
        finally:
            self._tally.slowest_answer_s = max(self._tally.slowest_answer_s, time.perf_counter() - started)
            self._tally.sent += 1

    def _check(self, sent: Sent, answer: Answer) -> None:
        self._tally.statuses[str(answer.status)] += 1
        if answer.media_type == "application/problem+json" and answer.body:
            self._tally.refusals[json.loads(answer.body)["code"]] += 1
        is_keyless = not any(each.has_key for each in self.history)
        for complaint in self._judge.complaints(sent, answer, is_keyless=is_keyless):
            raise Fault(complaint)

    def close(self) -> None:
        """End it, every other time without a word of TCP."""
        if self._tally.connections % 2:
            linger = struct.pack("ii", 1, 0)
            self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._writer.close()


@dataclass(frozen=True, slots=True)
class Run:
    """One service, and where its faults go."""

    target: Target
    judge: Judge
    material: Material
    tally: Tally
    out: Path
    seed: int

    async def send(self, requests: int) -> None:
        """Send so many requests over some connections."""
        batches = itertools.count()
        async with asyncio.TaskGroup() as group:
            for _ in range(CONNECTIONS):
                group.create_task(self._client(batches, requests))

    async def _client(self, batches: Iterator[int], requests: int) -> None:
        connection: Connection | None = None
        while self.tally.sent < requests and self.tally.faults.total() < LARGEST_FAILURES:
            batch = make_batch(self.seed, next(batches), self.material, with_keys=self.judge.keys == "required")
            if connection is None:
                connection = Connection(self.target, self.judge, self.tally)
                await connection.open()
            try:
                await connection.visit(batch)
            except Fault as fault:
                self.write(str(fault), connection.history, connection.asked)
                connection.is_open = False
            if not connection.is_open or connection.visits == VISITS:
                connection.close()
                connection = None
        if connection:
            connection.close()

    def write(self, complaint: str, history: Sequence[Sent] = (), asked: Sent | None = None) -> None:
        """Keep a fault: what was sent on its connection, and which request it is about."""
        self.tally.faults[complaint] += 1
        name = f"{self.judge.keys}-{self.seed}-{self.tally.faults.total():03d}.json"
        about = asked and asked.data[:500].decode("latin-1")
        kept = {
            "complaint": complaint,
            "about": about,
            "keys": self.judge.keys,
            "sent": [_plain(each) for each in history],
        }
        (self.out / name).write_text(json.dumps(kept, indent=1))
        print(f"\n{name}: {complaint}", flush=True)

    def progress(self, requests: int, stop: threading.Event) -> None:
        """Say how far it is."""
        started = time.perf_counter()
        while not stop.wait(5):
            rate = self.tally.sent / (time.perf_counter() - started)
            print(f"\r{self.judge.keys}: {self.tally.sent} of {requests}, {rate:.0f}/s", end="", flush=True)


def _plain(sent: Sent) -> dict[str, Any]:
    return {
        "data": b64encode(sent.data).decode(),
        "method": sent.method.decode("latin-1"),
        "owed": sent.owed,
        "is_last": sent.is_last,
        "template": sent.template,
    }


def _sent(plain: Mapping[str, Any]) -> Sent:
    data, method = b64decode(plain["data"]), plain["method"].encode("latin-1")
    return Sent(data, method, Owed(plain["owed"]), plain["is_last"], plain["template"])


# --- the study that is asked in between ---------------------------------------------------------------------------


class Asker(threading.Thread):
    """Somebody with one good study after another, and a look at health.

    Parameters
    ----------
    run : Run
    stop : Event
    """

    def __init__(self, run: Run, client: httpx2.Client, stop: threading.Event) -> None:
        super().__init__(name="asker")
        self._run, self._client, self._stop_asking = run, client, stop
        self._uids = itertools.count(time.time_ns())

    def run(self) -> None:
        """Ask until it is enough."""
        for turn in itertools.count():
            if self._stop_asking.wait(STUDY_EVERY_S if turn else 0):
                return
            try:
                self._ask(turn % len(self._run.judge.expected))
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a fault of this run's
                self._run.write(f"the study in between: {error!r}")

    def _ask(self, template: int) -> None:
        started = time.perf_counter()
        self._client.get("/livez").raise_for_status()
        tally = self._run.tally
        tally.slowest_livez_s = max(tally.slowest_livez_s, time.perf_counter() - started)
        new = self._post(_question(self._run.material, template, next(self._uids)), template)
        if new:
            self._client.delete(f"/v1/analyses/{new['id']}").raise_for_status()
        if kept := self._post(_question(self._run.material, template), template):
            self._run.target.analysis_id = kept["id"]

    def _post(self, body: bytes, template: int) -> dict[str, Any] | None:
        answer = post_study(self._client, body)
        if answer.status_code == 503:
            return None
        answer.raise_for_status()
        analysis: dict[str, Any] = answer.json()
        self._run.tally.studies += 1
        if numbers(analysis) != self._run.judge.expected[template]:
            raise ValueError("other numbers than alone")
        return analysis


def post_study(client: httpx2.Client, body: bytes) -> httpx2.Response:
    """Send a form."""
    return client.post("/v1/analyses", content=body, headers={"Content-Type": "multipart/form-data; boundary=b"})


def _question(material: Material, template: int, number: int | None = None) -> bytes:
    """Write a study as a form; with a number, as one that was never asked."""
    parts = [file_part(view.value.encode(), data) for view, data in material.studies[template].items()]
    body = Form(b"", [], b"b", parts).written()
    uid_ = material.study_uids[template]
    return body if number is None else body.replace(uid_, (b"1.2.%020d" % number).ljust(len(uid_), b"1")[: len(uid_)])


# --- a run ------------------------------------------------------------------------------------------------------


def make_material(paths: Mapping[str, Any]) -> Material:
    """Simulate the studies and files that requests bring."""
    studies = [
        four_view_study(study=n, participant=n, rows=240, columns=320, transfer_syntax=JPEGBaseline8Bit)
        for n in (1, 2, 3)
    ]
    image = us_instance(rows=48, columns=64)
    contents = (
        image,
        image,
        ct_instance(),
        truncated(image),
        truncated(image, 0.2),
        us_instance(rows=48, columns=64, frames=3),
    )
    return Material(paths, studies, [uid("study", n, n).encode() for n in (1, 2, 3)], contents)


@contextmanager
def service(bundle: Path, keys: Keys, folder: Path) -> Iterator[tuple[RunningService, str]]:
    """Start a service, with a key for everything."""
    database = f"sqlite:///{folder}/{keys}.db"
    with open_current(database) as opened:
        key = ApiKeys(opened.engine).create("fuzzer", list(AccessScope), Actor("cli:test"))
    environment = {**LIMITS, "LIVER_PDFF_AUTHENTICATION": keys}
    with running_service(bundle, database, folder / f"{keys}.log", environment=environment) as running:
        running.client.headers["Authorization"] = f"Bearer {key}"
        yield running, key


def prepare(running: RunningService, key: str, keys: Keys, out: Path, seed: int) -> Run:
    """Ask each study alone, and look at what anybody may read."""
    client = running.client
    document = client.get("/openapi.json").json()
    material = make_material(document["paths"])
    analyses = [
        post_study(client, _question(material, n)).raise_for_status().json() for n in range(len(material.studies))
    ]
    static = [f"/static/{path.name}" for path in Path("app/api/static").iterdir()]
    open_bodies = frozenset(client.get(path).content for path in (*OPEN_PATHS, *static))
    target = Target(int(client.base_url.port or 0), key, analyses[0]["id"])
    judge = Judge(keys, open_bodies, [numbers(each) for each in analyses])
    return Run(target, judge, material, Tally(), out, seed)


def fuzz(
    bundle: Path, keys: Keys, requests: int, seed: int, out: Path, patience_s: float = PATIENCE_S
) -> tuple[Tally, dict[str, object]]:
    """Send requests to a service of their own; give what came of it, and of the service."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, service(bundle, keys, Path(name)) as (running, key):
        run = prepare(running, key, keys, out, seed)
        run.target.patience_s = patience_s
        pid, before_mib, stop = running.process.pid, memory_mib(running.process.pid), threading.Event()
        cpu_before_s = cpu_s(pid), time.process_time()
        threads = [Asker(run, running.client, stop), threading.Thread(target=run.progress, args=(requests, stop))]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        try:
            asyncio.run(run.send(requests))
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        elapsed_s = time.perf_counter() - started
        if running.process.poll() is not None:
            run.write(f"the service ended with {running.process.returncode}")
            after_mib, processes, service_s = 0.0, 0, 0.0
        else:
            after_mib, processes = memory_mib(pid), len(list(family(pid)))
            service_s = cpu_s(pid) - cpu_before_s[0]
        log = (Path(name) / f"{keys}.log").read_text(errors="replace")
        for fault in faults_in(log):
            run.write(f"the log has: {fault}")
        (out / f"{keys}.log").write_text(log)
    return run.tally, {
        "seconds": round(elapsed_s),
        "requests/s": round(run.tally.sent / elapsed_s),
        "processor, ms/request: service": f"{1e3 * service_s / run.tally.sent:.2f}",
        "processor, ms/request: this": f"{1e3 * (time.process_time() - cpu_before_s[1]) / run.tally.sent:.2f}",
        "memory, MiB": f"{before_mib:.0f} -> {after_mib:.0f}",
        "processes": processes,
    }


def faults_in(log: str) -> list[str]:
    """Name what was raised and nobody caught, each kind once."""
    raised = (
        re.findall(r"^(?:\w+\.)*\w+(?:Error|Exception|Group)\b: .*", log, re.MULTILINE) if "Traceback" in log else []
    )
    unforeseen = re.findall(r"code=internal_error.*", log)
    return sorted({re.sub(r"0x[0-9a-f]+|\d+", "N", each)[:150] for each in raised + unforeseen})


def replay(bundle: Path, path: Path) -> list[str]:
    """Send a fault's bytes to a fresh service; give what is wrong with its answers."""
    kept = json.loads(path.read_text())
    history = [_sent(each) for each in kept["sent"]]
    with tempfile.TemporaryDirectory() as name, service(bundle, kept["keys"], Path(name)) as (running, key):
        run = prepare(running, key, kept["keys"], Path(name), 0)
        asyncio.run(_resend(run, history))
        log = (Path(name) / f"{kept['keys']}.log").read_text(errors="replace")
    print(log[-3000:])
    return list(run.tally.faults)


async def _resend(run: Run, history: Sequence[Sent]) -> None:
    connection = Connection(run.target, run.judge, run.tally)
    await connection.open()
    with closing(connection):
        try:
            for sent in history:
                await connection.visit([sent])
        except Fault as fault:
            run.write(str(fault), connection.history, connection.asked)
    print(dict(run.tally.statuses))


def summary(results: Mapping[Keys, tuple[Tally, dict[str, object]]]) -> str:
    """Say in a table what came of each run."""
    rows: list[tuple[str, ...]] = [("", *results)]
    tallies = [tally for tally, _ in results.values()]
    rows += [(name, *(str(getattr(tally, name)) for tally in tallies)) for name in ("sent", "connections", "studies")]
    for name in next(iter(results.values()))[1]:
        rows.append((name, *(str(facts[name]) for _, facts in results.values())))
    for name in ("slowest_livez_s", "slowest_answer_s"):
        rows.append((name, *(f"{getattr(tally, name):.2f}" for tally in tallies)))
    for kind in ("statuses", "refusals", "faults"):
        counters: list[Counter[str]] = [getattr(tally, kind) for tally in tallies]
        for name in sorted(set().union(*counters)):
            rows.append((f"{kind}: {name[:90]}", *(str(counter[name]) for counter in counters)))
    width = max(len(row[0]) for row in rows)
    return "\n".join(f"{row[0]:<{width}}" + "".join(f"{cell:>16}" for cell in row[1:]) for row in rows)


def main() -> int:
    """Run it; the exit status is 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=100_000, help="of all services together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--keys", choices=("off", "required", "both"), default="both", help="whether the service asks for keys"
    )
    parser.add_argument("--bundle", type=Path, default=Path("models/demo/1.0.0"))
    parser.add_argument("--out", type=Path, default=Path("out/requests"), help="folder for faults and logs")
    parser.add_argument("--patience", type=float, default=PATIENCE_S, help="seconds that an answer may take to begin")
    parser.add_argument("--replay", type=Path, help="send this fault again")
    options = parser.parse_args()
    if options.replay:
        complaints = replay(options.bundle, options.replay)
        print("\n".join(complaints) or "nothing is wrong with the answers")
        return int(bool(complaints))
    modes: list[Keys] = ["off", "required"] if options.keys == "both" else [options.keys]
    results = {
        each: fuzz(options.bundle, each, options.requests // len(modes), options.seed, options.out, options.patience)
        for each in modes
    }
    print(f"\n{summary(results)}")
    return int(any(tally.faults for tally, _ in results.values()))


if __name__ == "__main__":
    sys.exit(main())
