"""The precision of the bundle that answered; every bundle before this revision computed in fp32.

Revision 0003, after 0002.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, in place: rebuilding the table would take its views with it on SQLite."""
    op.add_column("analyses", sa.Column("bundle_precision", sa.String(8), nullable=False, server_default="fp32"))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("analyses", "bundle_precision")
