"""Analyses in and out of the database."""

import base64
import binascii
import hashlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

import numpy as np
from sqlalchemy import Engine, Row, and_, or_, select
from sqlalchemy.exc import IntegrityError

from app.adapters.storage.audit_trail import Action, about, append
from app.adapters.storage.database import reading, writing
from app.adapters.storage.tables import analyses, analysis_views
from app.core.access import Actor
from app.core.errors import InvalidRequest
from app.core.values import (
    Analysis,
    AnalysisWarning,
    BundleIdentity,
    Estimate,
    Origin,
    Target,
    Thresholds,
    TissueBox,
    View,
    ViewEstimate,
    ViewSource,
)

_VIEW_COLUMNS = [column for column in analysis_views.c if column.name != "tissue_png"]
"""Crops are read one at a time, when somebody looks at them."""


class AnalysisRepository:
    """Stored analyses. Every method is one transaction, committed before it returns.

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

    def add(
        self,
        analysis: Analysis,
        question: str,
        tissue_pngs: Mapping[View, bytes],
        by: Actor,
        *,
        after: Analysis | None = None,
    ) -> tuple[Analysis, bool]:
        """Store an analysis and the record of who asked, unless another writer has just stored one.

        Parameters
        ----------
        analysis : Analysis
        question : str
            `app.core.pipeline.question` that it answers.
        tissue_pngs : mapping of View to bytes
            The crops.
        by : Actor
        after : Analysis or None
            The newest answer to the question, which this one supersedes; None if there is no answer yet.

        Returns
        -------
        analysis : Analysis
            The given one, or the one that another writer has stored.
        is_new : bool
        """
        try:
            with writing(self._engine) as connection:
                connection.execute(analyses.insert().values(_analysis_row(analysis, question, after)))
                connection.execute(
                    analysis_views.insert(),
                    [_view_row(analysis.id, view, tissue_pngs[view.view]) for view in analysis.estimate.views],
                )
                append(connection, by, about(Action.SUBMIT, analysis))
        except IntegrityError:
            first = self.find(question)
            if first is None or (after and first.id == after.id):  # another constraint failed
                raise
            return first, False
        return analysis, True

    def find(self, question: str) -> Analysis | None:
        """Find the newest answer to a question that was asked before."""
        return next(self._select(analyses.c.question == question), None)

    def get(self, analysis_id: str) -> Analysis | None:
        """Find an analysis by its id."""
        return next(self._select(analyses.c.id == analysis_id), None)

    def page(
        self,
        *,
        study_instance_uid: str | None,
        limit: int,
        cursor: str | None,
        since: datetime | None = None,
        before: datetime | None = None,
    ) -> tuple[list[Analysis], str | None]:
        """List analyses, newest first.

        Parameters
        ----------
        study_instance_uid : str or None
            Of one study only.
        limit : int
            At most so many.
        cursor : str or None
            Where the last page ended.
        since, before : datetime or None
            Made at the one or later, and earlier than the other.

        Returns
        -------
        page : list of Analysis
        cursor : str or None
            For the next page; None when this is the last.

        Raises
        ------
        InvalidRequest
            If the cursor is none that this service gave.
        """
        conditions = []
        if study_instance_uid is not None:
            conditions.append(analyses.c.study_instance_uid == study_instance_uid)
        if since is not None:
            conditions.append(analyses.c.created_at >= since)
        if before is not None:
            conditions.append(analyses.c.created_at < before)
        if cursor is not None:
            created_at, analysis_id = _decode_cursor(cursor)
            older = and_(analyses.c.created_at == created_at, analyses.c.id < analysis_id)
            conditions.append(or_(analyses.c.created_at < created_at, older))
        found = list(self._select(*conditions, limit=limit + 1))
        page = found[:limit]
        return page, _encode_cursor(page[-1]) if len(found) > limit else None

    def tissue_png(self, analysis_id: str, view: View) -> bytes | None:
        """Read one crop, as it was stored."""
        query = select(analysis_views.c.tissue_png).where(
            analysis_views.c.analysis_id == analysis_id, analysis_views.c.view == view
        )
        with reading(self._engine) as connection:
            return connection.execute(query).scalar()

    def _select(self, *conditions: Any, limit: int = 1) -> Iterator[Analysis]:
        newest = (
            select(analyses)
            .where(*conditions)
            .order_by(analyses.c.created_at.desc(), analyses.c.id.desc())
            .limit(limit)
        ).subquery()
        with reading(self._engine) as connection:
            heads = connection.execute(select(newest).order_by(newest.c.created_at.desc(), newest.c.id.desc())).all()
            views = connection.execute(
                select(*_VIEW_COLUMNS)
                .where(analysis_views.c.analysis_id.in_(row.id for row in heads))
                .order_by(analysis_views.c.analysis_id)
            ).all()
        by_analysis = {key: list(rows) for key, rows in groupby(views, key=lambda row: row.analysis_id)}
        return (_analysis(row, by_analysis[row.id]) for row in heads)


def _analysis_row(analysis: Analysis, question: str, after: Analysis | None) -> dict[str, Any]:
    estimate = analysis.estimate
    return {
        "id": analysis.id,
        "fingerprint": hashlib.sha256(f"{question} {after.id}".encode()).hexdigest() if after else question,
        "question": question,
        "study_instance_uid": estimate.study_instance_uid,
        "created_at": analysis.created_at,
        **{f"bundle_{name}": value for name, value in asdict(analysis.bundle).items()},
        "pdff_percent": estimate.pdff_percent,
        "probability_ge5": estimate.probability_ge5,
        "probability_ge10": estimate.probability_ge10,
        "steatosis_ge5": estimate.steatosis_ge5,
        "steatosis_ge10": estimate.steatosis_ge10,
        "threshold_ge5": estimate.thresholds.ge5,
        "threshold_ge10": estimate.thresholds.ge10,
        "warnings": [asdict(warning) for warning in estimate.warnings],
    }


def _view_row(analysis_id: str, view: ViewEstimate, tissue_png: bytes) -> dict[str, Any]:
    return {
        "analysis_id": analysis_id,
        "view": view.view,
        "sop_instance_uid": view.sop_instance_uid,
        "frame_number": view.frame_number,
        "decoder": view.decoder,
        **{f"tissue_{edge}": value for edge, value in view.tissue_box._asdict().items()},
        "tissue_source": view.tissue_source,
        "pdff_percent": view.pdff_percent,
        "probability_ge5": view.probability_ge5,
        "probability_ge10": view.probability_ge10,
        "cams": {target: cam.tolist() for target, cam in view.cams.items()},
        "origin": asdict(view.origin),
        "warnings": [asdict(warning) for warning in view.warnings],
        "view_source": view.view_source,
        "tissue_png": tissue_png,
    }


def _analysis(row: Row[Any], views: Sequence[Row[Any]]) -> Analysis:
    return Analysis(
        id=row.id,
        created_at=row.created_at,
        bundle=BundleIdentity(*(getattr(row, f"bundle_{field.name}") for field in fields(BundleIdentity))),
        estimate=Estimate(
            study_instance_uid=row.study_instance_uid,
            pdff_percent=row.pdff_percent,
            probability_ge5=row.probability_ge5,
            probability_ge10=row.probability_ge10,
            steatosis_ge5=row.steatosis_ge5,
            steatosis_ge10=row.steatosis_ge10,
            thresholds=Thresholds(row.threshold_ge5, row.threshold_ge10),
            views=tuple(sorted(map(_view, views), key=lambda view: list(View).index(view.view))),
            warnings=read_warnings(row.warnings),
        ),
    )


def _view(row: Row[Any]) -> ViewEstimate:
    return ViewEstimate(
        view=View(row.view),
        sop_instance_uid=row.sop_instance_uid,
        frame_number=row.frame_number,
        decoder=row.decoder,
        tissue_box=TissueBox(row.tissue_x0, row.tissue_y0, row.tissue_x1, row.tissue_y1),
        tissue_source=row.tissue_source,
        pdff_percent=row.pdff_percent,
        probability_ge5=row.probability_ge5,
        probability_ge10=row.probability_ge10,
        cams={Target(target): np.asarray(cam, np.float64) for target, cam in row.cams.items()},
        view_source=ViewSource(row.view_source) if row.view_source else None,
        origin=Origin(**row.origin),
        warnings=read_warnings(row.warnings),
    )


def read_warnings(documents: Sequence[Mapping[str, str]]) -> tuple[AnalysisWarning, ...]:
    """Take warnings out of a JSON column."""
    return tuple(AnalysisWarning(**document) for document in documents)


def _encode_cursor(last: Analysis) -> str:
    return base64.urlsafe_b64encode(f"{last.created_at.isoformat()} {last.id}".encode()).decode()


def _decode_cursor(cursor: str) -> tuple[datetime, str]:
    try:
        created_at, analysis_id = base64.urlsafe_b64decode(cursor.encode()).decode().split(" ")
        return datetime.fromisoformat(created_at).astimezone(UTC), str(uuid.UUID(analysis_id))
    except (binascii.Error, UnicodeDecodeError, ValueError, OverflowError) as error:
        raise InvalidRequest("cursor is none that this service gave. Ask for the first page without one.") from error
