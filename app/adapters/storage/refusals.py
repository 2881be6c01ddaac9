"""Refused calls on the audit trail, without a way to flood it: anybody can be refused as often as they like."""

import math
import time
from collections.abc import Mapping
from threading import Event as Signal
from threading import Lock
from typing import Final

from app.adapters.storage.audit_trail import Action, AuditTrail, Event
from app.core.access import Actor

WRITTEN_EVERY_S: Final = 60.0
"""Of each kind of refusal, a record so often at most; it says how many there were."""
MOST_KINDS: Final = 256
"""Told apart in that time; what is beyond them is counted together, without an address."""
UNKNOWN: Final = "unknown"
"""Who was refused without having said, in a way that holds, who they are."""
LOOKED_AT_EVERY_S: Final = 1.0

_Kind = tuple[Actor, str]


class Refusals:
    """Counts refusals at once and writes them beside the requests: none waits for the database, or fails with it.

    A kind of refusal is who was refused, from which address, and what. Its first record is written within a second.

    Parameters
    ----------
    trail : AuditTrail
    """

    def __init__(self, trail: AuditTrail) -> None:
        self._trail = trail
        self._lock = Lock()
        self._writing = Lock()
        self._counts: dict[_Kind, int] = {}
        self._written: dict[_Kind, float] = {}

    def note(self, by: Actor, code: str, call: str) -> None:
        """Count a refusal.

        Parameters
        ----------
        by : Actor
            As far as known.
        code : str
            Of the refusal.
        call : str
            Method and address, the latter as a template.
        """
        kind = Actor(_printable(by.name), _printable(by.address)), f"{code}: {call}"
        with self._lock:
            if kind not in self._counts and len(self._counts.keys() | self._written) >= MOST_KINDS:
                kind = Actor(UNKNOWN), code
            self._counts[kind] = self._counts.get(kind, 0) + 1

    def write_due(self, _stopping: Signal) -> None:
        """Write what is due; to be done every second."""
        self.write(WRITTEN_EVERY_S)

    def write(self, every_s: float = 0) -> None:
        """Write the kinds of refusals of which no record was written for a time.

        Raises
        ------
        StorageUnavailable
            Nothing is lost then: they are written next time.
        """
        with self._writing:
            due = self._due(time.monotonic() - every_s)
            self._trail.record_each((by, _event(detail, count)) for (by, detail), count in due.items())
            self._take_off(due)

    def _due(self, before: float) -> dict[_Kind, int]:
        with self._lock:
            return {kind: count for kind, count in self._counts.items() if self._written.get(kind, -math.inf) <= before}

    def _take_off(self, written: Mapping[_Kind, int]) -> None:
        now = time.monotonic()
        with self._lock:
            left = {kind: count - written.get(kind, 0) for kind, count in self._counts.items()}
            self._counts = {kind: count for kind, count in left.items() if count}
            recent = {kind: at for kind, at in self._written.items() if now - at < WRITTEN_EVERY_S}
            self._written = recent | dict.fromkeys(written, now)


def _event(detail: str, count: int) -> Event:
    return Event(Action.REFUSE, detail=detail, times=count)


def _printable(text: str) -> str:
    """Make a text of a stranger one that every database takes."""
    return "".join(each if each.isprintable() else "?" for each in text[:128])
