"""Parts lie in memory as far as that is allowed, on disk beyond it, and are read back whole."""

import asyncio
import mmap
from collections.abc import AsyncIterator, Iterator

import pytest

from app.adapters.multipart import MultipartReader
from app.api import bodies
from app.api.bodies import IN_MEMORY_BYTES, MAX_DRAINED_BYTES, PartStore, ReceivedPart, draining, receive_parts
from app.core.errors import MalformedMultipart, StorageUnavailable
from app.core.values import Content
from tests.stow import BOUNDARY, related

STEP = 65_536
LIMIT = 4 * STEP


def pieces(size: int) -> Iterator[bytes]:
    content = bytes(range(251)) * (size // 251 + 1)
    for at in range(0, size, STEP):
        yield content[at : min(at + STEP, size)]


def stored(size: int, limit: int, in_memory: int) -> Content:
    async def write() -> Content:
        store = PartStore(limit, in_memory)
        for piece in pieces(size):
            await store.write(piece)
        return store.content()

    return asyncio.run(write())


def received(contents: list[bytes], memory_bytes: int | None = None) -> list[ReceivedPart]:
    async def body() -> AsyncIterator[bytes]:
        sent = related(contents)
        for at in range(0, len(sent), STEP):
            yield sent[at : at + STEP]

    async def receive() -> list[ReceivedPart]:
        parts = receive_parts(body(), MultipartReader(BOUNDARY, max_parts=100), 1 << 30, memory_bytes)
        return [part async for part in parts]

    return asyncio.run(receive())


def on_disk(content: Content) -> bool:
    return isinstance(content, memoryview) and isinstance(content.obj, mmap.mmap)


@pytest.mark.parametrize("size", [0, 1, STEP, LIMIT, LIMIT + 1, 3 * LIMIT])
def test_what_was_written_is_read_back(size: int) -> None:
    content = stored(size, limit=10 * LIMIT, in_memory=LIMIT)
    assert bytes(content) == b"".join(pieces(size))
    assert on_disk(content) == (size > LIMIT)


@pytest.mark.parametrize("in_memory", [0, 10 * LIMIT])
def test_what_is_beyond_the_limit_is_dropped(in_memory: int) -> None:
    assert bytes(stored(3 * LIMIT, LIMIT + 7, in_memory)) == b"".join(pieces(3 * LIMIT))[: LIMIT + 7]


def test_the_parts_of_a_form_share_its_memory() -> None:
    contents = [bytes([number]) * STEP for number in range(10)]
    parts = received(contents, memory_bytes=4 * STEP)
    assert [bytes(part.content) for part in parts] == contents
    assert [on_disk(part.content) for part in parts] == [False] * 4 + [True] * 6


def test_parts_that_are_not_kept_have_a_bound_each() -> None:
    parts = received([bytes(IN_MEMORY_BYTES), bytes(IN_MEMORY_BYTES + 1)] * 2)
    assert [on_disk(part.content) for part in parts] == [False, True] * 2


def test_a_disk_that_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bodies, "TemporaryFile", full)
    with pytest.raises(StorageUnavailable, match="disk does not take"):
        received([bytes(100)], memory_bytes=0)


def test_a_refused_body_is_read_on_for_a_while() -> None:
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        while True:
            taken += STEP
            yield bytes(STEP)

    async def refuse() -> None:
        async with draining(endless()):
            raise MalformedMultipart("no")

    with pytest.raises(MalformedMultipart):
        asyncio.run(refuse())
    assert MAX_DRAINED_BYTES < taken <= MAX_DRAINED_BYTES + 2 * STEP
