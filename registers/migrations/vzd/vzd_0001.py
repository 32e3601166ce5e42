"""The State Address Register.

Revision: vzd_0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage import Instant
from storage.migrate import create_schema

revision = "vzd_0001"
down_revision = None
branch_labels = ("vzd",)
depends_on = None

# A decimal that SQLite keeps as text, because its numbers are floats.
_EXACT = sa.Numeric().with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    create_schema("vzd")
    op.create_table(
        "vzd_address",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("varis_code", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("postcode", sa.Text(), nullable=True),
        sa.Column("atvk", sa.Text(), nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("north", _EXACT, nullable=True),
        sa.Column("east", _EXACT, nullable=True),
        sa.Column("chain", sa.JSON(), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("superseded_at", Instant(), nullable=True),
        sa.Column("exchange_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("contract_version", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_vzd_address")),
        schema="vzd",
    )
    op.create_index(
        op.f("ix_vzd_address_id_recorded_at"), "vzd_address", ["id", "recorded_at"], unique=True, schema="vzd"
    )
    op.create_index(
        "uq_vzd_address_current",
        "vzd_address",
        ["id"],
        unique=True,
        schema="vzd",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "uq_vzd_address_one",
        "vzd_address",
        ["varis_code"],
        unique=True,
        schema="vzd",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )


def downgrade() -> None:
    """Drop the tables with all that they hold."""
    op.drop_table("vzd_address", schema="vzd")
