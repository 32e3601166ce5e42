"""Stays of children in institutions as municipalities tell them.

Revision: municipal_0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage import Instant

revision = "municipal_0002"
down_revision = "municipal_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "municipal_placement",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("municipality", sa.Text(), nullable=False),
        sa.Column("case_number", sa.Text(), nullable=False),
        sa.Column("institution", sa.Text(), nullable=False),
        sa.Column("entered_on", sa.Date(), nullable=False),
        sa.Column("stopped_on", sa.Date(), nullable=True),
        sa.Column("stop_reason", sa.Text(), nullable=True),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("superseded_at", Instant(), nullable=True),
        sa.Column("exchange_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("contract_version", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["spolis.spolis_person.id"],
            name=op.f("fk_municipal_placement_person_id_spolis_person"),
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_municipal_placement")),
        schema="municipal",
    )
    op.create_index(
        op.f("ix_municipal_placement_id_recorded_at"),
        "municipal_placement",
        ["id", "recorded_at"],
        unique=True,
        schema="municipal",
    )
    op.create_index(
        op.f("ix_municipal_placement_person_id_recorded_at"),
        "municipal_placement",
        ["person_id", "recorded_at"],
        unique=False,
        schema="municipal",
    )
    op.create_index(
        "uq_municipal_placement_current",
        "municipal_placement",
        ["id"],
        unique=True,
        schema="municipal",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "uq_municipal_placement_one",
        "municipal_placement",
        ["municipality", "case_number"],
        unique=True,
        schema="municipal",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )
