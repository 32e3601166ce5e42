"""Where the suppliers of 10.11 do not agree.

Revision: childcare_0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage import Instant

revision = "childcare_0002"
down_revision = "childcare_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "childcare_conflict",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("institution", sa.Text(), nullable=False),
        sa.Column("entered_on", sa.Date(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("preferred_source", sa.Text(), nullable=False),
        sa.Column("preferred_value", sa.Text(), nullable=True),
        sa.Column("preferred_on", sa.Date(), nullable=False),
        sa.Column("other_source", sa.Text(), nullable=False),
        sa.Column("other_value", sa.Text(), nullable=True),
        sa.Column("other_on", sa.Date(), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("superseded_at", Instant(), nullable=True),
        sa.Column("exchange_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("contract_version", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["spolis.spolis_person.id"],
            name=op.f("fk_childcare_conflict_person_id_spolis_person"),
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_childcare_conflict")),
        schema="childcare",
    )
    op.create_index(
        op.f("ix_childcare_conflict_id_recorded_at"),
        "childcare_conflict",
        ["id", "recorded_at"],
        unique=True,
        schema="childcare",
    )
    op.create_index(
        op.f("ix_childcare_conflict_person_id_recorded_at"),
        "childcare_conflict",
        ["person_id", "recorded_at"],
        unique=False,
        schema="childcare",
    )
    op.create_index(
        "uq_childcare_conflict_current",
        "childcare_conflict",
        ["id"],
        unique=True,
        schema="childcare",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )
