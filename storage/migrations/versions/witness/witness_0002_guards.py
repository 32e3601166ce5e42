"""On SQLite triggers that refuse to change or remove a cosignature; PostgreSQL has rights for that."""

from __future__ import annotations

from alembic import op

revision = "witness_0002"
down_revision = "witness_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make them."""
    if op.get_bind().dialect.name != "sqlite":
        return
    for act in ("update", "delete"):
        op.execute(
            f"CREATE TRIGGER log_cosignatures_no_{act} BEFORE {act.upper()} ON log_cosignatures "
            f"BEGIN SELECT RAISE(ABORT, 'rows of the exchange log are never changed'); END"
        )


def downgrade() -> None:
    """Remove them."""
    if op.get_bind().dialect.name == "sqlite":
        for act in ("update", "delete"):
            op.execute(f"DROP TRIGGER log_cosignatures_no_{act}")
