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


def downgrade() -> None:
    """Remove the table."""
    op.drop_table("log_timestamps", schema="log")
