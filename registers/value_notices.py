"""Notices of corrected values: each recipient of a value that turned out wrong is told once, and it is known how far.

A version that was looked into is remembered also where nobody had received it, so that it is looked into once.
Source: Regulation 2016/679, article 19; p2, p20.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Index,
    Row,
    Table,
    Text,
    UniqueConstraint,
    insert,
    select,
    update,
)

from errors import InvalidRequest, NotFound
from exchange import Json
from storage import Instant, identifier, metadata, upsert


class NoticeState(StrEnum):
    """How far a notice has come."""

    PREPARED = "prepared"  # on record here, not yet handed over
    TOLD = "told"  # by an operation of the recipient's, out of the outbox
    HANDED_OVER = "handed_over"
    ACKNOWLEDGED = "acknowledged"


NOTICE = Table(
    "corrections_notice",
    metadata,
    Column("id", identifier(), primary_key=True),
    Column("recipient", Text, nullable=False),
    Column("person_id", identifier(), nullable=False),
    Column("register_table", Text, nullable=False),
    Column("version_id", identifier(), nullable=False),
    Column("fields", JSON, nullable=False),
    Column("state", Text, nullable=False),
    Column("document", JSON, nullable=False),
    Column("exchange_id", identifier(), nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("way", Text),
    Column("handed_at", Instant),
    Column("reference", Text),
    Column("acknowledged_at", Instant),
    UniqueConstraint("recipient", "version_id"),
    Index("ix_corrections_notice_state", "state"),
    schema="corrections",
)

LOOKED_INTO = Table(
    "corrections_looked_into",
    metadata,
    Column("version_id", identifier(), primary_key=True),
    Column("at", Instant, nullable=False),
    schema="corrections",
)


def look_into(connection: Connection, version_id: uuid.UUID, now: datetime) -> bool:
    """Take a wrong version in hand; whether nobody has before."""
    row = upsert(connection, LOOKED_INTO).values(version_id=version_id, at=now)
    taken = row.on_conflict_do_nothing(index_elements=["version_id"]).returning(LOOKED_INTO.c.version_id)
    return connection.execute(taken).first() is not None


def put(connection: Connection, **values: Any) -> None:
    """Put a notice on record."""
    connection.execute(insert(NOTICE).values(**values))


def one(connection: Connection, notice_id: uuid.UUID) -> Row[Any]:
    """A notice by its id.

    Raises: NotFound.
    """
    found = connection.execute(select(NOTICE).where(NOTICE.c.id == notice_id)).first()
    if found is None:
        raise NotFound("notice of a correction")
    return found


def listed(
    connection: Connection, *, recipient: str = "", state: NoticeState | None = None
) -> Sequence[Row[Any]]:
    """Notices, oldest first, of one recipient or in one state where that is wanted."""
    query = select(NOTICE)
    if recipient:
        query = query.where(NOTICE.c.recipient == recipient)
    if state is not None:
        query = query.where(NOTICE.c.state == state.value)
    return connection.execute(query.order_by(NOTICE.c.made_at, NOTICE.c.id)).all()


def handed_over(
    connection: Connection, notice_id: uuid.UUID, way: str, reference: str, now: datetime
) -> bool:
    """Note that a notice was handed over; False where another process did meanwhile."""
    mine = update(NOTICE).where(NOTICE.c.id == notice_id, NOTICE.c.state == NoticeState.PREPARED.value)
    values: Mapping[str, Json | datetime] = {"way": way, "reference": reference, "handed_at": now}
    return bool(connection.execute(mine.values(state=NoticeState.HANDED_OVER.value, **values)).rowcount)


def acknowledged(connection: Connection, notice_id: uuid.UUID, now: datetime) -> None:
    """Note that the recipient has a notice.

    Raises: NotFound, InvalidRequest when it was not handed over.
    """
    found = one(connection, notice_id)
    if found.state not in (NoticeState.HANDED_OVER.value, NoticeState.TOLD.value):
        raise InvalidRequest(f"the notice is {found.state}; only one that was handed over is acknowledged")
    mine = update(NOTICE).where(NOTICE.c.id == notice_id)
    connection.execute(mine.values(state=NoticeState.ACKNOWLEDGED.value, acknowledged_at=now))
