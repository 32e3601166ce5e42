"""Loads from a backup, which `gateway recover` has to follow."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage import Instant

revision = "recovery_0001"
down_revision = None
branch_labels = ("recovery",)
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "restorations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("made_at", Instant(), nullable=False),
        sa.Column("size", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("restored_at", Instant(), nullable=False),
        sa.Column("recovered_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_restorations"),
    )


def downgrade() -> None:
    """Remove the table."""
    op.drop_table("restorations")
