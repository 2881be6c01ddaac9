"""SQLAlchemy's tables: the shape of what is stored."""

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
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
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's
        """Give the zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


analyses = Table(
    "analyses",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("fingerprint", String(64), nullable=False, unique=True),
    Column("study_instance_uid", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("bundle_name", String(64), nullable=False),
    Column("bundle_version", String(64), nullable=False),
    Column("bundle_sha256", String(64), nullable=False),
    Column("bundle_synthetic", Boolean, nullable=False),
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
)

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
    Column("tissue_png", LargeBinary, nullable=False),
    CheckConstraint("frame_number >= 1", name="frame_number_from_one"),
)
