"""Clients who mean harm, many at once in one process: silent, slow, greedy, or with small files that ask for much."""

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from app.core.values import View
from benchmarks.studies import BOUNDARY
from tests.api.test_bombs import BOMBS
from tests.factories import four_view_study, us_instance

MIX: Final = {
    "silent": 20,
    "slow_head": 12,
    "slow_body": 12,
    "flood_of_headers": 10,
    "unread_answers": 10,
    "silent_stow": 10,
    "documents": 10,
    "jpeg_bombs": 5,
    "deflate_bomb": 5,
    "small_files": 3,
    "previews_of_small_files": 3,
}
"""Shares of the kinds, percent."""
SMALL_FILES: Final = 265
SMALL_FILE_BYTES: Final = 513 << 10
"""Above what a spool keeps in small pages; so many just fit into a body."""
JPEG_BOMBS: Final = 24
PATIENCE_S: Final = 60.0
"""After this a client that was not thrown out leaves."""
FLOOD_BYTES: Final = 64 << 20
TRICKLE_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Plan:
    """When and how often to attack.

    Attributes
    ----------
    port : int
    begin_s : float
        On the monotonic clock.
    phases : sequence of pairs of float
        Beginnings and ends, seconds from there.
    clients_per_s : float
        New ones, in a phase.
    analysis_id : str
        Whose documents are asked for.
    """

    port: int
    begin_s: float
    phases: Sequence[tuple[float, float]]
    clients_per_s: float
    analysis_id: str


def attack(plan: Plan) -> tuple[Counter[str], list[str]]:
    """Attack through all phases; for a process of its own.

    Returns
    -------
    Counter
        What came of each kind of client: the status, ``closed`` by the service, ``left`` by itself, or an error.
    list of str
        Answers of 500 and more that are not 503.
    """
    return asyncio.run(_attack(plan))


async def _attack(plan: Plan) -> tuple[Counter[str], list[str]]:
    bodies = _Bodies()
    tally: Counter[str] = Counter()
    wrong: list[str] = []
    rng = random.Random(11)  # noqa: S311 - a load, no secret
    loop, started = asyncio.get_running_loop(), plan.begin_s
    running: set[asyncio.Task[None]] = set()

    async def one(kind: str, until: float) -> None:
        client = _Client(plan, bodies)
        try:
            async with asyncio.timeout_at(min(until, loop.time() + PATIENCE_S)):
                outcome = await getattr(client, kind)()
        except TimeoutError:
            outcome = "left"
        except OSError as error:
            outcome = type(error).__name__
        finally:
            client.close()
        tally[f"{kind} {outcome}"] += 1
        if outcome.startswith("5") and outcome != "503":
            wrong.append(f"hostile {kind}: {outcome}")

    for begin, end in plan.phases:
        await asyncio.sleep(max(0.0, started + begin - loop.time()))
        for number in itertools.count():
            due = started + begin + number / plan.clients_per_s
            if due >= started + end:
                break
            await asyncio.sleep(max(0.0, due - loop.time()))
            kind = rng.choices(list(MIX), list(MIX.values()))[0]
            task = asyncio.create_task(one(kind, started + end))
            running.add(task)
            task.add_done_callback(running.discard)
        await asyncio.gather(*running)
    return tally, wrong


class _Bodies:
    """What is sent again and again, made once."""

    def __init__(self) -> None:
        views = [view.value for view in View]
        scans = BOMBS["many scans"]()
        deflated = BOMBS["deflate"]()
        study = four_view_study(rows=240, columns=320)
        small = us_instance(rows=240, columns=320)
        small += bytes(SMALL_FILE_BYTES - len(small))
        self.jpeg_bombs = _form([("instances", scans)] * JPEG_BOMBS)
        self.deflate_bomb = _form([(view, deflated) for view in views[:1]] + [(v, study[View(v)]) for v in views[1:]])
        self.small_files = _form([("instances", small)] * (SMALL_FILES - 5))
        self.previews = _form([("file", small)] * (SMALL_FILES - 5))


def _form(files: Sequence[tuple[str, bytes]]) -> bytes:
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="a"\r\n\r\n'.encode() + data + b"\r\n"
        for name, data in files
    ]
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


class _Client:
    """One hostile client; each method gives what came of it."""

    def __init__(self, plan: Plan, bodies: _Bodies) -> None:
        self._plan, self._bodies = plan, bodies
        self._writer: asyncio.StreamWriter | None = None

    def close(self) -> None:
        if self._writer:
            self._writer.transport.abort()

    async def _open(self, data: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, self._writer = await asyncio.open_connection("127.0.0.1", self._plan.port)
        self._writer.write(data)
        return reader, self._writer

    async def silent(self) -> str:
        reader, _ = await self._open()
        return await _outcome(reader)

    async def slow_head(self) -> str:
        return await self._trickle(b"GET /livez HTTP/1.1\r\nHost: x\r\n", b"X: y\r\n")

    async def slow_body(self) -> str:
        return await self._trickle(_head("/v1/analyses", 100_000), b"--" + BOUNDARY.encode()[:3])

    async def silent_stow(self) -> str:
        head = _head("/dicom-web/studies", 1 << 30, f'multipart/related; type="application/dicom"; boundary={BOUNDARY}')
        reader, _ = await self._open(head)
        return await _outcome(reader)

    async def _trickle(self, first: bytes, then: bytes) -> str:
        reader, writer = await self._open(first)
        ending = asyncio.create_task(_outcome(reader))
        try:
            while not ending.done():
                writer.write(then)
                await asyncio.wait([ending], timeout=TRICKLE_S)
        finally:
            ending.cancel()
        return await ending

    async def flood_of_headers(self) -> str:
        reader, writer = await self._open(b"GET /livez HTTP/1.1\r\nHost: x\r\n")
        line = b"X-Flood: " + b"x" * 4000 + b"\r\n"
        with suppress(ConnectionError):
            for _ in range(FLOOD_BYTES // len(line)):
                writer.write(line)
                await writer.drain()
        return await _outcome(reader)

    async def unread_answers(self) -> str:
        """Ask for much and read nothing: reading is stopped, so that the buffers fill up."""
        reader, writer = await self._open()
        writer.transport.pause_reading()  # type: ignore[attr-defined] # a socket's transport has it
        with suppress(ConnectionError):
            for _ in range(2000):
                writer.write(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n")
                await writer.drain()
        await asyncio.sleep(PATIENCE_S)
        return "left" if not reader.at_eof() else "closed"

    async def documents(self) -> str:
        paths = ("report.pdf", "summary.dcm", "sr.dcm")
        path = f"/v1/analyses/{self._plan.analysis_id}/{paths[time.time_ns() % len(paths)]}"
        reader, _ = await self._open(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        return await _outcome(reader)

    async def jpeg_bombs(self) -> str:
        return await self._post("/v1/analyses", self._bodies.jpeg_bombs)

    async def deflate_bomb(self) -> str:
        return await self._post("/v1/analyses", self._bodies.deflate_bomb)

    async def small_files(self) -> str:
        return await self._post("/v1/analyses", self._bodies.small_files)

    async def previews_of_small_files(self) -> str:
        return await self._post("/v1/previews", self._bodies.previews)

    async def _post(self, path: str, body: bytes) -> str:
        reader, writer = await self._open(_head(path, len(body)))
        ending = asyncio.create_task(_outcome(reader))
        step = 1 << 20
        with suppress(ConnectionError):  # what was answered meanwhile is still there to be read
            for at in range(0, len(body), step):
                if ending.done():
                    break
                writer.write(body[at : at + step])
                await writer.drain()
        return await ending


def _head(path: str, length: int, content_type: str = f"multipart/form-data; boundary={BOUNDARY}") -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Type: {content_type}", f"Content-Length: {length}"]
    return "\r\n".join([*lines, "", ""]).encode()


async def _outcome(reader: asyncio.StreamReader) -> str:
    """Wait for an answer or the end; give the status."""
    first = await reader.readline()
    return first.split()[1].decode() if first.startswith(b"HTTP/1.1 ") else "closed"
