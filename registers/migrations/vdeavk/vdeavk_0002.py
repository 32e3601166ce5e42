"""Whose disability changed.

Revision: vdeavk_0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage import Instant

revision = "vdeavk_0002"
down_revision = "vdeavk_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "vdeavk_change",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("changed_on", sa.Date(), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("superseded_at", Instant(), nullable=True),
        sa.Column("exchange_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("contract_version", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["spolis.spolis_person.id"], name=op.f("fk_vdeavk_change_person_id_spolis_person")
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_vdeavk_change")),
        schema="vdeavk",
    )
    op.create_index(
        op.f("ix_vdeavk_change_id_recorded_at"),
        "vdeavk_change",
        ["id", "recorded_at"],
        unique=True,
        schema="vdeavk",
    )
    op.create_index(
        op.f("ix_vdeavk_change_person_id_recorded_at"),
        "vdeavk_change",
        ["person_id", "recorded_at"],
        unique=False,
        schema="vdeavk",
    )
    op.create_index(
        "uq_vdeavk_change_current",
        "vdeavk_change",
        ["id"],
        unique=True,
        schema="vdeavk",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )
