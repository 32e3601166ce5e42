"""Quotas: how many requests a recipient made today and about how many distinct persons.

Persons are counted by the keyed digest of their code, so that the table tells nothing by itself. Whoever was refused
for his quota is counted too, so that operators hear of it once a day. Source: p19.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, time, timedelta
from functools import cache

from sqlalchemy import Column, Connection, Date, Insert, Integer, String, Table, func, select

from errors import QuotaExceeded
from exchange import RIGA, instant_text, utc_now
from routing.access import Quota
from storage import UpsertOf, metadata, upsert, upsert_of

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


@cache
def _count(insert_into: UpsertOf) -> Insert:
    return (
        insert_into(requests)
        .on_conflict_do_update(
            index_elements=[requests.c.recipient, requests.c.day], set_={"count": requests.c.count + 1}
        )
        .returning(requests.c.count)
    )


def use(connection: Connection, recipient: str, subject: str | None, quota: Quota, day: date) -> None:
    """Count one request, about one subject (keyed digest) or none, in the caller's transaction.

    Raises: QuotaExceeded that says of what, and until when: the next day in Europe/Riga.
    """
    counted = connection.execute(
        _count(upsert_of(connection)), {"recipient": recipient, "day": day, "count": 1}
    )
    if counted.scalar_one() > quota.requests_day:
        raise _exceeded("requests", day)
    if subject is not None:
        meet(connection, recipient, (subject,), quota, day)


def meet(connection: Connection, recipient: str, subjects: Collection[str], quota: Quota, day: date) -> None:
    """Count subjects (keyed digests) whose data a recipient asks for or is about to see, each once a day.

    Raises: QuotaExceeded when they are more than it may still see today; then none is counted.
    """
    # One exchange of a recipient after the other: each has counted its request, and waits here at that row.
    counted = (requests.c.recipient == recipient) & (requests.c.day == day)
    connection.execute(select(requests.c.count).where(counted).with_for_update())
    ours = (persons.c.recipient == recipient) & (persons.c.day == day)
    met = connection.execute(select(persons.c.subject).where(ours, persons.c.subject.in_(subjects))).scalars()
    new = sorted(set(subjects) - set(met))
    if not new:
        return
    count = connection.execute(select(func.count()).select_from(persons).where(ours)).scalar_one()
    if count + len(new) > quota.persons_day:
        raise _exceeded("persons", day)
    connection.execute(
        upsert(connection, persons).on_conflict_do_nothing(),
        [{"recipient": recipient, "day": day, "subject": subject} for subject in new],
    )


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
