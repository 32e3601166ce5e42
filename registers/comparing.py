"""What a source says of a person beside what the registers keep: found by the lineage of its mapping table.

A comparison is declared by a register module (`COMPARISONS`): what is asked of which system, and how the answer is
held against the register. Where an answer feeds a register, the feed itself says what would change, so that no field
has code of its own.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, Table, select
from sqlalchemy.sql import ColumnElement

from exchange import Json, Lineage, Provenance
from registers.differences import DIFFERENCE, Finding, told
from registers.history import Compared, Fed, Values, comparing, other_columns, recorded
from registers.persons import PERSON_CODE, codes_of

_CODE = f"{PERSON_CODE.name}.code"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about a person beside the code; `thing_id` names the row of a register that it is about."""

    arguments: Mapping[str, Json]
    thing_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A question about one person, as it was put: under the code in force."""

    person_id: uuid.UUID
    code: str
    question: Question


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two sides agree: what differs, which differences were looked at, and the rows of either side."""

    findings: Sequence[Finding]
    looked_at: ColumnElement[bool]
    ours: int
    theirs: int


# How an answer is held against the registers; the lineage is that of the answer's mapping table.
Compare = Callable[[Connection, Asked, Any, Sequence[Lineage], Provenance], Agreement]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What a system is asked about a person, and how its answer is compared.

    `rule` is the one under which it is asked. `questions` are none where the registers hold nothing to compare.
    `missing` is what differs when the system knows nothing under what it was asked.
    """

    system: str
    operation: str
    rule: str
    questions: Callable[[Connection, uuid.UUID], Iterable[Question]]
    compare: Compare
    missing: Callable[[Connection, Asked], Agreement]


def by_feed(feed: Callable[[Connection, Any, Provenance], Fed]) -> Compare:
    """Compare by what the feed of a register would change.

    Where the system answers about another code, that is what differs, and nothing else is compared: first who it is,
    then what is said of him.
    """

    def compare(
        connection: Connection,
        asked: Asked,
        record: Any,
        lineage: Sequence[Lineage],
        provenance: Provenance,
    ) -> Agreement:
        named = next(line.field for line in lineage if line.column == _CODE and "." not in line.field)
        answered = getattr(record, named)
        if answered not in codes_of(connection, asked.person_id):
            return _other_code(connection, asked, answered)
        same = replace(record, **{named: asked.code})
        found = comparing(connection, lambda: feed(connection, same, provenance))
        tables = [PERSON_CODE.name, *(one.table.name for one in found)]
        return Agreement(
            findings=[finding for one in found for finding in findings(one, lineage)],
            looked_at=DIFFERENCE.c.register_table.in_(tables),
            ours=sum(one.kept for one in found),
            theirs=sum(one.said for one in found),
        )

    return compare


def unknown_person(connection: Connection, asked: Asked) -> Agreement:
    """The system knows nobody under the code in force."""
    return _other_code(connection, asked, None)


def current(connection: Connection, table: Table, person_id: uuid.UUID) -> Sequence[Row[Any]]:
    """The rows of a person that are current in a table."""
    return connection.execute(select(table).where(table.c.person_id == person_id, recorded(table))).all()


def findings(compared: Compared, lineage: Sequence[Lineage]) -> Iterator[Finding]:
    """What differs, by canonical field: a value of a row that both have, or a row that one does not have.

    Of rows that one side has and the other has not, two that differ in a single value are one row with another value.
    """
    fields = _fields(compared.table, lineage)
    added, gone = list(compared.added), []
    changed = list(compared.changed)
    for old in compared.gone:
        twin = next((row for row in added if len(other_columns(old, row)) == 1), None)
        if twin is None:
            gone.append(old)
        else:
            added.remove(twin)
            changed.append((old, twin))
    for old, row in changed:
        for column in sorted(other_columns(old, row), key=list(row).index):
            field, rule = fields.columns[column]
            yield Finding(
                field=field,
                rule=rule,
                table=compared.table.name,
                column=column,
                row_key=_key(compared, old),
                ours=told(getattr(old, column)),
                theirs=told(row[column]),
                kept=old,
            )
    for row in added:
        key = _key(compared, row)
        yield _whole(compared.table, fields, key, ours=None, theirs=told(row), kept=None)
    for old in gone:
        key = _key(compared, old)
        ours = {name: told(getattr(old, name)) for name in fields.columns}
        yield _whole(compared.table, fields, key, ours=ours, theirs=None, kept=old)


@dataclass(frozen=True, slots=True)
class _Fields:
    """Canonical field and rule of each column of a table; and of its row as a whole."""

    columns: Mapping[str, tuple[str, str]]
    row: str
    rule: str


def _fields(table: Table, lineage: Sequence[Lineage]) -> _Fields:
    columns: dict[str, tuple[str, str]] = {}
    for line in lineage:
        owner, _, column = line.column.partition(".")
        if owner == table.name:
            columns.setdefault(column, (line.field, line.rule))
    row = _common([field for field, _ in columns.values()])
    rule = _common([rule for _, rule in columns.values()])
    return _Fields(columns, row or table.name.removeprefix(f"{table.schema}_"), rule)


def _common(paths: Sequence[str]) -> str:
    """The path above all of these."""
    split = [path.split(".") for path in paths]
    shared = []
    for parts in zip(*split, strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return ".".join(shared)


def _key(compared: Compared, row: Row[Any] | Values) -> dict[str, Json]:
    values = row if isinstance(row, Mapping) else row._asdict()
    return {name: told(values[name]) for name in compared.key}


def _whole(
    table: Table, fields: _Fields, key: Mapping[str, Json], *, ours: Json, theirs: Json, kept: Row[Any] | None
) -> Finding:
    return Finding(
        field=fields.row,
        rule=fields.rule,
        table=table.name,
        column=None,
        row_key=key,
        ours=ours,
        theirs=theirs,
        kept=kept,
    )


def _other_code(connection: Connection, asked: Asked, answered: str | None) -> Agreement:
    rows = current(connection, PERSON_CODE, asked.person_id)
    finding = Finding(
        field="person_code",
        rule="p8.3",
        table=PERSON_CODE.name,
        column="code",
        row_key={},
        ours=asked.code,
        theirs=answered,
        kept=next(row for row in rows if row.code == asked.code),
    )
    looked_at = DIFFERENCE.c.register_table == PERSON_CODE.name
    return Agreement([finding], looked_at, ours=1, theirs=0 if answered is None else 1)
