"""Orphan-court decisions and placements.

Revision: npais_0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage import Instant
from storage.migrate import create_schema

revision = "npais_0001"
down_revision = None
branch_labels = ("npais",)
depends_on = "spolis_0001"


def upgrade() -> None:
    """Make the tables."""
    create_schema("npais")
    op.create_table(
        "npais_decision",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("decided_on", sa.Date(), nullable=False),
        sa.Column("court", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("effective_to", sa.Date(), nullable=True),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("superseded_at", Instant(), nullable=True),
        sa.Column("exchange_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("contract_version", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["spolis.spolis_person.id"], name=op.f("fk_npais_decision_person_id_spolis_person")
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_npais_decision")),
        schema="npais",
    )
    op.create_index(
        op.f("ix_npais_decision_id_recorded_at"),
        "npais_decision",
        ["id", "recorded_at"],
        unique=True,
        schema="npais",
    )
    op.create_index(
        op.f("ix_npais_decision_person_id_recorded_at"),
        "npais_decision",
        ["person_id", "recorded_at"],
        unique=False,
        schema="npais",
    )
    op.create_index(
        "uq_npais_decision_current",
        "npais_decision",
        ["id"],
        unique=True,
        schema="npais",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )
    op.create_table(
        "npais_placement",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
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
            name=op.f("fk_npais_placement_person_id_spolis_person"),
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_npais_placement")),
        schema="npais",
    )
    op.create_index(
        op.f("ix_npais_placement_id_recorded_at"),
        "npais_placement",
        ["id", "recorded_at"],
        unique=True,
        schema="npais",
    )
    op.create_index(
        op.f("ix_npais_placement_person_id_recorded_at"),
        "npais_placement",
        ["person_id", "recorded_at"],
        unique=False,
        schema="npais",
    )
    op.create_index(
        "uq_npais_placement_current",
        "npais_placement",
        ["id"],
        unique=True,
        schema="npais",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )


def downgrade() -> None:
    """Drop the tables with all that they hold."""
    op.drop_table("npais_placement", schema="npais")
    op.drop_table("npais_decision", schema="npais")
