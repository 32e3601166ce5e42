"""Many rows at a time: COPY and arrays on PostgreSQL, executemany and JSON arrays on SQLite."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    Connection,
    Integer,
    SmallInteger,
    Table,
    Text,
    any_,
    func,
    literal,
    select,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import ColumnElement

from registers.edition import PLACE, WORD
from storage.statements import driver


def insert_rows(connection: Connection, table: Table, rows: Iterable[Sequence[Any]]) -> None:
    """Insert rows whose values stand in the order of the table's columns, dates and decimals as text.

    Raises: SQLAlchemy's DBAPIError, without the values.
    """
    names = ", ".join(table.columns.keys())
    try:
        if connection.dialect.name == "postgresql":
            copy = f"COPY {table.schema}.{table.name} ({names}) FROM STDIN"
            with driver(connection).cursor() as cursor, cursor.copy(copy) as target:
                for row in rows:
                    target.write_row(row)
            return
        marks = ", ".join("?" * len(table.columns))
        driver(connection).executemany(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", rows)  # noqa: S608 — the names are those of our own tables
    except connection.dialect.loaded_dbapi.Error as error:
        raise DBAPIError.instance(
            None,
            None,
            error,
            connection.dialect.loaded_dbapi.Error,
            hide_parameters=True,
            dialect=connection.dialect,
        ) from error


def insert_words(connection: Connection, rows: Collection[tuple[str, int, int, int]]) -> None:
    """Insert words (word, kind, code, first edition); those that are there already stay as they are."""
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        word, kind, code, edition = zip(*rows, strict=True)
        found = select(
            func.unnest(literal(list(word), ARRAY(Text))),
            func.unnest(literal(list(kind), ARRAY(SmallInteger))),
            func.unnest(literal(list(code), ARRAY(Integer))),
            func.unnest(literal(list(edition), ARRAY(Integer))),
        )
        statement = postgresql.insert(WORD).from_select(WORD.columns.keys(), found)
        connection.execute(statement.on_conflict_do_nothing())
        return
    driver(connection).executemany(
        f"INSERT OR IGNORE INTO {WORD.name} (word, kind, code, first_edition) VALUES (?, ?, ?, ?)",  # noqa: S608 — the name is that of our own table
        rows,
    )


def refresh_digests(connection: Connection, rows: Collection[tuple[int, int]]) -> None:
    """Set the digest (code, digest) of places that are not ended: what a load compares by, which nobody else reads."""
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        code, digest = zip(*rows, strict=True)
        found = select(
            func.unnest(literal(list(code), ARRAY(Integer))).label("code"),
            func.unnest(literal(list(digest), ARRAY(BigInteger))).label("digest"),
        ).subquery()
        wanted = PLACE.c.code == found.c.code, PLACE.c.ended_edition.is_(None)
        connection.execute(update(PLACE).where(*wanted).values(digest=found.c.digest))
        return
    driver(connection).executemany(
        f"UPDATE {PLACE.name} SET digest = ? WHERE code = ? AND ended_edition IS NULL",  # noqa: S608 — the name is that of our own table
        [(digest, code) for code, digest in rows],
    )


def among(connection: Connection, column: Column[Any], values: Collection[int]) -> ColumnElement[bool]:
    """The condition that a column is one of many numbers, in one value of the statement."""
    if connection.dialect.name == "postgresql":
        return column == any_(literal(list(values), ARRAY(column.type)))
    found = func.json_each(json.dumps(list(values))).table_valued("value")
    return column.in_(select(found.c.value))


class Numbers:
    """A set of numbers, a bit each in pages of 65,536: the codes of an edition take a megabyte."""

    def __init__(self) -> None:
        self._pages: dict[int, bytearray] = {}

    def add(self, number: int) -> bool:
        """Put a number in; False when it was there."""
        page = self._pages.get(number >> 16)
        if page is None:
            page = self._pages[number >> 16] = bytearray(8192)
        at, bit = (number & 0xFFFF) >> 3, 1 << (number & 7)
        if page[at] & bit:
            return False
        page[at] |= bit
        return True

    def __contains__(self, number: int) -> bool:
        page = self._pages.get(number >> 16)
        return page is not None and bool(page[(number & 0xFFFF) >> 3] & (1 << (number & 7)))


def batches(rows: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """The rows in lists of `size`, the last one shorter."""
    batch: list[Any] = []
    for row in rows:
        batch.append(row)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
