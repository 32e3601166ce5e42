"""What the watch looks at: each look gives what it found to be wrong.

Subjects and details are names from closed lists, registered names, hosts and numbers, nothing of a person.
"""

from __future__ import annotations

import math
import shutil
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial

from sqlalchemy import Connection, Engine

from audit import flags
from audit.tables import leases
from endpoints import metered, revocation_state
from endpoints.partner_trust import PartnerTrust
from endpoints.readiness import (
    MOST_BEHIND_SECONDS,
    MOST_OFFSET_SECONDS,
    by_job,
    exposure,
    is_alive,
    lag,
)
from endpoints.revocation_state import Source
from exchange import utc_now
from gateway import Gateway
from routing import broker, following, jobs, outbox, quota
from routing.breakers import State
from routing.incidents import Finding
from routing.jobs import JobState
from storage import clock as clocks
from storage import reading, upsert

# So long a row may be due, its system well and its route on, before something is wrong with who delivers.
MOST_LATE_SECONDS = 60.0
# Of a disk, what must be free; of the limit of the outbox, what may be taken.
LEAST_FREE = (0.10, 0.02)
MOST_TAKEN = 0.8
# A person must decide about these; about what is parked somebody has.
_LEFT_TO_A_PERSON = (outbox.State.DEAD, outbox.State.UNKNOWN)
_BROKER_SECONDS = 4.0
_BROKER_EVERY = 15.0
_FILES_EVERY = 60.0
# What nobody decided on for so long stays in the list, and is told no more.
_UNUSUAL_STANDS = timedelta(days=30)

Findings = list[Finding]


@dataclass(frozen=True, slots=True)
class Look:
    """A look, and the finding that it stands for itself when it fails or hangs; None where another look tells."""

    run: Callable[[], Findings]
    broken: Finding | None = None


def looks(
    gateway: Gateway, certificates: Callable[[], Findings], clock: Callable[[], datetime] = utc_now
) -> dict[str, Look]:
    """Every look of a gateway, by name. `certificates` gives what the job of that name found last."""
    host = socket.gethostname()
    trust = PartnerTrust(gateway.settings, gateway.engine)
    grace = timedelta(hours=gateway.settings.revocation.stale_hours)
    found = {
        "log": Look(_Log(gateway.engine), Finding("log", "")),
        "tables": Look(partial(_tables, gateway, clock)),
        "certificates": Look(certificates),
        "lists": Look(
            _Seldom(lambda: _stale(revocation_state.lists(trust, clock()), grace, clock()), _FILES_EVERY),
            Finding("revocation", "files"),
        ),
        "responders": Look(
            _Seldom(lambda: _stale(revocation_state.responders(trust, clock()), grace, clock()), _FILES_EVERY)
        ),
        "disk": Look(partial(_disk, gateway, host), Finding("disk", host)),
    }
    if gateway.settings.log.witness_url:
        found["exposure"] = Look(partial(_exposure, gateway))
    if gateway.settings.amqp_url:
        found["broker"] = Look(_Seldom(partial(_broker, gateway), _BROKER_EVERY), Finding("broker", ""))
    return found


class _Log:
    """Whether the log can be written: by a write of our own, and by what became of the exchanges meanwhile."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._refused = metered.unwritten()

    def __call__(self) -> Findings:
        before, self._refused = self._refused, metered.unwritten()
        with self._engine.begin() as connection:
            row = upsert(connection, leases).values(name="watch", holder="", until=utc_now())
            connection.execute(
                row.on_conflict_do_update(index_elements=["name"], set_={"until": row.excluded.until})
            )
        refused = int(self._refused - before)
        return [Finding("log", "", f"refused={refused}")] if refused else []


class _Seldom:
    """A look that costs something: what it found stands for some seconds."""

    def __init__(self, run: Callable[[], Findings], seconds: float) -> None:
        self._run = run
        self._seconds = seconds
        self._at = -math.inf
        self._found: Findings = []

    def __call__(self) -> Findings:
        if time.monotonic() - self._at >= self._seconds:
            self._found = self._run()
            self._at = time.monotonic()
        return self._found


def _tables(gateway: Gateway, clock: Callable[[], datetime]) -> Findings:
    found: Findings = []
    _pending, oldest = lag(gateway)
    if (oldest or 0.0) > MOST_BEHIND_SECONDS:
        found.append(Finding("sequencer", "", f"seconds={oldest:.0f}"))
    with reading(gateway.engine).begin() as connection:
        found += _outbox(connection, gateway.settings.outbox.backlog)
        late = outbox.lag(connection, without=gateway.breakers.open_systems(connection))
        found += _jobs(connection)
        found += _quota(connection, quota.day_of(clock()))
        found += _syncs(connection)
        found += _unusual(connection, quota.day_of(clock()))
        seconds = clocks.offset(connection, clock)
    if (late or 0.0) > MOST_LATE_SECONDS:
        found.append(Finding("outbox_late", "", f"seconds={late:.0f}"))
    if abs(seconds) > MOST_OFFSET_SECONDS:
        found.append(Finding("clock", socket.gethostname(), f"seconds={seconds:.1f}"))
    for status in gateway.breakers.states():
        if status.state is not State.CLOSED:
            found.append(Finding("breaker", status.system, f"failures={status.failures}"))
    return found


def _exposure(gateway: Gateway) -> Findings:
    """Records that have no cosignature for too long; why, the job of the witness and its diagnostics say."""
    exposed = exposure(gateway)
    if exposed.seconds <= gateway.settings.log.exposure_seconds:
        return []
    return [Finding("exposure", "", f"seconds={exposed.seconds:.0f} records={exposed.records}")]


def _quota(connection: Connection, day: date) -> Iterator[Finding]:
    """Recipients that were refused today for their quota: one incident each, which is over when the day is."""
    for recipient, count in quota.noted(connection, day).items():
        yield Finding("quota", f"{recipient} {day}", f"refused={count}")


def _syncs(connection: Connection) -> Iterator[Finding]:
    """Syncs whose newest run waits for a person, or has less than the source told of persons whom we know."""
    for run in following.newest(connection):
        missing = run.counted.missing
        if run.state in (following.RunState.STOPPED, following.RunState.REFUSED) or missing:
            detail = f"state={run.state.value} error={run.error} missing={missing}"
            yield Finding("sync", f"{run.system}.{run.operation}", detail)


def _unusual(connection: Connection, day: date) -> Iterator[Finding]:
    """Days with unusual look-ups that nobody has decided on: one incident each, which is over when that is done."""
    for of_day, count in flags.open_by_day(connection, day - _UNUSUAL_STANDS).items():
        yield Finding("unusual_lookups", str(of_day), f"count={count}")


def _outbox(connection: Connection, backlog: int) -> Iterator[Finding]:
    waiting = 0
    for (state, system, operation), count in outbox.undelivered(connection).items():
        if state in _LEFT_TO_A_PERSON:
            # Told again each time there are ten times as many.
            grade = int(math.log10(count))
            yield Finding(f"outbox_{state.value}", f"{system}.{operation}", f"count={count}", grade)
        elif state is not outbox.State.PARKED:
            waiting += count
    if waiting >= MOST_TAKEN * backlog:
        yield Finding("backlog", "", f"count={waiting} limit={backlog}", grade=int(waiting >= backlog))


def _jobs(connection: Connection) -> Iterator[Finding]:
    for name, statuses in by_job(jobs.status(connection)).items():
        if name == "witness":
            continue  # what its failing costs is an incident of its own: exposure
        failing = [status for status in statuses if status.state is JobState.FAILING]
        if failing:
            yield Finding("job_failing", name, f"error={failing[0].error} processes={len(failing)}")
        elif not is_alive(statuses):
            yield Finding("job_silent", name)


def _stale(sources: Iterable[Source], grace: timedelta, now: datetime) -> Findings:
    """Lists and answers that are out of date; graver when their grace is over too, so that partners are refused."""
    found: Findings = []
    for source in sources:
        if not source.is_current(now):
            hours = source.hours_left(now)
            over = source.ends is None or now > source.ends + grace
            detail = "nothing is known" if hours is None else f"hours={hours:.1f}"
            found.append(Finding("revocation", f"{source.kind} {source.name}", detail, grade=int(over)))
    return found


def _disk(gateway: Gateway, host: str) -> Findings:
    usage = shutil.disk_usage(gateway.settings.state)
    return nearly_full(host, usage.free, usage.total)


def nearly_full(host: str, free: int, total: int) -> Findings:
    """What is wrong with a disk of so many bytes; one of no size at all is full."""
    part = free / total if total else 0.0
    if part >= LEAST_FREE[0]:
        return []
    return [Finding("disk", host, f"free_percent={100 * part:.1f}", grade=int(part < LEAST_FREE[1]))]


def _broker(gateway: Gateway) -> Findings:
    settings = gateway.settings
    state = broker.state(settings.amqp_url, _BROKER_SECONDS, queue=settings.amqp_queue)
    return [] if state["ok"] else [Finding("broker", "")]
