"""What is asked, and looked for, by itself: the slots of each system's syncs and editions, in every process.

One process takes a slot: for a sync it claims it and queues the first question together, for an edition it holds the
system's name while it loads.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger
from sqlalchemy import Connection

from adapters import Adapter, Operation, Schedule
from endpoints.work.jobs import Scheduled
from errors import Busy, InvalidRequest
from exchange import RIGA, utc_now
from gateway import Gateway
from routing import editions, jobs
from routing.slots import takes_place

_LOOK_FOR_EDITIONS = timedelta(minutes=5)
# Longer than any row of days off.
_LONGEST_PAUSE = timedelta(days=30)


def syncs(wired: Gateway, process: str) -> Iterator[Scheduled]:
    """What is asked on a schedule: the job only queues the question, which goes its way like any other."""
    for adapter in wired.adapters.values():
        for operation in adapter.operations:
            if operation.sync is None:
                continue

            def ask(slot: datetime, adapter: Adapter = adapter, operation: Operation = operation) -> None:
                begin_run(wired, adapter, operation, slot, process)

            name = f"sync-{adapter.name}.{operation.name}"
            yield Scheduled(name, OnDays(operation.sync.schedule), ask, everywhere=True)


def editions_published(wired: Gateway) -> Iterator[Scheduled]:
    """What systems publish whole: looked at every few minutes whether the newest slot has had its run.

    So one that was killed amid a load, or that did not come, or that nobody was there for, is made up for.
    """
    for adapter in wired.adapters.values():
        system = wired.settings.systems.get(adapter.name)
        if adapter.edition is None or system is None or not system.publishes:
            continue
        slots = OnDays(adapter.edition.schedule)

        def look(now: datetime, adapter: Adapter = adapter, slots: OnDays = slots) -> None:
            # Another process is at it; or the edition cannot be taken, which its run says.
            with suppress(Busy, InvalidRequest):
                editions.load(wired.settings, wired.engine, wired.log, adapter, slot=slots.newest(now))

        yield Scheduled(f"edition-{adapter.name}", every(_LOOK_FOR_EDITIONS), look, everywhere=True)


def every(period: timedelta) -> IntervalTrigger:
    """At multiples of a period since 1970, so that all processes plan the same slots."""
    return IntervalTrigger(
        seconds=int(period.total_seconds()), start_date=datetime(1970, 1, 1, tzinfo=UTC), timezone=UTC
    )


def begin_run(wired: Gateway, adapter: Adapter, operation: Operation, slot: datetime, process: str) -> bool:
    """Begin the run of a sync's slot, unless another process has; whether this one did."""

    def work(connection: Connection) -> bool:
        # Claimed and queued together: a process that dies in between has claimed nothing.
        if not jobs.claim_slot(connection, f"sync-{adapter.name}.{operation.name}", slot, process):
            return False
        return wired.queue.ask(connection, adapter, operation, slot, slot=slot) is not None

    wired.archive.begin_month(wired.log, utc_now())
    return wired.log.commit(work)


class OnDays(BaseTrigger):  # type: ignore[misc] # — APScheduler publishes no types
    """The slots of a schedule: its hours, on the days on which it takes place."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._hours = CronTrigger(hour=schedule.hours, timezone=RIGA)

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        """The next slot, as APScheduler asks for it."""
        at: datetime | None = self._hours.get_next_fire_time(previous_fire_time, now)
        while at is not None and not takes_place(self._schedule, at.date()):
            at = self._hours.get_next_fire_time(at, at + timedelta(microseconds=1))
        return at

    def newest(self, now: datetime) -> datetime | None:
        """The newest slot that is not in the future; None where there was none for long."""
        newest, at = None, self.get_next_fire_time(None, now - _LONGEST_PAUSE)
        while at is not None and at <= now:
            newest, at = at, self.get_next_fire_time(at, at + timedelta(microseconds=1))
        return newest
