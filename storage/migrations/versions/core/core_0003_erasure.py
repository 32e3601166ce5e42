"""Legal holds; and on SQLite triggers that refuse to change or remove rows of the exchange log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage import Instant

revision = "core_0003"
down_revision = "core_0002"
branch_labels = None
depends_on = None

_TABLES = ("log_records", "log_tree", "log_checkpoints", "log_values")


def upgrade() -> None:
    """Make the tables, and the triggers: PostgreSQL has rights for that (`gateway database roles`)."""
    op.create_table(
        "archive_holds",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("made_at", Instant(), nullable=False),
        sa.Column("released_at", Instant()),
        sa.PrimaryKeyConstraint("name", name="pk_archive_holds"),
        schema="archive",
    )
    op.create_table(
        "archive_held",
        sa.Column("hold", sa.Text, nullable=False),
        sa.Column("exchange_id", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("hold", "exchange_id", name="pk_archive_held"),
        sa.ForeignKeyConstraint(
            ["hold"], ["archive.archive_holds.name"], name="fk_archive_held_hold_archive_holds"
        ),
        schema="archive",
    )
    op.create_index("ix_archive_held_exchange_id", "archive_held", ["exchange_id"], schema="archive")
    if op.get_bind().dialect.name != "sqlite":
        return
    for table in _TABLES:
        for act in ("update", "delete"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{act} BEFORE {act.upper()} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, 'rows of the exchange log are never changed'); END"
            )


def downgrade() -> None:
    raise NotImplementedError("the exchange log is never removed")
