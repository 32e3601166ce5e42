"""What municipalities find of the means of persons.

Revision: municipal_0003
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from storage import Instant

revision = "municipal_0003"
down_revision = "municipal_0002"
branch_labels = None
depends_on = None

_SCHEMA = "municipal"
_EXACT = sa.Numeric().with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    _make(
        "municipal_status",
        ["supplier", "object_no"],
        sa.Column("supplier", sa.Text(), nullable=False),
        sa.Column("object_no", sa.Text(), nullable=False),
        sa.Column("municipality", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("decided_on", sa.Date(), nullable=False),
        sa.Column("decision_number", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=False),
    )
    _make(
        "municipal_declaration",
        ["supplier", "object_no"],
        sa.Column("supplier", sa.Text(), nullable=False),
        sa.Column("object_no", sa.Text(), nullable=False),
        sa.Column("given_names", sa.JSON(), nullable=False),
        sa.Column("family_name", sa.Text(), nullable=False),
        sa.Column("municipality", sa.Text(), nullable=False),
        sa.Column("submitted_on", sa.Date(), nullable=False),
        sa.Column("office", sa.Text(), nullable=False),
        sa.Column("average_income", _EXACT, nullable=False),
        sa.Column("household_income", _EXACT, nullable=False),
    )
    _make(
        "municipal_declared_person",
        ["supplier", "object_no", "member_code"],
        sa.Column("supplier", sa.Text(), nullable=False),
        sa.Column("object_no", sa.Text(), nullable=False),
        sa.Column("given_names", sa.JSON(), nullable=False),
        sa.Column("family_name", sa.Text(), nullable=False),
        sa.Column("member_code", sa.Text(), nullable=False),
        sa.Column("kinship", sa.Text(), nullable=False),
        sa.Column("employment", sa.Text(), nullable=False),
        sa.Column("average_income", _EXACT, nullable=False),
        sa.Column("income_kinds", sa.JSON(), nullable=False),
        sa.Column("real_estate", sa.JSON(), nullable=False),
        sa.Column("movables", sa.JSON(), nullable=False),
        sa.Column("maintenance_contracts", sa.JSON(), nullable=False),
    )
    _make(
        "municipal_survey",
        ["supplier", "object_no"],
        sa.Column("supplier", sa.Text(), nullable=False),
        sa.Column("object_no", sa.Text(), nullable=False),
        sa.Column("municipality", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("surveyed_on", sa.Date(), nullable=False),
        sa.Column("workers", sa.JSON(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
    )
    _make(
        "municipal_support_fund",
        ["supplier", "object_no"],
        sa.Column("supplier", sa.Text(), nullable=False),
        sa.Column("object_no", sa.Text(), nullable=False),
        sa.Column("municipality", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=False),
    )


def downgrade() -> None:
    """Drop the tables with all that they hold."""
    op.drop_table("municipal_support_fund", schema=_SCHEMA)
    op.drop_table("municipal_survey", schema=_SCHEMA)
    op.drop_table("municipal_declared_person", schema=_SCHEMA)
    op.drop_table("municipal_declaration", schema=_SCHEMA)
    op.drop_table("municipal_status", schema=_SCHEMA)


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
