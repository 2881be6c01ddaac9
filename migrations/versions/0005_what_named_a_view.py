"""What names the view of an image: of what was received one by one, and of what was answered.

Revision 0005, after 0004. Rows from before it do not say.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, in place: rebuilding a table would take its children with it on SQLite."""
    op.add_column("analysis_views", sa.Column("view_source", sa.String(16)))
    op.add_column("received_instances", sa.Column("evidence", sa.JSON()))
    op.add_column("received_instances", sa.Column("looked_by", sa.String(16), nullable=False, server_default=""))


def downgrade() -> None:
    """Drop the columns."""
    op.drop_column("received_instances", "looked_by")
    op.drop_column("received_instances", "evidence")
    op.drop_column("analysis_views", "view_source")
