"""What a person decides about a row of the outbox: that it is delivered again, or set aside."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Connection, and_, exists, or_, select, update

import errors
from routing.outbox import Row, State, find, outbox, ring
from storage import database_now


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
        (State.WAITING, State.DEAD, State.UNKNOWN, State.PARKED),
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
        (State.WAITING, State.DEAD, State.UNKNOWN),
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
