"""SQLAlchemy's tables: the shape of what is stored."""

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment, stored in UTC and always read back with its zone (SQLite forgets it)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's
        """Turn any zone into UTC before it is written."""
        return None if value is None else _in_utc(value)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's
        """Give the zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _in_utc(moment: datetime) -> datetime:
    """Convert a moment; one that UTC has no year for becomes the nearest that it has."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return (datetime.min if moment.year == 1 else datetime.max).replace(tzinfo=UTC)


analyses = Table(
    "analyses",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("fingerprint", String(64), nullable=False, unique=True),
    Column("question", String(64), nullable=False, server_default=""),
    Column("study_instance_uid", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("bundle_name", String(64), nullable=False),
    Column("bundle_version", String(64), nullable=False),
    Column("bundle_sha256", String(64), nullable=False),
    Column("bundle_synthetic", Boolean, nullable=False),
    Column("bundle_precision", String(8), nullable=False, server_default="fp32"),
    Column("pdff_percent", Double, nullable=False),
    Column("probability_ge5", Double, nullable=False),
    Column("probability_ge10", Double, nullable=False),
    Column("steatosis_ge5", Boolean, nullable=False),
    Column("steatosis_ge10", Boolean, nullable=False),
    Column("threshold_ge5", Double, nullable=False),
    Column("threshold_ge10", Double, nullable=False),
    Column("warnings", JSON, nullable=False),
    Index(None, "study_instance_uid", "created_at"),
    Index(None, "created_at", "id"),
    Index(None, "question", "created_at"),
)
"""Several analyses may answer one ``question``: the same images, sent again under another identity.

``fingerprint`` is unique. That of the first answer is the question itself; that of a later one is a digest of the
question and of the answer that it supersedes, so that only one of several writers can supersede it.
"""

analysis_views = Table(
    "analysis_views",
    metadata,
    Column("analysis_id", ForeignKey("analyses.id", ondelete="CASCADE"), primary_key=True),
    Column("view", String(32), primary_key=True),
    Column("sop_instance_uid", String(64), nullable=False),
    Column("frame_number", Integer, nullable=False),
    Column("decoder", String(64), nullable=False),
    Column("tissue_x0", Integer, nullable=False),
    Column("tissue_y0", Integer, nullable=False),
    Column("tissue_x1", Integer, nullable=False),
    Column("tissue_y1", Integer, nullable=False),
    Column("tissue_source", String(16), nullable=False),
    Column("pdff_percent", Double, nullable=False),
    Column("probability_ge5", Double, nullable=False),
    Column("probability_ge10", Double, nullable=False),
    Column("cams", JSON, nullable=False),
    Column("origin", JSON, nullable=False),
    Column("warnings", JSON, nullable=False),
    Column("view_source", String(16)),
    Column("tissue_png", LargeBinary, nullable=False),
    CheckConstraint("frame_number >= 1", name="frame_number_from_one"),
)

received_instances = Table(
    "received_instances",
    metadata,
    Column("study_instance_uid", String(64), primary_key=True),
    Column("sop_instance_uid", String(64), primary_key=True),
    Column("sop_class_uid", String(64), nullable=False),
    Column("content_sha256", String(64), nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("refused", Boolean, nullable=False),
    Column("reason_code", String(64)),
    Column("reason_detail", Text),
    Column("evidence", JSON(none_as_null=True)),
    Column("looked_by", String(16), nullable=False, server_default=""),
    Column("evidence_key", String(16)),
    Column("view", String(32)),
    Column("frame_number", Integer),
    Column("decoder", String(64)),
    Column("tissue_x0", Integer),
    Column("tissue_y0", Integer),
    Column("tissue_x1", Integer),
    Column("tissue_y1", Integer),
    Column("tissue_source", String(16)),
    Column("tissue_sha256", String(64)),
    Column("origin", JSON(none_as_null=True)),
    Column("warnings", JSON(none_as_null=True)),
    Column("tissue_png", LargeBinary),
    CheckConstraint(
        "(view IS NULL) = (tissue_png IS NULL) AND (view IS NULL) = (reason_code IS NOT NULL)", name="image_or_reason"
    ),
    Index(None, "study_instance_uid", "view", "received_at"),
    # By the names of the migration: the convention would repeat those of all columns.
    Index(
        "ix_received_instances_study_instance_uid_evidence_key",
        "study_instance_uid",
        "evidence_key",
        "sop_instance_uid",
    ),
)
"""What was received one by one, of studies that fill up.

The columns from ``view`` on are those of an image. ``view`` is the one that it shows or may show: the other images of
its study decide. ``evidence_key`` is that of an ultrasound image that cannot be used: a digest of its evidence, equal
where it says the same, and empty where no text of the examination names a view.
"""
Index(
    "ix_received_instances_without_image",
    received_instances.c.study_instance_uid,
    received_instances.c.refused,
    received_instances.c.received_at,
    received_instances.c.sop_instance_uid,
    sqlite_where=received_instances.c.view.is_(None),
    postgresql_where=received_instances.c.view.is_(None),
)

received_studies = Table(
    "received_studies",
    metadata,
    Column("study_instance_uid", String(64), primary_key=True),
    Column("received_at", UtcDateTime, nullable=False),
    Column("changes", Integer, nullable=False),
    Column("settled", Integer, nullable=False),
    Column("finished", Boolean, nullable=False),
)
"""A row for each study of `received_instances`.

``received_at`` is the time of the last instance, ``changes`` counts what was put there, ``settled`` is how much of that
was followed up: analysed, or found to need nothing. ``finished``: it was seen to have an analysis of all views.
Whoever changes instances of a study writes its row first: that puts writers of one study in order.
"""
for _name, _condition in (
    ("unsettled", received_studies.c.settled < received_studies.c.changes),
    ("unfinished", ~received_studies.c.finished),
):
    Index(
        f"ix_received_studies_{_name}",
        received_studies.c.received_at,
        received_studies.c.study_instance_uid,
        sqlite_where=_condition,
        postgresql_where=_condition,
    )

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(8), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("scopes", String(64), nullable=False),
    Column("secret_sha256", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_sha256", String(64), primary_key=True),
    Column("principal", Text, nullable=False),
    Column("scopes", String(64), nullable=False),
    Column("key_id", String(8)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Index(None, "expires_at"),
)
"""People who signed in on the page. ``key_id`` is that of the key they signed in with; a token has none."""

audit_events = Table(
    "audit_events",
    metadata,
    # SQLite numbers rows by itself only where the key is an INTEGER.
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", String(128), nullable=False),
    Column("address", String(64), nullable=False),
    Column("action", String(16), nullable=False),
    Column("subject", String(128), nullable=False),
    Column("study_digest", String(16), nullable=False),
    Column("bundle_sha256", String(64), nullable=False),
    Column("detail", String(128), nullable=False, server_default=""),
    Column("times", Integer, nullable=False, server_default="1"),
    Index(None, "at"),
    sqlite_autoincrement=True,
)
"""Append-only: triggers of migration 0004 refuse to change or delete a row."""
