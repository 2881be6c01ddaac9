"""Which studies wait, which is next, and how much of Orthanc's changes is worked off."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

FIRST_RETRY_S, LAST_RETRY_S = 30.0, 3600.0
"""Of one study: what the service refuses today it refuses in a minute, but perhaps not after an update."""


@dataclass(frozen=True, slots=True)
class Wait:
    """A study that is not settled.

    Attributes
    ----------
    since : int
        The first change that it waits for.
    due_s : float
        On the worker's clock; 0: now.
    attempts : int
        How often it failed.
    reason : str
        Why, the last time.
    """

    since: int
    due_s: float = 0.0
    attempts: int = 0
    reason: str = ""


def backoff_s(attempts: int, first_s: float, last_s: float) -> float:
    """Double a pause with each attempt, up to a limit."""
    return min(first_s * 2.0 ** min(attempts, 32), last_s)


class Waiting:
    """The studies that wait.

    Parameters
    ----------
    cursor : int
        The newest change that was read.
    """

    def __init__(self, cursor: int) -> None:
        self._read = cursor
        self._waits: dict[str, Wait] = {}

    @property
    def cursor(self) -> int:
        """The change up to which everything is settled: whoever starts there loses nothing."""
        return min((each.since - 1 for each in self._waits.values()), default=self._read)

    @property
    def read(self) -> int:
        """The newest change that was read."""
        return self._read

    def waits(self) -> Mapping[str, Wait]:
        """Copy what waits."""
        return dict(self._waits)

    def add(self, studies: Mapping[str, int], read: int) -> None:
        """Take in studies that changed; one that waits already is due at once, for it has something new."""
        for study_id, since in studies.items():
            self._waits[study_id] = Wait(self._waits[study_id].since if study_id in self._waits else since)
        self._read = read

    def due(self, now_s: float) -> Iterable[str]:
        """List whose turn it is: first what failed least, so that one study cannot hold up the others."""
        order = sorted(self._waits.items(), key=lambda item: (item[1].attempts, item[1].since))
        return [study_id for study_id, wait in order if wait.due_s <= now_s]

    def settle(self, study_id: str) -> None:
        """Forget a study: nothing is left to do."""
        del self._waits[study_id]

    def postpone(self, study_id: str, now_s: float, reason: str) -> None:
        """Try a study again, later each time."""
        wait = self._waits[study_id]
        pause_s = backoff_s(wait.attempts, FIRST_RETRY_S, LAST_RETRY_S)
        self._waits[study_id] = replace(wait, due_s=now_s + pause_s, attempts=wait.attempts + 1, reason=reason)

    def hold(self, study_id: str, reason: str) -> None:
        """Leave a study due: what is in the way is not its own fault, or it may be; then it goes behind the others."""
        wait = self._waits[study_id]
        self._waits[study_id] = replace(wait, attempts=wait.attempts + 1, reason=reason)
