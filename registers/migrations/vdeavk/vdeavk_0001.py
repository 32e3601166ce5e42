"""Disability.

Revision: vdeavk_0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage import Instant
from storage.migrate import create_schema

revision = "vdeavk_0001"
down_revision = None
branch_labels = ("vdeavk",)
depends_on = "spolis_0001"


def upgrade() -> None:
    """Make the tables."""
    create_schema("vdeavk")
    op.create_table(
        "vdeavk_disability",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("determined_on", sa.Date(), nullable=False),
        sa.Column("group", sa.Text(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("certificate_no", sa.Text(), nullable=False),
        sa.Column("movement_impairment", sa.Boolean(), nullable=False),
        sa.Column("vision_impairment", sa.Boolean(), nullable=False),
        sa.Column("hearing_impairment", sa.Boolean(), nullable=False),
        sa.Column("severe_mental_impairment", sa.Boolean(), nullable=False),
        sa.Column("other_impairment", sa.Boolean(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("special_care", sa.Boolean(), nullable=False),
        sa.Column("opinion_issued_on", sa.Date(), nullable=True),
        sa.Column("opinion_number", sa.Text(), nullable=True),
        sa.Column("opinion_valid_from", sa.Date(), nullable=True),
        sa.Column("opinion_valid_to", sa.Date(), nullable=True),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("superseded_at", Instant(), nullable=True),
        sa.Column("exchange_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("contract_version", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["spolis.spolis_person.id"],
            name=op.f("fk_vdeavk_disability_person_id_spolis_person"),
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_vdeavk_disability")),
        schema="vdeavk",
    )
    op.create_index(
        op.f("ix_vdeavk_disability_id_recorded_at"),
        "vdeavk_disability",
        ["id", "recorded_at"],
        unique=True,
        schema="vdeavk",
    )
    op.create_index(
        op.f("ix_vdeavk_disability_person_id_recorded_at"),
        "vdeavk_disability",
        ["person_id", "recorded_at"],
        unique=False,
        schema="vdeavk",
    )
    op.create_index(
        "uq_vdeavk_disability_current",
        "vdeavk_disability",
        ["id"],
        unique=True,
        schema="vdeavk",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )


def downgrade() -> None:
    """Drop the tables with all that they hold."""
    op.drop_table("vdeavk_disability", schema="vdeavk")
