"""Bodies of requests, received part by part: in memory as far as that is allowed, on disk beyond it."""

import mmap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO, Final

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from app.adapters.multipart import MultipartReader, PartEnd, PartHead, Piece
from app.core.errors import AnalysisError, MalformedMultipart, StorageUnavailable
from app.core.values import Content

IN_MEMORY_BYTES: Final = 4 << 20
"""Of one part: an uncompressed colour screen of 1280 x 960 does not go through a temporary file."""
MAX_DRAINED_BYTES: Final = 32 << 20
_RETRY_AFTER_S: Final = 5


@dataclass(frozen=True, slots=True, eq=False)
class ReceivedPart:
    """A part that has arrived whole.

    Attributes
    ----------
    head : PartHead
    content : bytes, bytearray or memoryview
        At most one byte more than the limit: enough to see that it is too large.
    """

    head: PartHead
    content: Content


class PartStore:
    """Where the content of one part lies: in memory up to a size, in a temporary file above it.

    Parameters
    ----------
    limit : int
        Bytes that are kept; what follows is dropped.
    in_memory : int
        Bytes in memory.
    """

    def __init__(self, limit: int, in_memory: int = IN_MEMORY_BYTES) -> None:
        self._limit, self._in_memory = limit, in_memory
        self._memory = bytearray()
        self._disk: IO[bytes] | None = None
        self.size_bytes = 0

    async def write(self, data: bytes) -> None:
        """Append; what goes to the disk, which may be slow, goes there in another thread."""
        kept = data[: self._limit - self.size_bytes]
        self.size_bytes += len(kept)
        if self._disk is None and self.size_bytes <= self._in_memory:
            self._memory += kept
        elif kept:
            await run_in_threadpool(self._write_to_disk, kept)

    @property
    def memory_bytes(self) -> int:
        """How much of it is in memory."""
        return len(self._memory)

    def content(self) -> Content:
        """Give what was written, without a copy; it outlives the store."""
        if self._disk is None:
            return memoryview(self._memory)
        with self._disk as disk:
            disk.flush()
            return memoryview(mmap.mmap(disk.fileno(), 0, access=mmap.ACCESS_READ))

    def _write_to_disk(self, data: bytes) -> None:
        try:
            if self._disk is None:
                self._disk = TemporaryFile()  # noqa: SIM115 - `content` closes it, or the collector
                self._disk.write(self._memory)
                self._memory = bytearray()
            self._disk.write(data)
        except OSError as error:
            raise StorageUnavailable(
                "The service's disk does not take the files at the moment: send them again later.",
                retry_after_s=_RETRY_AFTER_S,
            ) from error


async def receive_parts(
    body: AsyncIterator[bytes], reader: MultipartReader, max_part_bytes: int, memory_bytes: int | None = None
) -> AsyncIterator[ReceivedPart]:
    """Give each part as soon as it is complete; nothing is read from the network while it is handled.

    Parameters
    ----------
    body : iterator of bytes
        The request's stream.
    reader : MultipartReader
    max_part_bytes : int
    memory_bytes : int, optional
        Of all parts together, if the caller keeps them; by default each has a bound of its own.

    Raises
    ------
    MalformedMultipart
        If the body is not multipart, or ends early.
    UploadTooLarge
        If it has too many parts.
    StorageUnavailable
        If the disk does not take a large part.
    """
    head, store = PartHead(), PartStore(0)
    taken_bytes = 0
    async for piece in _pieces(body, reader):
        match piece:
            case PartHead():
                room = IN_MEMORY_BYTES if memory_bytes is None else min(IN_MEMORY_BYTES, memory_bytes - taken_bytes)
                head, store = piece, PartStore(max_part_bytes + 1, room)
            case PartEnd():
                taken_bytes += store.memory_bytes
                yield ReceivedPart(head, store.content())
            case _:
                await store.write(piece)


async def _pieces(body: AsyncIterator[bytes], reader: MultipartReader) -> AsyncIterator[Piece]:
    try:
        async for chunk in body:
            for piece in reader.feed(chunk):
                yield piece
    except ClientDisconnect as error:
        raise MalformedMultipart("The connection ended before the body did.") from error
    reader.close()


@asynccontextmanager
async def draining(body: AsyncIterator[bytes]) -> AsyncIterator[None]:
    """Read on for a while when the request is refused: a client that is still sending would not hear why."""
    try:
        yield
    except AnalysisError:
        drained_bytes = 0
        with suppress(ClientDisconnect, HTTPException):  # the refusal stands: this only helps it to arrive
            async for chunk in body:
                drained_bytes += len(chunk)
                if drained_bytes > MAX_DRAINED_BYTES:
                    break
        raise
