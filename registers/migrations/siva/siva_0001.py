"""Long-term care as SIVA hands it in.

Revision: siva_0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage import Instant
from storage.migrate import create_schema

revision = "siva_0001"
down_revision = None
branch_labels = ("siva",)
depends_on = "spolis_0001"


def upgrade() -> None:
    """Make the tables."""
    create_schema("siva")
    op.create_table(
        "siva_absence",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("supplier", sa.Text(), nullable=False),
        sa.Column("case_no", sa.Text(), nullable=False),
        sa.Column("record_no", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("began_on", sa.Date(), nullable=False),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("superseded_at", Instant(), nullable=True),
        sa.Column("exchange_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("contract_version", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["spolis.spolis_person.id"], name=op.f("fk_siva_absence_person_id_spolis_person")
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_siva_absence")),
        schema="siva",
    )
    op.create_index(
        op.f("ix_siva_absence_id_recorded_at"),
        "siva_absence",
        ["id", "recorded_at"],
        unique=True,
        schema="siva",
    )
    op.create_index(
        op.f("ix_siva_absence_person_id_recorded_at"),
        "siva_absence",
        ["person_id", "recorded_at"],
        unique=False,
        schema="siva",
    )
    op.create_index(
        op.f("ix_siva_absence_supplier_case_no"),
        "siva_absence",
        ["supplier", "case_no"],
        unique=False,
        schema="siva",
    )
    op.create_index(
        "uq_siva_absence_current",
        "siva_absence",
        ["id"],
        unique=True,
        schema="siva",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "uq_siva_absence_one",
        "siva_absence",
        ["supplier", "record_no"],
        unique=True,
        schema="siva",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )
    op.create_table(
        "siva_application",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("supplier", sa.Text(), nullable=False),
        sa.Column("case_no", sa.Text(), nullable=False),
        sa.Column("record_no", sa.Text(), nullable=False),
        sa.Column("given_names", sa.JSON(), nullable=False),
        sa.Column("family_name", sa.Text(), nullable=False),
        sa.Column("submitted_on", sa.Date(), nullable=False),
        sa.Column("service_kind", sa.Text(), nullable=False),
        sa.Column("desired_provider", sa.Text(), nullable=True),
        sa.Column("representative_given_names", sa.JSON(), nullable=True),
        sa.Column("representative_family_name", sa.Text(), nullable=True),
        sa.Column("representative_code", sa.Text(), nullable=True),
        sa.Column("representative_address_kind", sa.Text(), nullable=True),
        sa.Column("representative_address", sa.Text(), nullable=True),
        sa.Column("representative_phone", sa.Text(), nullable=True),
        sa.Column("representative_contacts", sa.JSON(), nullable=True),
        sa.Column("municipality", sa.Text(), nullable=True),
        sa.Column("municipality_address", sa.Text(), nullable=True),
        sa.Column("municipality_phone", sa.Text(), nullable=True),
        sa.Column("municipality_contacts", sa.JSON(), nullable=True),
        sa.Column("documents", sa.JSON(), nullable=False),
        sa.Column("document_requests", sa.JSON(), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("superseded_at", Instant(), nullable=True),
        sa.Column("exchange_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("contract_version", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["spolis.spolis_person.id"],
            name=op.f("fk_siva_application_person_id_spolis_person"),
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_siva_application")),
        schema="siva",
    )
    op.create_index(
        op.f("ix_siva_application_id_recorded_at"),
        "siva_application",
        ["id", "recorded_at"],
        unique=True,
        schema="siva",
    )
    op.create_index(
        op.f("ix_siva_application_person_id_recorded_at"),
        "siva_application",
        ["person_id", "recorded_at"],
        unique=False,
        schema="siva",
    )
    op.create_index(
        op.f("ix_siva_application_supplier_case_no"),
        "siva_application",
        ["supplier", "case_no"],
        unique=False,
        schema="siva",
    )
    op.create_index(
        "uq_siva_application_current",
        "siva_application",
        ["id"],
        unique=True,
        schema="siva",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "uq_siva_application_one",
        "siva_application",
        ["supplier", "record_no"],
        unique=True,
        schema="siva",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )
    op.create_table(
        "siva_change",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("supplier", sa.Text(), nullable=False),
        sa.Column("case_no", sa.Text(), nullable=False),
        sa.Column("record_no", sa.Text(), nullable=False),
        sa.Column("provider_requested_on", sa.Date(), nullable=True),
        sa.Column("provider", sa.Text(), nullable=True),
        sa.Column("provider_note", sa.Text(), nullable=True),
        sa.Column("kind_requested_on", sa.Date(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("kind_note", sa.Text(), nullable=True),
        sa.Column("end_requested_on", sa.Date(), nullable=True),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("superseded_at", Instant(), nullable=True),
        sa.Column("exchange_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("contract_version", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["spolis.spolis_person.id"], name=op.f("fk_siva_change_person_id_spolis_person")
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_siva_change")),
        schema="siva",
    )
    op.create_index(
        op.f("ix_siva_change_id_recorded_at"),
        "siva_change",
        ["id", "recorded_at"],
        unique=True,
        schema="siva",
    )
    op.create_index(
        op.f("ix_siva_change_person_id_recorded_at"),
        "siva_change",
        ["person_id", "recorded_at"],
        unique=False,
        schema="siva",
    )
    op.create_index(
        op.f("ix_siva_change_supplier_case_no"),
        "siva_change",
        ["supplier", "case_no"],
        unique=False,
        schema="siva",
    )
    op.create_index(
        "uq_siva_change_current",
        "siva_change",
        ["id"],
        unique=True,
        schema="siva",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "uq_siva_change_one",
        "siva_change",
        ["supplier", "record_no"],
        unique=True,
        schema="siva",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )
    op.create_table(
        "siva_contract",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("supplier", sa.Text(), nullable=False),
        sa.Column("case_no", sa.Text(), nullable=False),
        sa.Column("record_no", sa.Text(), nullable=False),
        sa.Column("concluded_on", sa.Date(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("party_given_names", sa.JSON(), nullable=True),
        sa.Column("party_family_name", sa.Text(), nullable=True),
        sa.Column("party_code", sa.Text(), nullable=True),
        sa.Column("party_address_kind", sa.Text(), nullable=True),
        sa.Column("party_address", sa.Text(), nullable=True),
        sa.Column("party_phone", sa.Text(), nullable=True),
        sa.Column("party_contacts", sa.JSON(), nullable=True),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("superseded_at", Instant(), nullable=True),
        sa.Column("exchange_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("contract_version", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["spolis.spolis_person.id"], name=op.f("fk_siva_contract_person_id_spolis_person")
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_siva_contract")),
        schema="siva",
    )
    op.create_index(
        op.f("ix_siva_contract_id_recorded_at"),
        "siva_contract",
        ["id", "recorded_at"],
        unique=True,
        schema="siva",
    )
    op.create_index(
        op.f("ix_siva_contract_person_id_recorded_at"),
        "siva_contract",
        ["person_id", "recorded_at"],
        unique=False,
        schema="siva",
    )
    op.create_index(
        op.f("ix_siva_contract_supplier_case_no"),
        "siva_contract",
        ["supplier", "case_no"],
        unique=False,
        schema="siva",
    )
    op.create_index(
        "uq_siva_contract_current",
        "siva_contract",
        ["id"],
        unique=True,
        schema="siva",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "uq_siva_contract_one",
        "siva_contract",
        ["supplier", "record_no"],
        unique=True,
        schema="siva",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )
    op.create_table(
        "siva_decision",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("supplier", sa.Text(), nullable=False),
        sa.Column("case_no", sa.Text(), nullable=False),
        sa.Column("record_no", sa.Text(), nullable=False),
        sa.Column("granted_on", sa.Date(), nullable=True),
        sa.Column("grant_number", sa.Text(), nullable=True),
        sa.Column("grant_provider", sa.Text(), nullable=True),
        sa.Column("granted_from", sa.Date(), nullable=True),
        sa.Column("queued_on", sa.Date(), nullable=True),
        sa.Column("queue_number", sa.Text(), nullable=True),
        sa.Column("queue_provider", sa.Text(), nullable=True),
        sa.Column("queued_from", sa.Date(), nullable=True),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("superseded_at", Instant(), nullable=True),
        sa.Column("exchange_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("contract_version", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["spolis.spolis_person.id"], name=op.f("fk_siva_decision_person_id_spolis_person")
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_siva_decision")),
        schema="siva",
    )
    op.create_index(
        op.f("ix_siva_decision_id_recorded_at"),
        "siva_decision",
        ["id", "recorded_at"],
        unique=True,
        schema="siva",
    )
    op.create_index(
        op.f("ix_siva_decision_person_id_recorded_at"),
        "siva_decision",
        ["person_id", "recorded_at"],
        unique=False,
        schema="siva",
    )
    op.create_index(
        op.f("ix_siva_decision_supplier_case_no"),
        "siva_decision",
        ["supplier", "case_no"],
        unique=False,
        schema="siva",
    )
    op.create_index(
        "uq_siva_decision_current",
        "siva_decision",
        ["id"],
        unique=True,
        schema="siva",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "uq_siva_decision_one",
        "siva_decision",
        ["supplier", "record_no"],
        unique=True,
        schema="siva",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )
    op.create_table(
        "siva_deletion",
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
            ["person_id"], ["spolis.spolis_person.id"], name=op.f("fk_siva_deletion_person_id_spolis_person")
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_siva_deletion")),
        schema="siva",
    )
    op.create_index(
        op.f("ix_siva_deletion_id_recorded_at"),
        "siva_deletion",
        ["id", "recorded_at"],
        unique=True,
        schema="siva",
    )
    op.create_index(
        op.f("ix_siva_deletion_person_id_recorded_at"),
        "siva_deletion",
        ["person_id", "recorded_at"],
        unique=False,
        schema="siva",
    )
    op.create_index(
        op.f("ix_siva_deletion_supplier_case_no"),
        "siva_deletion",
        ["supplier", "case_no"],
        unique=False,
        schema="siva",
    )
    op.create_index(
        "uq_siva_deletion_current",
        "siva_deletion",
        ["id"],
        unique=True,
        schema="siva",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "uq_siva_deletion_one",
        "siva_deletion",
        ["person_id", "supplier", "kind", "record_no"],
        unique=True,
        schema="siva",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )
    op.create_table(
        "siva_placement",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("supplier", sa.Text(), nullable=False),
        sa.Column("case_no", sa.Text(), nullable=False),
        sa.Column("record_no", sa.Text(), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("planned_on", sa.Date(), nullable=False),
        sa.Column("institution", sa.Text(), nullable=False),
        sa.Column("entered_on", sa.Date(), nullable=True),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("superseded_at", Instant(), nullable=True),
        sa.Column("exchange_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("contract_version", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["spolis.spolis_person.id"], name=op.f("fk_siva_placement_person_id_spolis_person")
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_siva_placement")),
        schema="siva",
    )
    op.create_index(
        op.f("ix_siva_placement_id_recorded_at"),
        "siva_placement",
        ["id", "recorded_at"],
        unique=True,
        schema="siva",
    )
    op.create_index(
        op.f("ix_siva_placement_person_id_recorded_at"),
        "siva_placement",
        ["person_id", "recorded_at"],
        unique=False,
        schema="siva",
    )
    op.create_index(
        op.f("ix_siva_placement_supplier_case_no"),
        "siva_placement",
        ["supplier", "case_no"],
        unique=False,
        schema="siva",
    )
    op.create_index(
        "uq_siva_placement_current",
        "siva_placement",
        ["id"],
        unique=True,
        schema="siva",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "uq_siva_placement_one",
        "siva_placement",
        ["supplier", "record_no"],
        unique=True,
        schema="siva",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )
    op.create_table(
        "siva_termination",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("supplier", sa.Text(), nullable=False),
        sa.Column("case_no", sa.Text(), nullable=False),
        sa.Column("record_no", sa.Text(), nullable=False),
        sa.Column("decided_on", sa.Date(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("superseded_at", Instant(), nullable=True),
        sa.Column("exchange_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("contract_version", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["spolis.spolis_person.id"],
            name=op.f("fk_siva_termination_person_id_spolis_person"),
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_siva_termination")),
        schema="siva",
    )
    op.create_index(
        op.f("ix_siva_termination_id_recorded_at"),
        "siva_termination",
        ["id", "recorded_at"],
        unique=True,
        schema="siva",
    )
    op.create_index(
        op.f("ix_siva_termination_person_id_recorded_at"),
        "siva_termination",
        ["person_id", "recorded_at"],
        unique=False,
        schema="siva",
    )
    op.create_index(
        op.f("ix_siva_termination_supplier_case_no"),
        "siva_termination",
        ["supplier", "case_no"],
        unique=False,
        schema="siva",
    )
    op.create_index(
        "uq_siva_termination_current",
        "siva_termination",
        ["id"],
        unique=True,
        schema="siva",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "uq_siva_termination_one",
        "siva_termination",
        ["supplier", "record_no"],
        unique=True,
        schema="siva",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )


def downgrade() -> None:
    """Drop the tables with all that they hold."""
    op.drop_table("siva_termination", schema="siva")
    op.drop_table("siva_placement", schema="siva")
    op.drop_table("siva_deletion", schema="siva")
    op.drop_table("siva_decision", schema="siva")
    op.drop_table("siva_contract", schema="siva")
    op.drop_table("siva_change", schema="siva")
    op.drop_table("siva_application", schema="siva")
    op.drop_table("siva_absence", schema="siva")
