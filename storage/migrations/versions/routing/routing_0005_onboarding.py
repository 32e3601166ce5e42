"""What is agreed with a partner, the evidence of it, and when a certificate of it retires."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage import Instant

revision = "routing_0005"
down_revision = "routing_0004"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables; a partner without a row in them has the terms that every partner has."""
    op.add_column("routing_partners", sa.Column("retires_at", Instant()), schema=_schema())
    op.create_table(
        "routing_partner_terms",
        sa.Column("partner", sa.String(100), primary_key=True),
        sa.Column("contact", sa.String(254)),
        sa.Column("notice_days", sa.Integer, nullable=False),
        sa.Column("signature_profile", sa.String(20), nullable=False),
        schema="routing",
    )
    op.create_table(
        "routing_partner_evidence",
        sa.Column("position", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("partner", sa.String(100), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("number", sa.String(100)),
        sa.Column("signed_on", sa.Date, nullable=False),
        sa.Column("valid_until", sa.Date),
        sa.Column("reference", sa.String(200), nullable=False),
        sa.Column("sha256", sa.String(64)),
        sa.Column("recorded_at", Instant(), nullable=False),
        schema="routing",
    )
    op.create_index(
        "ix_routing_partner_evidence_partner", "routing_partner_evidence", ["partner"], schema="routing"
    )


def downgrade() -> None:
    """Drop the tables and the column."""
    op.drop_table("routing_partner_evidence", schema="routing")
    op.drop_table("routing_partner_terms", schema="routing")
    op.drop_column("routing_partners", "retires_at", schema=_schema())


def _schema() -> str | None:
    """Of a table that is altered: Alembic translates schemas only where tables are made or dropped."""
    return "routing" if op.get_bind().dialect.name == "postgresql" else None
