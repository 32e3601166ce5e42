"""Flags on unusual look-ups: what was found, and how whoever looked into it dismissed it.

A flag names no official and no person: its exchanges do, in values that can be erased.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Date,
    Index,
    RowMapping,
    Table,
    Text,
    UniqueConstraint,
    and_,
    delete,
    func,
    or_,
    select,
    text,
    update,
)

from audit.tables import log_records, log_values
from errors import InvalidRequest, NotFound
from exchange import Json, new_id
from storage import Instant, identifier, metadata, upsert

_AT_ONCE = 500
_OPEN = text("dismissed_at IS NULL")

flags = Table(
    "catalogue_flags",
    metadata,
    Column("id", identifier(), primary_key=True),
    Column("key", Text, nullable=False),
    Column("day", Date, nullable=False),
    Column("kind", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("figures", JSON, nullable=False),
    Column("exchanges", JSON, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("dismissed_at", Instant),
    Column("dismissed_by", Text),
    Column("reason", Text),
    UniqueConstraint("key"),
    Index("ix_catalogue_flags_open", "day", postgresql_where=_OPEN, sqlite_where=_OPEN),
    schema="catalogue",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """What is unusual about a day's look-ups under one recipient's rights.

    `key` is a keyed digest that tells it from others, the same whenever it is found. `figures` are numbers and times.
    """

    key: str
    day: date
    kind: str
    recipient: str
    figures: Mapping[str, Json]
    exchanges: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept(Flag):
    """A flag that was kept; `dismissed_at` None: nobody has decided on it yet."""

    id: uuid.UUID
    made_at: datetime
    dismissed_at: datetime | None
    dismissed_by: str | None
    reason: str | None


def keep(connection: Connection, found: Iterable[Flag], now: datetime) -> int:
    """Keep flags that are not there yet; how many. One that is there stays as it is, also when it was dismissed."""
    made = 0
    for flag in found:
        row = upsert(connection, flags).values(
            id=new_id(now),
            key=flag.key,
            day=flag.day,
            kind=flag.kind,
            recipient=flag.recipient,
            figures=dict(flag.figures),
            exchanges=list(flag.exchanges),
            made_at=now,
        )
        added = row.on_conflict_do_nothing(index_elements=["key"]).returning(flags.c.id)
        made += connection.execute(added).first() is not None
    return made


def listed(
    connection: Connection,
    since: date,
    until: date,
    *,
    dismissed: bool = False,
    waiting: bool = True,
    limit: int = 1000,
    after: uuid.UUID | None = None,
) -> tuple[Kept, ...]:
    """Flags of days from `since` until before `until`, the newest day first; `after` a flag only those that follow it.

    With `dismissed` those decided on too; without `waiting` those alone.
    """
    query = select(flags).where(flags.c.day >= since, flags.c.day < until)
    if after is not None:
        day = select(flags.c.day).where(flags.c.id == after).scalar_subquery()
        query = query.where(or_(flags.c.day < day, and_(flags.c.day == day, flags.c.id > after)))
    if not dismissed:
        query = query.where(flags.c.dismissed_at.is_(None))
    if not waiting:
        query = query.where(flags.c.dismissed_at.is_not(None))
    rows = connection.execute(query.order_by(flags.c.day.desc(), flags.c.id).limit(limit)).all()
    return tuple(_kept(row._mapping) for row in rows)


def open_by_day(connection: Connection, since: date) -> dict[date, int]:
    """How many flags of each day from `since` on nobody has decided on."""
    query = select(flags.c.day, func.count()).where(flags.c.dismissed_at.is_(None), flags.c.day >= since)
    return {row[0]: row[1] for row in connection.execute(query.group_by(flags.c.day))}


def dismiss(connection: Connection, ids: Sequence[uuid.UUID], by: str, reason: str, now: datetime) -> None:
    """Note that flags were looked into and why nothing follows, or what does: all of them, or none.

    Raises: NotFound; InvalidRequest when somebody did before.
    """
    for flag_id in dict.fromkeys(ids):
        found = connection.execute(select(flags.c.dismissed_at).where(flags.c.id == flag_id)).first()
        if found is None:
            raise NotFound(f"flag {flag_id}")
        own = update(flags).where(flags.c.id == flag_id, flags.c.dismissed_at.is_(None))
        if not connection.execute(own.values(dismissed_at=now, dismissed_by=by, reason=reason)).rowcount:
            raise InvalidRequest(f"flag {flag_id} was decided on before")


def forget(connection: Connection, before: date) -> int:
    """Delete flags of days before one whose exchanges have lost their values; how many.

    A flag with a value left, as one that a legal hold keeps, stays. Source: p22.
    """
    old = connection.execute(select(flags.c.id, flags.c.exchanges).where(flags.c.day < before)).all()
    over = [row.id for row in old if not _has_values(connection, row.exchanges)]
    for flag_id in over:
        connection.execute(delete(flags).where(flags.c.id == flag_id))
    return len(over)


def _has_values(connection: Connection, exchanges: Sequence[str]) -> bool:
    values = select(log_values.c.name).join(log_records, log_records.c.id == log_values.c.record_id)
    return any(
        connection.execute(values.where(log_records.c.exchange_id.in_(some)).limit(1)).first() is not None
        for some in (exchanges[at : at + _AT_ONCE] for at in range(0, len(exchanges), _AT_ONCE))
    )


def _kept(row: RowMapping) -> Kept:
    values = {name: row[name] for name in Kept.__dataclass_fields__ if name != "exchanges"}
    return Kept(**values, exchanges=tuple(row["exchanges"]))
