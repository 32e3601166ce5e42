"""The exchange log, the payload archive, the sequencer's queue and the leases."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage.migrate import create_schema

revision = "core_0001"
down_revision = None
branch_labels = ("core",)
depends_on = None

# On SQLite only INTEGER PRIMARY KEY is the row's own number, which can hold nothing but an integer.
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    create_schema("log")
    create_schema("archive")
    op.create_table(
        "log_records",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("exchange_id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("instant", sa.Text, nullable=False),
        sa.Column("system", sa.Text),
        sa.Column("operation", sa.Text),
        sa.Column("institution", sa.Text),
        sa.Column("outcome", sa.Text),
        sa.Column("leaf", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_log_records"),
        schema="log",
    )
    op.create_index("ix_log_records_exchange_id_kind", "log_records", ["exchange_id", "kind"], schema="log")
    op.create_index("ix_log_records_instant", "log_records", ["instant"], schema="log")
    op.create_table(
        "log_checkpoints",
        sa.Column("size", _NUMBER, nullable=False, autoincrement=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("size", name="pk_log_checkpoints"),
        schema="log",
    )
    op.create_table(
        "log_tree",
        sa.Column("idx", _NUMBER, nullable=False, autoincrement=False),
        sa.Column("record_id", sa.Text, nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary, nullable=False),
        sa.Column("checkpoint", _NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("idx", name="pk_log_tree"),
        sa.UniqueConstraint("record_id", name="uq_log_tree_record_id"),
        sa.ForeignKeyConstraint(
            ["record_id"], ["log.log_records.id"], name="fk_log_tree_record_id_log_records"
        ),
        sa.ForeignKeyConstraint(
            ["checkpoint"], ["log.log_checkpoints.size"], name="fk_log_tree_checkpoint_log_checkpoints"
        ),
        schema="log",
    )
    op.create_table(
        "log_values",
        sa.Column("record_id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("salt", sa.LargeBinary, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("record_id", "name", name="pk_log_values"),
        sa.ForeignKeyConstraint(
            ["record_id"], ["log.log_records.id"], name="fk_log_values_record_id_log_records"
        ),
        schema="log",
    )
    op.create_index("ix_log_values_value", "log_values", ["value"], schema="log", postgresql_using="hash")
    op.create_table(
        "sequencer_queue",
        sa.Column("position", _NUMBER, nullable=False, autoincrement=True),
        sa.Column("record_id", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_sequencer_queue"),
        sa.ForeignKeyConstraint(
            ["record_id"], ["log.log_records.id"], name="fk_sequencer_queue_record_id_log_records"
        ),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )
    op.create_table(
        "archive_keys",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("month", sa.Text, nullable=False),
        sa.Column("retention", sa.Text, nullable=False),
        sa.Column("wrapped", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_archive_keys"),
        sa.UniqueConstraint("month", "retention", name="uq_archive_keys_month_retention"),
        schema="archive",
    )
    op.create_table(
        "archive_payloads",
        sa.Column("exchange_id", sa.Uuid, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("key_id", sa.Uuid, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("exchange_id", "name", name="pk_archive_payloads"),
        sa.ForeignKeyConstraint(
            ["key_id"], ["archive.archive_keys.id"], name="fk_archive_payloads_key_id_archive_keys"
        ),
        schema="archive",
    )


def downgrade() -> None:
    raise NotImplementedError("the exchange log is never removed")
