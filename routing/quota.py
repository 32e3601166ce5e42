"""Quotas: how many requests a recipient made today and about how many distinct persons.

Persons are counted by the keyed digest of their code, so that the table tells nothing by itself. Whoever was refused
for his quota is counted too, so that operators hear of it once a day. Source: p19.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import (
    Column,
    Connection,
    Date,
    Insert,
    Integer,
    String,
    Table,
    bindparam,
    delete,
    func,
    select,
)

from errors import QuotaExceeded
from exchange import RIGA, instant_text, utc_now
from routing.access import Quota
from storage import UpsertOf, metadata, upsert
from storage.statements import Statement

requests = Table(
    "routing_requests",
    metadata,
    Column("recipient", String(100), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("count", Integer, nullable=False),
    schema="routing",
)
persons = Table(
    "routing_persons",
    metadata,
    Column("recipient", String(100), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("subject", String(64), primary_key=True),
    schema="routing",
)
refused = Table(
    "routing_refused",
    metadata,
    Column("recipient", String(100), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("count", Integer, nullable=False),
    schema="routing",
)


def note(connection: Connection, recipient: str, day: date) -> None:
    """Count that a recipient was refused for its quota, in the transaction that records the refusal."""
    connection.execute(
        upsert(connection, refused)
        .values(recipient=recipient, day=day, count=1)
        .on_conflict_do_update(
            index_elements=[refused.c.recipient, refused.c.day], set_={"count": refused.c.count + 1}
        )
    )


def day_of(instant: datetime) -> date:
    """The day in Riga that an instant lies in: quotas begin and end with it."""
    return instant.astimezone(RIGA).date()


def noted(connection: Connection, day: date) -> dict[str, int]:
    """How often each recipient was refused for its quota on a day; those that were not are absent."""
    rows = connection.execute(
        select(refused.c.recipient, refused.c.count.label("times")).where(refused.c.day == day)
    )
    return {row.recipient: row.times for row in rows}


def _counting(insert_into: UpsertOf) -> Insert:
    return (
        insert_into(requests)
        .on_conflict_do_update(
            index_elements=[requests.c.recipient, requests.c.day], set_={"count": requests.c.count + 1}
        )
        .returning(requests.c.count)
    )


_COUNT = Statement(_counting)
_HOLD = Statement(
    select(requests.c.count)
    .where(requests.c.recipient == bindparam("recipient"), requests.c.day == bindparam("day"))
    .with_for_update()
)
_MEET = Statement(lambda insert_into: insert_into(persons).on_conflict_do_nothing())
_MET = Statement(
    select(func.count().label("met")).where(
        persons.c.recipient == bindparam("recipient"), persons.c.day == bindparam("day")
    )
)


def use(connection: Connection, recipient: str, subjects: Collection[str], quota: Quota, day: date) -> None:
    """Count one request and everybody whom it names (keyed digests), in the caller's transaction.

    Raises: QuotaExceeded that says of what, and until when: the next day in Europe/Riga.
    """
    counted = _COUNT.first(connection, recipient=recipient, day=day, count=1)
    if counted is None or counted.count > quota.requests_day:
        raise _exceeded("requests", day)
    if subjects:
        _meet(connection, recipient, subjects, quota, day)


def meet(connection: Connection, recipient: str, subjects: Collection[str], quota: Quota, day: date) -> None:
    """Count subjects (keyed digests) whose data a recipient is about to see, each once a day.

    Raises: QuotaExceeded when they are more than it may still see today; the transaction must be undone then.
    """
    # One exchange of a recipient after the other: each has counted its request, and waits here at that row.
    _HOLD.first(connection, recipient=recipient, day=day)
    _meet(connection, recipient, subjects, quota, day)


def _meet(connection: Connection, recipient: str, subjects: Collection[str], quota: Quota, day: date) -> None:
    """As `meet`, where the recipient's row is held already."""
    new = _MEET.run_each(
        connection,
        ({"recipient": recipient, "day": day, "subject": subject} for subject in sorted(set(subjects))),
    )
    if not new:
        return
    counted = _MET.first(connection, recipient=recipient, day=day)
    if counted is None or counted.met > quota.persons_day:
        raise _exceeded("persons", day)


def forget(connection: Connection, before: date) -> None:
    """Remove what was counted before a day: the keyed digests of persons with it."""
    for table in (persons, requests, refused):
        connection.execute(delete(table).where(table.c.day < before))


def last_day(connection: Connection, recipient: str) -> date | None:
    """The last day on which a recipient asked for anything that was counted."""
    return connection.execute(
        select(func.max(requests.c.day)).where(requests.c.recipient == recipient)
    ).scalar_one_or_none()


def _seconds_left(day: date) -> int:
    return max(1, int((_next(day) - utc_now()).total_seconds()))


def _next(day: date) -> datetime:
    """The instant at which the next day in Riga begins."""
    return datetime.combine(day + timedelta(days=1), time(), RIGA).astimezone(UTC)


def _exceeded(what: str, day: date) -> QuotaExceeded:
    return QuotaExceeded(
        f"{what} a day; again from {instant_text(_next(day))}", retry_after=_seconds_left(day)
    )
