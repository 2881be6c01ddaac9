"""What nobody asks for: analyse studies that were forgotten, forget studies that stay unfinished."""

import logging
import threading
from datetime import UTC, datetime, timedelta

from app.adapters.storage.retention import Retention
from app.core.access import SERVICE
from app.core.errors import StorageUnavailable
from app.studies import StudyService

logger = logging.getLogger(__name__)

INTERVAL_S = 3600.0
RETRY_S = 60.0
"""When the database did not answer."""


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

    def run(self, stopping: threading.Event) -> None:
        """Tidy until told to stop."""
        since: datetime | None = None  # at the start, all: nobody knows how long the service was down
        pause = 0.0
        while not stopping.wait(pause):
            now = datetime.now(UTC)
            try:
                self.tidy(now, since, stopping)
            except StorageUnavailable as error:
                logger.warning("housekeeping waits: code=%s", error.code)
                pause = RETRY_S
            else:
                since, pause = now - self._unfinished, INTERVAL_S

    def tidy(self, now: datetime, since: datetime | None = None, stopping: threading.Event | None = None) -> None:
        """Analyse what can be analysed, then forget what stayed unfinished, or was kept, for too long.

        Raises
        ------
        StorageUnavailable
        """
        for uid in self._studies.forgotten(since) if self._studies else ():
            if stopping and stopping.is_set():
                return
            assert self._studies  # noqa: S101 - else there is no uid
            self._studies.settle([uid], SERVICE)
        if forgotten := self._retention.forget_unfinished(now - self._unfinished):
            logger.info("unfinished studies deleted: %d", forgotten)
        if self._kept and (expired := self._retention.expire(now - self._kept)):
            logger.info("analyses past retention deleted: %d", expired)
