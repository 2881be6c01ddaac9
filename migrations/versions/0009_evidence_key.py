"""What the received instances without an image say of views, in short: thousands of them need not be read one by one.

Revision 0009, after 0008.
"""

import hashlib
import json

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_BATCH = 1000
_rows = sa.table(
    "received_instances",
    sa.column("study_instance_uid", sa.String),
    sa.column("sop_instance_uid", sa.String),
    sa.column("view", sa.String),
    sa.column("evidence", sa.JSON(none_as_null=True)),
    sa.column("evidence_key", sa.String),
)


def upgrade() -> None:
    """Add the column, fill it, and index what has no image by it and by time."""
    op.add_column("received_instances", sa.Column("evidence_key", sa.String(16)))
    _fill(op.get_bind())
    op.create_index(
        "ix_received_instances_study_instance_uid_evidence_key",
        "received_instances",
        ["study_instance_uid", "evidence_key", "sop_instance_uid"],
    )
    op.create_index(
        "ix_received_instances_without_image",
        "received_instances",
        ["study_instance_uid", "refused", "received_at", "sop_instance_uid"],
        sqlite_where=sa.text("view IS NULL"),
        postgresql_where=sa.text("view IS NULL"),
    )


def _fill(connection: sa.Connection) -> None:
    key = (_rows.c.study_instance_uid, _rows.c.sop_instance_uid)
    after = ("", "")
    while batch := connection.execute(
        sa.select(*key, _rows.c.evidence)
        .where(_rows.c.view.is_(None), _rows.c.evidence.is_not(None), sa.tuple_(*key) > sa.tuple_(*after))
        .order_by(*key)
        .limit(_BATCH)
    ).all():
        connection.execute(
            sa.update(_rows)
            .where(key[0] == sa.bindparam("study"), key[1] == sa.bindparam("instance"))
            .values(evidence_key=sa.bindparam("digest")),
            [{"study": study, "instance": instance, "digest": _key(said)} for study, instance, said in batch],
        )
        after = (batch[-1][0], batch[-1][1])


def _key(evidence: dict[str, list[list[object]]]) -> str:
    """Digest what names a view in a text of the examination, beside all else that does; empty where none does."""
    if not any(naming for _, _, naming, _ in evidence["examination"]):
        return ""
    return hashlib.sha256(json.dumps(evidence).encode()).hexdigest()[:16]


def downgrade() -> None:
    """Drop the indexes and the column."""
    op.drop_index("ix_received_instances_without_image", "received_instances")
    op.drop_index("ix_received_instances_study_instance_uid_evidence_key", "received_instances")
    op.drop_column("received_instances", "evidence_key")
