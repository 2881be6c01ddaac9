"""What an event of the audit trail was about, in words, and how often it happened: refused calls, searches in vain.

Revision 0007, after 0006.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, in place: rebuilding the table would have to delete events, which its triggers refuse."""
    op.add_column("audit_events", sa.Column("detail", sa.String(128), nullable=False, server_default=""))
    op.add_column("audit_events", sa.Column("times", sa.Integer(), nullable=False, server_default="1"))


def downgrade() -> None:
    """Drop the columns; the events stay."""
    op.drop_column("audit_events", "times")
    op.drop_column("audit_events", "detail")
