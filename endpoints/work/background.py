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
from datetime import UTC, datetime, timedelta
from functools import partial

from apscheduler.triggers.cron import CronTrigger
from sqlalchemy import Engine

import config
import gateway
from audit import stamps
from audit.sequencer import Sequencer
from audit.stamp_client import StampClient
from audit.sweeper import grace, sweep
from config import Settings
from endpoints.processes import die_with
from endpoints.work import children, questions
from endpoints.work.bell import Bell
from endpoints.work.certificates import Certificates
from endpoints.work.children import CHILDREN_HOURS
from endpoints.work.cosigning import Cosigning
from endpoints.work.courier import Courier, Postman
from endpoints.work.deliveries import Deliveries
from endpoints.work.jobs import Loop, Scheduled, Work
from endpoints.work.looks import looks
from endpoints.work.revocations import EVERY, Revocations
from endpoints.work.schedules import editions_published, every, syncs
from endpoints.work.watch import Watch
from errors import GatewayError
from exchange import RIGA
from questions import handed_files
from questions.acting import Acting
from routing import anonymising, following, outbox
from security.keys import load_log_key
from telemetry import start_diagnostics

_SWEEP = timedelta(seconds=30)
_LOOK = timedelta(seconds=30)
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
            Loop("catalogue", partial(questions.follow, wired)),
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
                Scheduled(
                    "tidying", CronTrigger(hour=2, timezone=UTC), lambda slot: tidy(wired.engine, slot)
                ),
                *self._stamping(),
                *self._revocations(),
                *syncs(wired, f"{socket.gethostname()}:{os.getpid()}"),
                *editions_published(wired),
                Scheduled("children", CHILDREN_HOURS, self._children),
                Scheduled("unusual", questions.UNUSUAL_HOUR, partial(questions.flag_unusual, wired)),
                Scheduled(
                    "corrections", questions.CORRECTIONS_MINUTE, partial(questions.tell_corrections, wired)
                ),
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

    def _stamping(self) -> Iterator[Scheduled]:
        """Time stamps over the newest checkpoint, where an authority is set: one process for each slot."""
        settings, engine = self._gateway.settings.log, self._gateway.engine
        if settings.tsa_url:
            client, roots = StampClient(settings.tsa_url), stamps.roots_of(settings.tsa_trust)
            often = every(timedelta(minutes=settings.tsa_minutes))
            yield Scheduled("stamping", often, lambda _slot: stamps.stamp(engine, client, roots))

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

    def _anonymise(self, slot: datetime) -> None:
        """Register rows whose purpose has ended."""
        wired = self._gateway
        today = slot.astimezone(RIGA).date()
        gone = anonymising.anonymise(wired.engine, wired.log, wired.settings.environment, today, "scheduled")
        acting = Acting(wired.settings.environment)
        files = handed_files.erase(wired.settings, wired.engine, wired.log, acting)
        diagnostics.info(
            "anonymised: archived=%d persons=%d files=%d", gone["archived"], gone["persons"], files
        )

    def _children(self, slot: datetime) -> None:
        """The watch over children in institutions: alerts, and reports for the social services."""
        wired = self._gateway
        children.look(wired.settings, wired.engine, wired.log, slot)


def tidy(engine: Engine, slot: datetime) -> None:
    """Forget what was delivered, and runs of syncs that ended, long ago."""
    with engine.begin() as connection:
        outbox.forget_delivered(connection, slot - _KEPT_DELIVERED)
        following.forget(connection, slot - _KEPT_DELIVERED)


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
