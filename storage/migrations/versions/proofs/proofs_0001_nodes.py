"""The roots of the tree's full subtrees; the sequencer makes those of a log that has none yet."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "proofs_0001"
down_revision = None
branch_labels = ("proofs",)
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "tree_nodes",
        sa.Column("height", sa.SmallInteger(), nullable=False),
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("height", "number", name="pk_tree_nodes"),
    )


def downgrade() -> None:
    """Remove the table."""
    op.drop_table("tree_nodes")
