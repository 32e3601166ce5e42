"""Which recipients were refused for their quota, by day."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "quota_0001"
down_revision = None
branch_labels = ("quota",)
depends_on = "routing_0001"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "routing_refused",
        sa.Column("recipient", sa.String(100), nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("recipient", "day", name="pk_routing_refused"),
        schema="routing",
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("routing_refused", schema="routing")
