"""Cosignatures of witnesses over checkpoints."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "witness_0001"
down_revision = None
branch_labels = ("witness",)
depends_on = "core_0001"

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "log_cosignatures",
        sa.Column("size", _NUMBER, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["size"], ["log.log_checkpoints.size"], name="fk_log_cosignatures_size_log_checkpoints"
        ),
        sa.PrimaryKeyConstraint("size", "name", "key_id", name="pk_log_cosignatures"),
        schema="log",
    )


def downgrade() -> None:
    """Remove the table."""
    op.drop_table("log_cosignatures", schema="log")
