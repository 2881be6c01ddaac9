"""Several answers to one question: the same images, sent again under another identity.

Revision 0006, after 0005.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Name the question of every answer; until now it was its fingerprint."""
    op.add_column("analyses", sa.Column("question", sa.String(64), nullable=False, server_default=""))
    op.execute("UPDATE analyses SET question = fingerprint")
    op.create_index("ix_analyses_question_created_at", "analyses", ["question", "created_at"])


def downgrade() -> None:
    """Drop the column; all answers stay, and the first to a question is found."""
    op.drop_index("ix_analyses_question_created_at", "analyses")
    op.drop_column("analyses", "question")
