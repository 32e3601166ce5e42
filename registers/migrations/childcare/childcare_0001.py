"""Reports on children in out-of-family care.

Revision: childcare_0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage import Instant
from storage.migrate import create_schema

revision = "childcare_0001"
down_revision = None
branch_labels = ("childcare",)
depends_on = "spolis_0001"


def upgrade() -> None:
    """Make the tables."""
    create_schema("childcare")
    op.create_table(
        "childcare_report",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("institution", sa.Text(), nullable=False),
        sa.Column("period_from", sa.Date(), nullable=False),
        sa.Column("period_to", sa.Date(), nullable=False),
        sa.Column("made_on", sa.Date(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("contacts", sa.JSON(), nullable=False),
        sa.Column("cooperation", sa.Text(), nullable=False),
        sa.Column("physical_development", sa.Text(), nullable=False),
        sa.Column("psychosocial_development", sa.Text(), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("superseded_at", Instant(), nullable=True),
        sa.Column("exchange_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("contract_version", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["spolis.spolis_person.id"],
            name=op.f("fk_childcare_report_person_id_spolis_person"),
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_childcare_report")),
        schema="childcare",
    )
    op.create_index(
        op.f("ix_childcare_report_id_recorded_at"),
        "childcare_report",
        ["id", "recorded_at"],
        unique=True,
        schema="childcare",
    )
    op.create_index(
        op.f("ix_childcare_report_person_id_recorded_at"),
        "childcare_report",
        ["person_id", "recorded_at"],
        unique=False,
        schema="childcare",
    )
    op.create_index(
        "uq_childcare_report_current",
        "childcare_report",
        ["id"],
        unique=True,
        schema="childcare",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "uq_childcare_report_one",
        "childcare_report",
        ["person_id", "institution", "period_from"],
        unique=True,
        schema="childcare",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )
