"""What was heard of identity documents.

Revision: iemic_0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage import Instant
from storage.migrate import create_schema

revision = "iemic_0001"
down_revision = None
branch_labels = ("iemic",)
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    create_schema("iemic")
    op.create_table(
        "iemic_document",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("checked_on", sa.Date(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("superseded_at", Instant(), nullable=True),
        sa.Column("exchange_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("contract_version", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_iemic_document")),
        schema="iemic",
    )
    op.create_index(
        op.f("ix_iemic_document_id_recorded_at"),
        "iemic_document",
        ["id", "recorded_at"],
        unique=True,
        schema="iemic",
    )
    op.create_index(
        "uq_iemic_document_current",
        "iemic_document",
        ["id"],
        unique=True,
        schema="iemic",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "uq_iemic_document_one",
        "iemic_document",
        ["kind", "number", "country"],
        unique=True,
        schema="iemic",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )


def downgrade() -> None:
    """Drop the tables with all that they hold."""
    op.drop_table("iemic_document", schema="iemic")
