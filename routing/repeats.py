"""Exactly one effect: what was answered to a message id, so that a repeat gets the same answer and no second effect.

While one exchange carries a message out it has a claim on it; the same message arriving meanwhile, in whatever
process, waits for that answer. A claim whose process died runs out.
Source: docs/interfaces.md, exactly one effect.
"""

from __future__ import annotations

import time
import uuid
from datetime import datetime, timedelta

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    Insert,
    LargeBinary,
    String,
    Table,
    bindparam,
    delete,
    or_,
    select,
)

from errors import Busy, MessageIdReused
from exchange import Request
from storage import Instant, UpsertOf, database_now, identifier, metadata, reading
from storage.statements import Statement

# Beyond one call an exchange only commits: after this many seconds more it must have died.
MARGIN_SECONDS = 5.0

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

claims = Table(
    "routing_claims",
    metadata,
    Column("caller", String(100), primary_key=True),
    Column("message_id", String(200), primary_key=True),
    Column("content", LargeBinary(32), nullable=False),
    Column("exchange_id", identifier(), nullable=False),
    Column("until", Instant, nullable=False),
    schema="routing",
)

_EARLIER = Statement(
    select(answered.c.content, answered.c.exchange_id).where(
        answered.c.caller == bindparam("caller"), answered.c.message_id == bindparam("message_id")
    )
)
_RELEASE = Statement(
    delete(claims).where(
        *(claims.c[name] == bindparam(name) for name in ("caller", "message_id", "exchange_id"))
    )
)
_REMEMBER = Statement(lambda insert_into: insert_into(answered).on_conflict_do_nothing())


def _claiming(insert_into: UpsertOf) -> Insert:
    taking = insert_into(claims)
    ours = claims.c.exchange_id == taking.excluded.exchange_id
    return taking.on_conflict_do_update(
        index_elements=[claims.c.caller, claims.c.message_id],
        set_={name: taking.excluded[name] for name in ("content", "exchange_id", "until")},
        where=or_(claims.c.until < bindparam("present", type_=Instant), ours),
    )


_CLAIM = Statement(_claiming)


class InHand(Exception):
    """Another exchange carries out the same message at this moment."""


class AnsweredMeanwhile(Exception):
    """Another exchange answered the same message first; its answer is the one to give."""

    def __init__(self, exchange_id: uuid.UUID) -> None:
        super().__init__()
        self.exchange_id = exchange_id


def earlier(connection: Connection, caller: str, message_id: str, content: bytes) -> uuid.UUID | None:
    """The exchange that answered this message before, or None.

    Raises: MessageIdReused when it was answered with other content.
    """
    row = _EARLIER.first(connection, caller=caller, message_id=message_id)
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
    written = _REMEMBER.run(
        connection,
        caller=caller,
        message_id=message_id,
        content=content,
        exchange_id=exchange_id,
        answered_at=now,
    )
    if not written:
        other = earlier(connection, caller, message_id, content)
        if other is None:
            raise LookupError("an answered message was deleted")
        raise AnsweredMeanwhile(other)


def claim(connection: Connection, request: Request, exchange_id: uuid.UUID, deadline: float) -> None:
    """Take a message in hand, or keep it, in the transaction of an attempt that ends by `deadline`.

    Raises: InHand while another exchange has it, AnsweredMeanwhile when one answered it, MessageIdReused when that
    is a message with other content.
    """
    now, message_id = database_now(connection), request.message_id
    taken = _CLAIM.run(
        connection,
        caller=request.caller.name,
        message_id=message_id,
        content=request.content,
        exchange_id=exchange_id,
        until=now + timedelta(seconds=max(0.0, deadline - time.monotonic()) + MARGIN_SECONDS),
        present=now,
    )
    # Asked after the claim: the one who had it before has answered by now, or never will.
    other = earlier(connection, request.caller.name, message_id, request.content)
    if other is not None:
        raise AnsweredMeanwhile(other)
    if not taken:
        held = connection.execute(select(claims.c.content).where(*_key(request))).first()
        if held is not None and bytes(held.content) != request.content:
            raise MessageIdReused
        raise InHand


def release(connection: Connection, request: Request, exchange_id: uuid.UUID) -> None:
    """Let go of a message, in the transaction of the outcome."""
    _RELEASE.run(
        connection, caller=request.caller.name, message_id=request.message_id, exchange_id=exchange_id
    )


def wait(engine: Engine, request: Request, deadline: float) -> None:
    """Wait until nobody has the message in hand any more.

    Raises: Busy when that takes longer than the caller will wait.
    """
    pause = 0.02
    held = select(claims.c.until).where(*_key(request))
    while True:
        with reading(engine).begin() as connection:
            found = connection.execute(held).first()
            now = database_now(connection)
        if found is None or found.until < now:
            return
        if time.monotonic() + pause > deadline:
            raise Busy("the same message is being carried out", retry_after=1)
        time.sleep(pause)
        pause = min(pause * 1.5, 0.25)


def _key(request: Request) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return claims.c.caller == request.caller.name, claims.c.message_id == request.message_id
