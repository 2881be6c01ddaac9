"""The thread that looks for changed studies and works them off, one at a time."""

import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from itertools import islice
from typing import Any, Protocol

from liver_pdff_bridge.archive import Archive, changed_studies, last_change
from liver_pdff_bridge.errors import BridgeError, ServiceRefused, ServiceUnavailable
from liver_pdff_bridge.exchange import Outcome
from liver_pdff_bridge.waiting import Waiting, backoff_s

LAST_PAUSE_S = 15.0
"""Longest pause while the service does not answer: so long a study may wait after it is back."""
SHOWN = 100


class Cursor(Protocol):
    """Keeps a number beside Orthanc's database."""

    def read(self) -> int | None:
        """Tell the number; None before the first was written."""

    def write(self, cursor: int) -> None:
        """Keep a number."""


class Worker:
    """Works until it is stopped. Everything it knows follows from Orthanc's changes, its cursor and the marks.

    Parameters
    ----------
    archive : Archive
    cursor : Cursor
    exchange : callable
        Handles the study of that name.
    log : callable
        Takes one line, without a UID or anything of a patient.
    poll_s : float
    clock : callable
        Seconds of a clock that is never set.
    """

    def __init__(
        self,
        archive: Archive,
        cursor: Cursor,
        exchange: Callable[[str], Outcome],
        log: Callable[[str], None],
        poll_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._archive, self._cursor, self._exchange = archive, cursor, exchange
        self._log, self._poll_s, self._clock = log, poll_s, clock
        self._stopping, self._awake = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="liver-pdff", daemon=True)
        self._waiting: Waiting | None = None
        self._kept = 0
        self._failures, self._resume_s, self._obstacle = 0, 0.0, ""
        self.status: dict[str, Any] = {}
        self._show()

    def start(self) -> None:
        """Begin to work."""
        self._log("started")
        self._thread.start()

    def wake(self) -> None:
        """Look now: a study became stable. It costs nothing, so Orthanc's callback may call it."""
        self._awake.set()

    def stop(self, timeout_s: float) -> None:
        """Ask the thread to end; what it is at is begun again after the next start."""
        self._stopping.set()
        self._awake.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._awake.clear()
            try:
                self.cycle()
            except BridgeError as error:
                self._hinder(str(error), 0.0)
            except Exception as error:  # noqa: BLE001 - the thread must live; it says so, and tries again
                self._hinder(f"unexpected {type(error).__name__}", 0.0)
            self._show()
            self._awake.wait(self._poll_s)

    def cycle(self) -> None:
        """Read what changed, handle what is due, and keep how far that came.

        While the service does not answer, nothing is sent until a pause is over that grows with each failure.
        """
        waiting = self._waiting or self._first_look()
        self._waiting = waiting
        waiting.add(*changed_studies(self._archive, waiting.read))
        for study_id in waiting.due(self._clock()):
            if self._stopping.is_set() or self._clock() < self._resume_s:
                break
            self._handle(waiting, study_id)
            self._show()
        if not waiting.waits():
            self._carry_on()
        self._keep(waiting.cursor)

    def _keep(self, cursor: int) -> None:
        if cursor != self._kept:
            self._cursor.write(cursor)
            self._kept = cursor

    def _first_look(self) -> Waiting:
        """Go on where the last run ended. At the very first start, what is in Orthanc already is left alone."""
        cursor = self._cursor.read()
        if cursor is None:
            cursor = last_change(self._archive)
            self._cursor.write(cursor)
        self._kept = cursor
        return Waiting(cursor)

    def _handle(self, waiting: Waiting, study_id: str) -> None:
        try:
            outcome = self._exchange(study_id)
        except ServiceUnavailable as error:
            waiting.hold(study_id, str(error))
            self._hinder(str(error), error.retry_after_s)
        except BridgeError as error:
            waiting.postpone(study_id, self._clock(), str(error))
            self._log(f"study postponed: {error}")
            if isinstance(error, ServiceRefused):  # it answers
                self._carry_on()
        except Exception as error:  # raised again: only this study shall wait longer for it
            waiting.postpone(study_id, self._clock(), f"unexpected {type(error).__name__}")
            raise
        else:
            self._done(waiting, study_id, outcome)

    def _done(self, waiting: Waiting, study_id: str, outcome: Outcome) -> None:
        if not outcome.settled:
            return
        waiting.settle(study_id)
        if outcome != Outcome(settled=True):
            counts = " ".join(f"{name}={count}" for name, count in asdict(outcome).items() if name != "settled")
            self._log(f"study done: {counts}")
            self._carry_on()

    def _hinder(self, obstacle: str, pause_s: float) -> None:
        """Wait with everything; say so once, not each time."""
        if obstacle != self._obstacle:
            self._log(f"waiting: {obstacle}")
        pause_s = max(pause_s, backoff_s(self._failures, self._poll_s, LAST_PAUSE_S))
        self._failures, self._obstacle, self._resume_s = self._failures + 1, obstacle, self._clock() + pause_s

    def _carry_on(self) -> None:
        if self._obstacle:
            self._log("going on")
        self._failures, self._obstacle = 0, ""

    def _show(self) -> None:
        """Publish what an operator may ask for: another thread reads it, so it is replaced and never changed."""
        waits = self._waiting.waits() if self._waiting else {}
        self.status = {
            "obstacle": self._obstacle,
            "settled_up_to_change": self._waiting.cursor if self._waiting else None,
            "waiting": len(waits),
            "studies": {study_id: asdict(wait) for study_id, wait in islice(waits.items(), SHOWN)},
        }
