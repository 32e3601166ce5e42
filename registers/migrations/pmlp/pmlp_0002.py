"""Whose changes PMLP tells, and what changed.

Revision: pmlp_0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage import Instant

revision = "pmlp_0002"
down_revision = "pmlp_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "pmlp_change",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("changed_on", sa.Date(), nullable=False),
        sa.Column("data_sets", sa.JSON(), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("superseded_at", Instant(), nullable=True),
        sa.Column("exchange_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("contract_version", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["spolis.spolis_person.id"], name=op.f("fk_pmlp_change_person_id_spolis_person")
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_pmlp_change")),
        schema="pmlp",
    )
    op.create_index(
        op.f("ix_pmlp_change_id_recorded_at"),
        "pmlp_change",
        ["id", "recorded_at"],
        unique=True,
        schema="pmlp",
    )
    op.create_index(
        op.f("ix_pmlp_change_person_id_recorded_at"),
        "pmlp_change",
        ["person_id", "recorded_at"],
        unique=False,
        schema="pmlp",
    )
    op.create_index(
        "uq_pmlp_change_current",
        "pmlp_change",
        ["id"],
        unique=True,
        schema="pmlp",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )
    op.create_table(
        "pmlp_subscription",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("superseded_at", Instant(), nullable=True),
        sa.Column("exchange_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("contract_version", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["spolis.spolis_person.id"],
            name=op.f("fk_pmlp_subscription_person_id_spolis_person"),
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_pmlp_subscription")),
        schema="pmlp",
    )
    op.create_index(
        op.f("ix_pmlp_subscription_id_recorded_at"),
        "pmlp_subscription",
        ["id", "recorded_at"],
        unique=True,
        schema="pmlp",
    )
    op.create_index(
        op.f("ix_pmlp_subscription_person_id_recorded_at"),
        "pmlp_subscription",
        ["person_id", "recorded_at"],
        unique=False,
        schema="pmlp",
    )
    op.create_index(
        "uq_pmlp_subscription_current",
        "pmlp_subscription",
        ["id"],
        unique=True,
        schema="pmlp",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "uq_pmlp_subscription_one",
        "pmlp_subscription",
        ["person_id"],
        unique=True,
        schema="pmlp",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )
