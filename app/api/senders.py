"""Clients that send a body: how far it has come, and how fast it comes."""

import asyncio
from dataclasses import dataclass
from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

STALLED_S: Final = 5.0
"""A client of which nothing came for so long has stalled."""
SLOW_AFTER_S: Final = 5.0
SLOW_BYTES_PER_S: Final = 64 << 10
"""Half a megabit: a study of 1.5 MB takes 25 s."""


@dataclass(frozen=True, slots=True)
class BodyBounds:
    """What one kind of request may bring.

    Attributes
    ----------
    max_bytes : int
    timeout_s : float
        For the whole body to arrive; the time that the service takes for what has arrived is not counted.
    hint : str
        What to do about a body that is too large.
    """

    max_bytes: int
    timeout_s: float
    hint: str


class Sender:
    """The body of one request as it arrives.

    Parameters
    ----------
    receive : Receive
        The request's.
    bounds : BodyBounds

    Attributes
    ----------
    has_begun : bool
        Whether it has been waited for.
    """

    def __init__(self, receive: Receive, bounds: BodyBounds) -> None:
        self._receive, self._bounds = receive, bounds
        self._clock = asyncio.get_running_loop().time
        self._received_bytes, self._waited_s = 0, 0.0
        self._wait: tuple[float, asyncio.Timeout] | None = None
        self._is_complete = False
        self._first: Message | None = None
        self.has_begun = False

    async def await_first(self, timeout_s: float) -> None:
        """Wait until the body begins; it is given by `receive`, too.

        Raises
        ------
        HTTPException
            408 if nothing came.
        """
        self.has_begun = True
        self._first = await self._next(timeout_s)

    async def receive(self) -> Message:
        """Receive what comes next.

        Raises
        ------
        HTTPException
            408 if it did not come in time, 413 if it is too much.
        """
        if self._first:
            message, self._first = self._first, None
        elif self._is_complete:  # only a disconnect can follow, at any time
            return await self._receive()
        else:
            message = await self._next(self._bounds.timeout_s)
        if self._received_bytes > self._bounds.max_bytes:
            raise HTTPException(413)
        return message

    @property
    def stalled_s(self) -> float:
        """How long nothing has come; 0 while the service is busy with what came."""
        return self._clock() - self._wait[0] if self._wait else 0.0

    @property
    def bytes_per_s(self) -> float:
        """How fast the body comes; infinite while that cannot be told, or the body is complete."""
        waited_s = self._waited_s + self.stalled_s
        return float("inf") if self._is_complete or waited_s < SLOW_AFTER_S else self._received_bytes / waited_s

    def stop(self) -> None:
        """End a wait as if its time were over."""
        if self._wait:
            self._wait[1].reschedule(self._clock())

    async def _next(self, timeout_s: float) -> Message:
        started = self._clock()
        try:
            async with asyncio.timeout(timeout_s - self._waited_s) as timeout:
                self._wait = (started, timeout)
                message = await self._receive()
        except TimeoutError as error:
            raise HTTPException(408) from error
        finally:
            self._wait = None
        self._waited_s += self._clock() - started
        self._received_bytes += len(message.get("body", b""))
        self._is_complete = not message.get("more_body", False)
        return message
