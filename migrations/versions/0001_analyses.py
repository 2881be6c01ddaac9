"""Analyses and their views.

Revision 0001, after nothing. Types are spelled out here, not imported: a step must not change when the code does.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "analyses",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("study_instance_uid", sa.String(64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("bundle_name", sa.String(64), nullable=False),
        sa.Column("bundle_version", sa.String(64), nullable=False),
        sa.Column("bundle_sha256", sa.String(64), nullable=False),
        sa.Column("bundle_synthetic", sa.Boolean(), nullable=False),
        *_estimate_columns(),
        sa.Column("steatosis_ge5", sa.Boolean(), nullable=False),
        sa.Column("steatosis_ge10", sa.Boolean(), nullable=False),
        sa.Column("threshold_ge5", sa.Double(), nullable=False),
        sa.Column("threshold_ge10", sa.Double(), nullable=False),
        sa.Column("warnings", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_analyses"),
        sa.UniqueConstraint("fingerprint", name="uq_analyses_fingerprint"),
    )
    op.create_index("ix_analyses_study_instance_uid_created_at", "analyses", ["study_instance_uid", "created_at"])
    op.create_index("ix_analyses_created_at_id", "analyses", ["created_at", "id"])
    op.create_table(
        "analysis_views",
        sa.Column("analysis_id", sa.String(36), nullable=False),
        sa.Column("view", sa.String(32), nullable=False),
        sa.Column("sop_instance_uid", sa.String(64), nullable=False),
        sa.Column("frame_number", sa.Integer(), nullable=False),
        sa.Column("decoder", sa.String(64), nullable=False),
        *(sa.Column(f"tissue_{edge}", sa.Integer(), nullable=False) for edge in ("x0", "y0", "x1", "y1")),
        sa.Column("tissue_source", sa.String(16), nullable=False),
        *_estimate_columns(),
        sa.Column("cams", sa.JSON(), nullable=False),
        sa.Column("origin", sa.JSON(), nullable=False),
        sa.Column("warnings", sa.JSON(), nullable=False),
        sa.Column("tissue_png", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("analysis_id", "view", name="pk_analysis_views"),
        sa.ForeignKeyConstraint(
            ["analysis_id"], ["analyses.id"], name="fk_analysis_views_analysis_id_analyses", ondelete="CASCADE"
        ),
        sa.CheckConstraint("frame_number >= 1", name="ck_analysis_views_frame_number_from_one"),
    )


def _estimate_columns() -> list[sa.Column[float]]:
    names = ("pdff_percent", "probability_ge5", "probability_ge10")
    return [sa.Column(name, sa.Double(), nullable=False) for name in names]


def downgrade() -> None:
    """Drop both tables."""
    op.drop_table("analysis_views")
    op.drop_table("analyses")
