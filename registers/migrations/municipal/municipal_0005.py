"""Assistants of persons with a disability.

Revision: municipal_0005
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from storage import Instant

revision = "municipal_0005"
down_revision = "municipal_0004"
branch_labels = None
depends_on = None

_SCHEMA = "municipal"
_EXACT = sa.Numeric().with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    _make(
        "municipal_assistant",
        ["supplier", "object_no"],
        sa.Column("supplier", sa.Text(), nullable=False),
        sa.Column("object_no", sa.Text(), nullable=False),
        sa.Column("municipality", sa.Text(), nullable=False),
        sa.Column("registered_on", sa.Date(), nullable=False),
        sa.Column("decided_on", sa.Date(), nullable=True),
        sa.Column("repeated", sa.Boolean(), nullable=False),
        sa.Column("transport", sa.Boolean(), nullable=False),
        sa.Column("assistant_given_names", sa.JSON(), nullable=True),
        sa.Column("assistant_family_name", sa.Text(), nullable=True),
        sa.Column("assistant_code", sa.Text(), nullable=True),
        sa.Column("assistant_sex", sa.Text(), nullable=True),
        sa.Column("assistant_kinship", sa.Text(), nullable=True),
        sa.Column("assistant_employment", sa.Text(), nullable=True),
    )
    _make(
        "municipal_assistant_delivery",
        ["supplier", "object_no"],
        sa.Column("supplier", sa.Text(), nullable=False),
        sa.Column("object_no", sa.Text(), nullable=False),
        sa.Column("service_no", sa.Text(), nullable=False),
        sa.Column("delivered_in", sa.Date(), nullable=False),
        sa.Column("activity", sa.Text(), nullable=False),
        sa.Column("granted_hours_week", _EXACT, nullable=False),
        sa.Column("worked_hours_week", _EXACT, nullable=False),
        sa.Column("worked_hours_month", _EXACT, nullable=False),
        sa.Column("hour_price", _EXACT, nullable=False),
        sa.Column("gross_pay", _EXACT, nullable=False),
        sa.Column("transport_paid", _EXACT, nullable=False),
        sa.Column("total", _EXACT, nullable=False),
        sa.Column("contract_number", sa.Text(), nullable=False),
        sa.Column("contract_from", sa.Date(), nullable=False),
        sa.Column("contract_to", sa.Date(), nullable=True),
        sa.Column("started_on", sa.Date(), nullable=False),
        sa.Column("insurance_rate", _EXACT, nullable=False),
    )
    _make(
        "municipal_assistant_report",
        ["supplier", "object_no"],
        sa.Column("supplier", sa.Text(), nullable=False),
        sa.Column("object_no", sa.Text(), nullable=False),
        sa.Column("municipality", sa.Text(), nullable=False),
        sa.Column("period_from", sa.Date(), nullable=False),
        sa.Column("period_to", sa.Date(), nullable=False),
        sa.Column("forecast", _EXACT, nullable=False),
        sa.Column("spent", _EXACT, nullable=False),
        sa.Column("results", sa.JSON(), nullable=False),
        sa.Column("report", sa.Text(), nullable=True),
        person=False,
    )


def downgrade() -> None:
    """Drop the tables with all that they hold."""
    op.drop_table("municipal_assistant_report", schema=_SCHEMA)
    op.drop_table("municipal_assistant_delivery", schema=_SCHEMA)
    op.drop_table("municipal_assistant", schema=_SCHEMA)


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
