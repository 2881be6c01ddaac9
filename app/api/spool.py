"""Where an uploaded file lies until it is read."""

import mmap
from tempfile import TemporaryFile
from typing import IO, Final

from app.adapters.machine.memory import large_pages
from app.core.values import Content

SMALL_BYTES: Final = 512 << 10
"""What is larger gets pages of its own: a form may have many small files, and a large page is 2 MiB."""


class UploadSpool:
    """A file in memory up to a size, on disk above it: `tempfile.SpooledTemporaryFile` as Starlette uses it.

    That one grows a buffer in small pages, and reading it copies everything into others: thousands of page faults for
    an uncompressed study, in the one thread that answers everybody. This one can be looked at where it lies.

    Parameters
    ----------
    max_size : int
        Bytes in memory.
    """

    def __init__(self, max_size: int) -> None:
        self._max_size, self._rolled = max_size, False  # Starlette asks for both, by these names
        self._memory: bytearray | mmap.mmap = bytearray()
        self._disk: IO[bytes] | None = None
        self._size = 0

    def write(self, data: bytes) -> int:
        """Append."""
        end = self._size + len(data)
        if self._disk is None and end > self._max_size:
            self._disk = self._rolled_over()
        if self._disk is not None:
            self._disk.write(data)
        else:
            self._keep(data, end)
        self._size = end
        return len(data)

    def _keep(self, data: bytes, end: int) -> None:
        if end > SMALL_BYTES and isinstance(self._memory, bytearray):
            pages = large_pages(self._max_size)
            pages[: self._size] = bytes(self._memory)
            self._memory = pages
        self._memory[self._size : end] = data

    def _rolled_over(self) -> IO[bytes]:
        disk: IO[bytes] = TemporaryFile()  # noqa: SIM115 - closed with the form
        disk.write(self.contents(self._max_size))
        self._rolled = True
        self._memory = bytearray()
        return disk

    def contents(self, limit: int) -> Content:
        """Give the beginning of the file, without a copy if it is in memory."""
        if self._disk is None:
            return memoryview(self._memory)[: min(limit, self._size)]
        self._disk.seek(0)
        return self._disk.read(limit)

    def tell(self) -> int:
        """Say where the next write goes."""
        return self._size

    def seek(self, offset: int) -> int:
        """Do nothing: writes append, and `contents` begins at the beginning."""
        return offset

    def close(self) -> None:
        """Give up the file; what looks into its memory may go on."""
        self._memory = bytearray()
        if self._disk is not None:
            self._disk.close()
