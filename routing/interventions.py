"""What a person decides about a row of the outbox: that it is delivered again, or set aside."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, and_, exists, or_, select, update

import adapters
import errors
from adapters import Repeat
from audit import Entry, ExchangeLog
from config import Settings
from routing.delivery import repeat_of, stricter
from routing.outbox import Row, State, find, outbox, ring
from storage import database_now

REPLAYED = (State.WAITING, State.DEAD, State.UNKNOWN, State.PARKED)
PARKED = (State.WAITING, State.DEAD, State.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of the rows that were decided about: as they are now, and why others stay as they were."""

    changed: tuple[Row, ...]
    refused: Mapping[uuid.UUID, str]


def decide(
    log: ExchangeLog,
    rows: Iterable[Row],
    record: Callable[[Row], Entry],
    work: Callable[[Connection, Row], Row],
) -> Decided:
    """Decide about each row by itself, with its record in the same transaction; one that is refused stops no other.

    Raises: LogUnavailable, Busy; what was decided until then stays.
    """
    changed: list[Row] = []
    refused: dict[uuid.UUID, str] = {}
    for row in rows:

        def both(connection: Connection, row: Row = row) -> Row:
            log.append(connection, record(row))
            return work(connection, row)

        try:
            changed.append(log.commit(both))
        except errors.InvalidRequest as error:
            refused[row.id] = error.detail
    return Decided(tuple(changed), refused)


def may_act_twice(settings: Settings, row: Row) -> bool:
    """Whether a row may have taken effect, at a system that would not know it again."""
    if not row.unclear:
        return False
    adapter = adapters.discover().get(row.system)
    operation = adapter.operation(row.operation) if adapter is not None else None
    system = settings.systems.get(row.system)
    if operation is None or system is None:
        return True
    return stricter(operation.repeat, repeat_of(row.system, system.repeat)) is Repeat.NEITHER


def mark(row: Row) -> str:
    """What tells that a row is not as it was when somebody looked at it."""
    return f"{row.state.value} {row.attempts} {row.due.isoformat()}"


def held(connection: Connection, exchange_id: uuid.UUID) -> Row:
    """A row as it is now, held until the transaction ends. Raises: NotFound."""
    connection.execute(select(outbox.c.position).where(outbox.c.id == exchange_id).with_for_update())
    return find(connection, exchange_id)


def overtaken(connection: Connection, exchange_id: uuid.UUID) -> bool:
    """Whether a later message about the same person was delivered already, or is under way."""
    later = outbox.alias("later")
    found = select(outbox.c.position).where(
        outbox.c.id == exchange_id,
        exists().where(
            later.c.subject_order == outbox.c.subject_order,
            later.c.position > outbox.c.position,
            later.c.state.in_([State.DELIVERED.value, State.LEASED.value]),
        ),
    )
    return connection.execute(found).first() is not None


def replay(
    connection: Connection,
    exchange_id: uuid.UUID,
    *,
    give_up_after: timedelta,
    decided: bool = False,
    out_of_order: bool = False,
) -> Row:
    """Have a row delivered again: the same exchange with the same MessageID.

    `decided` says that a person knows it took no effect or may take one more; `out_of_order` that it may come after
    a later message about the same person. Raises: NotFound, InvalidRequest for a row that is delivered or under way,
    or overtaken without leave.
    """
    now = database_now(connection)
    if not out_of_order and overtaken(connection, exchange_id):
        raise errors.InvalidRequest("a later message about the same person was delivered or is under way")
    values = {"unclear": False} if decided else {}
    return _moved(
        connection,
        exchange_id,
        REPLAYED,
        state=State.WAITING.value,
        due=now,
        lapses=0,
        give_up_at=now + give_up_after,
        settled_at=None,
        published_at=None,
        **values,
    )


def park(connection: Connection, exchange_id: uuid.UUID) -> Row:
    """Set a row aside: it is not delivered by itself, and the later ones of the same person go on.

    Raises: NotFound, InvalidRequest for a row that is delivered or under way.
    """
    return _moved(
        connection,
        exchange_id,
        PARKED,
        state=State.PARKED.value,
        settled_at=database_now(connection),
    )


def _moved(connection: Connection, exchange_id: uuid.UUID, allowed: Sequence[State], **values: object) -> Row:
    # A lease that ran out is nobody's: its row waits to be taken over.
    given_up = and_(outbox.c.state == State.LEASED.value, outbox.c.leased_until < database_now(connection))
    moved = connection.execute(
        update(outbox)
        .where(
            outbox.c.id == exchange_id, or_(outbox.c.state.in_([state.value for state in allowed]), given_up)
        )
        .values({**values, "holder": None, "leased_until": None})
        .returning(outbox.c.position)
    ).first()
    row = find(connection, exchange_id)
    if moved is None:
        raise errors.InvalidRequest(f"the row is {row.state.value}")
    ring(connection)
    return row
