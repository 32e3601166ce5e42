"""What records of the exchange log are found by, and flags on unusual look-ups.

Revision: catalogue_0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage import Instant
from storage.migrate import create_schema

revision = "catalogue_0001"
down_revision = None
branch_labels = ("catalogue",)
depends_on = "core_0001"

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_FACTS = (
    "kind",
    "system",
    "operation",
    "institution",
    "outcome",
    "rule",
    "purpose",
    "caller",
    "recipient",
    "act",
)


def upgrade() -> None:
    """Make the tables; the catalogue fills itself from the log."""
    create_schema("catalogue")
    op.create_table(
        "catalogue_records",
        sa.Column("idx", _NUMBER, nullable=False, autoincrement=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("instant", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=True) for name in _FACTS),
        sa.PrimaryKeyConstraint("idx", name=op.f("pk_catalogue_records")),
        sa.UniqueConstraint("record_id", name=op.f("uq_catalogue_records_record_id")),
        schema="catalogue",
    )
    op.create_index(
        "ix_catalogue_records_instant_idx", "catalogue_records", ["instant", "idx"], schema="catalogue"
    )
    for name in _FACTS:
        op.create_index(
            f"ix_catalogue_records_{name}",
            "catalogue_records",
            [name, "instant", "idx"],
            schema="catalogue",
            postgresql_where=sa.text(f"{name} IS NOT NULL"),
            sqlite_where=sa.text(f"{name} IS NOT NULL"),
        )
    op.create_table(
        "catalogue_flags",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.Column("exchanges", sa.JSON(), nullable=False),
        sa.Column("made_at", Instant(), nullable=False),
        sa.Column("dismissed_at", Instant(), nullable=True),
        sa.Column("dismissed_by", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catalogue_flags")),
        sa.UniqueConstraint("key", name=op.f("uq_catalogue_flags_key")),
        schema="catalogue",
    )
    op.create_index(
        "ix_catalogue_flags_open",
        "catalogue_flags",
        ["day"],
        schema="catalogue",
        postgresql_where=sa.text("dismissed_at IS NULL"),
        sqlite_where=sa.text("dismissed_at IS NULL"),
    )


def downgrade() -> None:
    """Remove them."""
    op.drop_table("catalogue_flags", schema="catalogue")
    op.drop_table("catalogue_records", schema="catalogue")
