"""Real estate of persons, as the Land register tells it.

Revision: landreg_0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage import Instant
from storage.migrate import create_schema

revision = "landreg_0001"
down_revision = None
branch_labels = ("landreg",)
depends_on = "spolis_0001"


def upgrade() -> None:
    """Make the tables."""
    create_schema("landreg")
    op.create_table(
        "landreg_property",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("cadastre_no", sa.Text(), nullable=False),
        sa.Column("folio_no", sa.Text(), nullable=False),
        sa.Column("share", sa.Text(), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("superseded_at", Instant(), nullable=True),
        sa.Column("exchange_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("contract_version", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["spolis.spolis_person.id"],
            name=op.f("fk_landreg_property_person_id_spolis_person"),
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_landreg_property")),
        schema="landreg",
    )
    op.create_index(
        op.f("ix_landreg_property_id_recorded_at"),
        "landreg_property",
        ["id", "recorded_at"],
        unique=True,
        schema="landreg",
    )
    op.create_index(
        op.f("ix_landreg_property_person_id_recorded_at"),
        "landreg_property",
        ["person_id", "recorded_at"],
        unique=False,
        schema="landreg",
    )
    op.create_index(
        "uq_landreg_property_current",
        "landreg_property",
        ["id"],
        unique=True,
        schema="landreg",
        postgresql_where=sa.text("superseded_at IS NULL"),
        sqlite_where=sa.text("superseded_at IS NULL"),
    )


def downgrade() -> None:
    """Drop the tables with all that they hold."""
    op.drop_table("landreg_property", schema="landreg")
