"""Exactly one effect: what was answered to a message id, so that a repeat gets the same answer and no second effect.

Source: docs/interfaces.md, exactly one effect.
"""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import Column, Connection, LargeBinary, String, Table, select

from errors import MessageIdReused
from storage import Instant, identifier, metadata, upsert

answered = Table(
    "routing_answered",
    metadata,
    Column("caller", String(100), primary_key=True),
    Column("message_id", String(200), primary_key=True),
    Column("content", LargeBinary(32), nullable=False),
    Column("exchange_id", identifier(), nullable=False),
    Column("answered_at", Instant, nullable=False),
    schema="routing",
)


class AnsweredMeanwhile(Exception):
    """Another exchange answered the same message first; its answer is the one to give."""

    def __init__(self, exchange_id: uuid.UUID) -> None:
        super().__init__()
        self.exchange_id = exchange_id


def earlier(connection: Connection, caller: str, message_id: str, content: bytes) -> uuid.UUID | None:
    """The exchange that answered this message before, or None.

    Raises: MessageIdReused when it was answered with other content.
    """
    row = connection.execute(
        select(answered.c.content, answered.c.exchange_id).where(
            answered.c.caller == caller, answered.c.message_id == message_id
        )
    ).first()
    if row is None:
        return None
    if bytes(row.content) != content:
        raise MessageIdReused
    found: uuid.UUID = row.exchange_id
    return found


def remember(
    connection: Connection,
    caller: str,
    message_id: str,
    content: bytes,
    exchange_id: uuid.UUID,
    now: datetime,
) -> None:
    """Record, in the transaction of the outcome, that this exchange answered the message.

    Raises: AnsweredMeanwhile when another exchange did so first: then nothing of this one may take effect.
    MessageIdReused when it did with other content.
    """
    written = connection.execute(
        upsert(connection, answered)
        .values(
            caller=caller, message_id=message_id, content=content, exchange_id=exchange_id, answered_at=now
        )
        .on_conflict_do_nothing()
        .returning(answered.c.exchange_id)
    )
    if written.first() is None:
        other = earlier(connection, caller, message_id, content)
        if other is None:
            raise LookupError("an answered message was deleted")
        raise AnsweredMeanwhile(other)
