"""All the background work of one process: what `serve` has beside its listeners, and what `gateway work` is.

Deliveries, the bell that wakes them, the sequencer, what shows checkpoints to the witness, the watch, the sweeper of
orphans, the look at certificates and what is scheduled.
`python -m endpoints.work.background` is a process of `serve`.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import socket
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger
from sqlalchemy import Connection

import config
import gateway
from adapters import Adapter, Operation, Schedule
from audit.sequencer import Sequencer
from audit.sweeper import grace, sweep
from config import Settings
from endpoints.processes import die_with
from endpoints.work import children
from endpoints.work.bell import Bell
from endpoints.work.certificates import Certificates
from endpoints.work.children import CHILDREN_HOURS
from endpoints.work.cosigning import Cosigning
from endpoints.work.courier import Courier, Postman
from endpoints.work.deliveries import Deliveries
from endpoints.work.jobs import Loop, Scheduled, Work
from endpoints.work.looks import looks
from endpoints.work.revocations import EVERY, Revocations
from endpoints.work.watch import Watch
from errors import Busy, GatewayError, InvalidRequest
from exchange import RIGA, utc_now
from routing import anonymising, editions, following, jobs, outbox
from routing.slots import takes_place
from security.keys import load_log_key
from telemetry import start_diagnostics

_SWEEP = timedelta(seconds=30)
_LOOK = timedelta(seconds=30)
_LOOK_FOR_EDITIONS = timedelta(minutes=5)
# Longer than any row of days off.
_LONGEST_PAUSE = timedelta(days=30)
_KEPT_DELIVERED = timedelta(days=90)
_DRAIN_SECONDS = 30.0

diagnostics = logging.getLogger("gateway.work")


class Background:
    """The background work of this process; started at once, ended by `stop`."""

    def __init__(self, settings: Settings, threads: int | None = None) -> None:
        """Raises: ConfigurationError when a key is missing, or alerts are set up by half."""
        self._gateway = wired = gateway.wire(settings)
        self._sequencer = Sequencer(
            wired.engine,
            load_log_key(settings.keys / "log.key"),
            environment=settings.environment,
            checkpoint_seconds=settings.log.checkpoint_seconds,
        )
        self._bell = Bell(settings.database_url)
        count = threads or settings.outbox.threads
        deliveries = Deliveries(wired, self._bell, count)
        courier = Courier(wired, deliveries) if settings.amqp_url else deliveries
        certificates = Certificates(wired)
        watch = Watch(
            wired.engine,
            looks(wired, certificates.found),
            settings.alerts,
            environment=settings.environment,
            holder=str(uuid.uuid4()),
        )
        loops = [
            Loop("sequencer", self._sequencer.step, self._sequencer.lag),
            Loop("deliveries", courier.step, deliveries.lag, threads=count),
            Loop("watch", watch.step),
        ]
        if settings.amqp_url:
            loops.append(Loop("postman", Postman(wired, self._bell).step))
        if self._bell.rings:
            loops.append(Loop("bell", self._bell.listen))
        self._cosigning = Cosigning(settings, wired.engine, wired.log) if settings.log.witness_url else None
        if self._cosigning is not None:
            loops.append(Loop("witness", self._cosigning.step, self._cosigning.lag))
        after = grace(settings.limits.exchange_seconds)
        self.work = Work(
            wired.engine,
            loops,
            [
                Scheduled("sweeper", every(_SWEEP), lambda _slot: sweep(wired.engine, wired.log, after)),
                Scheduled("certificates", every(_LOOK), lambda _slot: certificates.look(), everywhere=True),
                Scheduled("tidying", CronTrigger(hour=2, timezone=UTC), self._tidy),
                *self._revocations(),
                *self._syncs(),
                *self._editions(),
                Scheduled("children", CHILDREN_HOURS, self._children),
                Scheduled("anonymising", CronTrigger(hour=3, timezone=UTC), self._anonymise),
            ],
        )
        gateway.warm(wired)
        self.work.start()

    def fallen(self) -> str | None:
        """The name of a thread that has ended by itself."""
        return self.work.fallen()

    def stop(self, seconds: float = _DRAIN_SECONDS) -> None:
        """End: deliveries under way are finished; what was still written meanwhile gets its place too."""
        threading.Thread(target=self._bell.ring, daemon=True).start()
        self.work.stop(seconds)
        try:
            while self._sequencer.run_once():
                pass
            self._sequencer.release()
        except GatewayError as error:
            diagnostics.warning("records are left for the next start: %s", error)
        if self._cosigning is not None:
            self._cosigning.last()
        self._gateway.tracing.close()
        self._gateway.engine.dispose()

    def _revocations(self) -> Iterator[Scheduled]:
        """What the issuers of partners' certificates revoked: answers for all processes, lists for each host."""
        settings = self._gateway.settings
        asking = Revocations(self._gateway.engine, settings)
        often = every(
            max(timedelta(seconds=1), min(EVERY, timedelta(minutes=settings.revocation.ask_minutes)))
        )
        if settings.revocation.ocsp:
            yield Scheduled("revocations", often, asking.ask)
        if settings.revocation.crl:
            yield Scheduled("revocation-lists", often, asking.fetch, everywhere=True)

    def _syncs(self) -> Iterator[Scheduled]:
        """What is asked on a schedule: the job only queues the question, which goes its way like any other."""
        wired, process = self._gateway, f"{socket.gethostname()}:{os.getpid()}"
        for adapter in wired.adapters.values():
            for operation in adapter.operations:
                if operation.sync is None:
                    continue

                def ask(slot: datetime, adapter: Adapter = adapter, operation: Operation = operation) -> None:
                    begin_run(wired, adapter, operation, slot, process)

                name = f"sync-{adapter.name}.{operation.name}"
                yield Scheduled(name, OnDays(operation.sync.schedule), ask, everywhere=True)

    def _editions(self) -> Iterator[Scheduled]:
        """What systems publish whole: looked at every few minutes whether the newest slot has had its run.

        So one that was killed amid a load, or that nobody was there for, is made up for.
        """
        wired = self._gateway
        for adapter in wired.adapters.values():
            system = wired.settings.systems.get(adapter.name)
            if adapter.edition is None or system is None or system.edition is None:
                continue
            slots = OnDays(adapter.edition.schedule)

            def look(now: datetime, adapter: Adapter = adapter, slots: OnDays = slots) -> None:
                # Another process is at it; or the edition cannot be taken, which its run says.
                with suppress(Busy, InvalidRequest):
                    editions.load(wired.settings, wired.engine, wired.log, adapter, slot=slots.newest(now))

            yield Scheduled(f"edition-{adapter.name}", every(_LOOK_FOR_EDITIONS), look, everywhere=True)

    def _anonymise(self, slot: datetime) -> None:
        """Register rows whose purpose has ended."""
        wired = self._gateway
        today = slot.astimezone(RIGA).date()
        gone = anonymising.anonymise(wired.engine, wired.log, wired.settings.environment, today, "scheduled")
        diagnostics.info("anonymised: archived=%d persons=%d", gone["archived"], gone["persons"])

    def _children(self, slot: datetime) -> None:
        """The watch over children in institutions: alerts, and reports for the social services."""
        wired = self._gateway
        children.look(wired.settings, wired.engine, wired.log, slot)

    def _tidy(self, slot: datetime) -> None:
        with self._gateway.engine.begin() as connection:
            outbox.forget_delivered(connection, slot - _KEPT_DELIVERED)
            following.forget(connection, slot - _KEPT_DELIVERED)


def every(period: timedelta) -> IntervalTrigger:
    """At multiples of a period since 1970, so that all processes plan the same slots."""
    return IntervalTrigger(
        seconds=int(period.total_seconds()), start_date=datetime(1970, 1, 1, tzinfo=UTC), timezone=UTC
    )


def begin_run(
    wired: gateway.Gateway, adapter: Adapter, operation: Operation, slot: datetime, process: str
) -> bool:
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


class Told:
    """What this process is told from now on: to end (SIGTERM, SIGINT), to read its settings again (SIGHUP)."""

    def __init__(self) -> None:
        self.to_end = threading.Event()
        self.to_read_again = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: self.to_end.set())
        signal.signal(signal.SIGHUP, lambda _number, _frame: self.to_read_again.set())


def until_told(
    told: Told, background: Background, again: Callable[[Background], Background] = lambda running: running
) -> int:
    """Work until told to end: 0 then, 1 when a thread fell.

    `again` reads the settings and gives what works from then on; without it nothing is read again.
    """
    while not told.to_end.wait(0.5):
        if told.to_read_again.is_set():
            told.to_read_again.clear()
            background = again(background)
        if fallen := background.fallen():
            diagnostics.error("the %s has ended by itself", fallen)
            return 1
    background.stop()
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """The background process of `serve`."""
    parser = argparse.ArgumentParser(prog="python -m endpoints.work.background")
    parser.add_argument("--ready-fd", type=int, required=True, help="Where it says that it works.")
    parser.add_argument("--parent", type=int, required=True, help="The process to end with.")
    options = parser.parse_args(arguments)
    die_with(options.parent)
    told = Told()
    try:
        settings = config.load()
        start_diagnostics(settings.telemetry)
        background = Background(settings)
    except GatewayError as error:
        print(f"gateway: the background work: {error}", file=sys.stderr, flush=True)
        return 1
    os.write(options.ready_fd, b".")
    os.close(options.ready_fd)
    return until_told(told, background)


if __name__ == "__main__":
    sys.exit(main())
