"""How far the following of each external system has come: one place for each sync, and its runs.

A run is one slot, or one asking by hand: a first question and, where the source pages, one for each further page. Its
`question` is the exchange under way. What an answer brings, the place that it ends at and the next question are
committed together, so that a process that dies anywhere loses nothing and asks nothing twice that was answered. A
question that comes back late, when another run has taken over, moves nothing.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Date,
    Index,
    Integer,
    Row,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    text,
    update,
)

from registers.taken import Taken
from routing import outbox
from storage import Instant, database_now, identifier, metadata, upsert

FOLLOWED = Table(
    "routing_followed",
    metadata,
    Column("system", String(100), primary_key=True),
    Column("operation", String(100), primary_key=True),
    Column("cursor", Text),
    # When the newest question that was answered was put.
    Column("asked_at", Instant),
    schema="routing",
)

RUN = Table(
    "routing_followed_run",
    metadata,
    Column("id", identifier(), primary_key=True),
    Column("system", String(100), nullable=False),
    Column("operation", String(100), nullable=False),
    Column("slot", Instant),
    Column("state", String(20), nullable=False),
    Column("question", identifier()),
    Column("since", Date),
    Column("began_after", Text),
    Column("cursor", Text),
    Column("pages", Integer, nullable=False),
    Column("theirs", Integer, nullable=False),
    Column("ours", Integer, nullable=False),
    Column("strangers", Integer, nullable=False),
    Column("asked_anew", Integer, nullable=False),
    Column("error", String(100)),
    Column("begun_at", Instant, nullable=False),
    Column("moved_at", Instant, nullable=False),
    Column("ended_at", Instant),
    schema="routing",
)
Index(None, RUN.c.system, RUN.c.operation, RUN.c.begun_at)
_RUNNING = text("state = 'running'")
Index(
    "uq_routing_followed_run_under_way",
    RUN.c.system,
    RUN.c.operation,
    unique=True,
    postgresql_where=_RUNNING,
    sqlite_where=_RUNNING,
)


class RunState(StrEnum):
    """How a run stands."""

    RUNNING = "running"
    DONE = "done"
    STOPPED = (
        "stopped"  # its question is a dead letter or parked: a person replays it, or the next slot goes on
    )
    REFUSED = "refused"  # what came whole could not be taken
    LEFT = "left"  # another run has taken over


@dataclass(frozen=True, slots=True)
class Place:
    """How far a sync has come: the cursor of the last answer, and when the last question answered was put."""

    cursor: str | None
    asked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where a run begins: at a day, or after a cursor; `slot` where it was planned."""

    since: date | None = None
    after: str | None = None
    slot: datetime | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """A run as people see it; `question` is the exchange under way, `counted` are both sides."""

    id: uuid.UUID
    system: str
    operation: str
    slot: datetime | None
    state: RunState
    question: uuid.UUID | None
    since: date | None
    began_after: str | None
    cursor: str | None
    pages: int
    counted: Taken
    asked_anew: int
    error: str | None
    begun_at: datetime
    moved_at: datetime
    ended_at: datetime | None


def hold(connection: Connection, system: str, operation: str) -> Place:
    """The place of a sync, held until the transaction ends: who begins and who goes on come one after the other."""
    key = {"system": system, "operation": operation}
    connection.execute(upsert(connection, FOLLOWED).values(**key).on_conflict_do_nothing())
    row = connection.execute(select(FOLLOWED).filter_by(**key).with_for_update()).one()
    return Place(row.cursor, row.asked_at)


def begin(
    connection: Connection,
    run_id: uuid.UUID,
    name: tuple[str, str],
    beginning: Beginning,
    *,
    question: uuid.UUID | None,
) -> None:
    """Put down a run; whoever calls holds the place, and has left what was under way."""
    now = database_now(connection)
    connection.execute(
        insert(RUN).values(
            id=run_id,
            system=name[0],
            operation=name[1],
            slot=beginning.slot,
            state=RunState.RUNNING.value,
            question=question,
            since=beginning.since,
            began_after=beginning.after,
            **dict.fromkeys(("pages", "theirs", "ours", "strangers", "asked_anew"), 0),
            begun_at=now,
            moved_at=now,
        )
    )


def leave(connection: Connection, system: str, operation: str) -> None:
    """End the run under way, if any, because another takes over."""
    now = database_now(connection)
    connection.execute(
        update(RUN)
        .where(RUN.c.system == system, RUN.c.operation == operation, RUN.c.state == RunState.RUNNING.value)
        .values(state=RunState.LEFT.value, ended_at=now)
    )


def of_question(connection: Connection, question: uuid.UUID) -> Run | None:
    """The run whose question under way this is; None for any other exchange."""
    query = _SEEN.where(RUN.c.question == question, RUN.c.state == RunState.RUNNING.value)
    row = connection.execute(query).first()
    return None if row is None else _run(row)


def advance(
    connection: Connection,
    run: Run,
    counted: Taken,
    *,
    cursor: str | None,
    following: uuid.UUID | None,
    asked_anew: int,
    pages: int = 1,
) -> None:
    """Keep what a page brought and where it ends; `following` is the next question, without one the run is done."""
    now = database_now(connection)
    done = following is None
    connection.execute(
        update(RUN)
        .where(RUN.c.id == run.id)
        .values(
            state=(RunState.DONE if done else RunState.RUNNING).value,
            question=following,
            cursor=cursor,
            pages=RUN.c.pages + pages,
            theirs=RUN.c.theirs + counted.theirs,
            ours=RUN.c.ours + counted.ours,
            strangers=RUN.c.strangers + counted.strangers,
            asked_anew=RUN.c.asked_anew + asked_anew,
            moved_at=now,
            ended_at=now if done else None,
        )
    )
    connection.execute(
        update(FOLLOWED)
        .where(FOLLOWED.c.system == run.system, FOLLOWED.c.operation == run.operation)
        .values(cursor=cursor, asked_at=run.begun_at)
    )


def give_up(connection: Connection, run_id: uuid.UUID, code: str) -> None:
    """End a run that could not go on, and that another will take over; one that was overtaken stays as it is."""
    _fail(connection, run_id, RunState.LEFT, code)


def refuse(connection: Connection, run_id: uuid.UUID, code: str) -> None:
    """End a run whose data could not be taken."""
    _fail(connection, run_id, RunState.REFUSED, code)


def _fail(connection: Connection, run_id: uuid.UUID, state: RunState, code: str) -> None:
    now = database_now(connection)
    connection.execute(
        update(RUN)
        .where(RUN.c.id == run_id, RUN.c.state == RunState.RUNNING.value)
        .values(state=state.value, error=code, moved_at=now, ended_at=now)
    )


def under_way(connection: Connection, system: str, operation: str) -> Run | None:
    """The run that has not ended; it is `STOPPED` where its question waits for a person."""
    mine = (RUN.c.system == system, RUN.c.operation == operation, RUN.c.state == RunState.RUNNING.value)
    row = connection.execute(_SEEN.where(*mine)).first()
    return None if row is None else _run(row)


def run_of(connection: Connection, run_id: uuid.UUID) -> Run:
    """One run."""
    return _run(connection.execute(_SEEN.where(RUN.c.id == run_id)).one())


def ran(connection: Connection, system: str, operation: str, slot: datetime) -> bool:
    """Whether a slot has had its run, and that has ended."""
    mine = (RUN.c.system == system, RUN.c.operation == operation, RUN.c.slot == slot)
    query = select(RUN.c.id).where(*mine, RUN.c.ended_at.is_not(None), RUN.c.state != RunState.LEFT.value)
    return connection.execute(query.limit(1)).first() is not None


def last_done(connection: Connection, system: str, operation: str) -> Run | None:
    """The newest run of a sync that came to its end."""
    mine = (RUN.c.system == system, RUN.c.operation == operation, RUN.c.state == RunState.DONE.value)
    row = connection.execute(_SEEN.where(*mine).order_by(RUN.c.begun_at.desc()).limit(1)).first()
    return None if row is None else _run(row)


def newest(connection: Connection) -> list[Run]:
    """The newest run of each sync, by name."""
    last = (
        select(RUN.c.system, RUN.c.operation, func.max(RUN.c.begun_at).label("begun_at"))
        .group_by(RUN.c.system, RUN.c.operation)
        .subquery()
    )
    rows = connection.execute(
        _SEEN.join(
            last,
            (RUN.c.system == last.c.system)
            & (RUN.c.operation == last.c.operation)
            & (RUN.c.begun_at == last.c.begun_at),
        ).order_by(RUN.c.system, RUN.c.operation)
    )
    return [_run(row) for row in rows]


def forget(connection: Connection, before: datetime) -> None:
    """Remove runs that ended before an instant; how far each sync has come stays."""
    connection.execute(delete(RUN).where(RUN.c.ended_at < before))


_SEEN = select(
    RUN, outbox.outbox.c.state.label("outbox_state"), outbox.outbox.c.last_error.label("last_error")
).select_from(RUN.outerjoin(outbox.outbox, outbox.outbox.c.id == RUN.c.question))
_GOES_ON = (outbox.State.WAITING.value, outbox.State.LEASED.value)


def _run(row: Row[Any]) -> Run:
    state = RunState(row.state)
    if state is RunState.RUNNING and row.question is not None and row.outbox_state not in _GOES_ON:
        state = RunState.STOPPED
    return Run(
        id=row.id,
        system=row.system,
        operation=row.operation,
        slot=row.slot,
        state=state,
        question=row.question,
        since=row.since,
        began_after=row.began_after,
        cursor=row.cursor,
        pages=row.pages,
        counted=Taken(row.theirs, row.ours, row.strangers),
        asked_anew=row.asked_anew,
        error=row.error or row.last_error,
        begun_at=row.begun_at,
        moved_at=row.moved_at,
        ended_at=row.ended_at,
    )
