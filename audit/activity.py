"""What was exchanged lately and how long it took, by system: for the overview, from counts and a bounded sample.

Records that have no place in the log yet are not counted: that is a second's worth.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from sqlalchemy import Engine, case, func, select
from sqlalchemy.exc import SQLAlchemyError

from audit.catalogue import catalogue, catch_up
from audit.hours import HOUR_LETTERS, hours
from audit.tables import log_records
from errors import LogUnavailable
from exchange import Outcome, instant_text
from storage import reading

# How many exchanges of a system are looked at for how long they took.
SAMPLE = 200
# A caller may name systems that there are not: only so many stand alone.
_MOST_SYSTEMS = 12
_NOT_CARRIED_OUT = (Outcome.QUEUED.value, Outcome.DENIED.value, Outcome.INVALID.value)


@dataclass(frozen=True, slots=True)
class Count:
    """How many exchanges ended in the hour that begins at an instant; `system` None is all that do not stand alone."""

    hour: datetime
    system: str | None
    outcome: str
    exchanges: int


@dataclass(frozen=True, slots=True)
class Activity:
    """Exchanges since an instant: the systems that stand alone, the busiest first, and the counts of each hour."""

    systems: tuple[str, ...]
    counts: tuple[Count, ...]


@dataclass(frozen=True, slots=True)
class Durations:
    """For how many milliseconds the gateway worked on exchanges of a system: half took at most `p50`, 95 % `p95`."""

    system: str
    exchanges: int
    p50: int
    p95: int


def activity(engine: Engine, since: datetime, most: int = _MOST_SYSTEMS) -> Activity:
    """The counts of every hour from that of `since` on.

    Raises: LogUnavailable.
    """
    catch_up(engine)
    recent = hours.c.hour >= _hour_text(since)
    exchanges = func.sum(hours.c.exchanges)
    busiest = (
        select(hours.c.system)
        .where(recent, hours.c.system != "")
        .group_by(hours.c.system)
        .order_by(exchanges.desc(), hours.c.system)
        .limit(most)
    )
    try:
        with reading(engine).begin() as connection:
            systems = tuple(connection.execute(busiest).scalars())
            alone = case((hours.c.system.in_(systems), hours.c.system), else_=None).label("alone")
            folded = select(hours.c.hour, alone, hours.c.outcome, hours.c.exchanges).where(recent).subquery()
            rows = connection.execute(
                select(folded.c.hour, folded.c.alone, folded.c.outcome, func.sum(folded.c.exchanges))
                .group_by(folded.c.hour, folded.c.alone, folded.c.outcome)
                .order_by(folded.c.hour)
            ).all()
    except SQLAlchemyError as error:
        raise LogUnavailable(type(error).__name__) from error
    return Activity(systems, _counts(map(tuple, rows)))


def activity_of(engine: Engine, systems: Sequence[str], since: datetime) -> tuple[Count, ...]:
    """The counts of some systems of every hour from that of `since` on.

    Raises: LogUnavailable.
    """
    catch_up(engine)
    query = (
        select(*hours.c)
        .where(hours.c.hour >= _hour_text(since), hours.c.system.in_(systems))
        .order_by(hours.c.hour, hours.c.outcome)
    )
    try:
        with reading(engine).begin() as connection:
            rows = connection.execute(query).all()
    except SQLAlchemyError as error:
        raise LogUnavailable(type(error).__name__) from error
    return _counts(map(tuple, rows))


def durations(
    engine: Engine, systems: Sequence[str], since: datetime, sample: int = SAMPLE
) -> tuple[Durations, ...]:
    """Of each system with any, of its newest exchanges that were carried out, well or not.

    Raises: LogUnavailable.
    """
    found = []
    try:
        with reading(engine).begin() as connection:
            for system in systems:
                # Not by `kind`: SQLite would walk the index of that, which is of all systems.
                newest = (
                    select(log_records.c.leaf)
                    .select_from(catalogue)
                    .join(log_records, log_records.c.id == catalogue.c.record_id)
                    .where(
                        catalogue.c.system == system,
                        catalogue.c.instant >= instant_text(since),
                        catalogue.c.outcome.not_in(_NOT_CARRIED_OUT),
                    )
                    .order_by(catalogue.c.instant.desc(), catalogue.c.idx.desc())
                    .limit(sample)
                )
                took = sorted(filter(None, map(_milliseconds, connection.execute(newest).scalars())))
                if took:
                    found.append(Durations(system, len(took), _share(took, 50), _share(took, 95)))
    except SQLAlchemyError as error:
        raise LogUnavailable(type(error).__name__) from error
    return tuple(found)


def _milliseconds(leaf: str) -> int | None:
    """How long an exchange took, as its outcome says; None where it says nothing. Less than one counts as one."""
    try:
        took = json.loads(leaf).get("ms")
    except (ValueError, AttributeError):  # it was damaged, which `audit verify` tells
        return None
    return max(1, took) if type(took) is int else None


def _share(ordered: Sequence[int], percent: int) -> int:
    """The least value that so many of them do not exceed."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def _hour_text(instant: datetime) -> str:
    return instant_text(instant)[:HOUR_LETTERS]


@lru_cache(maxsize=2048)
def _instant(hour: str) -> datetime | None:
    """When an hour begins; None where a leaf was damaged so that it says none, which `audit verify` tells."""
    try:
        return datetime.fromisoformat(f"{hour}:00:00+00:00")
    except ValueError:
        return None


def _counts(rows: Iterable[tuple[str, str | None, str, int]]) -> tuple[Count, ...]:
    # PostgreSQL sums whole numbers as decimals.
    return tuple(
        Count(begins, system, outcome, int(exchanges))
        for hour, system, outcome, exchanges in rows
        if (begins := _instant(hour)) is not None
    )
