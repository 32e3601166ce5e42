"""Correction requests: a difference as a document for the source that holds the data, and how far it has come.

The contracts of the systems that supply us have no operation for it, so a request is a document, in JSON for their
programs and as a text in Latvian and English for their officials. Source: p2, p20.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    ForeignKey,
    Index,
    Row,
    Table,
    Text,
    insert,
    select,
    text,
    update,
)

from errors import InvalidRequest, NotFound
from exchange import Json, instant_text, new_id
from mappings.codes import CodeList
from mappings.regulation import chain
from registers.persons import codes_of
from storage import Instant, identifier, metadata


class RequestState(StrEnum):
    """How far a correction request has come."""

    PREPARED = "prepared"  # on record here, not yet handed over
    SENT = "sent"
    ANSWERED = "answered"
    WITHDRAWN = "withdrawn"


class Answer(StrEnum):
    """How a source answered."""

    CORRECTED = "corrected"
    REFUSED = "refused"


REQUEST = Table(
    "reconciliation_request",
    metadata,
    Column("id", identifier(), primary_key=True),
    Column(
        "difference_id",
        identifier(),
        ForeignKey("reconciliation.reconciliation_difference.id"),
        nullable=False,
    ),
    Column("recipient", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("document", JSON, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("sent_at", Instant),
    Column("way", Text),
    Column("reference", Text),
    Column("answered_at", Instant),
    Column("answer", Text),
    schema="reconciliation",
)
_UNDER_WAY = text("state IN ('prepared', 'sent')")
Index(
    "uq_reconciliation_request_under_way",
    REQUEST.c.difference_id,
    unique=True,
    postgresql_where=_UNDER_WAY,
    sqlite_where=_UNDER_WAY,
)

_BOTH = (RequestState.PREPARED.value, RequestState.SENT.value)


def holder(difference: Row[Any]) -> str:
    """Who holds the data in question: whoever our value came from, else who named the other one."""
    return str(difference.ours_source or difference.theirs_source)


def prepare(
    connection: Connection, difference: Row[Any], sender: str, actor: str, reason: str, now: datetime
) -> uuid.UUID:
    """Put a correction request on record; handing it over is the next step, which may be repeated."""
    request_id = new_id()
    connection.execute(
        insert(REQUEST).values(
            id=request_id,
            difference_id=difference.id,
            recipient=holder(difference),
            state=RequestState.PREPARED.value,
            document=_document(connection, request_id, difference, now)
            | {"from": sender, "requested_by": actor, "reason": reason},
            made_at=now,
        )
    )
    return request_id


def sent(connection: Connection, request_id: uuid.UUID, way: str, reference: str, now: datetime) -> None:
    """Note that a request was handed over; nothing where it was withdrawn meanwhile."""
    prepared = update(REQUEST).where(
        REQUEST.c.id == request_id, REQUEST.c.state == RequestState.PREPARED.value
    )
    connection.execute(
        prepared.values(state=RequestState.SENT.value, sent_at=now, way=way, reference=reference)
    )


def answer(connection: Connection, request_id: uuid.UUID, said: Answer, now: datetime) -> uuid.UUID:
    """Note how the source answered; gives the difference.

    Raises: NotFound, InvalidRequest when the request was not sent.
    """
    found = one(connection, request_id)
    if found.state != RequestState.SENT:
        raise InvalidRequest(f"the correction request is {found.state}; only one that was sent is answered")
    done = update(REQUEST).where(REQUEST.c.id == request_id)
    values = {"state": RequestState.ANSWERED.value, "answer": said.value, "answered_at": now}
    connection.execute(done.values(**values))
    difference_id: uuid.UUID = found.difference_id
    return difference_id


def one(connection: Connection, request_id: uuid.UUID) -> Row[Any]:
    """A correction request by its id.

    Raises: NotFound.
    """
    found = connection.execute(select(REQUEST).where(REQUEST.c.id == request_id)).first()
    if found is None:
        raise NotFound("correction request")
    return found


def withdraw(connection: Connection, difference_id: uuid.UUID, now: datetime) -> None:
    """End what is under way about a difference that was decided otherwise."""
    mine = update(REQUEST).where(REQUEST.c.difference_id == difference_id, REQUEST.c.state.in_(_BOTH))
    connection.execute(mine.values(state=RequestState.WITHDRAWN.value, answered_at=now))


def requests_of(connection: Connection, difference_id: uuid.UUID) -> Sequence[Row[Any]]:
    """The correction requests of a difference, oldest first."""
    own = select(REQUEST).where(REQUEST.c.difference_id == difference_id)
    return connection.execute(own.order_by(REQUEST.c.made_at, REQUEST.c.id)).all()


def prepared(connection: Connection, request_id: uuid.UUID | None = None) -> Sequence[Row[Any]]:
    """The requests that are on record and were not handed over, oldest first; or that one."""
    waiting = (
        select(REQUEST)
        .where(REQUEST.c.state == RequestState.PREPARED.value)
        .order_by(REQUEST.c.made_at, REQUEST.c.id)
    )
    if request_id is not None:
        waiting = waiting.where(REQUEST.c.id == request_id)
    return connection.execute(waiting).all()


def with_texts(difference: Row[Any], value: Json) -> Json:
    """A value of a difference with the texts of its codes: a code never travels without them."""
    if difference.register_column is not None:
        return _coded(difference.register_table, difference.register_column, value)
    return named_with_texts(difference, value) if isinstance(value, dict) else value


def named_with_texts(difference: Row[Any], values: dict[str, Json]) -> dict[str, Json]:
    """Values by the names of their columns, codes with their texts."""
    return {name: _coded(difference.register_table, name, value) for name, value in values.items()}


def _coded(table_name: str, column: str, value: Json) -> Json:
    table = next(table for table in metadata.tables.values() if table.name == table_name)
    codes: CodeList | None = table.c[column].info.get("codes")
    if codes is None or not isinstance(value, str) or value not in codes:
        return value
    code = codes[value]
    return {"code": code.code, "text_lv": code.text_lv, "text_en": code.text_en}


def _document(
    connection: Connection,
    request_id: uuid.UUID,
    difference: Row[Any],
    now: datetime,
) -> dict[str, Json]:
    return {
        "version": 1,
        "request_id": str(request_id),
        "to": holder(difference),
        "made_at": instant_text(now),
        "person_code": codes_of(connection, difference.person_id)[0],
        "difference_id": str(difference.id),
        "field": difference.field,
        "rule": difference.rule,
        "rule_text_lv": [rule.text for rule in chain(difference.rule)],
        "row": named_with_texts(difference, difference.row_key),
        "spolis": {
            "value": with_texts(difference, difference.ours),
            "source": difference.ours_source,
            "exchange_id": None if difference.ours_exchange_id is None else str(difference.ours_exchange_id),
            "recorded_at": None
            if difference.ours_recorded_at is None
            else instant_text(difference.ours_recorded_at),
        },
        "other": {
            "value": with_texts(difference, difference.theirs),
            "source": difference.theirs_source,
            "exchange_id": str(difference.theirs_exchange_id),
            "recorded_at": instant_text(difference.theirs_recorded_at),
        },
    }
