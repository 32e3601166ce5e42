"""The rules of versioned rows: what is recorded is never changed, only superseded.

A row is one version of one thing. `id` names the thing and stays the same over its versions, `version_id` names the
version. Recorded time is the half-open span from `recorded_at` to `superseded_at` (None: current). Valid time, where
a source gives one, is in columns under the source's own names. Every version carries the exchange it came from.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Date,
    Dialect,
    ForeignKey,
    Index,
    Numeric,
    Table,
    Text,
    and_,
    bindparam,
    insert,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.sql import ColumnElement
from sqlalchemy.types import TypeDecorator, TypeEngine

from exchange import Json, Provenance, new_id
from mappings.codes import CodeList
from registers.differences import contested, told
from storage import Instant, identifier, metadata
from storage.statements import Row, Statement

Value = str | bool | int | Decimal | date | None | tuple[str, ...] | list[Json]
Values = Mapping[str, Value]

SOURCE_COLUMNS = ("exchange_id", "source", "contract_version", "mapping_version")
_KEPT = ("version_id", "id", "person_id", "recorded_at", "superseded_at", *SOURCE_COLUMNS)


@dataclass(frozen=True, slots=True)
class Change:
    """A record of a register as it was (None: it was not there) and as it is now (None: no more)."""

    before: object | None
    after: object | None


@dataclass(frozen=True, slots=True)
class Fed:
    """What an answer did to a register: versions begun or ended, rows that it confirmed, and changes to be told."""

    written: int = 0
    confirmed: int = 0
    changes: tuple[Change, ...] = ()

    def __add__(self, other: Fed) -> Fed:
        return Fed(
            self.written + other.written, self.confirmed + other.confirmed, self.changes + other.changes
        )


@dataclass(frozen=True, slots=True)
class Compared:
    """What a source says of an owner's things beside what is kept of them: what `replace` would do.

    `changed` are rows that differ under one key, `added` are rows that are not kept, `gone` those that the source was
    asked about and does not name. `kept` and `said` are how many rows either side has of what was asked.
    """

    table: Table
    key: tuple[str, ...]
    kept: int
    said: int
    changed: tuple[tuple[Row, Values], ...]
    added: tuple[Values, ...]
    gone: tuple[Row, ...]


class Exact(TypeDecorator[Decimal]):
    """A decimal that comes back as it went in: NUMERIC on PostgreSQL, text on SQLite, whose numbers are floats."""

    impl = Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else Numeric())

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        return str(value) if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)


class Month(Date):
    """A month, held as its first day; `2026-01` in JSON and in criteria."""


class Texts(TypeDecorator[tuple[str, ...]]):
    """Several texts in their order, such as given names; JSON in the database."""

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: tuple[str, ...] | None, dialect: Dialect) -> Any:
        return None if value is None else list(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> tuple[str, ...] | None:
        return None if value is None else tuple(value)


def field(
    name: str, kind: TypeEngine[Any], *, rule: str, codes: CodeList | None = None, optional: bool = False
) -> Column[Any]:
    """A column with a value of law: its canonical name, the rule that allows it, and its code list."""
    return Column(name, kind, nullable=optional, info={"rule": rule, "codes": codes})


def provenance_columns() -> tuple[Column[Any], ...]:
    """The columns that say which exchange a row comes from, by whose contract and by which mapping table."""
    return (
        Column("exchange_id", identifier(), nullable=False),
        Column("source", Text, nullable=False),
        Column("contract_version", Text, nullable=False),
        Column("mapping_version", Text, nullable=False),
    )


def versioned(
    system: str, thing: str, *fields: Column[Any], person: bool = True, one_per: Sequence[str] = ()
) -> Table:
    """Declare the table `<system>_<thing>` of versioned rows.

    `person` adds the person whom the row is about. `one_per` names the columns under which only one row is current;
    the database itself then refuses a second.
    """
    name = f"{system}_{thing}"
    owner = [Column("person_id", identifier(), ForeignKey("spolis.spolis_person.id"), nullable=False)]
    table = Table(
        name,
        metadata,
        Column("version_id", identifier(), primary_key=True),
        Column("id", identifier(), nullable=False),
        *(owner if person else []),
        *fields,
        Column("recorded_at", Instant, nullable=False),
        Column("superseded_at", Instant),
        *provenance_columns(),
        schema=system,
    )
    Index(None, table.c.id, table.c.recorded_at, unique=True)
    _one_current(table, f"uq_{name}_current", ("id",))
    if person:
        Index(None, table.c.person_id, table.c.recorded_at)
    if one_per:
        _one_current(table, f"uq_{name}_one", one_per)
    return table


def _one_current(table: Table, name: str, columns: Sequence[str]) -> None:
    where = text("superseded_at IS NULL")
    Index(name, *(table.c[c] for c in columns), unique=True, postgresql_where=where, sqlite_where=where)


def one_current(table: Table) -> tuple[str, ...]:
    """The columns under which only one row is current, as declared; without any, all that the source said."""
    declared = next((index for index in table.indexes if index.name == f"uq_{table.name}_one"), None)
    return business_columns(table) if declared is None else tuple(c.name for c in declared.columns)


def recorded(table: Table, at: datetime | None = None) -> ColumnElement[bool]:
    """The condition for what is current, or for what was current at an instant."""
    if at is None:
        return table.c.superseded_at.is_(None)
    return and_(table.c.recorded_at <= at, or_(table.c.superseded_at.is_(None), table.c.superseded_at > at))


def business_columns(table: Table) -> tuple[str, ...]:
    """The columns that hold what the source said: all but identity, recorded time and provenance."""
    return tuple(column.name for column in table.columns if column.name not in _KEPT)


def source_values(provenance: Provenance) -> dict[str, object]:
    """The provenance of a row as values of its columns."""
    return {name: getattr(provenance, name) for name in SOURCE_COLUMNS}


@cache
def _kept(table: Table, owner: tuple[str, ...]) -> Statement:
    """Every version of the owner's things."""
    return Statement(select(table).where(*_owned(table, owner)))


@cache
def _current(table: Table, owner: tuple[str, ...]) -> Statement:
    return Statement(select(table).where(*_owned(table, owner), recorded(table)))


@cache
def _insert(table: Table) -> Statement:
    return Statement(insert(table))


def _owned(table: Table, owner: tuple[str, ...]) -> list[ColumnElement[bool]]:
    return [table.c[name] == bindparam(name) for name in owner]


# The execution option under which `replace` tells what it would do, and does nothing.
_COMPARING = "comparing_with_registers"


def comparing(connection: Connection, feed: Callable[[], object]) -> list[Compared]:
    """What a feed would do to the registers: it runs, and `replace` writes nothing meanwhile."""
    found: list[Compared] = []
    connection.execution_options(**{_COMPARING: found})
    try:
        feed()
    finally:
        connection.execution_options(**{_COMPARING: None})
    return found


def replace(
    connection: Connection,
    table: Table,
    owner: Mapping[str, object],
    rows: Iterable[Values],
    provenance: Provenance,
    *,
    key: Sequence[str],
    within: Callable[[Values], bool] = lambda _row: True,
    make_id: Callable[[], uuid.UUID] = new_id,
) -> Fed:
    """Make `rows` what is current of the owner's things in the table.

    A row that is there already is confirmed and makes no version. A row that differs under the same key supersedes
    the version before it and keeps its id. What is current and not among `rows` is superseded where `within` says
    that the source was asked about it. A thing that comes back has its old id, a new one gets its id from
    `make_id`. What is contested stays as it is (`registers/differences.py`). The caller holds the owner's lock
    (`persons.person_of`, `lock`).
    """
    names = business_columns(table)
    current = _current(table, tuple(owner)).all(connection, **owner)
    left = list(current)
    fresh: list[Values] = []
    for row in rows:
        same = next((old for old in left if all(getattr(old, n) == row[n] for n in names)), None)
        if same is None:
            fresh.append(row)
        else:
            left.remove(same)
    confirmed = len(current) - len(left)

    changed: list[tuple[Row, Values]] = []
    added: list[Values] = []
    for row in fresh:
        old = next((old for old in left if all(getattr(old, n) == row[n] for n in key)), None)
        if old is None:
            added.append(row)
        else:
            left.remove(old)
            changed.append((old, row))
    gone = [old for old in left if within({n: getattr(old, n) for n in names})]
    told_to: list[Compared] | None = connection.get_execution_options().get(_COMPARING)
    if told_to is not None:
        kept, said = confirmed + len(changed) + len(gone), confirmed + len(changed) + len(added)
        told_to.append(Compared(table, tuple(key), kept, said, tuple(changed), tuple(added), tuple(gone)))
        return Fed(0, confirmed)
    if not (changed or added or gone):
        return Fed(0, confirmed)
    if "person_id" in owner:
        changed, added, gone = _uncontested(
            contested(connection, table.name, owner["person_id"]), provenance, changed, added, gone
        )
        if not (changed or added or gone):
            return Fed(0, confirmed)

    earlier = _kept(table, tuple(owner)).all(connection, **owner)
    instant = later(earlier, provenance.recorded_at)
    ended = [old.version_id for old in (*gone, *(old for old, _ in changed))]
    if ended:
        connection.execute(update(table).where(table.c.version_id.in_(ended)).values(superseded_at=instant))
    taken = {old.id for old in current}
    begun = [(old.id, row) for old, row in changed]
    for row in added:
        identity = next(
            (o.id for o in earlier if o.id not in taken and all(getattr(o, n) == row[n] for n in key)), None
        )
        identity = identity or make_id()
        taken.add(identity)
        begun.append((identity, row))
    if begun:
        common = {**source_values(provenance), "recorded_at": instant, "superseded_at": None, **owner}
        _insert(table).run_each(
            connection, ({**row, **common, "version_id": new_id(), "id": identity} for identity, row in begun)
        )
    return Fed(len(changed) + len(added) + len(gone), confirmed)


def _uncontested(
    contested_rows: Sequence[Row],
    provenance: Provenance,
    changed: list[tuple[Row, Values]],
    added: list[Values],
    gone: list[Row],
) -> tuple[list[tuple[Row, Values]], list[Values], list[Row]]:
    """What is left to do without what a difference says is contested: exactly the value that the source named then."""
    for one in contested_rows:
        column: str | None = one.register_column
        if one.theirs_source != provenance.source:
            continue
        if column is None:
            added = [row for row in added if one.thing_id is not None or told(row) != one.theirs]
            gone = [old for old in gone if old.id != one.thing_id]
            continue
        changed = [
            (old, {**row, column: getattr(old, column)})
            if old.id == one.thing_id and told(row[column]) == one.theirs
            else (old, row)
            for old, row in changed
        ]
        for old in [old for old in gone if old.id == one.thing_id]:
            # A value of the key: what feeds see as one row gone and another come.
            twin = next(
                (
                    row
                    for row in added
                    if told(row[column]) == one.theirs and other_columns(old, row) == {column}
                ),
                None,
            )
            if twin is not None:
                added = [row for row in added if row is not twin]
                gone = [each for each in gone if each is not old]
    return [(old, row) for old, row in changed if other_columns(old, row)], added, gone


def other_columns(old: Row, row: Values) -> set[str]:
    """The columns in which a version and a row differ."""
    return {name for name, value in row.items() if getattr(old, name) != value}


def supersede(
    connection: Connection,
    table: Table,
    person_id: uuid.UUID,
    old: Row | None,
    values: Values | None,
    provenance: Provenance,
    *,
    identity: uuid.UUID | None = None,
) -> uuid.UUID | None:
    """End a version and begin the next of the same thing; gives the new version's id.

    Without `old` a thing begins (again, under its `identity`), without `values` it ends. The caller holds the
    person's lock.
    """
    owner = {"person_id": person_id}
    instant = later(_kept(table, tuple(owner)).all(connection, **owner), provenance.recorded_at)
    if old is not None:
        ended = update(table).where(table.c.version_id == old.version_id)
        connection.execute(ended.values(superseded_at=instant))
    if values is None:
        return None
    version_id = new_id()
    identity = identity or (new_id() if old is None else old.id)
    common = {**source_values(provenance), "recorded_at": instant, "superseded_at": None, **owner}
    connection.execute(insert(table).values(**{**values, **common, "version_id": version_id, "id": identity}))
    return version_id


def later(earlier: Sequence[Row], instant: datetime) -> datetime:
    """The instant, or the next microsecond after all that is recorded: recorded time never runs backwards.

    Two exchanges about one person may commit in another order than they began.
    """
    latest = max((i for row in earlier for i in (row.recorded_at, row.superseded_at) if i), default=None)
    return instant if latest is None or instant > latest else latest + timedelta(microseconds=1)


def lock(connection: Connection, names: Iterable[str]) -> None:
    """Hold names until the transaction ends, so that two feeds of one thing come one after the other.

    Taken in one order, so that two feeds never wait for each other. SQLite has one writer at a time anyway.
    """
    if connection.dialect.name == "postgresql":
        for name in sorted(set(names)):
            connection.execute(
                text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name}
            )
