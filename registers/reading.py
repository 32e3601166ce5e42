"""A register as it is read: search by declared criteria, and the versions of one thing."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import Boolean, Column, Connection, Date, Integer, Table, Text, and_, or_, select
from sqlalchemy import Row as Result
from sqlalchemy.sql import ColumnElement

from errors import ConfigurationError, InvalidRequest, NotFound
from exchange import RIGA, Json, Provenance
from registers.history import Month, Values, business_columns, recorded

MOST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Rows of another table that belong to a row of a register: one (`single`) or any number."""

    register: Register
    single: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """A register: its name in the API, its table, and what it may be searched by.

    `criteria` are columns by their criterion's name, of this table or of a part's. `valid` names the columns of
    valid time. `source` is who supplies the register, for fields of which there is no row yet. A register that is
    `followed` may be read as a whole, by the day of change: it says nothing of a natural person.
    """

    name: str
    table: Table
    source: str
    criteria: Mapping[str, Column[Any]] = field(default_factory=dict)
    valid: tuple[str, str] | None = None
    order: tuple[str, ...] = ()
    parts: Mapping[str, Part] = field(default_factory=dict)
    followed: bool = False

    def __post_init__(self) -> None:
        if self.followed and self.of_persons:
            raise ConfigurationError(f"register {self.name} is of persons, and not to be followed")

    @property
    def fields(self) -> Mapping[str, str]:
        """The rule of every column that holds a value of law, as declared with the column."""
        return {c.name: c.info["rule"] for c in self.table.columns if "rule" in c.info}

    def rules_of(self, criteria: Mapping[str, object]) -> frozenset[tuple[str, str]]:
        """The (rule, source) pairs that a caller needs to search by these criteria: a hit tells the value.

        Raises: InvalidRequest naming the criteria that there are.
        """
        pairs = set()
        for name in criteria:
            if name != "person_code":
                column = self._column(name)
                owner = next(
                    (p.register for p in self.parts.values() if p.register.table is column.table), self
                )
                pairs.add((column.info["rule"], owner.source))
        return frozenset(pairs)

    def _column(self, name: str) -> Column[Any]:
        try:
            return self.criteria[name]
        except KeyError as error:
            known = ", ".join(sorted(["person_code", *self.criteria] if self.of_persons else self.criteria))
            raise InvalidRequest(f"unknown criterion; {self.name} is searched by {known}") from error

    @property
    def of_persons(self) -> bool:
        """Whether its rows are about persons."""
        return "person_id" in self.table.columns or bool(self.parts)

    def conditions(
        self,
        criteria: Mapping[str, Json],
        person: Callable[[str], uuid.UUID | None],
        at: datetime | None,
    ) -> Iterator[ColumnElement[bool]]:
        """The conditions of a search, one for each criterion.

        Raises: InvalidRequest, InvalidPersonCode.
        """
        for name, wanted in criteria.items():
            if name == "person_code" and self.of_persons:
                if not isinstance(wanted, str):
                    raise InvalidRequest("person_code must be text")
                yield self._person_column == person(wanted)
                continue
            column = self._column(name)
            condition = _condition(name, column, wanted)
            if column.table is self.table:
                yield condition
            else:
                held = select(column.table.c.person_id).where(condition, recorded(column.table, at))
                yield self._person_column.in_(held)

    @property
    def _person_column(self) -> Column[Any]:
        return self.table.c.id if self.parts else self.table.c.person_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One version of one thing in a register, with where it comes from.

    `parts` are rows of the tables that belong to it: one row or None where there is one at most, else all of them;
    in a history all versions.
    """

    register: Register
    id: uuid.UUID
    person_id: uuid.UUID | None
    values: Values
    valid_from: date | None
    valid_to: date | None
    recorded_at: datetime
    superseded_at: datetime | None
    provenance: Provenance
    parts: Mapping[str, Row | tuple[Row, ...] | None] = field(default_factory=dict)


def find(
    connection: Connection,
    register: Register,
    criteria: Mapping[str, Json],
    person: Callable[[str], uuid.UUID | None],
    *,
    limit: int,
    offset: int,
    at: datetime | None,
) -> tuple[Row, ...]:
    """The rows of a register that meet all criteria.

    Raises: InvalidRequest for an unknown criterion, a value of the wrong kind, a limit out of range.
    """
    if not (1 <= limit <= MOST and 0 <= offset < 2**31):
        raise InvalidRequest(f"limit is 1 to {MOST}, offset 0 or more")
    if not criteria:
        raise InvalidRequest("no criterion; a register is not copied")
    table = register.table
    wanted = list(register.conditions(criteria, person, at))
    query = select(table).where(*wanted).limit(limit).offset(offset)
    if not register.parts:
        query = query.where(recorded(table, at))
    elif at is not None:
        query = query.where(table.c.recorded_at <= at)
    found = connection.execute(query.order_by(*(table.c[n] for n in register.order), table.c.id)).all()
    return _with_parts(connection, register, found, at=at, history=False)


def changed(
    connection: Connection, register: Register, since: date, after: uuid.UUID | None, limit: int
) -> tuple[tuple[Row, ...], uuid.UUID | None]:
    """What is current of a register and was recorded since a day in Riga, oldest first; and where more begins.

    `after` is where an earlier answer ended: a version, which stays though it be superseded, so that a row that
    changes meanwhile is told again and none is left out.
    Raises: InvalidRequest for a limit out of range or an end that is of no answer.
    """
    if not 1 <= limit <= MOST:
        raise InvalidRequest(f"limit is 1 to {MOST}")
    table = register.table
    wanted = [recorded(table), table.c.recorded_at >= datetime.combine(since, time(), RIGA)]
    if after is not None:
        ended = select(table.c.recorded_at).where(table.c.version_id == after)
        instant = connection.execute(ended).scalar()
        if instant is None:
            raise InvalidRequest("after is the end of no answer")
        later = and_(table.c.recorded_at == instant, table.c.version_id > after)
        wanted.append(or_(table.c.recorded_at > instant, later))
    query = select(table).where(*wanted).order_by(table.c.recorded_at, table.c.version_id)
    found = connection.execute(query.limit(limit + 1)).all()
    page = found[:limit]
    more = page[-1].version_id if len(found) > limit else None
    return tuple(_row(register, result, {}) for result in page), more


def versions(
    connection: Connection, register: Register, row_id: uuid.UUID, *, history: bool, at: datetime | None
) -> tuple[Row, ...]:
    """The current version of one thing, or all of its versions, newest first.

    Raises: NotFound.
    """
    table = register.table
    query = select(table).where(table.c.id == row_id)
    if not (history or register.parts):
        query = query.where(recorded(table, at))
    found = connection.execute(query.order_by(table.c.recorded_at.desc())).all()
    if not found:
        raise NotFound(register.name)
    return _with_parts(connection, register, found, at=at, history=history)


def _with_parts(
    connection: Connection,
    register: Register,
    found: Sequence[Result[Any]],
    *,
    at: datetime | None,
    history: bool,
) -> tuple[Row, ...]:
    held: dict[str, dict[uuid.UUID, list[Row]]] = {}
    for name, part in register.parts.items():
        table = part.register.table
        query = select(table).where(table.c.person_id.in_([row.id for row in found]))
        if not history:
            query = query.where(recorded(table, at))
        order = (*(table.c[n] for n in part.register.order), table.c.recorded_at, table.c.id)
        rows = held[name] = {}
        for result in connection.execute(query.order_by(*order)):
            rows.setdefault(result.person_id, []).append(_row(part.register, result, {}))
    return tuple(
        _row(
            register,
            result,
            {
                name: _single(rows) if part.single and not history else tuple(rows)
                for name, part in register.parts.items()
                for rows in (held[name].get(result.id, []),)
            },
        )
        for result in found
    )


def _single(rows: list[Row]) -> Row | None:
    return rows[0] if rows else None


def _row(register: Register, result: Result[Any], parts: Mapping[str, Row | tuple[Row, ...] | None]) -> Row:
    begin, end = register.valid or (None, None)
    return Row(
        register=register,
        id=result.id,
        person_id=result.id if register.parts else getattr(result, "person_id", None),
        values={name: getattr(result, name) for name in business_columns(register.table)},
        valid_from=getattr(result, begin) if begin else None,
        valid_to=getattr(result, end) if end else None,
        recorded_at=result.recorded_at,
        superseded_at=getattr(result, "superseded_at", None),
        provenance=Provenance(
            exchange_id=result.exchange_id,
            source=result.source,
            contract_version=result.contract_version,
            mapping_version=result.mapping_version,
            recorded_at=result.recorded_at,
        ),
        parts=parts,
    )


def _condition(name: str, column: Column[Any], wanted: Json) -> ColumnElement[bool]:
    """Equality, or for a date also `{"from", "to"}`, both included and each optional.

    Raises: InvalidRequest.
    """
    if isinstance(column.type, Date) and isinstance(wanted, dict):
        if not wanted or set(wanted) - {"from", "to"}:
            raise InvalidRequest(f'{name} is a date or {{"from", "to"}}')
        limits = {bound: _date(name, column, value) for bound, value in wanted.items()}
        return and_(
            *([column >= limits["from"]] if "from" in limits else []),
            *([column <= limits["to"]] if "to" in limits else []),
        )
    if isinstance(column.type, Date):
        return column == _date(name, column, wanted)
    if isinstance(column.type, Boolean) and isinstance(wanted, bool):
        return column == wanted
    if isinstance(column.type, Integer) and isinstance(wanted, int) and not isinstance(wanted, bool):
        return column == wanted
    if isinstance(column.type, Text) and isinstance(wanted, str) and _storable(wanted):
        return column == wanted
    raise InvalidRequest(f"{name} is of another kind")


def _storable(wanted: str) -> bool:
    """Whether a database can hold the text: NUL and lone surrogates it cannot."""
    return not any(character == "\x00" or "\ud800" <= character <= "\udfff" for character in wanted)


def _date(name: str, column: Column[Any], value: Json) -> date:
    """A day, or for a month its first day."""
    monthly = isinstance(column.type, Month)
    form = "YYYY-MM" if monthly else "YYYY-MM-DD"
    text = value if isinstance(value, str) else ""
    try:
        found = date.fromisoformat(f"{text}-01" if monthly else text)
    except ValueError as error:
        raise InvalidRequest(f"{name} is a date, {form}") from error
    if found.isoformat()[: len(form)] != text:  # the library also takes 20260131 and 2026-W05-6
        raise InvalidRequest(f"{name} is a date, {form}")
    return found
