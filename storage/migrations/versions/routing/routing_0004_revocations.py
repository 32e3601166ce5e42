"""What responders said of partners' certificates."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage import Instant

revision = "routing_0004"
down_revision = "routing_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "routing_revocations",
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("issuer", sa.String(100), nullable=False),
        sa.Column("status", sa.String(20), nullable=True),
        sa.Column("held", sa.Boolean(), nullable=False),
        sa.Column("this_update", Instant(), nullable=True),
        sa.Column("ends", Instant(), nullable=True),
        sa.Column("signer_ends", Instant(), nullable=True),
        sa.Column("asked_at", Instant(), nullable=False),
        sa.Column("answered_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("fingerprint", name="pk_routing_revocations"),
        schema="routing",
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("routing_revocations", schema="routing")
