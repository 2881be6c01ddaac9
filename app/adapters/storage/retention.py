"""Deleting for good: rows, crops, and what was received one by one. Each deletion is on the audit trail."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, Engine, Select, and_, delete, func, select

from app.adapters.storage.audit_trail import Action, Event, append, study_digest
from app.adapters.storage.database import writing
from app.adapters.storage.tables import analyses, analysis_views, received_instances
from app.core.access import SERVICE, Actor
from app.core.values import View

_BATCH: Final = 100
_study = received_instances.c.study_instance_uid


class Retention:
    """Deletes. Every method is made of whole transactions, committed before it returns.

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

    def delete(self, analysis_id: str, by: Actor) -> bool:
        """Delete one analysis, and what was received of its study: else it would be analysed again.

        Returns
        -------
        bool
            Whether there was one.
        """
        with writing(self._engine) as connection:
            return bool(_delete_analyses(connection, analyses.c.id == analysis_id, Action.DELETE, by))

    def expire(self, before: datetime) -> int:
        """Delete what was answered, or received last, before a time.

        Returns
        -------
        int
            How many analyses.
        """
        expired = 0
        while batch := self._expire_batch(before):
            expired += batch
        with writing(self._engine) as connection:
            _forget(connection, _study.in_(_silent(before)))
        return expired

    def _expire_batch(self, before: datetime) -> int:
        with writing(self._engine) as connection:
            return _delete_analyses(connection, analyses.c.created_at < before, Action.EXPIRE, SERVICE)

    def forget_unfinished(self, before: datetime) -> int:
        """Forget studies of which nothing came since a time, and that have no complete analysis.

        Returns
        -------
        int
            How many studies.
        """
        with writing(self._engine) as connection:
            return _forget(connection, and_(_study.in_(_silent(before)), _study.not_in(_finished())))


def _delete_analyses(connection: Connection, which: ColumnElement[bool], action: Action, by: Actor) -> int:
    some = select(analyses.c.id).where(which).limit(_BATCH)
    columns = (analyses.c.id, analyses.c.study_instance_uid, analyses.c.bundle_sha256)
    # What another process has deleted meanwhile is not returned, so nothing is on the trail twice.
    rows = connection.execute(delete(analyses).where(analyses.c.id.in_(some)).returning(*columns)).all()
    events = [Event(action, row.id, study_digest(row.study_instance_uid), row.bundle_sha256) for row in rows]
    append(connection, by, *events)
    _drop_received(connection, _study.in_({row.study_instance_uid for row in rows}))
    return len(rows)


def _forget(connection: Connection, which: ColumnElement[bool]) -> int:
    studies = _drop_received(connection, which)
    append(connection, SERVICE, *(Event(Action.EXPIRE, study_digest=study_digest(uid)) for uid in sorted(studies)))
    return len(studies)


def _drop_received(connection: Connection, which: ColumnElement[bool]) -> Collection[str]:
    return set(connection.execute(delete(received_instances).where(which).returning(_study)).scalars())


def _silent(before: datetime) -> Select[tuple[str]]:
    """Select the studies of which nothing came since a time."""
    return select(_study).group_by(_study).having(func.max(received_instances.c.received_at) < before)


def _finished() -> Select[tuple[str]]:
    """Select the studies that have an analysis of all their views."""
    return (
        select(analyses.c.study_instance_uid)
        .join(analysis_views, analysis_views.c.analysis_id == analyses.c.id)
        .group_by(analyses.c.id)
        .having(func.count(analysis_views.c.view) == len(View))
    )
