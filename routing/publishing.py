"""Rows of the outbox that are given to a broker: it carries their ids, the table stays the truth."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, or_, select, update

from routing.outbox import deliverable, outbox
from storage import database_now

REPUBLISH = timedelta(seconds=4)


def publishable(
    connection: Connection,
    limit: int,
    *,
    without: Collection[str] = (),
    again_after: timedelta = REPUBLISH,
) -> list[uuid.UUID]:
    """Mark rows that can be delivered now as given to the broker and name them, each again after a while.

    So what a broker lost, emptied or wiped, comes to it again.
    """
    now = database_now(connection)
    rows = connection.execute(
        select(outbox.c.position, outbox.c.id)
        .where(*_unpublished(now, without, again_after))
        .order_by(outbox.c.due, outbox.c.position)
        .limit(limit)
        .with_for_update(skip_locked=True, of=outbox)
    ).all()
    mark(connection, [row.id for row in rows], now)
    return [row.id for row in rows]


def any_unpublished(connection: Connection, *, without: Collection[str] = ()) -> bool:
    """Whether `publishable` would find something."""
    wanted = _unpublished(database_now(connection), without, REPUBLISH)
    return connection.execute(select(outbox.c.position).where(*wanted).limit(1)).first() is not None


def mark(connection: Connection, ids: Sequence[uuid.UUID], published_at: datetime | None) -> None:
    """Note when rows were given to the broker, or that they were not."""
    connection.execute(update(outbox).where(outbox.c.id.in_(list(ids))).values(published_at=published_at))


def _unpublished(
    now: datetime, without: Collection[str], again_after: timedelta
) -> list[ColumnElement[bool]]:
    return [
        deliverable(now),
        outbox.c.system.not_in(list(without)),
        or_(outbox.c.published_at.is_(None), outbox.c.published_at < now - again_after),
    ]
