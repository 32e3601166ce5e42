"""Time stamps of an outside authority over checkpoints."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "stamps_0001"
down_revision = None
branch_labels = ("stamps",)
depends_on = "core_0001"

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "log_timestamps",
        sa.Column("size", _NUMBER, nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["size"], ["log.log_checkpoints.size"], name="fk_log_timestamps_size_log_checkpoints"
        ),
        sa.PrimaryKeyConstraint("size", name="pk_log_timestamps"),
        schema="log",
    )
    if op.get_bind().dialect.name == "sqlite":
        for act in ("update", "delete"):
            op.execute(
                f"CREATE TRIGGER log_timestamps_no_{act} BEFORE {act.upper()} ON log_timestamps "
                "BEGIN SELECT RAISE(ABORT, 'rows of the exchange log are never changed'); END"
            )


def downgrade() -> None:
    """Remove the table."""
    op.drop_table("log_timestamps", schema="log")
