"""The catalogue of the exchange log: by which facts its records are found.

It is derived from the leaves and holds nothing personal. Nothing of an exchange waits for it: it follows the tree, and
whoever searches brings it up to date first. What is found is read from the log itself; should the catalogue be
damaged, it is made anew. With it go the counts of `audit/hours.py`. ADR 0032.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    delete,
    func,
    select,
)
from sqlalchemy.exc import SQLAlchemyError

from audit import hours
from audit.tables import log_records, log_tree
from errors import LogUnavailable
from exchange import Json
from storage import metadata, reading, upsert

# The facts of a leaf that records are found by.
FACTS = (
    "kind",
    "system",
    "operation",
    "institution",
    "outcome",
    "rule",
    "purpose",
    "caller",
    "recipient",
    "act",
)
_BATCH = 2000
# A caller may write anything into a rule or purpose, and PostgreSQL's ordered indexes refuse long values.
_LONGEST = 200

_NUMBER = BigInteger().with_variant(Integer, "sqlite")

catalogue = Table(
    "catalogue_records",
    metadata,
    Column("idx", _NUMBER, primary_key=True, autoincrement=False),
    Column("record_id", Text, nullable=False),
    Column("instant", Text, nullable=False),
    *(Column(name, Text) for name in FACTS),
    UniqueConstraint("record_id"),
    schema="catalogue",
)
Index(None, catalogue.c.instant, catalogue.c.idx)
for _name in FACTS:
    _there = catalogue.c[_name].is_not(None)
    Index(
        f"ix_catalogue_records_{_name}",
        catalogue.c[_name],
        catalogue.c.instant,
        catalogue.c.idx,
        postgresql_where=_there,
        sqlite_where=_there,
    )

Progress = Callable[[int, int], None]


def shortened(fact: Json) -> str | None:
    """A fact as the catalogue holds it; None for what is no text, or empty."""
    if not isinstance(fact, str) or not fact:
        return None
    return fact[:_LONGEST].replace("\0", "\ufffd")


def catch_up(engine: Engine) -> int:
    """Take in what the tree has grown by, in transactions of their own; how many records.

    Any number of processes may do it at a time.
    Raises: LogUnavailable.
    """
    taken = 0
    try:
        while True:
            with reading(engine).begin() as connection:
                if _last(connection, catalogue) == _last(connection, log_tree):
                    return taken
            with engine.begin() as connection:
                _hold(connection, "ROW EXCLUSIVE")
                rows = list(_rows(connection, _last(connection, catalogue), _BATCH))
                if rows:
                    hours.count_in(connection, _taken(connection, rows))
            taken += len(rows)
            if not rows:  # another process was faster
                return taken
    except SQLAlchemyError as error:
        raise LogUnavailable(type(error).__name__) from error


def make_anew(engine: Engine) -> int:
    """Forget the catalogue and make it from the leaves; how many records.

    Whoever takes records in meanwhile waits until all is forgotten, and goes on from the first one.
    Raises: LogUnavailable; what was there then stays, or is made by the next search.
    """
    try:
        with engine.begin() as connection:
            _hold(connection, "EXCLUSIVE")
            connection.execute(delete(catalogue))
            hours.forget(connection)
    except SQLAlchemyError as error:
        raise LogUnavailable(type(error).__name__) from error
    return catch_up(engine)


def differing(engine: Engine, told: Progress = lambda _done, _total: None) -> list[int]:
    """The indexes at which the catalogue is not what the leaves say, lowest first.

    Raises: LogUnavailable.
    """
    found: list[int] = []
    try:
        with reading(engine).begin() as connection:
            end = _last(connection, catalogue)
            strangers = select(catalogue.c.idx).where(
                ~select(log_tree.c.idx).where(log_tree.c.idx == catalogue.c.idx).exists()
            )
            found += connection.execute(strangers).scalars()
            last = -1
            while last < end:
                until = min(last + _BATCH, end)
                kept = {
                    row.idx: row._mapping
                    for row in connection.execute(
                        select(catalogue).where(catalogue.c.idx > last, catalogue.c.idx <= until)
                    )
                }
                true = {row["idx"]: row for row in _rows(connection, last, until - last)}
                found += [idx for idx, row in true.items() if row != dict(kept.get(idx, {}))]
                last = until
                told(last + 1, end + 1)
    except SQLAlchemyError as error:
        raise LogUnavailable(type(error).__name__) from error
    return sorted(set(found))


def differing_hours(engine: Engine) -> list[str]:
    """The hours, such as `2026-01-31T08`, whose counts of exchanges are not those of the catalogue.

    Raises: LogUnavailable.
    """
    try:
        with reading(engine).begin() as connection:
            return hours.differing(connection, catalogue)
    except SQLAlchemyError as error:
        raise LogUnavailable(type(error).__name__) from error


def facts_of(leaf: Mapping[str, Json]) -> dict[str, str | None]:
    """The facts of a leaf as the catalogue holds them."""
    return {name: shortened(leaf.get(name)) for name in FACTS}


def _hold(connection: Connection, mode: str) -> None:
    """Keep the catalogue, to the end of the transaction, from who holds it in a mode that conflicts.

    To take records in does not conflict with taking records in, but with forgetting: else what was not committed yet
    would be all that is left, and count as the end. SQLite has one writer at a time.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"LOCK TABLE {catalogue.fullname} IN {mode} MODE")


def _last(connection: Connection, table: Table) -> int:
    last: int | None = connection.execute(select(func.max(table.c.idx))).scalar()
    return -1 if last is None else last


def _taken(connection: Connection, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Take rows in; those that another process has taken in meanwhile are left out of what is returned."""
    insert = upsert(connection, catalogue).on_conflict_do_nothing().returning(catalogue.c.idx)
    taken = set(connection.execute(insert, rows).scalars())
    return [row for row in rows if row["idx"] in taken]


def _rows(connection: Connection, after: int, limit: int) -> Iterator[dict[str, Any]]:
    leaves: Sequence[Any] = connection.execute(
        select(log_tree.c.idx, log_tree.c.record_id, log_records.c.leaf)
        .join(log_records, log_records.c.id == log_tree.c.record_id)
        .where(log_tree.c.idx > after)
        .order_by(log_tree.c.idx)
        .limit(limit)
    ).all()
    for row in leaves:
        leaf = _members(row.leaf)
        yield {
            "idx": row.idx,
            "record_id": row.record_id,
            "instant": shortened(leaf.get("instant")) or "",
            **facts_of(leaf),
        }


def _members(text: str) -> dict[str, Json]:
    """What a leaf says; nothing where it was damaged, which `audit verify` tells."""
    try:
        leaf = json.loads(text)
    except ValueError:
        return {}
    return leaf if isinstance(leaf, dict) else {}
