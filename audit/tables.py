"""The tables of the exchange log, of the payload archive, and of the sequencer's queue, subtrees and leases.

Every column of a `log_` table is committed in a leaf, derived from one, or checked against another table by
`audit.verify`. They hold text in one exact form (ids with dashes, instants as `exchange.instant_text`), so that
any other spelling of the same value is a change too. Source: the migrations of the branch `core`.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

from storage import DatabaseClock, Instant, identifier, metadata

# On SQLite only INTEGER PRIMARY KEY is the row's own number, which can hold nothing but an integer.
_NUMBER = BigInteger().with_variant(Integer, "sqlite")

log_records = Table(
    "log_records",
    metadata,
    Column("id", Text, primary_key=True),
    Column("exchange_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("instant", Text, nullable=False),
    Column("system", Text),
    Column("operation", Text),
    Column("institution", Text),
    Column("outcome", Text),
    Column("leaf", Text, nullable=False),
    Index("ix_log_records_exchange_id_kind", "exchange_id", "kind"),
    Index("ix_log_records_instant", "instant"),
    schema="log",
)

log_checkpoints = Table(
    "log_checkpoints",
    metadata,
    Column("size", _NUMBER, primary_key=True, autoincrement=False),
    Column("note", Text, nullable=False),
    schema="log",
)

log_tree = Table(
    "log_tree",
    metadata,
    Column("idx", _NUMBER, primary_key=True, autoincrement=False),
    Column("record_id", Text, ForeignKey("log.log_records.id"), nullable=False),
    Column("leaf_hash", LargeBinary, nullable=False),
    # The size of the first checkpoint over this leaf: a checkpoint cannot go missing unnoticed.
    Column("checkpoint", _NUMBER, ForeignKey("log.log_checkpoints.size"), nullable=False),
    UniqueConstraint("record_id"),
    schema="log",
)

log_values = Table(
    "log_values",
    metadata,
    Column("record_id", Text, ForeignKey("log.log_records.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("value", Text, nullable=False),
    PrimaryKeyConstraint("record_id", "name"),
    # A hash index on PostgreSQL, whose ordered ones refuse long values.
    Index("ix_log_values_value", "value", postgresql_using="hash"),
    schema="log",
)

# What witnesses have signed of the checkpoints: the line as it stands in a note, and name and key id as it says.
log_cosignatures = Table(
    "log_cosignatures",
    metadata,
    Column("size", _NUMBER, ForeignKey("log.log_checkpoints.size"), nullable=False),
    Column("name", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("line", Text, nullable=False),
    PrimaryKeyConstraint("size", "name", "key_id"),
    schema="log",
)

# What an authority of time stamps has signed of them: its answer (DER), over the exact bytes of the note.
log_timestamps = Table(
    "log_timestamps",
    metadata,
    Column("size", _NUMBER, ForeignKey("log.log_checkpoints.size"), primary_key=True, autoincrement=False),
    Column("token", LargeBinary, nullable=False),
    schema="log",
)

LOG_TABLES = (log_records, log_tree, log_checkpoints, log_values, log_cosignatures, log_timestamps)

sequencer_queue = Table(
    "sequencer_queue",
    metadata,
    Column("position", _NUMBER, primary_key=True, autoincrement=True),
    Column("record_id", Text, ForeignKey("log.log_records.id"), nullable=False),
    # By the database's clock: the record's own instant is that of the host which wrote it.
    Column("queued_at", Instant, default=DatabaseClock()),
)

# How large the tree was at an instant of the database. What lies below a `swept` size holds no orphan.
sweeps = Table(
    "sweeps",
    metadata,
    Column("size", _NUMBER, primary_key=True, autoincrement=False),
    Column("noted_at", Instant, nullable=False),
    Column("swept", Boolean, nullable=False),
)

# Roots of full subtrees, see audit/nodes.py: a copy of what `log_tree` says, and not part of the evidence.
tree_nodes = Table(
    "tree_nodes",
    metadata,
    Column("height", SmallInteger, nullable=False),
    Column("number", _NUMBER, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    PrimaryKeyConstraint("height", "number"),
)

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("until", Instant, nullable=False),
)

# A database that was loaded from a backup says so, until `gateway recover` has begun the log again.
restorations = Table(
    "restorations",
    metadata,
    Column("id", identifier(), primary_key=True),
    Column("made_at", Instant, nullable=False),
    Column("size", _NUMBER, nullable=False),
    Column("restored_at", Instant, nullable=False),
    Column("recovered_at", Instant),
)

archive_keys = Table(
    "archive_keys",
    metadata,
    Column("id", identifier(), primary_key=True),
    Column("month", Text, nullable=False),
    Column("retention", Text, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    UniqueConstraint("month", "retention"),
    schema="archive",
)

archive_payloads = Table(
    "archive_payloads",
    metadata,
    Column("exchange_id", identifier(), nullable=False),
    Column("name", Text, nullable=False),
    Column("key_id", identifier(), ForeignKey("archive.archive_keys.id"), nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    PrimaryKeyConstraint("exchange_id", "name"),
    schema="archive",
)

# What must be kept beyond its retention; a hold that was released holds nothing, and its row stays.
archive_holds = Table(
    "archive_holds",
    metadata,
    Column("name", Text, primary_key=True),
    Column("made_at", Instant, nullable=False),
    Column("released_at", Instant),
    schema="archive",
)

archive_held = Table(
    "archive_held",
    metadata,
    Column("hold", Text, ForeignKey("archive.archive_holds.name"), nullable=False),
    Column("exchange_id", Text, nullable=False),
    PrimaryKeyConstraint("hold", "exchange_id"),
    Index("ix_archive_held_exchange_id", "exchange_id"),
    schema="archive",
)
