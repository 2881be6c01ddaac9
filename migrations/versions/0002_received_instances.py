"""Instances that were received one by one, of which only the tissue crop is kept.

Revision 0002, after 0001.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "received_instances",
        sa.Column("study_instance_uid", sa.String(64), nullable=False),
        sa.Column("sop_instance_uid", sa.String(64), nullable=False),
        sa.Column("sop_class_uid", sa.String(64), nullable=False),
        sa.Column("content_sha256", sa.String(64), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("refused", sa.Boolean(), nullable=False),
        sa.Column("reason_code", sa.String(64)),
        sa.Column("reason_detail", sa.Text()),
        sa.Column("view", sa.String(32)),
        sa.Column("frame_number", sa.Integer()),
        sa.Column("decoder", sa.String(64)),
        *(sa.Column(f"tissue_{edge}", sa.Integer()) for edge in ("x0", "y0", "x1", "y1")),
        sa.Column("tissue_source", sa.String(16)),
        sa.Column("tissue_sha256", sa.String(64)),
        sa.Column("origin", sa.JSON()),
        sa.Column("warnings", sa.JSON()),
        sa.Column("tissue_png", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("study_instance_uid", "sop_instance_uid", name="pk_received_instances"),
        sa.CheckConstraint(
            "(view IS NULL) = (tissue_png IS NULL) AND (view IS NULL) = (reason_code IS NOT NULL)",
            name="ck_received_instances_image_or_reason",
        ),
    )
    op.create_index(
        "ix_received_instances_study_instance_uid_view_received_at",
        "received_instances",
        ["study_instance_uid", "view", "received_at"],
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("received_instances")
