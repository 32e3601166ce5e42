"""Callers and partners, quotas, and the messages that were answered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage import Instant
from storage.migrate import create_schema

revision = "routing_0001"
down_revision = None
branch_labels = ("routing",)
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    create_schema("routing")
    op.create_table(
        "routing_callers",
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("recipient", sa.String(100), nullable=False),
        sa.Column("key_digest", sa.String(64), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("disabled_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_routing_callers"),
        sa.UniqueConstraint("key_digest", name="uq_routing_callers_key_digest"),
        schema="routing",
    )
    op.create_table(
        "routing_partners",
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("recipient", sa.String(100), nullable=False),
        sa.Column("certificate", sa.Text(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("disabled_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("fingerprint", name="pk_routing_partners"),
        schema="routing",
    )
    op.create_index("ix_routing_partners_name", "routing_partners", ["name"], schema="routing")
    op.create_table(
        "routing_requests",
        sa.Column("recipient", sa.String(100), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("recipient", "day", name="pk_routing_requests"),
        schema="routing",
    )
    op.create_table(
        "routing_persons",
        sa.Column("recipient", sa.String(100), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("recipient", "day", "subject", name="pk_routing_persons"),
        schema="routing",
    )
    op.create_table(
        "routing_answered",
        sa.Column("caller", sa.String(100), nullable=False),
        sa.Column("message_id", sa.String(200), nullable=False),
        sa.Column("content", sa.LargeBinary(32), nullable=False),
        sa.Column("exchange_id", sa.Uuid(), nullable=False),
        sa.Column("answered_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("caller", "message_id", name="pk_routing_answered"),
        schema="routing",
    )


def downgrade() -> None:
    """Drop the tables."""
    for name in (
        "routing_answered",
        "routing_persons",
        "routing_requests",
        "routing_partners",
        "routing_callers",
    ):
        op.drop_table(name, schema="routing")
