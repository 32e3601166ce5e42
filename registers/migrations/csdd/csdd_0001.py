"""Vehicles of persons, as CSDD tells them.

Revision: csdd_0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage import Instant
from storage.migrate import create_schema

revision = "csdd_0001"
down_revision = None
branch_labels = ("csdd",)
depends_on = "spolis_0001"


def upgrade() -> None:
    """Make the tables."""
    create_schema("csdd")
    op.create_table(
        "csdd_vehicle",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("plate", sa.Text(), nullable=False),
        sa.Column("make", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("superseded_at", Instant(), nullable=True),
        sa.Column("exchange_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("contract_version", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["spolis.spolis_person.id"],
            name=op.f("fk_csdd_vehicle_person_id_spolis_person"),
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_csdd_vehicle")),
        schema="csdd",
    )
    op.create_index(
        op.f("ix_csdd_vehicle_id_recorded_at"),
        "csdd_vehicle",
        ["id", "recorded_at"],
        unique=True,
        schema="csdd",
    )
    op.create_index(
        op.f("ix_csdd_vehicle_person_id_recorded_at"),
        "csdd_vehicle",
        ["person_id", "recorded_at"],
        unique=False,
        schema="csdd",
    )
    op.create_index(
        "uq_csdd_vehicle_current",
        "csdd_vehicle",
        ["id"],
        unique=True,
        schema="csdd",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )


def downgrade() -> None:
    """Drop the tables with all that they hold."""
    op.drop_table("csdd_vehicle", schema="csdd")
