"""Take rows whose purpose has ended out of the registers: what may be kept goes to an archive that knows no person.

A thing goes with all its versions, and with what was disputed, reconciled and handed over about it. A person of whom
nothing is left, or who has been dead for long, goes with every code and link, so that nobody can join the archive's
rows to him or to each other: they have random ids and no other key. Source: p22.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, time

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Integer,
    Row,
    Select,
    Table,
    Text,
    and_,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
)

from exchange import Json
from registers.corrections import REQUEST
from registers.differences import DIFFERENCE, EVENT
from registers.persons import PARTICULARS, PERSON
from registers.purposes import Purpose, Purposes
from registers.report_handovers import HANDOVER
from storage import identifier, metadata

ANONYMISED = Table(
    "spolis_anonymised",
    metadata,
    Column("id", identifier(), primary_key=True),
    Column("run", identifier(), nullable=False, index=True),
    Column("register_table", Text, nullable=False),
    Column("birth_year", Integer),
    Column("content", Text, nullable=False),
    schema="spolis",
    info={"anonymous": True},  # where a row came from would lead to the person
)


def step(connection: Connection, rules: Purposes, run: uuid.UUID, today: date, most: int) -> Counter[str]:
    """Anonymise up to `most` things or persons, in the caller's transaction.

    By table how many rows were erased, `persons`, and `archived`; empty when nothing is due.
    """
    for purpose in rules.own:
        things = _things(connection, purpose, today, most)
        if things:
            return _erase_things(connection, purpose, things, run)
    persons = _persons(connection, rules, today, most)
    return _erase_persons(connection, rules, persons, run) if persons else Counter()


def due(connection: Connection, rules: Purposes, today: date) -> Counter[str]:
    """How many things and persons are due, by table; persons whose last things are due follow with the next run."""
    found = Counter(
        {purpose.table.fullname: len(_things(connection, purpose, today, None)) for purpose in rules.own}
    )
    found["persons"] = len(_persons(connection, rules, today, None))
    return +found


def archived(connection: Connection, run: uuid.UUID) -> int:
    """How many rows of a run the archive holds."""
    statement = select(func.count()).select_from(ANONYMISED).where(ANONYMISED.c.run == run)
    return connection.execute(statement).scalar_one()


def years_before(day: date, years: int) -> date:
    """The same day of an earlier year; of a 29th of February the 28th."""
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return day.replace(year=day.year - years, day=28)


def _things(connection: Connection, purpose: Purpose, today: date, most: int | None) -> list[uuid.UUID]:
    """Things whose purpose ended long enough ago, by their current version; or that were withdrawn so long ago."""
    table, until = purpose.table, years_before(today, purpose.years)
    ended = select(table.c.id).where(table.c.superseded_at.is_(None), table.c[purpose.column] <= until)
    newer = table.alias()
    withdrawn = select(table.c.id).where(
        table.c.superseded_at < _instant(until),
        ~exists().where(
            newer.c.id == table.c.id,
            or_(newer.c.superseded_at.is_(None), newer.c.superseded_at >= _instant(until)),
        ),
    )
    return list(connection.execute(ended.union(withdrawn).limit(most)).scalars())


def _persons(connection: Connection, rules: Purposes, today: date, most: int | None) -> list[uuid.UUID]:
    until = years_before(today, rules.person_years)
    dead = exists().where(
        PARTICULARS.c.person_id == PERSON.c.id,
        PARTICULARS.c.superseded_at.is_(None),
        PARTICULARS.c.death_date <= until,
    )
    nothing_left = and_(*(~_has(one.table) for one in rules.own if "person_id" in one.table.c))
    silent = and_(
        PERSON.c.recorded_at < _instant(until),
        *(
            ~_has(one.table, one.table.c.recorded_at >= _instant(until))
            for one in rules.with_person
            if not one.column
        ),
    )
    statement = select(PERSON.c.id).where(or_(dead, and_(nothing_left, silent)))
    return list(connection.execute(statement.limit(most)).scalars())


def _has(table: Table, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(table.c.person_id == PERSON.c.id, *conditions)


def _erase_things(
    connection: Connection, purpose: Purpose, things: Sequence[uuid.UUID], run: uuid.UUID
) -> Counter[str]:
    gone = _keep(connection, purpose, purpose.table.c.id.in_(things), run)
    gone += _erase_disputes(connection, DIFFERENCE.c.thing_id.in_(things))
    versions = select(purpose.table.c.version_id).where(purpose.table.c.id.in_(things))
    for table in _beside():
        for name, which in (("thing_id", things), ("version_id", versions)):
            if name in table.c:
                gone += _delete(connection, table, table.c[name].in_(which))
    return gone + _erase_rows(connection, purpose.table, purpose.table.c.id.in_(things))


def _erase_persons(
    connection: Connection, rules: Purposes, persons: Sequence[uuid.UUID], run: uuid.UUID
) -> Counter[str]:
    gone = _erase_disputes(connection, DIFFERENCE.c.person_id.in_(persons))
    for purpose in rules.with_person:  # all of them are read before the year of birth goes
        gone += _keep(connection, purpose, purpose.table.c.person_id.in_(persons), run)
    for table in _beside():
        if "person_id" in table.c:
            gone += _delete(connection, table, table.c.person_id.in_(persons))
    for purpose in rules.with_person:
        gone += _erase_rows(connection, purpose.table, purpose.table.c.person_id.in_(persons))
    connection.execute(delete(PERSON).where(PERSON.c.id.in_(persons)))
    return gone + Counter(persons=len(persons))


def _erase_rows(connection: Connection, table: Table, which: ColumnElement[bool]) -> Counter[str]:
    reports = select(table.c.id).where(which)
    return _delete(connection, HANDOVER, HANDOVER.c.report_id.in_(reports)) + _delete(
        connection, table, which
    )


def _erase_disputes(connection: Connection, differences: ColumnElement[bool]) -> Counter[str]:
    of_them = select(DIFFERENCE.c.id).where(differences)
    return (
        _delete(connection, EVENT, EVENT.c.difference_id.in_(of_them))
        + _delete(connection, REQUEST, REQUEST.c.difference_id.in_(of_them))
        + _delete(connection, DIFFERENCE, differences)
    )


def _delete(connection: Connection, table: Table, which: ColumnElement[bool]) -> Counter[str]:
    return +Counter({table.fullname: connection.execute(delete(table).where(which)).rowcount})


def _beside() -> list[Table]:
    """What is kept about rows of registers and is no register: reconciliation, notices, whatever names a person."""
    return [
        table
        for table in metadata.tables.values()
        if "superseded_at" not in table.c
        and {"person_id", "thing_id", "version_id"} & set(table.columns.keys())
        and table is not DIFFERENCE
    ]


def _keep(
    connection: Connection, purpose: Purpose, which: ColumnElement[bool], run: uuid.UUID
) -> Counter[str]:
    """Archive the last version of each thing without identity; rows of which nothing is kept are not counted there."""
    if not purpose.kept:
        return Counter()
    rows = connection.execute(_last_versions(purpose.table).where(which)).all()
    births = _birth_years(connection, {row.person_id for row in rows if "person_id" in purpose.table.c})
    kept = [
        {
            "id": uuid.uuid4(),
            "run": run,
            "register_table": purpose.table.fullname,
            "birth_year": births.get(row.person_id) if births else None,
            "content": json.dumps(_coarse(row, purpose.kept), ensure_ascii=False),
        }
        for row in rows
    ]
    if kept:
        # By their random ids: the order of insertion says nothing of who belongs to whom.
        connection.execute(insert(ANONYMISED), sorted(kept, key=lambda one: str(one["id"])))
    return +Counter(archived=len(kept))


def _last_versions(table: Table) -> Select[*tuple[object, ...]]:
    newer = table.alias()
    later = exists().where(newer.c.id == table.c.id, newer.c.recorded_at > table.c.recorded_at)
    return select(table).where(~later)


def _birth_years(connection: Connection, persons: Collection[uuid.UUID]) -> dict[uuid.UUID, int]:
    statement = select(PARTICULARS.c.person_id, PARTICULARS.c.birth_date).where(
        PARTICULARS.c.person_id.in_(persons),
        PARTICULARS.c.superseded_at.is_(None),
        PARTICULARS.c.birth_date.is_not(None),
    )
    return {row.person_id: row.birth_date.year for row in connection.execute(statement)}


def _coarse(row: Row[*tuple[object, ...]], names: Sequence[str]) -> dict[str, Json]:
    def coarse(value: object) -> Json:
        if isinstance(value, date):
            return value.year
        return value if value is None or isinstance(value, bool | int) else str(value)

    return {name: coarse(getattr(row, name)) for name in names}


def _instant(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
