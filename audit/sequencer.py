"""The sequencer gives records their place in the Merkle tree and signs checkpoints over it.

Many processes may run one; the lease lets one work at a time. Index, leaf hash, the queue's emptying and the signed
checkpoint over them are one transaction that holds the lease's row, so a late holder cannot write beside a new one.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, Engine, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from audit import checkpoint, leaf, nodes, origin, restorations
from audit.merkle import Frontier, leaf_hash
from audit.tables import leases, log_checkpoints, log_records, log_tree, sequencer_queue
from errors import ConfigurationError, LogUnavailable
from exchange import Environment, Json
from storage import DatabaseClock, database_now, reading

_LEASE = "sequencer"
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_log = logging.getLogger("gateway.audit.sequencer")


def waiting(connection: Connection) -> tuple[int, float | None]:
    """How many records have no place in the tree yet, and for how many seconds the oldest waits by the database's
    clock; None when none does.
    """
    pending, oldest, now = connection.execute(
        select(func.count(), func.min(sequencer_queue.c.queued_at), DatabaseClock()).select_from(
            sequencer_queue
        )
    ).one()
    return pending, None if oldest is None else max(0.0, (now - oldest).total_seconds())


class Sequencer:
    """One candidate for the lease. `batch` records at most go under one checkpoint."""

    def __init__(
        self,
        engine: Engine,
        key: Ed25519PrivateKey,
        *,
        environment: Environment,
        checkpoint_seconds: float = 1.0,
        lease_seconds: float = 5.0,
        batch: int = 2000,
    ) -> None:
        self._engine = engine
        self._key = key
        self._environment = environment
        self._pause = checkpoint_seconds
        self._lease = timedelta(seconds=max(lease_seconds, 2 * checkpoint_seconds))
        self._batch = batch
        self._holder = str(uuid.uuid4())
        self._frontier = Frontier()
        self._begun = False

    def run_once(self) -> int:
        """Sequence what waits, at most one batch; 0 also when another holds the lease.

        Raises: LogUnavailable when the database fails or the tree contradicts its last checkpoint (then nothing is
        written until `audit verify` is heeded), ConfigurationError when the log is of another environment or key.
        """
        try:
            if not self._begun:
                origin.ensure(self._engine, self._environment, self._key.public_key())
                self._begun = True
            if not self._is_due():
                return 0
            # What others have written meanwhile is read before the write lock is taken.
            with reading(self._engine).begin() as connection:
                ahead = self._grown(connection, self._frontier)
            with self._engine.begin() as connection:
                if not self._take_lease(connection):
                    return 0
                frontier, sequenced = self._sequence(connection, self._grown(connection, ahead))
            self._frontier = frontier
        except SQLAlchemyError as error:
            raise LogUnavailable(type(error).__name__) from error
        return sequenced

    def step(self, _stop: threading.Event) -> float:
        """Sequence once and give the seconds to rest: at most `checkpoint_seconds` behind.

        Raises: LogUnavailable, ConfigurationError.
        """
        return 0.0 if self.run_once() >= self._batch else self._pause

    def lag(self) -> float | None:
        """For how many seconds the oldest record without a place waits; None when none does."""
        with reading(self._engine).begin() as connection:
            return waiting(connection)[1]

    def release(self) -> None:
        """Give the lease back, so that another need not wait until it runs out.

        Raises: LogUnavailable.
        """
        statement = update(leases).where(leases.c.name == _LEASE, leases.c.holder == self._holder)
        try:
            with self._engine.begin() as connection:
                connection.execute(statement.values(until=_LONG_AGO))
        except SQLAlchemyError as error:
            raise LogUnavailable(type(error).__name__) from error

    def begin_again(self, lost: Json, also: Callable[[Connection], None]) -> origin.Origin:
        """Go on under a new origin, after a restore: the next leaf names the tree so far and what was `lost` after it.

        What `also` does stands in the same transaction, and with it that the recovery has taken place.
        Raises: LogUnavailable when the database fails, the tree contradicts its last checkpoint, or another process
        holds the lease; ConfigurationError for a tree without leaves.
        """
        try:
            with self._engine.begin() as connection:
                if not self._take_lease(connection):
                    raise LogUnavailable("another process sequences: stop it first")
                frontier = self._grown(connection, Frontier())
                before = self._checked(connection, frontier)
                if before is None:
                    raise ConfigurationError(
                        "no leaf of the log is in this database: begin with an empty one"
                    )
                also(connection)
                tree = frontier.size, frontier.root()
                record = origin.again(before, self._environment, self._key.public_key(), tree, lost)
                connection.execute(
                    insert(log_records).values(id=record.id, leaf=record.leaf, **record.columns)
                )
                ours = _origin(record.leaf)
                self._append(connection, frontier, [(record.id, record.leaf)], ours)
                restorations.settle(connection)
            self._frontier = frontier
        except SQLAlchemyError as error:
            raise LogUnavailable(type(error).__name__) from error
        return ours

    def _is_due(self) -> bool:
        with reading(self._engine).begin() as connection:
            return connection.execute(select(sequencer_queue.c.position).limit(1)).first() is not None

    def _take_lease(self, connection: Connection) -> bool:
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        connection.execute(
            dialect.insert(leases)
            .values(name=_LEASE, holder="", until=_LONG_AGO)
            .on_conflict_do_nothing(index_elements=["name"])
        )
        now = database_now(connection)
        # The row stays locked until the commit; on SQLite the whole database is.
        row = connection.execute(
            select(leases.c.holder, leases.c.until)
            .where(leases.c.name == _LEASE)
            .with_for_update(skip_locked=True)
        ).first()
        if row is None or (row.holder != self._holder and row.until > now):
            return False
        connection.execute(
            update(leases).where(leases.c.name == _LEASE).values(holder=self._holder, until=now + self._lease)
        )
        return True

    def _grown(self, connection: Connection, frontier: Frontier) -> Frontier:
        """The frontier with the leaves that others have added to the tree."""
        last = connection.execute(select(log_tree.c.idx).order_by(log_tree.c.idx.desc()).limit(1)).scalar()
        size = 0 if last is None else last + 1
        if size < frontier.size:
            raise LogUnavailable(f"the tree has shrunk from {frontier.size} leaves to {size}")
        grown = frontier.copy()
        while grown.size < size:
            rows = connection.execute(
                select(log_tree.c.idx, log_tree.c.leaf_hash)
                .where(log_tree.c.idx >= grown.size)
                .order_by(log_tree.c.idx)
                .limit(10_000)
            ).all()
            for row in rows:
                if row.idx != grown.size:
                    raise LogUnavailable(f"leaf {grown.size} is missing from the tree")
                grown.append(row.leaf_hash)
        return grown

    def _sequence(self, connection: Connection, frontier: Frontier) -> tuple[Frontier, int]:
        ours = self._checked(connection, frontier)
        later = [log_records.c.kind != leaf.Kind.ORIGIN.value] if ours is None else []
        queued = connection.execute(
            select(
                sequencer_queue.c.position,
                sequencer_queue.c.record_id,
                log_records.c.leaf,
                log_tree.c.idx,
            )
            .join(log_records, log_records.c.id == sequencer_queue.c.record_id)
            .outerjoin(log_tree, log_tree.c.record_id == sequencer_queue.c.record_id)
            .order_by(*later, sequencer_queue.c.position)
            .limit(self._batch)
        ).all()
        if not queued:
            return frontier, 0
        waiting = {row.record_id: row for row in queued if row.idx is None}
        if waiting:
            records = [(row.record_id, row.leaf) for row in waiting.values()]
            self._append(connection, frontier, records, ours or _origin(records[0][1]))
        connection.execute(
            delete(sequencer_queue).where(sequencer_queue.c.position.in_([row.position for row in queued]))
        )
        return frontier, len(waiting)

    def _append(
        self,
        connection: Connection,
        frontier: Frontier,
        records: Sequence[tuple[str, str]],
        ours: origin.Origin,
    ) -> None:
        leaves = []
        for record_id, text in records:
            hashed = leaf_hash(text.encode())
            leaves.append({"idx": frontier.size, "record_id": record_id, "leaf_hash": hashed})
            frontier.append(hashed)
        signed = checkpoint.Checkpoint(ours.line, frontier.size, frontier.root()).signed(self._key)
        connection.execute(insert(log_checkpoints).values(size=signed.size, note=signed.note()))
        connection.execute(insert(log_tree), [row | {"checkpoint": signed.size} for row in leaves])
        nodes.extend(connection, signed.size)

    def _checked(self, connection: Connection, frontier: Frontier) -> origin.Origin | None:
        """The origin of a tree that its own last checkpoint confirms; to sign another upon it would whitewash it."""
        newest = connection.execute(
            select(log_checkpoints.c.note).order_by(log_checkpoints.c.size.desc()).limit(1)
        ).scalar()
        if newest is None and frontier.size == 0:
            return None
        try:
            signed = checkpoint.parse(newest or "")
        except ValueError as error:
            raise LogUnavailable("the tree has no readable checkpoint; run `gateway audit verify`") from error
        # The origin that the last checkpoint names: a log that was restored has several.
        named = connection.execute(
            select(log_records.c.leaf)
            .join(log_tree, log_tree.c.record_id == log_records.c.id)
            .where(
                log_records.c.exchange_id == signed.origin.rpartition("/")[2],
                log_records.c.kind == leaf.Kind.ORIGIN.value,
            )
        ).scalar()
        ours = _origin(named or "")
        true = checkpoint.Checkpoint(ours.line, frontier.size, frontier.root(), signed.signatures)
        if signed != true or not signed.signed_by(self._key.public_key()):
            raise LogUnavailable("the tree contradicts its last checkpoint; run `gateway audit verify`")
        return ours


def _origin(text: str) -> origin.Origin:
    try:
        return origin.read(leaf.parse(text))
    except ValueError as error:
        raise LogUnavailable("the log does not begin with its origin; run `gateway audit verify`") from error
