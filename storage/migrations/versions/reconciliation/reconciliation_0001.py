"""Runs of comparisons, differences with what happened to them, and correction requests.

Revision: reconciliation_0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage import Instant
from storage.migrate import create_schema

revision = "reconciliation_0001"
down_revision = None
branch_labels = ("reconciliation",)
depends_on = "spolis_0001"

_TABLES = (
    "reconciliation_request",
    "reconciliation_event",
    "reconciliation_difference",
    "reconciliation_item",
    "reconciliation_run",
)


def upgrade() -> None:
    """Make the tables."""
    create_schema("reconciliation")
    op.create_table(
        "reconciliation_run",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("selection", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("persons", sa.Integer(), nullable=False),
        sa.Column("not_held", sa.Integer(), nullable=False),
        sa.Column("begun_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliation_run")),
        schema="reconciliation",
    )
    op.create_index(
        "uq_reconciliation_run_under_way",
        "reconciliation_run",
        ["system", "selection"],
        unique=True,
        schema="reconciliation",
        postgresql_where=sa.text("ended_at IS NULL"),
        sqlite_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "reconciliation_item",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("arguments", sa.JSON(), nullable=False),
        sa.Column("thing_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("exchange_id", sa.Uuid(), nullable=True),
        sa.Column("ours", sa.Integer(), nullable=False),
        sa.Column("theirs", sa.Integer(), nullable=False),
        sa.Column("opened", sa.Integer(), nullable=False),
        sa.Column("standing", sa.Integer(), nullable=False),
        sa.Column("settled", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["reconciliation.reconciliation_run.id"],
            name=op.f("fk_reconciliation_item_run_id_reconciliation_run"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliation_item")),
        schema="reconciliation",
    )
    op.create_index(
        op.f("ix_reconciliation_item_run_id_state_id"),
        "reconciliation_item",
        ["run_id", "state", "id"],
        unique=False,
        schema="reconciliation",
    )
    op.create_table(
        "reconciliation_difference",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("register_table", sa.Text(), nullable=False),
        sa.Column("register_column", sa.Text(), nullable=True),
        sa.Column("row_key", sa.JSON(), nullable=False),
        sa.Column("thing", sa.Text(), nullable=False),
        sa.Column("thing_id", sa.Uuid(), nullable=True),
        sa.Column("ours", sa.JSON(), nullable=True),
        sa.Column("theirs", sa.JSON(), nullable=True),
        sa.Column("ours_version_id", sa.Uuid(), nullable=True),
        sa.Column("ours_source", sa.Text(), nullable=True),
        sa.Column("ours_exchange_id", sa.Uuid(), nullable=True),
        sa.Column("ours_recorded_at", Instant(), nullable=True),
        sa.Column("theirs_source", sa.Text(), nullable=False),
        sa.Column("theirs_exchange_id", sa.Uuid(), nullable=False),
        sa.Column("theirs_contract_version", sa.Text(), nullable=False),
        sa.Column("theirs_mapping_version", sa.Text(), nullable=False),
        sa.Column("theirs_recorded_at", Instant(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=True),
        sa.Column("seen_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliation_difference")),
        schema="reconciliation",
    )
    op.create_index(
        op.f("ix_reconciliation_difference_person_id_register_table"),
        "reconciliation_difference",
        ["person_id", "register_table"],
        unique=False,
        schema="reconciliation",
    )
    op.create_index(
        op.f("ix_reconciliation_difference_state_id"),
        "reconciliation_difference",
        ["state", "id"],
        unique=False,
        schema="reconciliation",
    )
    op.create_index(
        "uq_reconciliation_difference_standing",
        "reconciliation_difference",
        ["person_id", "system", "field", "thing"],
        unique=True,
        schema="reconciliation",
        postgresql_where=sa.text("state IN ('open', 'returned')"),
        sqlite_where=sa.text("state IN ('open', 'returned')"),
    )
    op.create_table(
        "reconciliation_event",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("difference_id", sa.Uuid(), nullable=False),
        sa.Column("instant", Instant(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("exchange_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["difference_id"],
            ["reconciliation.reconciliation_difference.id"],
            name=op.f("fk_reconciliation_event_difference_id_reconciliation_difference"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliation_event")),
        schema="reconciliation",
    )
    op.create_index(
        op.f("ix_reconciliation_event_difference_id_instant"),
        "reconciliation_event",
        ["difference_id", "instant"],
        unique=False,
        schema="reconciliation",
    )
    op.create_table(
        "reconciliation_request",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("difference_id", sa.Uuid(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("made_at", Instant(), nullable=False),
        sa.Column("sent_at", Instant(), nullable=True),
        sa.Column("way", sa.Text(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("answered_at", Instant(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["difference_id"],
            ["reconciliation.reconciliation_difference.id"],
            name=op.f("fk_reconciliation_request_difference_id_reconciliation_difference"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliation_request")),
        schema="reconciliation",
    )
    op.create_index(
        "uq_reconciliation_request_under_way",
        "reconciliation_request",
        ["difference_id"],
        unique=True,
        schema="reconciliation",
        postgresql_where=sa.text("state IN ('prepared', 'sent')"),
        sqlite_where=sa.text("state IN ('prepared', 'sent')"),
    )


def downgrade() -> None:
    """Drop the tables with all that they hold."""
    for table in _TABLES:
        op.drop_table(table, schema="reconciliation")
