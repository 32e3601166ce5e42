"""Delivery: the outbox, routes that are switched off, circuit breakers, background jobs with their slots, incidents."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage import Instant

revision = "routing_0003"
down_revision = "routing_0002"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "routing_outbox",
        sa.Column("position", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("system", sa.String(100), nullable=False),
        sa.Column("operation", sa.String(100), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("due", Instant(), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("last_error", sa.String(100)),
        sa.Column("subject_order", sa.String(64)),
        sa.Column("holder", sa.String(200)),
        sa.Column("leased_until", Instant()),
        sa.Column("lapses", sa.Integer, nullable=False),
        sa.Column("unclear", sa.Boolean, nullable=False),
        sa.Column("cause", sa.Uuid()),
        sa.Column("queued_at", Instant(), nullable=False),
        sa.Column("give_up_at", Instant(), nullable=False),
        sa.Column("settled_at", Instant()),
        sa.Column("published_at", Instant()),
        sa.UniqueConstraint("id", name="uq_routing_outbox_id"),
        schema="routing",
    )
    op.create_index("ix_routing_outbox_state_due", "routing_outbox", ["state", "due"], schema="routing")
    op.create_index(
        "ix_routing_outbox_subject_order_position",
        "routing_outbox",
        ["subject_order", "position"],
        schema="routing",
    )
    op.create_table(
        "routing_disabled",
        sa.Column("system", sa.String(100), primary_key=True),
        sa.Column("operation", sa.String(100), primary_key=True),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        schema="routing",
    )
    op.create_table(
        "routing_breakers",
        sa.Column("system", sa.String(100), primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("openings", sa.Integer, nullable=False),
        sa.Column("retry_at", Instant()),
        sa.Column("probe_until", Instant()),
        sa.Column("changed_at", Instant(), nullable=False),
        schema="routing",
    )
    op.create_table(
        "routing_jobs",
        sa.Column("job", sa.String(100), primary_key=True),
        sa.Column("process", sa.String(200), primary_key=True),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("last_run", Instant()),
        sa.Column("last_ok", Instant()),
        sa.Column("next_run", Instant()),
        sa.Column("lag_seconds", sa.Float),
        sa.Column("error", sa.String(100)),
        sa.Column("seen_at", Instant(), nullable=False),
        schema="routing",
    )
    op.create_table(
        "routing_slots",
        sa.Column("job", sa.String(100), primary_key=True),
        sa.Column("slot", Instant(), primary_key=True),
        sa.Column("process", sa.String(200), nullable=False),
        sa.Column("claimed_at", Instant(), nullable=False),
        schema="routing",
    )
    op.create_table(
        "routing_incidents",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("kind", sa.String(50), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("detail", sa.String(200), nullable=False),
        sa.Column("stage", sa.Integer, nullable=False),
        sa.Column("opened_at", Instant(), nullable=False),
        sa.Column("seen_at", Instant(), nullable=False),
        sa.Column("seen", sa.Integer, nullable=False),
        sa.Column("closed_at", Instant()),
        sa.Column("webhook_told", sa.Integer, nullable=False),
        sa.Column("mail_told", sa.Integer, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("try_at", Instant(), nullable=False),
        sa.Column("holder", sa.String(200)),
        schema="routing",
    )
    # Of one kind and subject one incident is open at a time.
    op.create_index(
        "uq_routing_incidents_open",
        "routing_incidents",
        ["kind", "subject"],
        unique=True,
        schema="routing",
        postgresql_where=sa.text("closed_at IS NULL"),
        sqlite_where=sa.text("closed_at IS NULL"),
    )


def downgrade() -> None:
    """Drop the tables."""
    for name in ("incidents", "slots", "jobs", "breakers", "disabled", "outbox"):
        op.drop_table(f"routing_{name}", schema="routing")
