"""Long-term care as institutions hand it in.

Revision: vsac_0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage import Instant
from storage.migrate import create_schema

revision = "vsac_0001"
down_revision = None
branch_labels = ("vsac",)
depends_on = "spolis_0001"


def upgrade() -> None:
    """Make the tables."""
    create_schema("vsac")
    op.create_table(
        "vsac_care",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("supplier", sa.Text(), nullable=False),
        sa.Column("case_no", sa.Text(), nullable=False),
        sa.Column("record_no", sa.Text(), nullable=False),
        sa.Column("care_level", sa.Text(), nullable=True),
        sa.Column("impairments", sa.JSON(), nullable=False),
        sa.Column("mental_health", sa.Text(), nullable=True),
        sa.Column("half_way_resident", sa.Boolean(), nullable=True),
        sa.Column("half_way_began_on", sa.Date(), nullable=True),
        sa.Column("half_way_ended_on", sa.Date(), nullable=True),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("superseded_at", Instant(), nullable=True),
        sa.Column("exchange_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("contract_version", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["spolis.spolis_person.id"], name=op.f("fk_vsac_care_person_id_spolis_person")
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_vsac_care")),
        schema="vsac",
    )
    op.create_index(
        op.f("ix_vsac_care_id_recorded_at"), "vsac_care", ["id", "recorded_at"], unique=True, schema="vsac"
    )
    op.create_index(
        op.f("ix_vsac_care_person_id_recorded_at"),
        "vsac_care",
        ["person_id", "recorded_at"],
        unique=False,
        schema="vsac",
    )
    op.create_index(
        op.f("ix_vsac_care_supplier_case_no"),
        "vsac_care",
        ["supplier", "case_no"],
        unique=False,
        schema="vsac",
    )
    op.create_index(
        "uq_vsac_care_current",
        "vsac_care",
        ["id"],
        unique=True,
        schema="vsac",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "uq_vsac_care_one",
        "vsac_care",
        ["supplier", "record_no"],
        unique=True,
        schema="vsac",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )
    op.create_table(
        "vsac_deletion",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("supplier", sa.Text(), nullable=False),
        sa.Column("case_no", sa.Text(), nullable=False),
        sa.Column("record_no", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("superseded_at", Instant(), nullable=True),
        sa.Column("exchange_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("contract_version", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["spolis.spolis_person.id"], name=op.f("fk_vsac_deletion_person_id_spolis_person")
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_vsac_deletion")),
        schema="vsac",
    )
    op.create_index(
        op.f("ix_vsac_deletion_id_recorded_at"),
        "vsac_deletion",
        ["id", "recorded_at"],
        unique=True,
        schema="vsac",
    )
    op.create_index(
        op.f("ix_vsac_deletion_person_id_recorded_at"),
        "vsac_deletion",
        ["person_id", "recorded_at"],
        unique=False,
        schema="vsac",
    )
    op.create_index(
        op.f("ix_vsac_deletion_supplier_case_no"),
        "vsac_deletion",
        ["supplier", "case_no"],
        unique=False,
        schema="vsac",
    )
    op.create_index(
        "uq_vsac_deletion_current",
        "vsac_deletion",
        ["id"],
        unique=True,
        schema="vsac",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "uq_vsac_deletion_one",
        "vsac_deletion",
        ["person_id", "supplier", "kind", "record_no"],
        unique=True,
        schema="vsac",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )
    op.create_table(
        "vsac_stay",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("supplier", sa.Text(), nullable=False),
        sa.Column("case_no", sa.Text(), nullable=False),
        sa.Column("record_no", sa.Text(), nullable=False),
        sa.Column("institution", sa.Text(), nullable=False),
        sa.Column("entered_on", sa.Date(), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("superseded_at", Instant(), nullable=True),
        sa.Column("exchange_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("contract_version", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["spolis.spolis_person.id"], name=op.f("fk_vsac_stay_person_id_spolis_person")
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_vsac_stay")),
        schema="vsac",
    )
    op.create_index(
        op.f("ix_vsac_stay_id_recorded_at"), "vsac_stay", ["id", "recorded_at"], unique=True, schema="vsac"
    )
    op.create_index(
        op.f("ix_vsac_stay_person_id_recorded_at"),
        "vsac_stay",
        ["person_id", "recorded_at"],
        unique=False,
        schema="vsac",
    )
    op.create_index(
        op.f("ix_vsac_stay_supplier_case_no"),
        "vsac_stay",
        ["supplier", "case_no"],
        unique=False,
        schema="vsac",
    )
    op.create_index(
        "uq_vsac_stay_current",
        "vsac_stay",
        ["id"],
        unique=True,
        schema="vsac",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "uq_vsac_stay_one",
        "vsac_stay",
        ["supplier", "record_no"],
        unique=True,
        schema="vsac",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )


def downgrade() -> None:
    """Drop the tables with all that they hold."""
    op.drop_table("vsac_stay", schema="vsac")
    op.drop_table("vsac_deletion", schema="vsac")
    op.drop_table("vsac_care", schema="vsac")
