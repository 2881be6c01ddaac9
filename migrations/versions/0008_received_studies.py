"""A row for each study that is received one by one: when something of it came last, and whether that was followed up.

Revision 0008, after 0007.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; housekeeping looks at what is there already, once and study by study."""
    op.create_table(
        "received_studies",
        sa.Column("study_instance_uid", sa.String(64), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changes", sa.Integer(), nullable=False),
        sa.Column("settled", sa.Integer(), nullable=False),
        sa.Column("finished", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("study_instance_uid", name="pk_received_studies"),
    )
    op.execute(
        "INSERT INTO received_studies (study_instance_uid, received_at, changes, settled, finished) "
        "SELECT study_instance_uid, max(received_at), 1, 0, false FROM received_instances GROUP BY study_instance_uid"
    )
    for name, condition in (("unsettled", "settled < changes"), ("unfinished", "NOT finished")):
        op.create_index(
            f"ix_received_studies_{name}",
            "received_studies",
            ["received_at", "study_instance_uid"],
            sqlite_where=sa.text(condition),
            postgresql_where=sa.text(condition),
        )


def downgrade() -> None:
    """Drop the table: an earlier version finds out by reading every study."""
    op.drop_table("received_studies")
