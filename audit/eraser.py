"""Erase what has been kept for as long as its retention class asks: values, salts, subject index, payloads, data keys.

The leaves and the tree stay as they are, so every proof still verifies. What is erased is on record, with a place in
the tree, before the first value goes; killed at any moment, the same call goes on. An exchange is erased as a whole,
once its last record is old enough; what a legal hold keeps is left.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, and_, delete, exists, func, select, tuple_

from audit import guards, leaf, retention
from audit.archive import HOLD, LOST
from audit.erasure import Erasure
from audit.holds import exclusively, held
from audit.leaf import Kind
from audit.retention import RetentionClass
from audit.tables import archive_holds, archive_keys, archive_payloads, log_records, log_tree, log_values
from exchange import Json, instant_text
from storage import reading
from storage.statements import Row

Progress = Callable[[int, int | None], None]

_BATCH = 500


@dataclass(slots=True)
class Scope:
    """What an erasure of a class before an instant takes, and what it leaves.

    `held` exchanges are under a legal hold, `running` ones have not ended or have a record from after the instant.
    """

    retention: RetentionClass
    before: datetime
    exchanges: int = 0
    held: int = 0
    running: int = 0
    values: int = 0
    payloads: int = 0
    names: set[str] = field(default_factory=set)

    def facts(self) -> dict[str, Json]:
        """What stands in the erasure's leaf."""
        return {
            "class": self.retention.name,
            "months": self.retention.months,
            "before": instant_text(self.before),
            "names": list[Json](sorted(self.names)),
            "exchanges": self.exchanges,
            "values": self.values,
            "payloads": self.payloads,
            "held": self.held,
        }


@dataclass(frozen=True, slots=True)
class Erased:
    """How many rows of values and of payloads went, and how many data keys were destroyed."""

    values: int
    payloads: int
    keys: int


def look(
    engine: Engine, kept: RetentionClass, before: datetime, progress: Progress, size: int = _BATCH
) -> Scope:
    """Count what is to be erased; nothing is changed."""
    scope = Scope(kept, before)
    for seen, batch in _batches(engine, kept, before, size):
        progress(seen, None)
        with reading(engine).begin() as connection:
            over, keeps = _sorted(connection, batch, before)
            found = connection.execute(
                select(log_values.c.name, func.count().label("number"))
                .join(log_records, log_records.c.id == log_values.c.record_id)
                .where(log_records.c.exchange_id.in_(over))
                .group_by(log_values.c.name)
            ).all()
            payloads = _count(connection, over)
        scope.held, scope.running = scope.held + keeps["held"], scope.running + keeps["running"]
        scope.names |= {row.name.partition(".")[0] for row in found}
        scope.values += sum(row.number for row in found)
        scope.payloads += payloads
        scope.exchanges += len(over)
    return scope


def on_record(engine: Engine, scope: Scope) -> bool:
    """Whether an erasure with a place in the tree excuses all of this already: one that was interrupted."""
    before = instant_text(scope.before)
    statement = (
        select(log_tree.c.idx, log_records.c.leaf)
        .join(log_tree, log_tree.c.record_id == log_records.c.id)
        .where(log_records.c.kind == Kind.ERASURE.value)
    )
    with reading(engine).begin() as connection:
        return any(
            one.retention == scope.retention.name and one.before == before and scope.names <= one.names
            for one in (Erasure.read(*row) for row in connection.execute(statement))
        )


def erase(engine: Engine, scope: Scope, progress: Progress, size: int = _BATCH) -> Erased:
    """Delete what the erasure on record names, batch by batch, each in a transaction of its own.

    `engine` connects as the eraser. Raises: the errors of the database; the same call then goes on.
    """
    gone: Counter[str] = Counter()
    for _, batch in _batches(engine, scope.retention, scope.before, size):
        with engine.begin() as connection:
            gone += _erase(connection, batch, scope.before)
        progress(gone["values"], scope.values)
    with engine.begin() as connection:
        keys = _destroy_keys(connection, scope)
    return Erased(gone["values"], gone["payloads"], keys)


def _erase(connection: Connection, batch: Sequence[str], before: datetime) -> Counter[str]:
    exclusively(connection)  # no hold comes between the look and the deletion
    over, _ = _sorted(connection, batch, before)
    if not over:
        return Counter()
    records = select(log_records.c.id).where(log_records.c.exchange_id.in_(over))
    with guards.lifted(connection):
        values = connection.execute(delete(log_values).where(log_values.c.record_id.in_(records)))
    payloads = connection.execute(
        delete(archive_payloads).where(archive_payloads.c.exchange_id.in_(map(uuid.UUID, over)))
    )
    return Counter(values=values.rowcount, payloads=payloads.rowcount)


def _destroy_keys(connection: Connection, scope: Scope) -> int:
    """Data keys of the class whose month is over and under which nothing lies any more; those of released holds too.

    With its key gone, what lies sealed in copies of the rows elsewhere can be opened by nobody who has no older copy
    of the key.
    """
    exclusively(connection)
    month = f"{scope.before.astimezone(UTC):%Y-%m}"
    names = archive_keys.c.retention
    ours = (names == scope.retention.name) | names.startswith(scope.retention.name + LOST, autoescape=True)
    standing = exists().where(archive_holds.c.name == names, archive_holds.c.released_at.is_(None))
    of_hold = and_(archive_keys.c.month == HOLD, ~standing)
    unused = ~exists().where(archive_payloads.c.key_id == archive_keys.c.id)
    gone = connection.execute(
        delete(archive_keys).where((and_(ours, archive_keys.c.month < month)) | of_hold, unused)
    )
    return gone.rowcount


def _batches(
    engine: Engine, kept: RetentionClass, before: datetime, size: int
) -> Iterator[tuple[int, list[str]]]:
    """Exchanges of the class from before the instant that have something left to erase, oldest first.

    With how many records were looked at so far.
    """
    later = log_records.alias()
    of_later = log_tree.alias()
    ends_later = (
        exists()
        .where(later.c.exchange_id == log_records.c.exchange_id, later.c.kind == log_records.c.kind)
        .where(of_later.c.record_id == later.c.id, of_later.c.idx > log_tree.c.idx)
    )
    page = (
        select(log_records.c.instant, log_records.c.id, log_records.c.exchange_id, log_records.c.leaf)
        .join(log_tree, log_tree.c.record_id == log_records.c.id)
        .where(
            log_records.c.kind.in_([Kind.OUTCOME.value, Kind.ADMIN.value, Kind.REFUSALS.value]),
            log_records.c.instant < instant_text(before),
            ~and_(log_records.c.kind == Kind.OUTCOME.value, ends_later),
        )
        .order_by(log_records.c.instant, log_records.c.id)
        .limit(size)
    )
    seen, last = 0, ("", "")
    while True:
        with reading(engine).begin() as connection:
            after = tuple_(log_records.c.instant, log_records.c.id) > last
            rows = connection.execute(page.where(after)).all()
            if not rows:
                return
            seen, last = seen + len(rows), (rows[-1].instant, rows[-1].id)
            found = _classes(connection, rows)
            ours = {exchange for exchange, name in found.items() if name == kept.name}
            batch = sorted(_with_rows(connection, ours))
        yield seen, batch


def _classes(connection: Connection, rows: Sequence[Row]) -> dict[str, str]:
    """The class of each exchange, and of each record that is of none."""
    found = {}
    for row in rows:
        members = leaf.parse(row.leaf)
        if members["kind"] != Kind.OUTCOME.value:
            found[row.exchange_id] = retention.of(str(members["kind"]), members)
    exchanges = [row.exchange_id for row in rows if row.exchange_id not in found]
    outcomes: dict[str, list[dict[str, Json]]] = {}
    for row in connection.execute(
        select(log_records.c.exchange_id, log_records.c.leaf).where(
            log_records.c.exchange_id.in_(exchanges), log_records.c.kind == Kind.OUTCOME.value
        )
    ):
        outcomes.setdefault(row.exchange_id, []).append(leaf.parse(row.leaf))
    return found | {name: retention.of_exchange(leaves) for name, leaves in outcomes.items()}


def _with_rows(connection: Connection, exchanges: set[str]) -> set[str]:
    values = (
        select(log_records.c.exchange_id)
        .join(log_values, log_values.c.record_id == log_records.c.id)
        .where(log_records.c.exchange_id.in_(exchanges))
    )
    payloads = select(archive_payloads.c.exchange_id).where(
        archive_payloads.c.exchange_id.in_(map(uuid.UUID, exchanges))
    )
    return set(connection.execute(values.distinct()).scalars()) | {
        str(one) for one in connection.execute(payloads.distinct()).scalars()
    }


def _sorted(
    connection: Connection, batch: Sequence[str], before: datetime
) -> tuple[list[str], Mapping[str, int]]:
    """Those of the exchanges that may be erased; and how many are held, and how many go on."""
    if not batch:
        return [], Counter()
    rows = connection.execute(
        select(
            log_records.c.exchange_id,
            func.max(log_records.c.instant).label("last"),
            func.count().label("records"),
            func.count(log_tree.c.idx).label("placed"),
        )
        .outerjoin(log_tree, log_tree.c.record_id == log_records.c.id)
        .where(log_records.c.exchange_id.in_(batch))
        .group_by(log_records.c.exchange_id)
    ).all()
    queued = _queued(connection, batch)
    under_hold = held(connection, batch)
    over: list[str] = []
    keeps: Counter[str] = Counter()
    for row in rows:
        if row.exchange_id in under_hold:
            keeps["held"] += 1
        elif row.last >= instant_text(before) or row.placed < row.records or row.exchange_id in queued:
            keeps["running"] += 1
        else:
            over.append(row.exchange_id)
    return over, keeps


def _queued(connection: Connection, batch: Sequence[str]) -> set[str]:
    """Exchanges that go on later: their last outcome is `queued`."""
    later: Any = log_records.alias()
    ended = exists().where(
        later.c.exchange_id == log_records.c.exchange_id,
        later.c.kind == Kind.OUTCOME.value,
        later.c.outcome != "queued",
    )
    statement = select(log_records.c.exchange_id).where(
        log_records.c.exchange_id.in_(batch), log_records.c.outcome == "queued", ~ended
    )
    return set(connection.execute(statement).scalars())


def _count(connection: Connection, exchanges: Sequence[str]) -> int:
    statement = (
        select(func.count())
        .select_from(archive_payloads)
        .where(archive_payloads.c.exchange_id.in_(map(uuid.UUID, exchanges)))
    )
    return connection.execute(statement).scalar_one()
