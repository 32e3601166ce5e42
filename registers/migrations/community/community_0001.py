"""Deinstitutionalisation.

Revision: community_0001
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from storage import Instant
from storage.migrate import create_schema

revision = "community_0001"
down_revision = None
branch_labels = ("community",)
depends_on = "spolis_0001"

_SCHEMA = "community"


def upgrade() -> None:
    """Make the tables."""
    create_schema("community")
    _make(
        "community_assessment",
        ["supplier", "object_no"],
        sa.Column("supplier", sa.Text(), nullable=False),
        sa.Column("object_no", sa.Text(), nullable=False),
        sa.Column("municipality", sa.Text(), nullable=False),
        sa.Column("target_group", sa.Text(), nullable=False),
        sa.Column("assessed_on", sa.Date(), nullable=False),
        sa.Column("assessor", sa.Text(), nullable=False),
        sa.Column("needs", sa.Text(), nullable=False),
        sa.Column("planned_on", sa.Date(), nullable=True),
        sa.Column("planned_services", sa.JSON(), nullable=False),
        sa.Column("planned_until", sa.Date(), nullable=True),
    )
    _make(
        "community_plan",
        ["supplier", "object_no"],
        sa.Column("supplier", sa.Text(), nullable=False),
        sa.Column("object_no", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("approved_on", sa.Date(), nullable=False),
        sa.Column("target_group", sa.Text(), nullable=False),
        sa.Column("municipality", sa.Text(), nullable=False),
        sa.Column("services", sa.JSON(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
    )
    _make(
        "community_service",
        ["supplier", "object_no"],
        sa.Column("supplier", sa.Text(), nullable=False),
        sa.Column("object_no", sa.Text(), nullable=False),
        sa.Column("municipality", sa.Text(), nullable=False),
        sa.Column("target_group", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("funding_source", sa.Text(), nullable=False),
        sa.Column("started_on", sa.Date(), nullable=False),
        sa.Column("ended_on", sa.Date(), nullable=True),
    )
    _make(
        "community_deletion",
        ["supplier", "kind", "object_no"],
        sa.Column("supplier", sa.Text(), nullable=False),
        sa.Column("object_no", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        person=False,
    )


def downgrade() -> None:
    """Drop the tables with all that they hold."""
    op.drop_table("community_deletion", schema=_SCHEMA)
    op.drop_table("community_service", schema=_SCHEMA)
    op.drop_table("community_plan", schema=_SCHEMA)
    op.drop_table("community_assessment", schema=_SCHEMA)


def _make(name: str, one_per: list[str], *fields: sa.Column[Any], person: bool = True) -> None:
    """A table of versioned rows, of which one is current for each thing and for `one_per`."""
    whose: list[Any] = [sa.Column("person_id", sa.Uuid(), nullable=False)] if person else []
    known: list[Any] = (
        [
            sa.ForeignKeyConstraint(
                ["person_id"], ["spolis.spolis_person.id"], name=op.f(f"fk_{name}_person_id_spolis_person")
            )
        ]
        if person
        else []
    )
    op.create_table(
        name,
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        *whose,
        *fields,
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("superseded_at", Instant(), nullable=True),
        sa.Column("exchange_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("contract_version", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.Text(), nullable=False),
        *known,
        sa.PrimaryKeyConstraint("version_id", name=op.f(f"pk_{name}")),
        schema=_SCHEMA,
    )
    columns = ["id", "recorded_at"]
    op.create_index(op.f(f"ix_{name}_id_recorded_at"), name, columns, unique=True, schema=_SCHEMA)
    if person:
        columns = ["person_id", "recorded_at"]
        op.create_index(op.f(f"ix_{name}_person_id_recorded_at"), name, columns, schema=_SCHEMA)
    for suffix, one in (("current", ["id"]), ("one", one_per)):
        op.create_index(
            f"uq_{name}_{suffix}",
            name,
            one,
            unique=True,
            schema=_SCHEMA,
            postgresql_where=sa.text("superseded_at IS NULL"),
            sqlite_where=sa.text("superseded_at IS NULL"),
        )
