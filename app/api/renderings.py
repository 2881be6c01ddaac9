"""Drawing answers, few at a time: it is Python's own work, and more of it at once would hold up everybody."""

from collections.abc import AsyncIterator
from typing import Final

from fastapi import Depends

from app.api.runtime import RuntimeDep
from app.core.errors import Overloaded

MAX_WAITING: Final = 64
RETRY_AFTER_S: Final = 2


async def take_turn(runtime: RuntimeDep) -> AsyncIterator[None]:
    """Wait for one of few places, which is given back before the answer is sent.

    Raises
    ------
    Overloaded
        If too many wait already.
    """
    if runtime.renderings.statistics().tasks_waiting >= MAX_WAITING:
        raise Overloaded("Too many reports and pictures are being drawn. Ask again later.", retry_after_s=RETRY_AFTER_S)
    async with runtime.renderings:
        yield


IN_TURN: Final = Depends(take_turn, scope="function")
