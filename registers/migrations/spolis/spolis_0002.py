"""What is kept of register rows whose purpose has ended: without a person.

Revision: spolis_0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "spolis_0002"
down_revision = "spolis_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "spolis_anonymised",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("run", sa.Uuid(), nullable=False),
        sa.Column("register_table", sa.Text(), nullable=False),
        sa.Column("birth_year", sa.Integer(), nullable=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_spolis_anonymised")),
        schema="spolis",
    )
    op.create_index(op.f("ix_spolis_anonymised_run"), "spolis_anonymised", ["run"], schema="spolis")


def downgrade() -> None:
    """Remove it."""
    op.drop_table("spolis_anonymised", schema="spolis")
