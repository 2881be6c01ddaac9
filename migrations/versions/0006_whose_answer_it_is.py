"""Several answers to one question: the same images, sent again under another identity.

SQLite's audit trail refuses INSERT OR REPLACE, too.

Revision 0006, after 0005.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


_NO_REPLACE = """
CREATE TRIGGER audit_events_no_replace BEFORE INSERT ON audit_events
WHEN EXISTS (SELECT 1 FROM audit_events WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'audit_events is append-only'); END
"""


def upgrade() -> None:
    """Name the question of every answer; until now it was its fingerprint."""
    op.add_column("analyses", sa.Column("question", sa.String(64), nullable=False, server_default=""))
    op.execute("UPDATE analyses SET question = fingerprint")
    op.create_index("ix_analyses_question_created_at", "analyses", ["question", "created_at"])
    if op.get_bind().dialect.name == "sqlite":  # where INSERT OR REPLACE deletes a row without asking its triggers
        op.execute(_NO_REPLACE)


def downgrade() -> None:
    """Drop the column; all answers stay, and the first to a question is found."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER audit_events_no_replace")
    op.drop_index("ix_analyses_question_created_at", "analyses")
    op.drop_column("analyses", "question")
