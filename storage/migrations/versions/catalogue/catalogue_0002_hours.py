"""How many exchanges ended in each hour, by system and outcome.

Revision: catalogue_0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "catalogue_0002"
down_revision = "catalogue_0001"
branch_labels = None
depends_on = None

_RECORDS = sa.Table(
    "catalogue_records",
    sa.MetaData(),
    *(sa.Column(name, sa.Text()) for name in ("instant", "kind", "system", "outcome")),
    schema="catalogue",
)


def upgrade() -> None:
    """Make the table, and count what the catalogue holds already."""
    hours = op.create_table(
        "catalogue_hours",
        sa.Column("hour", sa.Text(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("exchanges", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hour", "system", "outcome", name=op.f("pk_catalogue_hours")),
        schema="catalogue",
    )
    hour = sa.func.substr(_RECORDS.c.instant, 1, 13)
    system = sa.func.coalesce(_RECORDS.c.system, "")
    outcome = sa.func.coalesce(_RECORDS.c.outcome, "")
    counted = (
        sa.select(hour, system, outcome, sa.func.count())
        .where(_RECORDS.c.kind == "outcome")
        .group_by(sa.literal_column("1"), sa.literal_column("2"), sa.literal_column("3"))
    )
    op.execute(sa.insert(hours).from_select(["hour", "system", "outcome", "exchanges"], counted))


def downgrade() -> None:
    """Remove it."""
    op.drop_table("catalogue_hours", schema="catalogue")
