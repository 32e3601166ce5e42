"""Differences between what a register holds and what a source says: listed, decided by a person, never overwritten.

A difference is about one field of one thing of a person, or about a whole row that only one side has. While it is
contested (open, returned to its source, or decided to keep ours) the value that the source named does not enter the
register by any other way; what the source says next is news and does. What was found stays as it was found: when one
side says something else, the difference ends and another begins. Source: p2, p17.10, p20.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    ForeignKey,
    Index,
    Table,
    Text,
    and_,
    bindparam,
    func,
    insert,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.sql import ColumnElement

from errors import NotFound
from exchange import Json, Provenance, new_id
from storage import Instant, identifier, metadata
from storage.statements import Row, Statement


class State(StrEnum):
    """How far a difference has come."""

    OPEN = "open"
    DECIDED = "decided"
    RETURNED = "returned"  # to the source that holds the data, as a correction request
    SETTLED = "settled"  # by a later comparison: the sides agree, or differ otherwise


class Decision(StrEnum):
    """What a person decided."""

    KEEP = "keep"
    TAKE = "take"


class Act(StrEnum):
    """What happened to a difference."""

    FOUND = "found"
    KEPT = "kept"
    TAKEN = "taken"
    RETURNED = "returned"
    ANSWERED = "answered"  # the source answered the correction request
    UNDONE = "undone"
    AGREED = "agreed"  # a later comparison found no difference
    REPLACED = "replaced"  # a later comparison found another
    JOINED = "joined"  # the person turned out to be another one, of whom the same was found


DIFFERENCE = Table(
    "reconciliation_difference",
    metadata,
    Column("id", identifier(), primary_key=True),
    Column("person_id", identifier(), nullable=False),
    Column("system", Text, nullable=False),
    Column("field", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("register_table", Text, nullable=False),
    Column("register_column", Text),
    Column("row_key", JSON, nullable=False),
    Column("thing", Text, nullable=False),
    Column("thing_id", identifier()),
    Column("ours", JSON),
    Column("theirs", JSON),
    Column("ours_version_id", identifier()),
    Column("ours_source", Text),
    Column("ours_exchange_id", identifier()),
    Column("ours_recorded_at", Instant),
    Column("theirs_source", Text, nullable=False),
    Column("theirs_exchange_id", identifier(), nullable=False),
    Column("theirs_contract_version", Text, nullable=False),
    Column("theirs_mapping_version", Text, nullable=False),
    Column("theirs_recorded_at", Instant, nullable=False),
    Column("state", Text, nullable=False),
    Column("decision", Text),
    Column("seen_at", Instant, nullable=False),
    schema="reconciliation",
)
_STANDING = text("state IN ('open', 'returned')")
Index(
    "uq_reconciliation_difference_standing",
    *(DIFFERENCE.c[name] for name in ("person_id", "system", "field", "thing")),
    unique=True,
    postgresql_where=_STANDING,
    sqlite_where=_STANDING,
)
Index(None, DIFFERENCE.c.person_id, DIFFERENCE.c.register_table)
Index(None, DIFFERENCE.c.state, DIFFERENCE.c.id)

EVENT = Table(
    "reconciliation_event",
    metadata,
    Column("id", identifier(), primary_key=True),
    Column(
        "difference_id",
        identifier(),
        ForeignKey("reconciliation.reconciliation_difference.id"),
        nullable=False,
    ),
    Column("instant", Instant, nullable=False),
    Column("act", Text, nullable=False),
    Column("actor", Text),
    Column("reason", Text),
    Column("exchange_id", identifier()),
    schema="reconciliation",
)
Index(None, EVENT.c.difference_id, EVENT.c.instant)

_ACTIVE = or_(
    DIFFERENCE.c.state.in_((State.OPEN.value, State.RETURNED.value)),
    and_(DIFFERENCE.c.state == State.DECIDED.value, DIFFERENCE.c.decision == Decision.KEEP.value),
)
_CONTESTED = Statement(
    select(
        DIFFERENCE.c.thing_id, DIFFERENCE.c.register_column, DIFFERENCE.c.theirs, DIFFERENCE.c.theirs_source
    ).where(
        DIFFERENCE.c.person_id == bindparam("person_id"),
        DIFFERENCE.c.register_table == bindparam("register_table"),
        text(
            "(state IN ('open', 'returned') OR (state = 'decided' AND decision = 'keep'))"
        ),  # as text: a list has no place in a Statement
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One difference as a comparison finds it, before it is kept.

    `column` None: a whole row, which one side does not have (`ours` or `theirs` None). `row_key` tells the thing among
    others of its kind. `kept` is the version of the register that differs, None where there is none.
    """

    field: str
    rule: str
    table: str
    column: str | None
    row_key: Mapping[str, Json]
    ours: Json
    theirs: Json
    kept: Row | None

    @property
    def thing(self) -> str:
        """The id of the thing in the register; of one that is not there, what tells it from others."""
        if self.kept is not None:
            return str(self.kept.id)
        return json.dumps(dict(self.row_key), sort_keys=True, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Kept:
    """What a comparison did to the differences of a person: how many began, stand as before, ended."""

    opened: int = 0
    standing: int = 0
    settled: int = 0


def told(value: object) -> Json:
    """A value of a register in JSON's own types: dates ISO, a decimal without idle zeros, a code as its code."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, Mapping):
        return {str(name): told(one) for name, one in value.items()}
    if isinstance(value, tuple | list):
        return [told(one) for one in value]
    if value is None or isinstance(value, str | bool | int):
        return value
    raise TypeError(f"{type(value).__name__} is no value of a register")


def record(
    connection: Connection,
    person_id: uuid.UUID,
    system: str,
    findings: Sequence[Finding],
    provenance: Provenance,
    compared: ColumnElement[bool],
) -> Kept:
    """Keep what a comparison of one person found; `compared` is the condition for what it looked at.

    A difference that was found before and is the same stands as it is, whatever was decided. Of what was looked at and
    is no more, the difference is settled. The caller holds the person's lock.
    """
    now, opened, standing = provenance.recorded_at, 0, 0
    mine = and_(DIFFERENCE.c.person_id == person_id, DIFFERENCE.c.system == system, _ACTIVE, compared)
    active = list(connection.execute(select(DIFFERENCE).where(mine)).all())
    ended: list[tuple[Row, Act]] = []
    fresh: list[tuple[Finding, str]] = []
    for finding, thing in _told_apart(findings):
        before = next((one for one in active if (one.field, one.thing) == (finding.field, thing)), None)
        if before is not None:
            active.remove(before)
        if before is not None and (before.ours, before.theirs) == (finding.ours, finding.theirs):
            standing += 1
            seen = update(DIFFERENCE).where(DIFFERENCE.c.id == before.id).values(seen_at=now)
            connection.execute(seen)
            continue
        if before is not None:
            ended.append((before, Act.REPLACED))
        fresh.append((finding, thing))
    ended += [(one, Act.AGREED) for one in active]
    for one, act in ended:
        settle(connection, one.id, act, now, provenance.exchange_id)
    for finding, thing in fresh:
        _open(connection, person_id, system, finding, thing, provenance)
        opened += 1
    return Kept(opened, standing, len(ended))


def _told_apart(findings: Iterable[Finding]) -> Iterator[tuple[Finding, str]]:
    """Each finding with what it is about; several things that nothing tells apart are numbered."""
    met: Counter[tuple[str, str]] = Counter()
    for finding in findings:
        met[finding.field, finding.thing] += 1
        number = met[finding.field, finding.thing]
        yield finding, finding.thing if number == 1 else f"{finding.thing} {number}"


def settle(
    connection: Connection, difference_id: uuid.UUID, act: Act, now: datetime, exchange_id: uuid.UUID | None
) -> None:
    """End a difference without a person's decision."""
    ending = update(DIFFERENCE).where(DIFFERENCE.c.id == difference_id)
    connection.execute(ending.values(state=State.SETTLED.value, seen_at=now))
    note(connection, difference_id, act, now, exchange_id=exchange_id)


def note(
    connection: Connection,
    difference_id: uuid.UUID,
    act: Act,
    now: datetime,
    *,
    actor: str | None = None,
    reason: str | None = None,
    exchange_id: uuid.UUID | None = None,
) -> None:
    """Keep what happened to a difference, by whom and why."""
    connection.execute(
        insert(EVENT).values(
            id=new_id(),
            difference_id=difference_id,
            instant=now,
            act=act.value,
            actor=actor,
            reason=reason,
            exchange_id=exchange_id,
        )
    )


def contested(connection: Connection, table: str, person_id: object) -> list[Row]:
    """What of a person's rows in a table is contested: `thing_id`, `register_column`, `theirs`, `theirs_source`."""
    return _CONTESTED.all(connection, person_id=person_id, register_table=table)


def move(connection: Connection, gone: uuid.UUID, kept: uuid.UUID, now: datetime) -> None:
    """Give the differences of one person to another, who turned out to be the same; of two alike one ends."""
    columns = (DIFFERENCE.c.system, DIFFERENCE.c.field, DIFFERENCE.c.thing)
    mine = select(DIFFERENCE.c.id, *columns).where(_ACTIVE)
    ours = {tuple(row)[1:] for row in connection.execute(mine.where(DIFFERENCE.c.person_id == kept))}
    for row in connection.execute(mine.where(DIFFERENCE.c.person_id == gone)).all():
        if tuple(row)[1:] in ours:
            settle(connection, row.id, Act.JOINED, now, None)
    moved = update(DIFFERENCE).where(DIFFERENCE.c.person_id == gone)
    connection.execute(moved.values(person_id=kept))


def one(connection: Connection, difference_id: uuid.UUID) -> Row:
    """A difference by its id.

    Raises: NotFound.
    """
    found = connection.execute(select(DIFFERENCE).where(DIFFERENCE.c.id == difference_id)).first()
    if found is None:
        raise NotFound("difference")
    return found


def listed(
    connection: Connection,
    states: Iterable[State] = (),
    system: str = "",
    limit: int = 1000,
    after: uuid.UUID | None = None,
) -> Sequence[Row]:
    """Differences, oldest first, `after` one those that were found later; without a state all that are not settled."""
    wanted = [state.value for state in states] or [s.value for s in State if s is not State.SETTLED]
    query = select(DIFFERENCE).where(DIFFERENCE.c.state.in_(wanted)).order_by(DIFFERENCE.c.id).limit(limit)
    if system:
        query = query.where(DIFFERENCE.c.system == system)
    if after is not None:
        query = query.where(DIFFERENCE.c.id > after)
    return connection.execute(query).all()


def counts(connection: Connection) -> dict[tuple[str, State], int]:
    """How many differences there are by system and state; of those that are settled nothing, they only grow."""
    wanted = DIFFERENCE.c.state.in_([state.value for state in State if state is not State.SETTLED])
    of_each = select(DIFFERENCE.c.system, DIFFERENCE.c.state, func.count()).where(wanted)
    rows = connection.execute(of_each.group_by(DIFFERENCE.c.system, DIFFERENCE.c.state))
    return {(system, State(state)): number for system, state, number in rows}


def events(connection: Connection, difference_id: uuid.UUID) -> Sequence[Row]:
    """What happened to a difference, in order."""
    own = select(EVENT).where(EVENT.c.difference_id == difference_id)
    return connection.execute(own.order_by(EVENT.c.instant, EVENT.c.id)).all()


def _open(
    connection: Connection,
    person_id: uuid.UUID,
    system: str,
    finding: Finding,
    thing: str,
    provenance: Provenance,
) -> None:
    kept: Any = finding.kept
    difference_id = new_id()
    connection.execute(
        insert(DIFFERENCE).values(
            id=difference_id,
            person_id=person_id,
            system=system,
            field=finding.field,
            rule=finding.rule,
            register_table=finding.table,
            register_column=finding.column,
            row_key=dict(finding.row_key),
            thing=thing,
            thing_id=None if kept is None else kept.id,
            ours=finding.ours,
            theirs=finding.theirs,
            ours_version_id=None if kept is None else kept.version_id,
            ours_source=None if kept is None else kept.source,
            ours_exchange_id=None if kept is None else kept.exchange_id,
            ours_recorded_at=None if kept is None else kept.recorded_at,
            theirs_source=provenance.source,
            theirs_exchange_id=provenance.exchange_id,
            theirs_contract_version=provenance.contract_version,
            theirs_mapping_version=provenance.mapping_version,
            theirs_recorded_at=provenance.recorded_at,
            state=State.OPEN.value,
            decision=None,
            seen_at=provenance.recorded_at,
        )
    )
    note(
        connection,
        difference_id,
        Act.FOUND,
        provenance.recorded_at,
        exchange_id=provenance.exchange_id,
    )
