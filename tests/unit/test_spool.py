"""Uploaded files lie where they were written, in memory or on disk, and are read back whole."""

import asyncio
import mmap
from collections.abc import AsyncGenerator, Iterable, Iterator

import pytest
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartParser

from app.api.spool import SMALL_BYTES, UploadSpool
from app.api.uploads import IN_MEMORY_BYTES

LIMIT = 4 * SMALL_BYTES
STEP = 65_536


def pieces(size: int) -> Iterator[bytes]:
    content = bytes(range(251)) * (size // 251 + 1)
    for at in range(0, size, STEP):
        yield content[at : min(at + STEP, size)]


@pytest.fixture
def spool() -> Iterator[UploadSpool]:
    spool = UploadSpool(LIMIT)
    yield spool
    spool.close()


@pytest.mark.parametrize("size", [0, 1, SMALL_BYTES, SMALL_BYTES + 1, LIMIT, LIMIT + 1, 3 * LIMIT])
def test_what_was_written_is_read_back(spool: UploadSpool, size: int) -> None:
    written = sum(map(spool.write, pieces(size)))
    assert written == spool.tell() == size
    assert bytes(spool.contents(size + 1)) == b"".join(pieces(size))
    assert bytes(spool.contents(size // 2)) == b"".join(pieces(size))[: size // 2]


def test_memory_is_not_copied_and_outlives_the_file(spool: UploadSpool) -> None:
    for piece in pieces(LIMIT):
        spool.write(piece)
    contents = spool.contents(LIMIT)
    assert isinstance(contents, memoryview)
    assert isinstance(contents.obj, mmap.mmap)
    spool.close()
    assert bytes(contents) == b"".join(pieces(LIMIT))


def test_starlette_writes_beyond_memory_in_another_thread(spool: UploadSpool) -> None:
    upload = UploadFile(spool, size=0)  # type: ignore[arg-type] # as Starlette does

    async def write(pieces: Iterable[bytes]) -> list[bool]:
        rolls = []
        for piece in pieces:
            rolls.append(upload._will_roll(len(piece)))
            await upload.write(piece)
        return rolls

    assert not any(asyncio.run(write(pieces(LIMIT))))
    assert asyncio.run(write([b"x", b"y"])) == [True, True]
    assert upload.size == LIMIT + 2
    assert bytes(spool.contents(2 * LIMIT)) == b"".join(pieces(LIMIT)) + b"xy"


def test_forms_use_it() -> None:
    async def body() -> AsyncGenerator[bytes, None]:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        yield b"content\r\n--x--\r\n"

    headers = Headers({"content-type": "multipart/form-data; boundary=x"})
    upload = asyncio.run(MultiPartParser(headers, body()).parse())["file"]
    assert isinstance(upload, UploadFile)
    assert isinstance(upload.file, UploadSpool)
    assert upload._max_mem_size == IN_MEMORY_BYTES
    assert bytes(upload.file.contents(100)) == b"content"
