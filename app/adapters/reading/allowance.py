"""How much processor time one request may use for reading: objects that are costly to read must not delay others'."""

from threading import Lock
from typing import Final

from app.core.errors import ReadingTimeSpent

PER_OBJECT_S: Final = 1.0
"""The largest object that is accepted takes 0.7 s, and its screen 0.3 s."""
RESERVE_S: Final = 3.0
"""Of a request, for what its objects take beyond that: two that end their reading process are enough."""


class Allowance:
    """The processor time of one request; its objects may be read by several threads.

    Parameters
    ----------
    reserve_s : float
    """

    def __init__(self, reserve_s: float = RESERVE_S) -> None:
        self._left_s = reserve_s
        self._lock = Lock()

    def require(self) -> None:
        """Raise ReadingTimeSpent if nothing is left."""
        if self._left_s <= 0:
            raise ReadingTimeSpent(
                "The object was not read: others of the same request took too long to read. Send it in a request of "
                "its own, or uncompressed."
            )

    def spend(self, seconds: float) -> None:
        """Note what one object took."""
        with self._lock:
            self._left_s -= max(0.0, seconds - PER_OBJECT_S)
