"""Persons, their codes, and care stays.

Revision: spolis_0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage import Instant
from storage.migrate import create_schema

revision = "spolis_0001"
down_revision = None
branch_labels = ("spolis",)
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    create_schema("spolis")
    op.create_table(
        "spolis_person",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("exchange_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("contract_version", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_spolis_person")),
        schema="spolis",
    )
    op.create_table(
        "spolis_care_stay",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("institution", sa.Text(), nullable=False),
        sa.Column("institution_address", sa.Text(), nullable=False),
        sa.Column("institution_kind", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=True),
        sa.Column("entered_on", sa.Date(), nullable=False),
        sa.Column("funding_source", sa.Text(), nullable=False),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("superseded_at", Instant(), nullable=True),
        sa.Column("exchange_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("contract_version", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["spolis.spolis_person.id"],
            name=op.f("fk_spolis_care_stay_person_id_spolis_person"),
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_spolis_care_stay")),
        schema="spolis",
    )
    op.create_index(
        op.f("ix_spolis_care_stay_id_recorded_at"),
        "spolis_care_stay",
        ["id", "recorded_at"],
        unique=True,
        schema="spolis",
    )
    op.create_index(
        op.f("ix_spolis_care_stay_person_id_recorded_at"),
        "spolis_care_stay",
        ["person_id", "recorded_at"],
        unique=False,
        schema="spolis",
    )
    op.create_index(
        "uq_spolis_care_stay_current",
        "spolis_care_stay",
        ["id"],
        unique=True,
        schema="spolis",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "uq_spolis_care_stay_one",
        "spolis_care_stay",
        ["person_id", "institution", "entered_on"],
        unique=True,
        schema="spolis",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )
    op.create_table(
        "spolis_person_code",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("superseded_at", Instant(), nullable=True),
        sa.Column("exchange_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("contract_version", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["spolis.spolis_person.id"],
            name=op.f("fk_spolis_person_code_person_id_spolis_person"),
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_spolis_person_code")),
        schema="spolis",
    )
    op.create_index(
        op.f("ix_spolis_person_code_id_recorded_at"),
        "spolis_person_code",
        ["id", "recorded_at"],
        unique=True,
        schema="spolis",
    )
    op.create_index(
        op.f("ix_spolis_person_code_person_id_recorded_at"),
        "spolis_person_code",
        ["person_id", "recorded_at"],
        unique=False,
        schema="spolis",
    )
    op.create_index(
        "uq_spolis_person_code_current",
        "spolis_person_code",
        ["id"],
        unique=True,
        schema="spolis",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "uq_spolis_person_code_one",
        "spolis_person_code",
        ["code"],
        unique=True,
        schema="spolis",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )


def downgrade() -> None:
    """Drop the tables with all that they hold."""
    op.drop_table("spolis_person_code", schema="spolis")
    op.drop_table("spolis_care_stay", schema="spolis")
    op.drop_table("spolis_person", schema="spolis")
