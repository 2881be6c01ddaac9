"""Whether the database answers, known beforehand: whoever asks gets the answer at once, even while it hangs."""

import threading
import time
from collections.abc import Callable
from typing import Final

from app.adapters.storage.database import RETRY_AFTER_S
from app.core.errors import AnalysisError, StorageUnavailable

INTERVAL_S: Final = 1.0
STALE_S: Final = 3.0
"""A check that takes so long has failed, whatever it will say."""


class Pulse:
    """What the last check said; the first is made at once, the others in the background.

    Parameters
    ----------
    check : callable
        Raises what is wrong.
    stale_s : float
        Age at which the last check says nothing any more.
    """

    def __init__(self, check: Callable[[], None], stale_s: float = STALE_S) -> None:
        self._check = check
        self._stale_s = stale_s
        self._felt: tuple[float, AnalysisError | None]
        self.feel()

    def require(self) -> None:
        """Raise what the last check raised.

        Raises
        ------
        AnalysisError
        StorageUnavailable
            If the check itself hangs.
        """
        moment, error = self._felt
        if error:
            raise error.with_traceback(None)  # else each answer would hang its frames onto the one error
        if time.monotonic() - moment > self._stale_s:
            raise StorageUnavailable(
                "The database takes too long to answer. Ask again in a moment.", retry_after_s=RETRY_AFTER_S
            )

    def feel(self, _stopping: threading.Event | None = None) -> None:
        """Check."""
        error = None
        try:
            self._check()
        except AnalysisError as found:
            error = found
        self._felt = (time.monotonic(), error)
