"""Notices of corrected values to those who received the wrong ones.

Revision: corrections_0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage import Instant
from storage.migrate import create_schema

revision = "corrections_0001"
down_revision = None
branch_labels = ("corrections",)
depends_on = "spolis_0001"


def upgrade() -> None:
    """Make the tables."""
    create_schema("corrections")
    op.create_table(
        "corrections_notice",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("register_table", sa.Text(), nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("exchange_id", sa.Uuid(), nullable=False),
        sa.Column("made_at", Instant(), nullable=False),
        sa.Column("way", sa.Text(), nullable=True),
        sa.Column("handed_at", Instant(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("acknowledged_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_corrections_notice")),
        sa.UniqueConstraint(
            "recipient", "version_id", name=op.f("uq_corrections_notice_recipient_version_id")
        ),
        schema="corrections",
    )
    op.create_index("ix_corrections_notice_state", "corrections_notice", ["state"], schema="corrections")
    op.create_table(
        "corrections_looked_into",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_corrections_looked_into")),
        schema="corrections",
    )


def downgrade() -> None:
    """Remove them."""
    op.drop_table("corrections_looked_into", schema="corrections")
    op.drop_table("corrections_notice", schema="corrections")
