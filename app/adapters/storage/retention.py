"""Deleting for good: rows, crops, and what was received one by one. Each deletion is on the audit trail."""

from collections.abc import Collection
from datetime import datetime
from threading import Event as Signal
from typing import Final

from sqlalchemy import ColumnElement, Connection, Engine, delete, func, select, update

from app.adapters.storage.audit_trail import Action, Event, append, study_digest
from app.adapters.storage.database import reading, writing
from app.adapters.storage.repository import AnalysisRepository
from app.adapters.storage.study_repository import StudyRepository
from app.adapters.storage.study_state import read_state
from app.adapters.storage.tables import analyses, analysis_views, received_instances, received_studies
from app.core.access import SERVICE, Actor
from app.core.values import View

_BATCH: Final = 25
"""Studies in one transaction: it takes a fraction of a second, and no other writer waits longer."""


class Retention:
    """Deletes. Every method is made of whole transactions, committed before it returns.

    What was received of a study lives as long as the analysis that stands on it, the current one.

    Parameters
    ----------
    engine : Engine

    Raises
    ------
    StorageUnavailable
        From every method, when the database does not answer.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._analyses = AnalysisRepository(engine)
        self._received = StudyRepository(engine)

    def delete(self, analysis_id: str, by: Actor) -> bool:
        """Delete one analysis, and what was received of its study: else it would be analysed again.

        Only where another analysis of the study is the current one, what was received stays.

        Returns
        -------
        bool
            Whether there was one.
        """
        analysis = self._analyses.get(analysis_id)
        if analysis is None:
            return False
        study = analysis.estimate.study_instance_uid
        dropped = [study] if self._current(study) in (None, analysis_id) else []
        return bool(self._delete([analysis_id], dropped, Action.DELETE, by))

    def expire(self, before: datetime, stopping: Signal | None = None) -> int:
        """Delete what was answered before a time, until all of it is gone or somebody says stop.

        Returns
        -------
        int
            How many analyses.
        """
        expired = 0
        while not (stopping and stopping.is_set()) and (batch := self._made_before(before)):
            dropped = {study for study in batch.values() if self._current(study) in batch}
            expired += self._delete(batch, dropped, Action.EXPIRE, SERVICE)
        return expired

    def _made_before(self, before: datetime) -> dict[str, str]:
        columns = analyses.c.id, analyses.c.study_instance_uid
        oldest = select(*columns).where(analyses.c.created_at < before).order_by(analyses.c.created_at, analyses.c.id)
        with reading(self._engine) as connection:
            return {row.id: row.study_instance_uid for row in connection.execute(oldest.limit(_BATCH))}

    def _current(self, study_instance_uid: str) -> str | None:
        state = read_state(self._analyses, self._received, study_instance_uid)
        return state.current.id if state and state.current else None

    def _delete(self, ids: Collection[str], dropped: Collection[str], action: Action, by: Actor) -> int:
        columns = (analyses.c.id, analyses.c.study_instance_uid, analyses.c.bundle_sha256)
        with writing(self._engine) as connection:
            _drop_received(connection, dropped)
            # What another process has deleted meanwhile is not returned, so nothing is on the trail twice.
            rows = connection.execute(delete(analyses).where(analyses.c.id.in_(ids)).returning(*columns)).all()
            _look_again(connection, {row.study_instance_uid for row in rows})
            events = [Event(action, row.id, study_digest(row.study_instance_uid), row.bundle_sha256) for row in rows]
            append(connection, by, *events)
        return len(rows)

    def forget_unfinished(self, before: datetime, stopping: Signal | None = None) -> int:
        """Forget studies of which nothing came since a time, and that have no complete analysis.

        Returns
        -------
        int
            How many studies.
        """
        forgotten = 0
        while not (stopping and stopping.is_set()) and (batch := self._silent(before)):
            forgotten += self._forget(batch, before)
        return forgotten

    def _silent(self, before: datetime) -> set[str]:
        """Name some studies of which nothing came since a time, and that are not known to be finished."""
        silent = ~received_studies.c.finished & (received_studies.c.received_at < before)
        oldest = select(received_studies.c.study_instance_uid).where(silent).order_by(received_studies.c.received_at)
        with reading(self._engine) as connection:
            return set(connection.execute(oldest.limit(_BATCH)).scalars())

    def _forget(self, studies: Collection[str], before: datetime) -> int:
        with writing(self._engine) as connection:
            finished = _finished(connection, studies)
            noted = update(received_studies).where(received_studies.c.study_instance_uid.in_(finished))
            connection.execute(noted.values(finished=True))
            dropped = _drop_received(connection, set(studies) - finished, before)
            events = [Event(Action.EXPIRE, study_digest=study_digest(uid)) for uid in sorted(dropped)]
            append(connection, SERVICE, *events)
        return len(dropped)


def _drop_received(connection: Connection, studies: Collection[str], before: datetime | None = None) -> Collection[str]:
    """Drop what was received of studies, unless something of them came meanwhile; their rows first, as in `put`."""
    which: list[ColumnElement[bool]] = [received_studies.c.study_instance_uid.in_(studies)]
    if before:
        which.append(received_studies.c.received_at < before)
    rows = connection.execute(delete(received_studies).where(*which).returning(received_studies.c.study_instance_uid))
    dropped = set(rows.scalars())
    connection.execute(delete(received_instances).where(received_instances.c.study_instance_uid.in_(dropped)))
    return dropped


def _look_again(connection: Connection, studies: Collection[str]) -> None:
    """Let housekeeping see for itself whether studies that lost an analysis still have a complete one."""
    which = received_studies.c.study_instance_uid.in_(studies)
    connection.execute(update(received_studies).where(which).values(finished=False))


def _finished(connection: Connection, studies: Collection[str]) -> set[str]:
    """Tell which of some studies have an analysis of all their views."""
    complete = (
        select(analyses.c.study_instance_uid)
        .join(analysis_views, analysis_views.c.analysis_id == analyses.c.id)
        .where(analyses.c.study_instance_uid.in_(studies))
        .group_by(analyses.c.id)
        .having(func.count(analysis_views.c.view) == len(View))
    )
    return set(connection.execute(complete).scalars())
