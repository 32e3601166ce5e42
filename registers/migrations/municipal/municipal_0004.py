"""Benefits and payments, and under whose id services and stays are handed in.

Revision: municipal_0004
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from storage import Instant

revision = "municipal_0004"
down_revision = "municipal_0003"
branch_labels = None
depends_on = None

_SCHEMA = "municipal"
_EXACT = sa.Numeric().with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    _make(
        "municipal_service_record",
        ["supplier", "object_no"],
        sa.Column("supplier", sa.Text(), nullable=False),
        sa.Column("object_no", sa.Text(), nullable=False),
        sa.Column("municipality", sa.Text(), nullable=False),
        sa.Column("case_number", sa.Text(), nullable=False),
        sa.Column("application_kind", sa.Text(), nullable=False),
        sa.Column("office", sa.Text(), nullable=True),
    )
    _make(
        "municipal_benefit",
        ["supplier", "object_no"],
        sa.Column("supplier", sa.Text(), nullable=False),
        sa.Column("object_no", sa.Text(), nullable=False),
        sa.Column("municipality", sa.Text(), nullable=False),
        sa.Column("office", sa.Text(), nullable=True),
        sa.Column("applied_on", sa.Date(), nullable=False),
        sa.Column("application_kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("decided_on", sa.Date(), nullable=True),
        sa.Column("means_tested", sa.Boolean(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("refusal_reason", sa.Text(), nullable=True),
    )
    _make(
        "municipal_payment",
        ["supplier", "object_no"],
        sa.Column("supplier", sa.Text(), nullable=False),
        sa.Column("object_no", sa.Text(), nullable=False),
        sa.Column("municipality", sa.Text(), nullable=False),
        sa.Column("support_no", sa.Text(), nullable=False),
        sa.Column("form", sa.Text(), nullable=False),
        sa.Column("paid_for", sa.Date(), nullable=False),
        sa.Column("amount", _EXACT, nullable=False),
        sa.Column("paid_on", sa.Date(), nullable=True),
    )
    _make(
        "municipal_placement_record",
        ["supplier", "object_no"],
        sa.Column("supplier", sa.Text(), nullable=False),
        sa.Column("object_no", sa.Text(), nullable=False),
        sa.Column("municipality", sa.Text(), nullable=False),
        sa.Column("case_number", sa.Text(), nullable=False),
    )


def downgrade() -> None:
    """Drop the tables with all that they hold."""
    op.drop_table("municipal_placement_record", schema=_SCHEMA)
    op.drop_table("municipal_payment", schema=_SCHEMA)
    op.drop_table("municipal_benefit", schema=_SCHEMA)
    op.drop_table("municipal_service_record", schema=_SCHEMA)


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
