"""Closes orphans: an exchange that was opened and whose process died before its outcome becomes `unknown`.

No clock of any host has a say in it. Each sweep notes how large the tree of the log was at an instant of the database;
an exchange whose record `opened` lies below a size that was noted a grace ago is at least that old, whatever instant
its own host wrote into it. An exchange that took longer than one may looks, before its outcome is written, whether it
was closed meanwhile, so that none ends twice.
Source: docs/adr/0003, docs/adr/0012; the outcomes in docs/interfaces.md.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import timedelta
from functools import partial

from sqlalchemy import Connection, Engine, Exists, Select, delete, exists, func, select, update

from audit.leaf import Entry, Kind
from audit.log import ExchangeLog
from audit.tables import log_records, log_tree, sweeps
from errors import OutcomeUnknown
from exchange import Json, Outcome, utc_now
from storage import database_now, reading, upsert

# A process that is only slow must not be taken for dead.
_TIMES = 4
_LEAST_GRACE = timedelta(minutes=2)


def grace(exchange_seconds: float) -> timedelta:
    """How long an exchange of which the log knows no end is left alone."""
    return max(_LEAST_GRACE, timedelta(seconds=_TIMES * exchange_seconds))


def sweep(engine: Engine, log: ExchangeLog, after: timedelta) -> int:
    """Close what has been open for longer than `after` and say how many there were.

    Several may sweep: whether an exchange is still open is asked again in the transaction that closes it. What has no
    place in the tree yet is left for later.
    Raises: LogUnavailable, Busy, and the errors of the database.
    """
    with engine.begin() as connection:
        until = _note(connection, after)
    if until is None:
        return 0
    with reading(engine).begin() as connection:
        orphaned = list(connection.execute(_open_below(connection, until)).scalars())
    closed = close(log, orphaned)
    with engine.begin() as connection:
        connection.execute(update(sweeps).where(sweeps.c.size == until).values(swept=True))
        connection.execute(delete(sweeps).where(sweeps.c.size < until))
    return closed


def orphans(engine: Engine) -> list[str]:
    """The exchanges without an outcome, however old: orphans all, where no process works."""
    with reading(engine).begin() as connection:
        return list(connection.execute(_open()).scalars())


def close(log: ExchangeLog, exchanges: Iterable[str]) -> int:
    """End exchanges as `unknown`, but those that have ended by themselves; how many it were.

    Raises: LogUnavailable, Busy.
    """
    # Apart from other works, whose outcomes would be seen only after their commit.
    return sum(log.commit_apart(partial(_close, log=log, exchange_id=one)) for one in exchanges)


def refuse_if_closed(connection: Connection, exchange_id: uuid.UUID) -> None:
    """For an exchange that took longer than one may, in the transaction of its outcome: nothing of it may take effect
    after it was closed as an orphan.

    Raises: OutcomeUnknown.
    """
    _alone(connection, exchange_id)
    if connection.execute(select(_outcome_of(str(exchange_id)))).scalar_one():
        raise OutcomeUnknown("the exchange took so long that it was closed")


def _note(connection: Connection, after: timedelta) -> int | None:
    """Note the size of the tree, and give the largest one that was noted long enough ago; None before there is one."""
    last = connection.execute(select(func.max(log_tree.c.idx))).scalar()
    # Asked after the size: what lies below it was there by then.
    now = database_now(connection)
    if last is not None:
        noted = upsert(connection, sweeps).values(size=last + 1, noted_at=now, swept=False)
        connection.execute(noted.on_conflict_do_nothing(index_elements=["size"]))
    return connection.execute(
        select(func.max(sweeps.c.size)).where(sweeps.c.noted_at <= now - after)
    ).scalar()


def _open_below(connection: Connection, until: int) -> Select[str]:
    """What is open of that part of the tree which no sweep has been through."""
    since = connection.execute(select(func.max(sweeps.c.size)).where(sweeps.c.swept)).scalar() or 0
    return (
        _open()
        .join(log_tree, log_tree.c.record_id == log_records.c.id)
        .where(log_tree.c.idx >= since, log_tree.c.idx < until)
    )


def _open() -> Select[str]:
    later = log_records.alias()
    ended = exists().where(
        later.c.exchange_id == log_records.c.exchange_id, later.c.kind == Kind.OUTCOME.value
    )
    return select(log_records.c.exchange_id).where(log_records.c.kind == Kind.OPENED.value, ~ended)


def _close(connection: Connection, *, log: ExchangeLog, exchange_id: str) -> int:
    _alone(connection, uuid.UUID(exchange_id))
    if connection.execute(select(_outcome_of(exchange_id))).scalar_one():
        return 0
    facts: dict[str, Json] = {"outcome": Outcome.UNKNOWN.value, "code": "orphaned", "attempts": 0}
    log.append(connection, Entry(Kind.OUTCOME, uuid.UUID(exchange_id), utc_now(), facts))
    return 1


def _alone(connection: Connection, exchange_id: uuid.UUID) -> None:
    """Until the commit nobody else asks whether this exchange has ended; on SQLite the whole database is locked."""
    if connection.dialect.name == "postgresql":
        key = int.from_bytes(exchange_id.bytes[8:], "big", signed=True)
        connection.execute(select(func.pg_advisory_xact_lock(key)))


def _outcome_of(exchange_id: str) -> Exists:
    return exists().where(log_records.c.exchange_id == exchange_id, log_records.c.kind == Kind.OUTCOME.value)
