"""On SQLite triggers that refuse to change or remove a time stamp; PostgreSQL has rights for that."""

from __future__ import annotations

from alembic import op

revision = "stamps_0002"
down_revision = "stamps_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make them."""
    if op.get_bind().dialect.name != "sqlite":
        return
    for act in ("update", "delete"):
        op.execute(
            f"CREATE TRIGGER log_timestamps_no_{act} BEFORE {act.upper()} ON log_timestamps "
            f"BEGIN SELECT RAISE(ABORT, 'rows of the exchange log are never changed'); END"
        )


def downgrade() -> None:
    """Remove them."""
    if op.get_bind().dialect.name == "sqlite":
        for act in ("update", "delete"):
            op.execute(f"DROP TRIGGER log_timestamps_no_{act}")
