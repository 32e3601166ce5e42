"""When a record was queued for the sequencer, and how large the tree was when, both by the database's clock."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage import Instant

revision = "core_0002"
down_revision = "core_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and the table; what waits already has no instant, and is sequenced in a moment."""
    op.add_column("sequencer_queue", sa.Column("queued_at", Instant(), nullable=True))
    op.create_table(
        "sweeps",
        sa.Column("size", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("noted_at", Instant(), nullable=False),
        sa.Column("swept", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("size", name="pk_sweeps"),
    )


def downgrade() -> None:
    """Remove them."""
    op.drop_table("sweeps")
    op.drop_column("sequencer_queue", "queued_at")
