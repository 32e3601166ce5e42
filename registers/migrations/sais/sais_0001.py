"""Pensions and benefits.

Revision: sais_0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage import Instant
from storage.migrate import create_schema

revision = "sais_0001"
down_revision = None
branch_labels = ("sais",)
depends_on = "spolis_0001"

# A decimal that SQLite keeps as text, because its numbers are floats.
_EXACT = sa.Numeric().with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    create_schema("sais")
    op.create_table(
        "sais_payment",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("counts_for_share", sa.Boolean(), nullable=False),
        sa.Column("amount", _EXACT, nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("paid_on", sa.Date(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("superseded_at", Instant(), nullable=True),
        sa.Column("exchange_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("contract_version", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["spolis.spolis_person.id"], name=op.f("fk_sais_payment_person_id_spolis_person")
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_sais_payment")),
        schema="sais",
    )
    op.create_index(
        op.f("ix_sais_payment_id_recorded_at"),
        "sais_payment",
        ["id", "recorded_at"],
        unique=True,
        schema="sais",
    )
    op.create_index(
        op.f("ix_sais_payment_person_id_recorded_at"),
        "sais_payment",
        ["person_id", "recorded_at"],
        unique=False,
        schema="sais",
    )
    op.create_index(
        "uq_sais_payment_current",
        "sais_payment",
        ["id"],
        unique=True,
        schema="sais",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )


def downgrade() -> None:
    """Drop the tables with all that they hold."""
    op.drop_table("sais_payment", schema="sais")
