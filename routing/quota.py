"""Quotas: how many requests a recipient made today and about how many distinct persons.

Persons are counted by the keyed digest of their code, so that the table tells nothing by itself. Source: p19.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import cache

from sqlalchemy import Column, Connection, Date, Insert, Integer, String, Table, bindparam, func, select

from errors import QuotaExceeded
from exchange import RIGA, utc_now
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

_KNOWN = select(persons.c.day).where(
    *(persons.c[name] == bindparam(name) for name in ("recipient", "day", "subject"))
)


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

    Raises: QuotaExceeded with the seconds until the next day in Europe/Riga begins.
    """
    counted = connection.execute(
        _count(upsert_of(connection)), {"recipient": recipient, "day": day, "count": 1}
    )
    if counted.scalar_one() > quota.requests_day:
        raise QuotaExceeded("requests", retry_after=_seconds_left(day))
    if subject is None:
        return
    if connection.execute(_KNOWN, {"recipient": recipient, "day": day, "subject": subject}).first():
        return
    ours = (persons.c.recipient == recipient) & (persons.c.day == day)
    if (
        connection.execute(select(func.count()).select_from(persons).where(ours)).scalar_one()
        >= quota.persons_day
    ):
        raise QuotaExceeded("persons", retry_after=_seconds_left(day))
    connection.execute(
        upsert(connection, persons)
        .values(recipient=recipient, day=day, subject=subject)
        .on_conflict_do_nothing()
    )


def last_day(connection: Connection, recipient: str) -> date | None:
    """The last day on which a recipient asked for anything that was counted."""
    return connection.execute(
        select(func.max(requests.c.day)).where(requests.c.recipient == recipient)
    ).scalar_one_or_none()


def _seconds_left(day: date) -> int:
    midnight = datetime.combine(day + timedelta(days=1), time(), RIGA).astimezone(UTC)
    return max(1, int((midnight - utc_now()).total_seconds()))
