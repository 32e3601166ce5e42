"""The outbox: what is to be delivered to other systems, one row for one exchange, in states that are never ambiguous.

    waiting ──lease──▶ leased ──settle──▶ delivered | waiting (again, later) | dead | unknown
    waiting, dead, unknown ──park──▶ parked ──replay──▶ waiting

The table is the truth; a broker only carries row ids. A row is delivered by whoever holds its lease, and every change
of a leased row is fenced by that. Rows of one `subject_order` (one person at one system) go in the order in which
they were queued: while an earlier one waits, is leased, dead or unknown, the later ones stay. A parked row was set
aside by a person and stops nobody.
Source: docs/interfaces.md, outbox; docs/adr/0004.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

import errors
from exchange import Lease
from routing.switches import disabled
from storage import Instant, database_now, identifier, metadata
from storage.statements import Statement

# How long whoever begins an attempt may keep a row: the longest call to a system and this for the rest.
MARGIN_SECONDS = 5.0
# A row whose holders died so often in a row, without settling it, is taken for the cause.
MOST_LAPSES = 8
CHANNEL = "gateway_outbox"  # the name under which PostgreSQL tells that something is due

_NUMBER = BigInteger().with_variant(Integer, "sqlite")

outbox = Table(
    "routing_outbox",
    metadata,
    Column("position", _NUMBER, primary_key=True, autoincrement=True),
    Column("id", identifier(), nullable=False),
    Column("system", String(100), nullable=False),
    Column("operation", String(100), nullable=False),
    Column("state", String(20), nullable=False),
    Column("due", Instant, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("last_error", String(100)),
    Column("subject_order", String(64)),
    Column("holder", String(200)),
    Column("leased_until", Instant),
    Column("lapses", Integer, nullable=False),
    # An attempt left and what became of it is not known.
    Column("unclear", Boolean, nullable=False),
    Column("cause", identifier()),
    Column("queued_at", Instant, nullable=False),
    Column("give_up_at", Instant, nullable=False),
    Column("settled_at", Instant),
    Column("published_at", Instant),
    UniqueConstraint("id"),
    Index("ix_routing_outbox_state_due", "state", "due"),
    Index("ix_routing_outbox_subject_order_position", "subject_order", "position"),
    schema="routing",
)


class State(StrEnum):
    """Where a row is on its way. Source: docs/interfaces.md."""

    WAITING = "waiting"
    LEASED = "leased"
    DELIVERED = "delivered"
    DEAD = "dead"  # given up, or refused for good: a person decides
    UNKNOWN = "unknown"  # it may have taken effect, and nobody can be asked: a person decides
    PARKED = "parked"  # set aside by a person


# What keeps the later rows of the same person waiting.
_BLOCKING = (State.WAITING, State.LEASED, State.DEAD, State.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Settled:
    """What a delivery leaves behind: state, code of the error, seconds until the next try, whether it is unclear."""

    state: State
    error: str | None
    pause: float = 0.0
    unclear: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A row as people see it. `subject_order` is a keyed digest, nothing of the person."""

    id: uuid.UUID
    system: str
    operation: str
    state: State
    due: datetime
    attempts: int
    last_error: str | None
    subject_order: str | None
    cause: uuid.UUID | None
    queued_at: datetime
    settled_at: datetime | None
    unclear: bool


_SEEN = [outbox.c[name] for name in Row.__dataclass_fields__]


def put(
    connection: Connection,
    exchange_id: uuid.UUID,
    name: tuple[str, str],
    *,
    give_up_after: timedelta,
    subject_order: str | None = None,
    cause: uuid.UUID | None = None,
) -> None:
    """Queue an exchange for (system, operation), in the transaction of what causes it.

    Rows of one person get their positions in the order of their commits.
    """
    if subject_order is not None and connection.dialect.name == "postgresql":
        key = int.from_bytes(bytes.fromhex(subject_order[:16]), "big", signed=True)
        connection.execute(select(func.pg_advisory_xact_lock(key)))
    now = database_now(connection)
    connection.execute(
        insert(outbox).values(
            id=exchange_id,
            system=name[0],
            operation=name[1],
            state=State.WAITING.value,
            due=now,
            attempts=0,
            subject_order=subject_order,
            lapses=0,
            unclear=False,
            cause=cause,
            queued_at=now,
            give_up_at=now + give_up_after,
        )
    )
    ring(connection)


def ring(connection: Connection) -> None:
    """Tell the workers, when this commits, that something is due; with SQLite they look by themselves."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_notify(CHANNEL, "")))


def take(
    connection: Connection,
    holder: str,
    *,
    seconds: float,
    without: Collection[str] = (),
    only: uuid.UUID | None = None,
) -> Lease | None:
    """Lease one row that can be delivered now, the longest due first; none of the systems in `without`.

    A row whose lease ran out is taken over from a holder who died.
    """
    now = database_now(connection)
    wanted = [deliverable(now), outbox.c.system.not_in(list(without))]
    if only is not None:
        wanted.append(outbox.c.id == only)
    row = connection.execute(
        select(outbox)
        .where(*wanted)
        .order_by(outbox.c.due, outbox.c.position)
        .limit(1)
        .with_for_update(skip_locked=True, of=outbox)
    ).first()
    if row is None:
        return None
    lapses = row.lapses + (row.state == State.LEASED)
    until = now + timedelta(seconds=seconds)
    connection.execute(
        update(outbox)
        .where(outbox.c.position == row.position)
        .values(state=State.LEASED.value, holder=holder, leased_until=until, lapses=lapses)
    )
    return Lease(row.id, row.system, holder, row.attempts, lapses, row.unclear, now >= row.give_up_at)


def any_due(connection: Connection, *, without: Collection[str] = (), only: uuid.UUID | None = None) -> bool:
    """Whether `take` would find something. Asked over and over, mostly in vain: that must cost little."""
    now = database_now(connection)
    if _ANY_DUE.first(connection, now=now) is None:
        return False
    if not without and only is None:
        return True
    wanted = [deliverable(now), outbox.c.system.not_in(list(without))]
    if only is not None:
        wanted.append(outbox.c.id == only)
    return connection.execute(select(outbox.c.position).where(*wanted).limit(1)).first() is not None


def begin(connection: Connection, lease: Lease) -> None:
    """Count an attempt, in the transaction of its record: from now on its outcome is unclear.

    Raises: Busy when the lease has run out or is another's; then nothing may leave.
    """
    now = database_now(connection)
    _fenced(connection, lease, outbox.c.leased_until > now, attempts=outbox.c.attempts + 1, unclear=True)


def settle(connection: Connection, lease: Lease, settled: Settled) -> None:
    """End a lease, in the transaction of the outcome.

    Raises: Busy when the lease is another's by now: his outcome counts.
    """
    now = database_now(connection)
    _fenced(
        connection,
        lease,
        state=settled.state.value,
        due=now + timedelta(seconds=settled.pause),
        last_error=settled.error,
        unclear=settled.unclear,
        lapses=0,
        holder=None,
        leased_until=None,
        published_at=None,
        settled_at=None if settled.state is State.WAITING else now,
    )
    ring(connection)


def due_again(connection: Connection, system: str) -> None:
    """A system is back: what waits because it was away is due now."""
    away = (errors.SystemUnavailable, errors.Busy)
    codes = {kind.code for kind in errors.every_error() if issubclass(kind, away)}
    connection.execute(
        update(outbox)
        .where(
            outbox.c.system == system,
            outbox.c.state == State.WAITING.value,
            outbox.c.last_error.in_(sorted(codes)),
        )
        .values(due=database_now(connection))
    )
    ring(connection)


def waiting(connection: Connection, most: int) -> int:
    """How many rows wait or are under way, counted up to `most`."""
    rows = select(outbox.c.position).where(outbox.c.state.in_((State.WAITING.value, State.LEASED.value)))
    return connection.execute(select(func.count()).select_from(rows.limit(most).subquery())).scalar_one()


def forget_delivered(connection: Connection, before: datetime) -> int:
    """Remove rows delivered before an instant, and say how many: what they did is in the exchange log."""
    removed = connection.execute(
        delete(outbox).where(outbox.c.state == State.DELIVERED.value, outbox.c.settled_at < before)
    )
    return int(removed.rowcount)


def next_due(connection: Connection) -> float | None:
    """Seconds until something could be due; None when nothing waits."""
    found = _SOONEST.first(connection)
    if found is None or found.due is None:
        return None
    return float((found.due - database_now(connection)).total_seconds())


def lag(connection: Connection, *, without: Collection[str] = ()) -> float | None:
    """For how many seconds the longest due row waits that could be delivered now; None when there is none."""
    now = database_now(connection)
    could = (deliverable(now), outbox.c.system.not_in(list(without)))
    oldest = connection.execute(select(func.min(outbox.c.due)).where(*could)).scalar()
    return None if oldest is None else (now - oldest).total_seconds()


def listed(
    connection: Connection,
    *,
    states: Collection[State] = (),
    system: str = "",
    operation: str = "",
    limit: int | None = 100,
    before: datetime | None = None,
    after: uuid.UUID | None = None,
) -> list[Row]:
    """Rows by state and system, oldest first; `after` a row only those that were queued later."""
    wanted: list[ColumnElement[bool]] = []
    if states:
        wanted.append(outbox.c.state.in_([state.value for state in states]))
    if system:
        wanted.append(outbox.c.system == system)
    if operation:
        wanted.append(outbox.c.operation == operation)
    if before is not None:
        wanted.append(outbox.c.queued_at < before)
    if after is not None:
        earlier = select(outbox.c.position).where(outbox.c.id == after).scalar_subquery()
        wanted.append(outbox.c.position > earlier)
    rows = connection.execute(select(*_SEEN).where(*wanted).order_by(outbox.c.position).limit(limit))
    return [_row(row._mapping) for row in rows]


def counts(connection: Connection) -> dict[State, int]:
    """How many rows are in each state."""
    found = connection.execute(select(outbox.c.state, func.count()).group_by(outbox.c.state)).all()
    by_state = {State(state): count for state, count in found}
    return {state: by_state.get(state, 0) for state in State}


def undelivered(connection: Connection) -> dict[tuple[State, str, str], int]:
    """How many rows there are by state, system and operation; of those delivered nothing, they may be millions."""
    rows = connection.execute(
        select(outbox.c.state, outbox.c.system, outbox.c.operation, func.count())
        .where(outbox.c.state.in_([state.value for state in State if state is not State.DELIVERED]))
        .group_by(outbox.c.state, outbox.c.system, outbox.c.operation)
    )
    return {(State(state), system, operation): count for state, system, operation, count in rows}


def find(connection: Connection, exchange_id: uuid.UUID) -> Row:
    """One row.

    Raises: NotFound.
    """
    row = connection.execute(select(*_SEEN).where(outbox.c.id == exchange_id)).first()
    if row is None:
        raise errors.NotFound("no such row in the outbox")
    return _row(row._mapping)


def caused(connection: Connection, exchange_id: uuid.UUID, system: str, operation: str) -> uuid.UUID | None:
    """The exchange of an operation that one caused; None where it caused none, or where that is forgotten."""
    mine = (outbox.c.cause == exchange_id, outbox.c.system == system, outbox.c.operation == operation)
    found: uuid.UUID | None = connection.execute(select(outbox.c.id).where(*mine)).scalar()
    return found


def deliverable(now: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    """The condition for a row that may be delivered now: due or left, its route on, no earlier one in its way."""
    earlier = outbox.alias("earlier")
    blocked = exists().where(
        earlier.c.subject_order == outbox.c.subject_order,
        earlier.c.position < outbox.c.position,
        or_(*(earlier.c.state == state.value for state in _BLOCKING)),
    )
    off = exists().where(disabled.c.system == outbox.c.system, disabled.c.operation == outbox.c.operation)
    ready = or_(
        and_(outbox.c.state == State.WAITING.value, outbox.c.due <= now),
        and_(outbox.c.state == State.LEASED.value, outbox.c.leased_until < now),
    )
    return and_(ready, ~blocked, ~off)


_ANY_DUE = Statement(select(outbox.c.position).where(deliverable(bindparam("now", type_=Instant))).limit(1))
_SOONEST = Statement(select(func.min(outbox.c.due).label("due")).where(outbox.c.state == State.WAITING.value))


def _fenced(connection: Connection, lease: Lease, *also: ColumnElement[bool], **values: object) -> None:
    held = connection.execute(
        update(outbox)
        .where(
            outbox.c.id == lease.exchange_id,
            outbox.c.state == State.LEASED.value,
            outbox.c.holder == lease.holder,
            *also,
        )
        .values(values)
        .returning(outbox.c.position)
    ).first()
    if held is None:
        raise errors.Busy("the lease has run out", retry_after=1)


def _row(values: object) -> Row:
    row = dict(values)  # type: ignore[call-overload] # — a RowMapping, whose stubs are not a Mapping's
    return Row(**row | {"state": State(row["state"])})
