"""What was seen lately."""

from collections import deque
from threading import Lock


class Recent:
    """Remembers the last so many names, whichever thread tells or asks.

    Parameters
    ----------
    most : int
    """

    def __init__(self, most: int) -> None:
        self._order: deque[str] = deque(maxlen=most)
        self._names: set[str] = set()
        self._lock = Lock()

    def add(self, name: str) -> None:
        """Remember a name, and forget the one that has been there longest."""
        with self._lock:
            if name in self._names:
                return
            if len(self._order) == self._order.maxlen:
                self._names.remove(self._order[0])
            self._order.append(name)
            self._names.add(name)

    def __contains__(self, name: str) -> bool:
        return name in self._names
