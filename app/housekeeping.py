"""What nobody asks for: analyse studies that were forgotten, forget studies that stay unfinished."""

import logging
import threading
from datetime import UTC, datetime, timedelta

from app.adapters.storage.retention import Retention
from app.studies import StudyService

logger = logging.getLogger(__name__)

INTERVAL_S = 3600.0


class Housekeeping:
    """Works at the start and every hour, in the background.

    Parameters
    ----------
    retention : Retention
    studies : StudyService or None
        None without a bundle: then nothing can be analysed.
    unfinished : timedelta
        How long a study may wait for its next instance.
    kept : timedelta or None
        How long answers are kept; None: for good.
    """

    def __init__(
        self, retention: Retention, studies: StudyService | None, unfinished: timedelta, kept: timedelta | None
    ) -> None:
        self._retention = retention
        self._studies = studies
        self._unfinished = unfinished
        self._kept = kept

    def work(self, stopping: threading.Event) -> None:
        """Tidy once."""
        self.tidy(datetime.now(UTC), stopping)

    def tidy(self, now: datetime, stopping: threading.Event | None = None) -> None:
        """Analyse what can be analysed, then forget what stayed unfinished, or was kept, for too long.

        All of it is done study by study, or by some studies at a time: told to stop, it ends within a second.

        Raises
        ------
        StorageUnavailable
        """
        stopping = stopping or threading.Event()
        if self._studies:
            self._studies.follow_up(stopping)
        unfinished = min(self._unfinished, self._kept or self._unfinished)
        if forgotten := self._retention.forget_unfinished(now - unfinished, stopping):
            logger.info("unfinished studies deleted: %d", forgotten)
        if self._kept and (expired := self._retention.expire(now - self._kept, stopping)):
            logger.info("analyses past retention deleted: %d", expired)
