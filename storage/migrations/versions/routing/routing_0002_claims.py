"""The messages that an exchange has in hand."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage import Instant

revision = "routing_0002"
down_revision = "routing_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "routing_claims",
        sa.Column("caller", sa.String(100), nullable=False),
        sa.Column("message_id", sa.String(200), nullable=False),
        sa.Column("content", sa.LargeBinary(32), nullable=False),
        sa.Column("exchange_id", sa.Uuid(), nullable=False),
        sa.Column("until", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("caller", "message_id", name="pk_routing_claims"),
        schema="routing",
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("routing_claims", schema="routing")
