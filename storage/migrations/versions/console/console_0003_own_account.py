"""Passwords that were given, sessions as their owner sees them, and who is barred from the state login."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage import Instant

revision = "console_0003"
down_revision = "console_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table and the columns; accounts that are there keep the password that they have."""
    op.add_column("console_accounts", sa.Column("password_given_at", Instant()), schema=_schema())
    op.add_column(
        "console_sessions",
        sa.Column("address", sa.String(64), nullable=False, server_default=""),
        schema=_schema(),
    )
    op.add_column(
        "console_sessions",
        sa.Column("confined", sa.Boolean(), nullable=False, server_default=sa.false()),
        schema=_schema(),
    )
    op.create_table(
        "console_barred",
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("barred_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_console_barred"),
        schema="console",
    )


def downgrade() -> None:
    """Drop the table and the columns."""
    op.drop_table("console_barred", schema="console")
    op.drop_column("console_sessions", "confined", schema=_schema())
    op.drop_column("console_sessions", "address", schema=_schema())
    op.drop_column("console_accounts", "password_given_at", schema=_schema())


def _schema() -> str | None:
    """Of a table that is altered: Alembic translates schemas only where tables are made or dropped."""
    return "console" if op.get_bind().dialect.name == "postgresql" else None
