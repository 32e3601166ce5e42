"""What a fallen gateway, or a database from a backup, leaves in the tables of routing, and how it is made right.

A row of a restored outbox may have been delivered after the backup was made. What may be sent again goes on; what can
be asked about is asked first; what is neither is left to a person.
Source: docs/adr/0015.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, delete, func, select, update

from adapters import Adapter, Repeat
from audit.tables import archive_keys, archive_payloads, leases
from config import Settings
from errors import ConfigurationError
from routing.jobs import SILENT_SECONDS, JobState, jobs
from routing.outbox import State, outbox
from routing.parties import callers, partners
from routing.queue import PAYLOAD
from routing.repeats import answered, claims
from storage import database_now

# What a person sees as the reason of a row that was waiting in a restored database.
RESTORED = "outcome_unknown"
UNREADABLE = "configuration_error"

# From what may be done most freely to what may not be done at all.
_FREELY = (Repeat.DEDUPES, Repeat.QUERYABLE, Repeat.NEITHER)
_UNDER_WAY = (State.WAITING.value, State.LEASED.value)


@dataclass(frozen=True, slots=True)
class Left:
    """One row that a person has to decide on."""

    id: uuid.UUID
    system: str
    operation: str


@dataclass(frozen=True, slots=True)
class Doubt:
    """What becomes of the undelivered rows of a restored outbox: how many go on, are asked about first, are left."""

    goes_on: int
    asked_first: int
    left: tuple[Left, ...]


@dataclass(frozen=True, slots=True)
class Memory:
    """Until when a restored database remembers: answered messages, partners and callers as they were changed last."""

    answered: datetime | None
    parties: datetime | None


def repeat_of(settings: Settings, found: Mapping[str, Adapter], system: str, operation: str) -> Repeat:
    """What may be done with an unclear outcome: the stricter of what operation and settings say.

    Of what is no longer known, nothing may. Raises: ConfigurationError for settings of a system that cannot be.
    """
    adapter = found.get(system)
    declared = adapter.operation(operation) if adapter is not None else None
    if declared is None or system not in settings.systems:
        return Repeat.NEITHER
    most = settings.systems[system].repeat or Repeat.DEDUPES.value
    if most not in _FREELY:
        raise ConfigurationError(f"[systems.{system}] repeat must be dedupes, queryable or neither")
    return max(declared.repeat, Repeat(most), key=_FREELY.index)


def running(connection: Connection) -> list[tuple[str, float]]:
    """Processes that have reported lately, each with the seconds since."""
    now = database_now(connection)
    rows = connection.execute(
        select(jobs.c.process, func.max(jobs.c.seen_at).label("seen_at"))
        .where(jobs.c.seen_at > now - timedelta(seconds=SILENT_SECONDS), jobs.c.state != JobState.ENDED.value)
        .group_by(jobs.c.process)
        .order_by(jobs.c.process)
    )
    return [(row.process, (now - row.seen_at).total_seconds()) for row in rows]


def leased(connection: Connection) -> int:
    """How many rows are leased."""
    statement = select(func.count()).select_from(outbox).where(outbox.c.state == State.LEASED.value)
    return connection.execute(statement).scalar_one()


def release(connection: Connection) -> int:
    """Take the leases of dead holders away, and say how many: rows wait again, messages are in nobody's hand.

    A row keeps whether its outcome is unclear, and that its holder died with it.
    """
    now = database_now(connection)
    released = connection.execute(
        update(outbox)
        .where(outbox.c.state == State.LEASED.value)
        .values(
            state=State.WAITING.value,
            holder=None,
            leased_until=None,
            published_at=None,
            due=now,
            lapses=outbox.c.lapses + 1,
        )
    )
    connection.execute(delete(claims))
    return int(released.rowcount)


def forget_processes(connection: Connection) -> None:
    """In a restored database: the processes and the sequencer that it speaks of are of an earlier life."""
    connection.execute(delete(jobs))
    connection.execute(delete(leases))


def doubt(connection: Connection, repeat_of: Callable[[str, str], Repeat], *, change: bool) -> Doubt:
    """What a restored outbox says `waiting` of may have been delivered since; with `change` the rows are told so.

    Rows that were dead, unknown or parked already are asked about first, too, should a person have them sent.
    """
    goes_on = asked_first = 0
    left: list[Left] = []
    for row in connection.execute(
        select(outbox.c.system, outbox.c.operation, func.count().label("number"))
        .where(outbox.c.state.in_(_UNDER_WAY))
        .group_by(outbox.c.system, outbox.c.operation)
    ).all():
        match repeat_of(row.system, row.operation):
            case Repeat.DEDUPES:
                goes_on += row.number
            case Repeat.QUERYABLE:
                asked_first += row.number
            case Repeat.NEITHER:
                left += _rows(
                    connection, and_(_of(row.system, row.operation), outbox.c.state.in_(_UNDER_WAY))
                )
    if change:
        _tell(connection, repeat_of)
    return Doubt(goes_on, asked_first, tuple(left))


def memory(connection: Connection) -> Memory:
    """How long this database remembers."""
    changed = [
        connection.execute(select(func.max(column))).scalar()
        for column in (
            callers.c.created_at,
            callers.c.disabled_at,
            partners.c.created_at,
            partners.c.disabled_at,
        )
    ]
    return Memory(
        connection.execute(select(func.max(answered.c.answered_at))).scalar(),
        max((instant for instant in changed if instant is not None), default=None),
    )


def set_aside(connection: Connection, keys: list[uuid.UUID], suffix: str) -> tuple[Left, ...]:
    """Month keys of the archive that nothing opens make room for new ones; what was queued under them is given up.

    `suffix` is added to their retention class, so that they are known, and can be put back, should the master key be
    found again.
    """
    unreadable = and_(
        outbox.c.state.in_(_UNDER_WAY),
        outbox.c.id.in_(
            select(archive_payloads.c.exchange_id).where(
                archive_payloads.c.name == PAYLOAD, archive_payloads.c.key_id.in_(keys)
            )
        ),
    )
    left = tuple(_rows(connection, unreadable))
    connection.execute(
        update(outbox)
        .where(unreadable)
        .values(
            state=State.DEAD.value,
            last_error=UNREADABLE,
            settled_at=database_now(connection),
            holder=None,
            leased_until=None,
        )
    )
    connection.execute(
        update(archive_keys)
        .where(archive_keys.c.id.in_(keys))
        .values(retention=archive_keys.c.retention + suffix)
    )
    return left


def _tell(connection: Connection, repeat_of: Callable[[str, str], Repeat]) -> None:
    undelivered = outbox.c.state != State.DELIVERED.value
    for row in connection.execute(
        select(outbox.c.system, outbox.c.operation).where(undelivered).distinct()
    ).all():
        repeat, ours = repeat_of(row.system, row.operation), _of(row.system, row.operation)
        if repeat is not Repeat.DEDUPES:
            connection.execute(update(outbox).where(ours, undelivered).values(unclear=True))
        if repeat is Repeat.NEITHER:
            connection.execute(
                update(outbox)
                .where(ours, outbox.c.state.in_(_UNDER_WAY))
                .values(
                    state=State.UNKNOWN.value,
                    last_error=RESTORED,
                    settled_at=database_now(connection),
                    holder=None,
                    leased_until=None,
                )
            )


def _of(system: str, operation: str) -> ColumnElement[bool]:
    return and_(outbox.c.system == system, outbox.c.operation == operation)


def _rows(connection: Connection, wanted: ColumnElement[bool]) -> list[Left]:
    rows = connection.execute(
        select(outbox.c.id, outbox.c.system, outbox.c.operation).where(wanted).order_by(outbox.c.position)
    )
    return [Left(row.id, row.system, row.operation) for row in rows]
