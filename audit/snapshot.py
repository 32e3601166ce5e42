"""The log's rows as they lie in the database at one moment, in batches: constant memory, whatever the length.

Values come as the driver gives them, without SQLAlchemy's types: a number or a blob where text belongs must be seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy import Column, Connection, Engine, case, exists, func, inspect, or_, select, type_coerce
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import NullType

from audit.tables import (
    LOG_TABLES,
    log_checkpoints,
    log_cosignatures,
    log_records,
    log_timestamps,
    log_tree,
    log_values,
    sequencer_queue,
)
from storage import reading

_BATCH = 2000


class Place(NamedTuple):
    """A row of `log_tree`."""

    idx: Any
    record_id: Any
    leaf_hash: Any
    checkpoint: Any


class Stored(NamedTuple):
    """A row of `log_records`; all None where the record is missing."""

    id: Any
    exchange_id: Any
    kind: Any
    instant: Any
    system: Any
    operation: Any
    institution: Any
    outcome: Any
    leaf: Any

    def columns(self) -> dict[str, Any]:
        """By name, the cells that repeat a member of the leaf."""
        return {name: cell for name, cell in zip(self._fields, self, strict=True) if name != "leaf"}


# The columns of `log_records` that have another name than the leaf's member that they repeat.
MEMBERS = {"exchange_id": "exchange"}

# Name, salt and value of each value of one record.
Values = Sequence[tuple[Any, Any, Any]]


@contextmanager
def at_one_moment(engine: Engine, moment: str = "") -> Iterator[Connection]:
    """A connection in a transaction that sees the database as it is now, or as at `moment`, while others write on."""
    with reading(engine).connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with connection.begin():
            if moment:
                connection.exec_driver_sql(f"SET TRANSACTION SNAPSHOT '{moment}'")
            yield connection


def moment(connection: Connection) -> str:
    """The moment that a transaction sees, for others to see too; empty on SQLite, where each sees its own."""
    if connection.dialect.name != "postgresql":
        return ""
    return str(connection.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one())


def missing_tables(connection: Connection) -> list[str]:
    """The log's tables that are not there."""
    found = inspect(connection)
    schemaless = connection.dialect.name == "sqlite"
    return [
        table.name
        for table in LOG_TABLES
        if not found.has_table(table.name, schema=None if schemaless else table.schema)
    ]


def count(connection: Connection, column: Column[Any]) -> int:
    """How many rows the column's table has."""
    number: int = connection.execute(select(func.count()).select_from(column.table)).scalar_one()
    return number


def leaves(connection: Connection, start: int = 0) -> Iterator[tuple[Place, Stored, Values]]:
    """Every leaf of the tree from an index up, with its record and the record's values.

    Raises: DBAPIError at the first leaf that cannot be read, after all those before it.
    """
    last = start - 1
    limit = _BATCH
    while True:
        try:
            page = _page(connection, last, limit)
        except DBAPIError as error:
            if limit == 1 or not is_damage(error):
                raise
            limit = 1  # one by one, up to the row at fault
            continue
        if not page:
            return
        last = page[-1][0].idx
        yield from page


def outline(connection: Connection) -> Iterator[tuple[Place, Any, Any, Any]]:
    """Every place of the tree with kind and exchange of its record, and the leaf where the log begins, else None."""
    last = -1
    begins = case((log_records.c.kind == "origin", log_records.c.leaf))
    told = (log_records.c.kind, log_records.c.exchange_id, begins)
    places = select(*_raw(log_tree), *(type_coerce(column, NullType()) for column in told)).outerjoin(
        log_records, log_records.c.id == log_tree.c.record_id
    )
    while rows := connection.execute(
        places.where(log_tree.c.idx > last).order_by(log_tree.c.idx).limit(_BATCH)
    ).all():
        last = rows[-1][0]
        for row in rows:
            yield Place(*row[:4]), row[4], row[5], row[6]


def _page(connection: Connection, last: int, limit: int) -> list[tuple[Place, Stored, Values]]:
    places = (
        select(*_raw(log_tree), *_raw(log_records))
        .outerjoin(log_records, log_records.c.id == log_tree.c.record_id)
        .where(log_tree.c.idx > last)
    )
    rows = connection.execute(places.order_by(log_tree.c.idx).limit(limit)).all()
    if not rows:
        return []
    values = (
        select(*_raw(log_values))
        .join(log_tree, log_tree.c.record_id == log_values.c.record_id)
        .where(log_tree.c.idx >= rows[0][0], log_tree.c.idx <= rows[-1][0])
    )
    by_record = _grouped(connection.execute(values).all())
    return [(Place(*row[:4]), Stored(*row[4:]), by_record.get(row[1], ())) for row in rows]


def waiting(connection: Connection) -> Iterator[tuple[Stored, Values]]:
    """Every record that waits for the sequencer, by id, with its values."""
    last = ""
    while True:
        page = (
            select(*_raw(log_records))
            .where(
                log_records.c.id > last,
                exists().where(sequencer_queue.c.record_id == log_records.c.id),
                ~exists().where(log_tree.c.record_id == log_records.c.id),
            )
            .order_by(log_records.c.id)
            .limit(_BATCH)
        )
        rows = connection.execute(page).all()
        if not rows:
            return
        ids = [row[0] for row in rows]
        last = ids[-1]
        by_record = _grouped(
            connection.execute(select(*_raw(log_values)).where(log_values.c.record_id.in_(ids))).all()
        )
        for row in rows:
            yield Stored(*row), by_record.get(row[0], ())


def checkpoints(connection: Connection) -> Iterator[tuple[Any, Any]]:
    """Size and note of every checkpoint, by size; a note that cannot be read is None."""
    last: int | None = None
    while True:
        page = select(type_coerce(log_checkpoints.c.size, NullType())).order_by(log_checkpoints.c.size)
        if last is not None:
            page = page.where(log_checkpoints.c.size > last)
        sizes = connection.execute(page.limit(_BATCH)).scalars().all()
        if not sizes:
            return
        last = sizes[-1]
        for size in sizes:
            yield size, _note(connection, size)


def cosignatures(connection: Connection, after: int, size: int) -> Sequence[tuple[Any, Any, Any, Any]]:
    """Size, name, key id and line of every cosignature of a size above `after`, up to `size`."""
    statement = select(*_raw(log_cosignatures)).where(
        log_cosignatures.c.size > after, log_cosignatures.c.size <= size
    )
    return [tuple(row) for row in connection.execute(statement)]


def beyond(connection: Connection, size: int) -> int | None:
    """The lowest number above a size under which a cosignature stands; None without one."""
    found: Any = connection.execute(
        select(type_coerce(func.min(log_cosignatures.c.size), NullType())).where(
            log_cosignatures.c.size > size
        )
    ).scalar()
    return found if isinstance(found, int) else None


def witnesses(connection: Connection) -> Iterator[Any]:
    """The leaf of every record that says from when on checkpoints are shown to which witness."""
    statement = select(type_coerce(log_records.c.leaf, NullType())).where(
        log_records.c.kind == "admin", log_records.c.leaf.like('%"act":"witness"%')
    )
    yield from connection.execute(statement).scalars()


def stamps(connection: Connection) -> Iterator[tuple[Any, Any, Any]]:
    """Size, token and note of every time stamp; the note is None where no checkpoint is of that size."""
    statement = (
        select(*_raw(log_timestamps), type_coerce(log_checkpoints.c.note, NullType()))
        .outerjoin(log_checkpoints, log_checkpoints.c.size == log_timestamps.c.size)
        .order_by(log_timestamps.c.size)
    )
    yield from (tuple(row) for row in connection.execute(statement))


def oldest_from(connection: Connection, size: int) -> Any:
    """The instant of the first record that has no place below a size; None where there is none."""
    placed = (
        select(type_coerce(log_records.c.instant, NullType()))
        .join(log_tree, log_tree.c.record_id == log_records.c.id)
        .where(log_tree.c.idx >= size)
        .order_by(log_tree.c.idx)
    )
    found = connection.execute(placed.limit(1)).scalar()
    if found is not None:
        return found
    waiting = (
        select(type_coerce(func.min(log_records.c.instant), NullType()))
        .join(sequencer_queue, sequencer_queue.c.record_id == log_records.c.id)
        .where(~exists().where(log_tree.c.record_id == log_records.c.id))
    )
    return connection.execute(waiting).scalar()


def opened_before(connection: Connection, exchange_id: str, index: int) -> bool:
    """Whether the exchange was opened at a lower index."""
    statement = (
        select(log_tree.c.idx)
        .join(log_records, log_records.c.id == log_tree.c.record_id)
        .where(
            log_records.c.exchange_id == exchange_id,
            log_records.c.kind == "opened",
            log_tree.c.idx < index,
        )
    )
    return connection.execute(statement.limit(1)).first() is not None


def opened_again(connection: Connection) -> frozenset[str]:
    """The exchanges that more than one record of the tree opens; none where the file is too damaged to ask."""
    exchange = log_records.c.exchange_id
    statement = (
        select(exchange)
        .join(log_tree, log_tree.c.record_id == log_records.c.id)
        .where(log_records.c.kind == "opened")
        .group_by(exchange)
        .having(func.count() > 1)
    )
    try:
        return frozenset(connection.execute(statement).scalars())
    except DBAPIError as error:
        if not is_damage(error):
            raise
        return frozenset()  # the walk comes to it


def first_under(connection: Connection, checkpoint: int) -> int | None:
    """The lowest index that names a checkpoint as its first."""
    index: int | None = connection.execute(
        select(func.min(log_tree.c.idx)).where(log_tree.c.checkpoint == checkpoint)
    ).scalar()
    return index


def erasures(connection: Connection) -> Iterator[tuple[int, Any]]:
    """Index and leaf of every record of an erasure."""
    statement = (
        select(log_tree.c.idx, type_coerce(log_records.c.leaf, NullType()))
        .join(log_records, log_records.c.id == log_tree.c.record_id)
        .where(log_records.c.kind == "erasure")
        .order_by(log_tree.c.idx)
    )
    yield from ((row[0], row[1]) for row in connection.execute(statement))


def outcomes(connection: Connection, exchange_id: str) -> Sequence[Any]:
    """The leaves of an exchange's outcomes that have a place or wait for it."""
    statement = select(type_coerce(log_records.c.leaf, NullType())).where(
        log_records.c.exchange_id == exchange_id,
        log_records.c.kind == "outcome",
        or_(
            exists().where(log_tree.c.record_id == log_records.c.id),
            exists().where(sequencer_queue.c.record_id == log_records.c.id),
        ),
    )
    return connection.execute(statement).scalars().all()


def note(connection: Connection, size: int) -> str | None:
    """The checkpoint that was signed at a size; None where none was."""
    statement = select(log_checkpoints.c.note).where(log_checkpoints.c.size == size)
    return connection.execute(statement).scalar()


def unplaced(connection: Connection) -> tuple[int, int, int]:
    """How many records wait for their place, how many values they have, how many rows of the queue name another."""
    queued = exists().where(sequencer_queue.c.record_id == log_records.c.id)
    waits = [queued, ~exists().where(log_tree.c.record_id == log_records.c.id)]
    records = select(func.count()).select_from(log_records).where(*waits)
    values = (
        select(func.count())
        .select_from(log_values)
        .join(log_records, log_records.c.id == log_values.c.record_id)
        .where(*waits)
    )
    return (
        connection.execute(records).scalar_one(),
        connection.execute(values).scalar_one(),
        dangling(connection),
    )


def dangling(connection: Connection) -> int:
    """How many rows of the queue name a record that is not there, or that has its place."""
    placed = exists().where(log_tree.c.record_id == sequencer_queue.c.record_id)
    number: int = connection.execute(
        select(func.count())
        .select_from(sequencer_queue)
        .where(placed | ~exists().where(log_records.c.id == sequencer_queue.c.record_id))
    ).scalar_one()
    return number


def _note(connection: Connection, size: Any) -> Any:
    statement = select(type_coerce(log_checkpoints.c.note, NullType())).where(log_checkpoints.c.size == size)
    try:
        return connection.execute(statement).scalar()
    except DBAPIError as error:
        if not is_damage(error):
            raise
        return None


def _raw(table: Any) -> list[Any]:
    return [type_coerce(column, NullType()) for column in table.columns]


def _grouped(rows: Sequence[Any]) -> dict[Any, list[tuple[Any, Any, Any]]]:
    by_record: dict[Any, list[tuple[Any, Any, Any]]] = {}
    for record_id, name, salt, value in rows:
        by_record.setdefault(record_id, []).append((name, salt, value))
    return by_record


def is_damage(error: DBAPIError) -> bool:
    """Whether the file is at fault (text that is not UTF-8, a corrupt page) and not the connection to it."""
    name = getattr(error.orig, "sqlite_errorname", None)
    if name is None:
        return type(error.orig).__module__ == "sqlite3" and "decode" in str(error.orig)
    return str(name).startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))
