"""What a person decides about a difference, and how a decision is taken back.

To keep ours changes no register: the value that the source named stays outside until the source says another. To take
theirs makes a new version whose provenance is the exchange that brought the value. To return it is a request to the
source that holds the data (`registers/corrections.py`). Source: p2, p20.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Column, Connection, Date, Row, Table, select, update

from errors import InvalidRequest
from exchange import Json, Provenance
from registers import corrections
from registers.comparing import current
from registers.differences import DIFFERENCE, Act, Decision, State, note, one, told
from registers.history import Exact, Texts, Value, business_columns, recorded, supersede
from registers.persons import PERSON_CODE, hold_person, one_person
from storage import metadata

# Who says which codes are of one person. Source: p8.3.
_SAYS_CODES = "pmlp"

_MOVED = "the register holds something else by now; compare the person again"


def may_be_taken(difference: Row[Any]) -> bool:
    """Whether the register may take the source's value: a register of one system holds what that system says."""
    if difference.register_table == PERSON_CODE.name:
        return difference.theirs is not None and difference.theirs_source == _SAYS_CODES
    return bool(_table(difference.register_table).schema == difference.theirs_source)


def keep(connection: Connection, difference_id: uuid.UUID, actor: str, reason: str, now: datetime) -> None:
    """Keep what the register holds. Raises: NotFound, InvalidRequest."""
    _standing(connection, difference_id)
    _put(connection, difference_id, State.DECIDED, Decision.KEEP)
    corrections.withdraw(connection, difference_id, now)
    note(connection, difference_id, Act.KEPT, now, actor=actor, reason=reason)


def take(connection: Connection, difference_id: uuid.UUID, actor: str, reason: str, now: datetime) -> None:
    """Take what the source says into the register.

    Raises: NotFound; InvalidRequest when it is decided already, when the register changed since, or when what the
    source says is of another register than its own.
    """
    difference = _standing(connection, difference_id)
    if not may_be_taken(difference):
        raise InvalidRequest(
            f"{difference.theirs_source} does not fill this register; keep ours, or return it to the source that does"
        )
    origin = Provenance(
        difference.theirs_exchange_id,
        difference.theirs_source,
        difference.theirs_contract_version,
        difference.theirs_mapping_version,
        now,
    )
    if difference.register_table == PERSON_CODE.name:
        one_person(connection, difference.ours, difference.theirs, origin)
    else:
        _write(connection, difference, origin)
    _put(connection, difference_id, State.DECIDED, Decision.TAKE)
    corrections.withdraw(connection, difference_id, now)
    note(
        connection,
        difference_id,
        Act.TAKEN,
        now,
        actor=actor,
        reason=reason,
        exchange_id=difference.theirs_exchange_id,
    )


def give_back(
    connection: Connection, difference_id: uuid.UUID, sender: str, actor: str, reason: str, now: datetime
) -> uuid.UUID:
    """Return a difference to the source that holds the data; the id of the correction request.

    `sender` is the registration number of the institution that asks.

    Raises: NotFound, InvalidRequest when it is not open.
    """
    difference = _locked(connection, difference_id)
    if difference.state != State.OPEN:
        raise InvalidRequest(f"the difference is {difference.state}; only an open one is returned")
    request_id = corrections.prepare(connection, difference, sender, actor, reason, now)
    _put(connection, difference_id, State.RETURNED, None)
    note(connection, difference_id, Act.RETURNED, now, actor=actor, reason=reason)
    return request_id


def undo(connection: Connection, difference_id: uuid.UUID, actor: str, reason: str, now: datetime) -> None:
    """Take a decision or a return back: the difference is open again, and the register as it was before.

    Raises: NotFound; InvalidRequest when nothing was decided, the register changed since, or persons were joined.
    """
    difference = _locked(connection, difference_id)
    if difference.state not in (State.DECIDED, State.RETURNED):
        raise InvalidRequest(f"the difference is {difference.state}; there is nothing to undo")
    if difference.decision == Decision.TAKE:
        if difference.register_table == PERSON_CODE.name:
            raise InvalidRequest("two codes were joined to one person, which is not undone here")
        _refuse_a_second(connection, difference)
        _write_back(connection, difference, now)
    corrections.withdraw(connection, difference_id, now)
    _put(connection, difference_id, State.OPEN, None)
    note(connection, difference_id, Act.UNDONE, now, actor=actor, reason=reason)


def answered(
    connection: Connection,
    request_id: uuid.UUID,
    answer: corrections.Answer,
    reason: str,
    actor: str,
    now: datetime,
) -> uuid.UUID:
    """Keep how the source answered a correction request; gives the difference.

    What it corrects is settled by the next comparison; what it refuses to correct is open again.
    Raises: NotFound, InvalidRequest when the request was not sent.
    """
    difference_id = corrections.answer(connection, request_id, answer, now)
    difference = _locked(connection, difference_id)
    if answer is corrections.Answer.REFUSED and difference.state == State.RETURNED:
        _put(connection, difference_id, State.OPEN, None)
    note(connection, difference_id, Act.ANSWERED, now, actor=actor, reason=f"{answer.value}: {reason}")
    return difference_id


def _locked(connection: Connection, difference_id: uuid.UUID) -> Row[Any]:
    """The difference, under the lock of its person.

    Raises: NotFound.
    """
    hold_person(connection, one(connection, difference_id).person_id)
    found: Row[Any] = one(connection, difference_id)
    return found


def _standing(connection: Connection, difference_id: uuid.UUID) -> Row[Any]:
    difference = _locked(connection, difference_id)
    if difference.state not in (State.OPEN, State.RETURNED):
        raise InvalidRequest(f"the difference is {difference.state}; undo what was decided first")
    return difference


def _put(connection: Connection, difference_id: uuid.UUID, state: State, decision: Decision | None) -> None:
    values = {"state": state.value, "decision": None if decision is None else decision.value}
    connection.execute(update(DIFFERENCE).where(DIFFERENCE.c.id == difference_id).values(**values))


def _refuse_a_second(connection: Connection, difference: Row[Any]) -> None:
    same = [
        DIFFERENCE.c[name] == getattr(difference, name) for name in ("person_id", "system", "field", "thing")
    ]
    standing = DIFFERENCE.c.state.in_((State.OPEN.value, State.RETURNED.value))
    if connection.execute(select(DIFFERENCE.c.id).where(*same, standing)).first() is not None:
        raise InvalidRequest("another difference of the same field was found since; decide that one")


def _write(connection: Connection, difference: Row[Any], origin: Provenance) -> None:
    """What the source says, in the register."""
    table, column = _table(difference.register_table), difference.register_column
    old = _current(connection, table, difference.thing_id)
    if column is None and old is None:
        if difference.ours is not None:
            raise InvalidRequest(_MOVED)
        values = _values(table, difference.theirs)
        if any(_row(table, row) == values for row in current(connection, table, difference.person_id)):
            raise InvalidRequest(_MOVED)
        identity = _begin(connection, table, difference, values, origin)
        taken = update(DIFFERENCE).where(DIFFERENCE.c.id == difference.id)
        connection.execute(taken.values(thing_id=identity))
        return
    if old is None or _now(table, old, column) != difference.ours:
        raise InvalidRequest(_MOVED)
    changed = None
    if column is not None:
        changed = {**_row(table, old), column: _value(table.c[column], difference.theirs)}
    supersede(connection, table, difference.person_id, old, changed, origin)


def _write_back(connection: Connection, difference: Row[Any], now: datetime) -> None:
    """What the register held before, under the provenance that it had."""
    table, column = _table(difference.register_table), difference.register_column
    row = _current(connection, table, difference.thing_id)
    if column is None and difference.ours is None:  # it had been missing here
        if row is None or _now(table, row, None) != difference.theirs:
            raise InvalidRequest(_MOVED)
        supersede(connection, table, difference.person_id, row, None, _origin(row, now))
        back = update(DIFFERENCE).where(DIFFERENCE.c.id == difference.id)
        connection.execute(back.values(thing_id=None))
        return
    before = connection.execute(select(table).where(table.c.version_id == difference.ours_version_id)).first()
    if before is None or (row is None) != (column is None):
        raise InvalidRequest(_MOVED)
    if row is None:
        _begin(connection, table, difference, _row(table, before), _origin(before, now))
        return
    if _now(table, row, column) != difference.theirs:
        raise InvalidRequest(_MOVED)
    values = {**_row(table, row), str(column): getattr(before, str(column))}
    supersede(connection, table, difference.person_id, row, values, _origin(before, now))


def _begin(
    connection: Connection,
    table: Table,
    difference: Row[Any],
    values: Mapping[str, Value],
    origin: Provenance,
) -> uuid.UUID:
    version = supersede(
        connection, table, difference.person_id, None, values, origin, identity=difference.thing_id
    )
    identity: uuid.UUID = connection.execute(
        select(table.c.id).where(table.c.version_id == version)
    ).scalar_one()
    return identity


def _origin(row: Row[Any], now: datetime) -> Provenance:
    return Provenance(row.exchange_id, row.source, row.contract_version, row.mapping_version, now)


def _table(name: str) -> Table:
    return next(table for table in metadata.tables.values() if table.name == name)


def _current(connection: Connection, table: Table, thing_id: uuid.UUID | None) -> Row[Any] | None:
    return connection.execute(select(table).where(table.c.id == thing_id, recorded(table))).first()


def _row(table: Table, row: Row[Any]) -> dict[str, Value]:
    return {name: getattr(row, name) for name in business_columns(table)}


def _now(table: Table, row: Row[Any], column: str | None) -> Json:
    """What the register holds now of what the difference is about."""
    return told(_row(table, row)) if column is None else told(getattr(row, column))


def _values(table: Table, values: Json) -> dict[str, Value]:
    if not isinstance(values, dict):
        raise InvalidRequest(_MOVED)
    return {name: _value(table.c[name], value) for name, value in values.items()}


def _value(column: Column[Any], value: Json) -> Value:
    """A value as the column holds it, from the JSON in which a difference keeps it."""
    if isinstance(value, str) and isinstance(column.type, Date):
        return date.fromisoformat(value)
    if isinstance(value, str) and isinstance(column.type, Exact):
        return Decimal(value)
    if isinstance(value, list) and isinstance(column.type, Texts):
        return tuple(str(each) for each in value)
    if isinstance(value, float | dict):
        raise InvalidRequest(f"{column.name} holds no such value")
    return value
