"""Social enterprises.

Revision: enterprises_0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage import Instant
from storage.migrate import create_schema

revision = "enterprises_0001"
down_revision = None
branch_labels = ("enterprises",)
depends_on = None

_TABLE = "enterprises_social_enterprise"


def upgrade() -> None:
    """Make the table."""
    create_schema("enterprises")
    op.create_table(
        _TABLE,
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("registration_number", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("decided_on", sa.Date(), nullable=False),
        sa.Column("decision_number", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("superseded_at", Instant(), nullable=True),
        sa.Column("exchange_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("contract_version", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("version_id", name=op.f(f"pk_{_TABLE}")),
        schema="enterprises",
    )
    op.create_index(
        op.f(f"ix_{_TABLE}_id_recorded_at"), _TABLE, ["id", "recorded_at"], unique=True, schema="enterprises"
    )
    for name, columns in (("current", ["id"]), ("one", ["registration_number"])):
        op.create_index(
            f"uq_{_TABLE}_{name}",
            _TABLE,
            columns,
            unique=True,
            schema="enterprises",
            postgresql_where=sa.text("superseded_at IS NULL"),
            sqlite_where=sa.text("superseded_at IS NULL"),
        )


def downgrade() -> None:
    """Drop the table with all that it holds."""
    op.drop_table(_TABLE, schema="enterprises")
