"""What was received of studies that fill up, in and out of the database."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    Engine,
    Integer,
    Row,
    and_,
    column,
    func,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.exc import IntegrityError

from app.adapters.drawing.png import decode_png, encode_png
from app.adapters.storage.audit_trail import Action, Event, append, study_digest
from app.adapters.storage.database import reading, writing
from app.adapters.storage.evidence import evidence_key, read_evidence, write_evidence
from app.adapters.storage.repository import read_warnings
from app.adapters.storage.tables import received_instances, received_studies
from app.core.access import Actor
from app.core.choice import ReceivedImage
from app.core.evidence import MOST_IMAGES_OF_A_NAME, Evidence
from app.core.studies import ReceivedInstance
from app.core.values import AnalysisWarning, Crop, ImageKey, Origin, Tissue, TissueBox, View

_t = received_instances.c
_COLUMNS = [column for column in _t if column.name != "tissue_png"]
"""Crops are read only when they are analysed."""
_s = received_studies.c
_PAGE: Final = 200
_OTHERS: Final = text(
    """
    WITH RECURSIVE kinds (kind) AS (
        SELECT min(evidence_key) FROM received_instances WHERE study_instance_uid = :study
        UNION ALL
        SELECT (
            SELECT min(evidence_key) FROM received_instances WHERE study_instance_uid = :study AND evidence_key > kind
        )
        FROM kinds WHERE kind IS NOT NULL
    )
    SELECT
        (SELECT evidence FROM received_instances WHERE study_instance_uid = :study AND evidence_key = kind LIMIT 1),
        (SELECT count(*) FROM (
            SELECT 1 FROM received_instances WHERE study_instance_uid = :study AND evidence_key = kind LIMIT :most
        ) AS these)
    FROM kinds WHERE kind IS NOT NULL
    """
).columns(column("evidence", JSON), column("count", Integer))
"""Goes from kind to kind along an index: one step for each kind, not for each row."""
_OF_AN_IMAGE = [column.name for column in _t][[column.name for column in _t].index("view") :]


class UnsettledStudy(NamedTuple):
    """A study of which something came that was not followed up."""

    study_instance_uid: str
    received_at: datetime
    changes: int


class SettledStudy(NamedTuple):
    """A study that was followed up.

    Attributes
    ----------
    study_instance_uid : str
    changes : int
        As `StudyRepository.changes` said before the study was read.
    finished : bool
        Whether it has an analysis of all its views.
    """

    study_instance_uid: str
    changes: int
    finished: bool


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
            _count_change(connection, row["study_instance_uid"], row["received_at"])
            if not connection.execute(update(received_instances).where(own).values(row)).rowcount:
                connection.execute(received_instances.insert().values(row))
            append(connection, by, Event(Action.RECEIVE, study_digest=study_digest(row["study_instance_uid"])))

    def find(self, study_instance_uid: str, sop_instance_uid: str) -> ReceivedInstance | None:
        """Find what is kept of one instance."""
        return next(iter(self._select(_is(study_instance_uid, sop_instance_uid))), None)

    def what_tells(self, study_instance_uid: str) -> tuple[list[ReceivedInstance], list[Evidence]]:
        """Read what tells the views of a study.

        Returns
        -------
        images : list of ReceivedInstance
            In the order of SOP Instance UID.
        others : list of Evidence
            Of its ultrasound images that cannot be used: of each kind so many as make a difference, however many there
            are. A text on more images than `MOST_IMAGES_OF_A_NAME` tells none of them apart.
        """
        named = {"study": study_instance_uid, "most": MOST_IMAGES_OF_A_NAME + 1}
        with reading(self._engine) as connection:
            # Not IS NOT NULL, nor in any order: SQLite would go through all rows of the study.
            images = _select(connection, _t.study_instance_uid == study_instance_uid, _t.view > "")
            kinds = connection.execute(_OTHERS, named).all()
        return images, [evidence for said, count in kinds for evidence in count * [_evidence(said)]]

    def with_evidence(self, study_instance_uid: str, sop_instance_uids: Collection[str]) -> set[str]:
        """Tell which instances of a study were received and are ultrasound images, usable or not."""
        said = or_(_t.evidence.is_not(None), _t.view.is_not(None))
        query = select(_t.sop_instance_uid).where(
            _t.study_instance_uid == study_instance_uid, _t.sop_instance_uid.in_(sop_instance_uids), said
        )
        with reading(self._engine) as connection:
            return set(connection.execute(query).scalars())

    def without_image(
        self, study_instance_uid: str, *, refused: bool, limit: int
    ) -> tuple[list[ReceivedInstance], int]:
        """List the instances of a study that were set aside, or refused, newest first.

        Returns
        -------
        newest : list of ReceivedInstance
            At most `limit`.
        total : int
        """
        which = _t.study_instance_uid == study_instance_uid, _t.view.is_(None), _t.refused.is_(refused)
        newest = _t.received_at.desc(), _t.sop_instance_uid.desc()
        with reading(self._engine) as connection:
            rows = connection.execute(select(*_COLUMNS).where(*which).order_by(*newest).limit(limit)).all()
            total = connection.execute(select(func.count()).select_from(received_instances).where(*which)).scalar_one()
        return [_instance(row) for row in rows], total

    def crops(self, images: Mapping[View, ImageKey]) -> dict[View, Crop]:
        """Read the crops of images; one that was replaced or deleted in between is left out."""
        with reading(self._engine) as connection:
            found = {view: _read_crop(connection, key) for view, key in images.items()}
        return {view: crop for view, crop in found.items() if crop is not None}

    def knows(self, study_instance_uid: str) -> bool:
        """Tell whether anything of a study was received."""
        return self.changes(study_instance_uid) > 0

    def changes(self, study_instance_uid: str) -> int:
        """Say how often something of a study was put; ask before reading what `mark_settled` is to be told of."""
        query = select(_s.changes).where(_s.study_instance_uid == study_instance_uid)
        with reading(self._engine) as connection:
            return connection.execute(query).scalar() or 0

    def mark_settled(self, studies: Iterable[SettledStudy]) -> None:
        """Note that what was put of studies has been followed up, in one transaction."""
        with writing(self._engine) as connection:
            for study in studies:
                behind = and_(_s.study_instance_uid == study.study_instance_uid, _s.settled < study.changes)
                noted = {"settled": study.changes} | ({"finished": True} if study.finished else {})
                connection.execute(update(received_studies).where(behind).values(noted))

    def unsettled(self) -> Iterator[list[UnsettledStudy]]:
        """Give the studies of which something came that was not followed up, longest waiting first, some at a time."""
        after: tuple[datetime, str] | None = None
        while page := self._unsettled(after):
            yield page
            after = page[-1].received_at, page[-1].study_instance_uid

    def _unsettled(self, after: tuple[datetime, str] | None) -> list[UnsettledStudy]:
        columns = _s.study_instance_uid, _s.received_at, _s.changes
        query = select(*columns).where(_s.settled < _s.changes).order_by(_s.received_at, _s.study_instance_uid)
        if after:
            moment, uid = after
            query = query.where(
                or_(_s.received_at > moment, and_(_s.received_at == moment, _s.study_instance_uid > uid))
            )
        with reading(self._engine) as connection:
            return [UnsettledStudy(*row) for row in connection.execute(query.limit(_PAGE))]

    def _select(self, *conditions: ColumnElement[bool]) -> list[ReceivedInstance]:
        with reading(self._engine) as connection:
            return _select(connection, *conditions)


def _select(connection: Connection, *conditions: ColumnElement[bool]) -> list[ReceivedInstance]:
    found = [_instance(row) for row in connection.execute(select(*_COLUMNS).where(*conditions))]
    return sorted(found, key=lambda each: each.sop_instance_uid)


def _count_change(connection: Connection, study_instance_uid: str, received_at: datetime) -> None:
    """Write a study's row before its instances: who deletes the study waits for it, and so for them."""
    own = _s.study_instance_uid == study_instance_uid
    changed = {"received_at": received_at, "changes": _s.changes + 1}
    if not connection.execute(update(received_studies).where(own).values(changed)).rowcount:
        first = {"study_instance_uid": study_instance_uid, "received_at": received_at, "changes": 1, "settled": 0}
        connection.execute(received_studies.insert().values(first | {"finished": False}))


def _evidence(said: Any) -> Evidence:
    evidence = read_evidence(said, None)
    assert evidence  # noqa: S101 - a row without evidence has no key
    return evidence


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
        "evidence_key": None if instance.image else evidence_key(instance.evidence),
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
