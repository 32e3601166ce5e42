"""Sessions of the console."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage.migrate import create_schema

revision = "console_0001"
down_revision = None
branch_labels = ("console",)
depends_on = "core_0001"


def upgrade() -> None:
    """Make the table."""
    create_schema("console")
    op.create_table(
        "console_sessions",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("csrf", sa.String(64), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_console_sessions"),
        schema="console",
    )
    op.create_index("ix_console_sessions_name", "console_sessions", ["name"], schema="console")


def downgrade() -> None:
    """Remove the table."""
    op.drop_table("console_sessions", schema="console")
