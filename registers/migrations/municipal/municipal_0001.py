"""Services that municipalities provide.

Revision: municipal_0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage import Instant
from storage.migrate import create_schema

revision = "municipal_0001"
down_revision = None
branch_labels = ("municipal",)
depends_on = "spolis_0001"


def upgrade() -> None:
    """Make the table."""
    create_schema("municipal")
    op.create_table(
        "municipal_service",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("municipality", sa.Text(), nullable=False),
        sa.Column("case_number", sa.Text(), nullable=False),
        sa.Column("applied_on", sa.Date(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("decided_on", sa.Date(), nullable=True),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=True),
        sa.Column("provider_kind", sa.Text(), nullable=True),
        sa.Column("funding_source", sa.Text(), nullable=True),
        sa.Column("state_support", sa.Boolean(), nullable=False),
        sa.Column("deinstitutionalisation", sa.Boolean(), nullable=False),
        sa.Column("refusal_reason", sa.Text(), nullable=True),
        sa.Column("started_on", sa.Date(), nullable=True),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("superseded_at", Instant(), nullable=True),
        sa.Column("exchange_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("contract_version", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["spolis.spolis_person.id"],
            name=op.f("fk_municipal_service_person_id_spolis_person"),
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_municipal_service")),
        schema="municipal",
    )
    op.create_index(
        op.f("ix_municipal_service_id_recorded_at"),
        "municipal_service",
        ["id", "recorded_at"],
        unique=True,
        schema="municipal",
    )
    op.create_index(
        op.f("ix_municipal_service_person_id_recorded_at"),
        "municipal_service",
        ["person_id", "recorded_at"],
        unique=False,
        schema="municipal",
    )
    for name, columns in (("current", ["id"]), ("one", ["municipality", "case_number"])):
        op.create_index(
            f"uq_municipal_service_{name}",
            "municipal_service",
            columns,
            unique=True,
            schema="municipal",
            postgresql_where=sa.text("superseded_at IS NULL"),
            sqlite_where=sa.text("superseded_at IS NULL"),
        )


def downgrade() -> None:
    """Drop the table with all that it holds."""
    op.drop_table("municipal_service", schema="municipal")
