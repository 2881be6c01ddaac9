"""What was received of studies that fill up, in and out of the database."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Row, and_, func, select, update
from sqlalchemy.exc import IntegrityError

from app.adapters.drawing.png import decode_png, encode_png
from app.adapters.storage.audit_trail import Action, Event, append, study_digest
from app.adapters.storage.database import reading, writing
from app.adapters.storage.evidence import read_evidence, write_evidence
from app.adapters.storage.repository import read_warnings
from app.adapters.storage.tables import received_instances
from app.core.access import Actor
from app.core.choice import ReceivedImage
from app.core.studies import ReceivedInstance
from app.core.values import AnalysisWarning, Crop, ImageKey, Origin, Tissue, TissueBox, View

_t = received_instances.c
_COLUMNS = [column for column in _t if column.name != "tissue_png"]
"""Crops are read only when they are analysed."""
_OF_AN_IMAGE = [column.name for column in _t][[column.name for column in _t].index("view") :]


class StudyRepository:
    """Received instances. Every method is one transaction, committed before it returns.

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

    def put(self, instance: ReceivedInstance, by: Actor, crop: Crop | None = None) -> None:
        """Keep an instance and the record of who sent it, in place of what was kept under its UIDs.

        Parameters
        ----------
        instance : ReceivedInstance
        by : Actor
        crop : Crop or None
            Of an image that shows, or may show, a view: all that is kept of it.
        """
        row = _row(instance, crop)
        try:
            self._put(row, by)
        except IntegrityError:  # another process put the same instance in between
            self._put(row, by)

    def _put(self, row: Mapping[str, Any], by: Actor) -> None:
        own = _is(row["study_instance_uid"], row["sop_instance_uid"])
        with writing(self._engine) as connection:
            if not connection.execute(update(received_instances).where(own).values(row)).rowcount:
                connection.execute(received_instances.insert().values(row))
            append(connection, by, Event(Action.RECEIVE, study_digest=study_digest(row["study_instance_uid"])))

    def find(self, study_instance_uid: str, sop_instance_uid: str) -> ReceivedInstance | None:
        """Find what is kept of one instance."""
        return next(iter(self._select(_is(study_instance_uid, sop_instance_uid))), None)

    def instances(self, study_instance_uid: str) -> list[ReceivedInstance]:
        """List what is kept of a study, in the order of SOP Instance UID."""
        return self._select(_t.study_instance_uid == study_instance_uid)

    def crops(self, images: Mapping[View, ImageKey]) -> dict[View, Crop]:
        """Read the crops of images; one that was replaced or deleted in between is left out."""
        with reading(self._engine) as connection:
            found = {view: _read_crop(connection, key) for view, key in images.items()}
        return {view: crop for view, crop in found.items() if crop is not None}

    def studies_with_enough_images(
        self, *, after: str = "", since: datetime | None = None, limit: int = 200
    ) -> list[str]:
        """List studies with as many images as there are views, by Study Instance UID.

        Parameters
        ----------
        after : str
            Those behind this one.
        since : datetime, optional
            Those of which an image was received at this time or later.
        limit : int
        """
        views = (
            select(_t.study_instance_uid)
            .where(_t.view.is_not(None), _t.study_instance_uid > after)
            .group_by(_t.study_instance_uid)
            .having(func.count(_t.view) >= len(View))
            .order_by(_t.study_instance_uid)
            .limit(limit)
        )
        if since is not None:
            views = views.having(func.max(_t.received_at) >= since)
        with reading(self._engine) as connection:
            return list(connection.execute(views).scalars())

    def _select(self, *conditions: ColumnElement[bool]) -> list[ReceivedInstance]:
        query = select(*_COLUMNS).where(*conditions).order_by(_t.sop_instance_uid)
        with reading(self._engine) as connection:
            return [_instance(row) for row in connection.execute(query)]


def _is(study_instance_uid: str, sop_instance_uid: str) -> ColumnElement[bool]:
    return and_(_t.study_instance_uid == study_instance_uid, _t.sop_instance_uid == sop_instance_uid)


def _row(instance: ReceivedInstance, crop: Crop | None) -> dict[str, Any]:
    """Write every column: what the row held before must not shine through."""
    return {
        "study_instance_uid": instance.study_instance_uid,
        "sop_instance_uid": instance.sop_instance_uid,
        "sop_class_uid": instance.sop_class_uid,
        "content_sha256": instance.content_sha256,
        "received_at": instance.received_at,
        "refused": instance.refused,
        "reason_code": instance.reason.code if instance.reason else None,
        "reason_detail": instance.reason.detail if instance.reason else None,
        "evidence": write_evidence(instance.evidence),
        "looked_by": instance.looked_by,
        **(_image_columns(instance, crop) if instance.image and crop else dict.fromkeys(_OF_AN_IMAGE)),
    }


def _image_columns(instance: ReceivedInstance, crop: Crop) -> dict[str, Any]:
    return {
        "view": instance.evidence and instance.evidence.possible_view,
        "frame_number": crop.frame_number,
        "decoder": crop.decoder,
        **{f"tissue_{edge}": value for edge, value in crop.tissue.box._asdict().items()},
        "tissue_source": crop.tissue.source,
        "tissue_sha256": instance.image and instance.image.key.tissue_sha256,
        "origin": asdict(crop.origin),
        "warnings": [asdict(warning) for warning in crop.warnings],
        "tissue_png": encode_png(crop.tissue.pixels),
    }


def _instance(row: Row[Any]) -> ReceivedInstance:
    return ReceivedInstance(
        study_instance_uid=row.study_instance_uid,
        sop_instance_uid=row.sop_instance_uid,
        sop_class_uid=row.sop_class_uid,
        content_sha256=row.content_sha256,
        received_at=row.received_at,
        evidence=read_evidence(row.evidence, row.view),
        looked_by=row.looked_by,
        image=None if row.view is None else _image(row),
        reason=None if row.reason_code is None else AnalysisWarning(row.reason_code, row.reason_detail),
        refused=row.refused,
    )


def _image(row: Row[Any]) -> ReceivedImage:
    key = ImageKey(row.study_instance_uid, row.sop_instance_uid, row.frame_number, _box(row), row.tissue_sha256)
    return ReceivedImage(key, Origin(**row.origin), read_warnings(row.warnings))


def _read_crop(connection: Connection, key: ImageKey) -> Crop | None:
    same = and_(_is(key.study_instance_uid, key.sop_instance_uid), _t.tissue_sha256 == key.tissue_sha256)
    row = connection.execute(select(received_instances).where(same)).one_or_none()
    return None if row is None else _crop(row)


def _crop(row: Row[Any]) -> Crop:
    return Crop(
        sop_instance_uid=row.sop_instance_uid,
        study_instance_uid=row.study_instance_uid,
        frame_number=row.frame_number,
        decoder=row.decoder,
        tissue=Tissue(decode_png(row.tissue_png), _box(row), row.tissue_source),
        origin=Origin(**row.origin),
        warnings=read_warnings(row.warnings),
    )


def _box(row: Row[Any]) -> TissueBox:
    return TissueBox(row.tissue_x0, row.tissue_y0, row.tissue_x1, row.tissue_y1)
