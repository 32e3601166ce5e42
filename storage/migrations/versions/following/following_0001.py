"""How far each sync has come, and its runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage import Instant

revision = "following_0001"
down_revision = None
branch_labels = ("following",)
depends_on = "routing_0003"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "routing_followed",
        sa.Column("system", sa.String(100), nullable=False),
        sa.Column("operation", sa.String(100), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("asked_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("system", "operation", name=op.f("pk_routing_followed")),
        schema="routing",
    )
    op.create_table(
        "routing_followed_run",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("system", sa.String(100), nullable=False),
        sa.Column("operation", sa.String(100), nullable=False),
        sa.Column("slot", Instant(), nullable=True),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("question", sa.Uuid(), nullable=True),
        sa.Column("since", sa.Date(), nullable=True),
        sa.Column("began_after", sa.Text(), nullable=True),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.Column("theirs", sa.Integer(), nullable=False),
        sa.Column("ours", sa.Integer(), nullable=False),
        sa.Column("strangers", sa.Integer(), nullable=False),
        sa.Column("asked_anew", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(100), nullable=True),
        sa.Column("begun_at", Instant(), nullable=False),
        sa.Column("moved_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_routing_followed_run")),
        schema="routing",
    )
    op.create_index(
        op.f("ix_routing_followed_run_system_operation_begun_at"),
        "routing_followed_run",
        ["system", "operation", "begun_at"],
        unique=False,
        schema="routing",
    )
    op.create_index(
        "uq_routing_followed_run_under_way",
        "routing_followed_run",
        ["system", "operation"],
        unique=True,
        schema="routing",
        postgresql_where=sa.text("state = 'running'"),
        sqlite_where=sa.text("state = 'running'"),
    )


def downgrade() -> None:
    """Drop the tables with all that they hold."""
    for table in ("routing_followed_run", "routing_followed"):
        op.drop_table(table, schema="routing")
