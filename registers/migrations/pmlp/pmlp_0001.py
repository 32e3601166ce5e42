"""What PMLP says of a person.

Revision: pmlp_0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage import Instant
from storage.migrate import create_schema

revision = "pmlp_0001"
down_revision = None
branch_labels = ("pmlp",)
depends_on = "spolis_0001"


def upgrade() -> None:
    """Make the tables."""
    create_schema("pmlp")
    op.create_table(
        "pmlp_address",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("varis_code", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("superseded_at", Instant(), nullable=True),
        sa.Column("exchange_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("contract_version", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["spolis.spolis_person.id"], name=op.f("fk_pmlp_address_person_id_spolis_person")
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_pmlp_address")),
        schema="pmlp",
    )
    op.create_index(
        op.f("ix_pmlp_address_id_recorded_at"),
        "pmlp_address",
        ["id", "recorded_at"],
        unique=True,
        schema="pmlp",
    )
    op.create_index(
        op.f("ix_pmlp_address_person_id_recorded_at"),
        "pmlp_address",
        ["person_id", "recorded_at"],
        unique=False,
        schema="pmlp",
    )
    op.create_index(
        "uq_pmlp_address_current",
        "pmlp_address",
        ["id"],
        unique=True,
        schema="pmlp",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )
    op.create_table(
        "pmlp_document",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("authority", sa.Text(), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("superseded_at", Instant(), nullable=True),
        sa.Column("exchange_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("contract_version", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["spolis.spolis_person.id"], name=op.f("fk_pmlp_document_person_id_spolis_person")
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_pmlp_document")),
        schema="pmlp",
    )
    op.create_index(
        op.f("ix_pmlp_document_id_recorded_at"),
        "pmlp_document",
        ["id", "recorded_at"],
        unique=True,
        schema="pmlp",
    )
    op.create_index(
        op.f("ix_pmlp_document_person_id_recorded_at"),
        "pmlp_document",
        ["person_id", "recorded_at"],
        unique=False,
        schema="pmlp",
    )
    op.create_index(
        "uq_pmlp_document_current",
        "pmlp_document",
        ["id"],
        unique=True,
        schema="pmlp",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )
    op.create_table(
        "pmlp_family",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("relation", sa.Text(), nullable=False),
        sa.Column("person_code", sa.Text(), nullable=False),
        sa.Column("given_names", sa.JSON(), nullable=False),
        sa.Column("family_name", sa.Text(), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("superseded_at", Instant(), nullable=True),
        sa.Column("exchange_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("contract_version", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["spolis.spolis_person.id"], name=op.f("fk_pmlp_family_person_id_spolis_person")
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_pmlp_family")),
        schema="pmlp",
    )
    op.create_index(
        op.f("ix_pmlp_family_id_recorded_at"),
        "pmlp_family",
        ["id", "recorded_at"],
        unique=True,
        schema="pmlp",
    )
    op.create_index(
        op.f("ix_pmlp_family_person_id_recorded_at"),
        "pmlp_family",
        ["person_id", "recorded_at"],
        unique=False,
        schema="pmlp",
    )
    op.create_index(
        "uq_pmlp_family_current",
        "pmlp_family",
        ["id"],
        unique=True,
        schema="pmlp",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )
    op.create_table(
        "pmlp_identity",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("given_names", sa.JSON(), nullable=False),
        sa.Column("family_name", sa.Text(), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("superseded_at", Instant(), nullable=True),
        sa.Column("exchange_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("contract_version", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["spolis.spolis_person.id"], name=op.f("fk_pmlp_identity_person_id_spolis_person")
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_pmlp_identity")),
        schema="pmlp",
    )
    op.create_index(
        op.f("ix_pmlp_identity_id_recorded_at"),
        "pmlp_identity",
        ["id", "recorded_at"],
        unique=True,
        schema="pmlp",
    )
    op.create_index(
        op.f("ix_pmlp_identity_person_id_recorded_at"),
        "pmlp_identity",
        ["person_id", "recorded_at"],
        unique=False,
        schema="pmlp",
    )
    op.create_index(
        "uq_pmlp_identity_current",
        "pmlp_identity",
        ["id"],
        unique=True,
        schema="pmlp",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "uq_pmlp_identity_one",
        "pmlp_identity",
        ["person_id"],
        unique=True,
        schema="pmlp",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )
    op.create_table(
        "pmlp_particulars",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("birth_date", sa.Date(), nullable=True),
        sa.Column("sex", sa.Text(), nullable=True),
        sa.Column("nationality", sa.Text(), nullable=True),
        sa.Column("nationality_kind", sa.Text(), nullable=True),
        sa.Column("deceased", sa.Boolean(), nullable=True),
        sa.Column("death_date", sa.Date(), nullable=True),
        sa.Column("capacity_restricted", sa.Boolean(), nullable=True),
        sa.Column("capacity_review_date", sa.Date(), nullable=True),
        sa.Column("registry_status", sa.Text(), nullable=True),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("superseded_at", Instant(), nullable=True),
        sa.Column("exchange_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("contract_version", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["spolis.spolis_person.id"],
            name=op.f("fk_pmlp_particulars_person_id_spolis_person"),
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_pmlp_particulars")),
        schema="pmlp",
    )
    op.create_index(
        op.f("ix_pmlp_particulars_id_recorded_at"),
        "pmlp_particulars",
        ["id", "recorded_at"],
        unique=True,
        schema="pmlp",
    )
    op.create_index(
        op.f("ix_pmlp_particulars_person_id_recorded_at"),
        "pmlp_particulars",
        ["person_id", "recorded_at"],
        unique=False,
        schema="pmlp",
    )
    op.create_index(
        "uq_pmlp_particulars_current",
        "pmlp_particulars",
        ["id"],
        unique=True,
        schema="pmlp",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "uq_pmlp_particulars_one",
        "pmlp_particulars",
        ["person_id"],
        unique=True,
        schema="pmlp",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )
    op.create_table(
        "pmlp_representative",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("person_code", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("superseded_at", Instant(), nullable=True),
        sa.Column("exchange_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("contract_version", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["spolis.spolis_person.id"],
            name=op.f("fk_pmlp_representative_person_id_spolis_person"),
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_pmlp_representative")),
        schema="pmlp",
    )
    op.create_index(
        op.f("ix_pmlp_representative_id_recorded_at"),
        "pmlp_representative",
        ["id", "recorded_at"],
        unique=True,
        schema="pmlp",
    )
    op.create_index(
        op.f("ix_pmlp_representative_person_id_recorded_at"),
        "pmlp_representative",
        ["person_id", "recorded_at"],
        unique=False,
        schema="pmlp",
    )
    op.create_index(
        "uq_pmlp_representative_current",
        "pmlp_representative",
        ["id"],
        unique=True,
        schema="pmlp",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )


def downgrade() -> None:
    """Drop the tables with all that they hold."""
    op.drop_table("pmlp_representative", schema="pmlp")
    op.drop_table("pmlp_particulars", schema="pmlp")
    op.drop_table("pmlp_identity", schema="pmlp")
    op.drop_table("pmlp_family", schema="pmlp")
    op.drop_table("pmlp_document", schema="pmlp")
    op.drop_table("pmlp_address", schema="pmlp")
