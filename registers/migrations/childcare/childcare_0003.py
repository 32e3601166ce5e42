"""Alerts on children in institutions, and the reports as they are handed over to social services.

Revision: childcare_0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage import Instant

revision = "childcare_0003"
down_revision = "childcare_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "childcare_alert",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("municipality", sa.Text(), nullable=True),
        sa.Column("institution", sa.Text(), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("months", sa.Integer(), nullable=True),
        sa.Column("made_on", sa.Date(), nullable=False),
        sa.Column("settled_on", sa.Date(), nullable=True),
        sa.Column("acknowledged_on", sa.Date(), nullable=True),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("superseded_at", Instant(), nullable=True),
        sa.Column("exchange_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("contract_version", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["spolis.spolis_person.id"],
            name=op.f("fk_childcare_alert_person_id_spolis_person"),
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_childcare_alert")),
        schema="childcare",
    )
    for name, columns, unique, current in (
        (op.f("ix_childcare_alert_id_recorded_at"), ["id", "recorded_at"], True, None),
        (op.f("ix_childcare_alert_person_id_recorded_at"), ["person_id", "recorded_at"], False, None),
        ("uq_childcare_alert_current", ["id"], True, _CURRENT),
        (
            "uq_childcare_alert_one",
            ["person_id", "kind", "recipient", "institution", "since", "due_on"],
            True,
            _CURRENT,
        ),
    ):
        op.create_index(
            name,
            "childcare_alert",
            columns,
            unique=unique,
            schema="childcare",
            postgresql_where=current,
            sqlite_where=current,
        )
    op.create_table(
        "childcare_handover",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("report_id", sa.Uuid(), nullable=False),
        sa.Column("report_version_id", sa.Uuid(), nullable=False),
        sa.Column("municipality", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("handed_at", Instant(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("acknowledged_at", Instant(), nullable=True),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("exchange_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("contract_version", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["report_version_id"],
            ["childcare.childcare_report.version_id"],
            name=op.f("fk_childcare_handover_report_version_id_childcare_report"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_childcare_handover")),
        schema="childcare",
    )
    for name, columns in (
        ("uq_childcare_handover_report_version_id", ["report_version_id"]),
        ("uq_childcare_handover_municipality_number", ["municipality", "number"]),
    ):
        op.create_index(op.f(name), "childcare_handover", columns, unique=True, schema="childcare")
    op.create_index(
        op.f("ix_childcare_handover_state"), "childcare_handover", ["state"], unique=False, schema="childcare"
    )


_CURRENT = sa.text("superseded_at IS NULL")
