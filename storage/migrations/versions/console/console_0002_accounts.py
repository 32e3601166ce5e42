"""Accounts of the console, and sign-ins by the state login that are under way."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage import Instant

revision = "console_0002"
down_revision = "console_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "console_accounts",
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("totp", sa.LargeBinary(), nullable=False),
        sa.Column("totp_step", sa.BigInteger(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("locked_until", Instant(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("disabled_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_console_accounts"),
        schema="console",
    )
    op.create_table(
        "console_flows",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("began_at", Instant(), nullable=False),
        sa.Column("leads_to", sa.String(1000), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_console_flows"),
        schema="console",
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("console_flows", schema="console")
    op.drop_table("console_accounts", schema="console")
