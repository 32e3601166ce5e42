"""Circuit breakers: a system that fails call after call is left alone for a while, by all processes at once.

    closed ──5 failed calls, none answered between──▶ open ──its time is over──▶ half-open (one probe)
    half-open ──answered──▶ closed        half-open ──failed──▶ open, for twice as long

A row of the table exists for a system that has failed since it last answered; `openings` counts how often in a row it
was opened, 0 is closed. What a system is known to be like is read at most every quarter second by a process, so an
answer that another process got within that time may be missed; nothing is written while all goes well.

While the database cannot be asked every call is admitted: no attempt can be put on record then, so nothing leaves, and
the caller hears of the log and not of a system that may be well.
"""

from __future__ import annotations

import logging
import math
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Column, ColumnElement, Connection, Engine, Integer, String, Table, or_, select, update
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

import errors
from storage import Instant, database_now, metadata, reading, upsert

MOST_FAILURES = 5
FIRST_PAUSE = 2.0
LONGEST_PAUSE = 8.0
FRESH_SECONDS = 0.25
# What a probe may take beyond the call itself: its record, and the word that it is over.
PROBE_MARGIN = 10.0
_TRIES = 3

diagnostics = logging.getLogger("gateway.breakers")

breakers = Table(
    "routing_breakers",
    metadata,
    Column("system", String(100), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("openings", Integer, nullable=False),
    Column("retry_at", Instant),
    Column("probe_until", Instant),
    Column("changed_at", Instant, nullable=False),
    schema="routing",
)


class State(StrEnum):
    """What becomes of a call to the system."""

    CLOSED = "closed"  # admitted
    OPEN = "open"  # refused
    HALF_OPEN = "half_open"  # one is admitted, or under way, to see whether the system is back


@dataclass(frozen=True, slots=True)
class Breaker:
    """What is known of a system; `retry_at` is when it may be probed, `probe_until` bounds a probe under way."""

    system: str
    failures: int
    openings: int
    retry_at: datetime | None
    probe_until: datetime | None
    changed_at: datetime

    def state(self, now: datetime) -> State:
        """Open until its time is over, then half-open until a probe was answered."""
        if not self.openings:
            return State.CLOSED
        return State.OPEN if self.pause(now) > 0 else State.HALF_OPEN

    def pause(self, now: datetime) -> float:
        """Seconds until a probe is due."""
        return _seconds(self.retry_at, now)

    def refused_for(self, now: datetime) -> float:
        """Seconds for which nobody is admitted, as far as is known; 0 where a probe is due or the system is well."""
        if not self.openings:
            return 0.0
        return max(self.pause(now), _seconds(self.probe_until, now))


@dataclass(frozen=True, slots=True)
class Status:
    """A breaker as people see it."""

    system: str
    state: State
    failures: int
    retry_at: datetime | None


@dataclass(frozen=True, slots=True)
class Pass:
    """Leave to call a system once. `probe` marks the one call of a half-open breaker, by the instant it ends at."""

    system: str
    probe: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Seen:
    """The rows as they were at an instant of the database, which was `at` by this process's own clock."""

    rows: Mapping[str, Breaker] = field(default_factory=dict)
    now: datetime | None = None
    at: float = -math.inf


class Breakers:
    """The breakers of all systems, shared through the database by all processes.

    `on_closed` is called with the system that is back, in the transaction that says so.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        on_closed: Callable[[Connection, str], None] = lambda _connection, _system: None,
        monotonic: Callable[[], float] = time.monotonic,
        vary: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._engine = engine
        self._on_closed = on_closed
        self._monotonic = monotonic
        self._vary = vary
        self._looking = threading.Lock()
        self._seen = _Seen()

    def check(self, system: str) -> None:
        """Refuse at once what could not be admitted.

        Raises: SystemUnreachable with the seconds to wait.
        """
        seen = self._look()
        if (breaker := seen.rows.get(system)) is None or seen.now is None:
            return
        elapsed = self._monotonic() - seen.at
        if breaker.refused_for(seen.now) > elapsed:
            raise _refusal(breaker.pause(seen.now) - elapsed)

    def admit(self, system: str, seconds: float) -> Pass:
        """Leave for one call that takes at most `seconds`; exactly one call is admitted while a breaker is half-open.

        Every pass is given back by `succeeded`, `failed` or `dropped`. Raises: SystemUnreachable, as
        `check`.
        """
        self.check(system)
        breaker = self._seen.rows.get(system)
        if breaker is None or not breaker.openings:
            return Pass(system)
        try:
            return self._probe(system, seconds + PROBE_MARGIN)
        except SQLAlchemyError as error:
            self._unknown(error)
            return Pass(system)

    def succeeded(self, leave: Pass) -> None:
        """The system answered, be it with a fault."""
        if leave.probe is not None:
            self._write(lambda connection: self._close(connection, leave.system))
        elif (breaker := self._look().rows.get(leave.system)) is not None and breaker.failures:
            self._write(lambda connection: _forget_failures(connection, leave.system))

    def failed(self, leave: Pass) -> None:
        """The system did not answer, or with something that is no answer."""
        if leave.probe is not None:
            self._write(lambda connection: self._reopen(connection, leave))
        else:
            self._write(lambda connection: self._count(connection, leave.system))

    def dropped(self, leave: Pass) -> None:
        """The call says nothing of the system: it ended before it got there. Another may be the probe."""
        if leave.probe is not None:
            self._write(
                lambda connection: connection.execute(
                    update(breakers).where(*_held(leave)).values(probe_until=None)
                )
            )

    def states(self) -> list[Status]:
        """Every system that has failed lately, by name.

        Raises: SQLAlchemyError.
        """
        with reading(self._engine).begin() as connection:
            rows, now = _read(connection), database_now(connection)
        return [
            Status(system, breaker.state(now), breaker.failures, breaker.retry_at)
            for system, breaker in sorted(rows.items())
        ]

    @staticmethod
    def open_systems(connection: Connection) -> frozenset[str]:
        """The systems that nothing should be sent to now; one whose probe is due is not among them."""
        rows = _read(connection)
        if not any(breaker.openings for breaker in rows.values()):
            return frozenset()
        now = database_now(connection)
        return frozenset(system for system, breaker in rows.items() if breaker.refused_for(now) > 0)

    def _look(self) -> _Seen:
        """What is known, not older than a quarter second; who comes while another asks does not wait for him."""
        seen = self._seen
        if self._monotonic() - seen.at < FRESH_SECONDS or not self._looking.acquire(blocking=False):
            return seen
        try:
            with reading(self._engine).begin() as connection:
                rows = _read(connection)
                asked = any(breaker.openings for breaker in rows.values())
                now = database_now(connection) if asked else None
            self._seen = _Seen(rows, now, self._monotonic())
        except SQLAlchemyError as error:
            self._unknown(error)
        finally:
            self._looking.release()
        return self._seen

    def _unknown(self, error: SQLAlchemyError) -> None:
        diagnostics.warning("the state of the systems is not known: %s", type(error).__name__)
        self._seen = _Seen(at=self._monotonic())

    def _probe(self, system: str, seconds: float) -> Pass:
        with self._engine.begin() as connection:
            now = database_now(connection)
            until = now + timedelta(seconds=seconds)
            won = connection.execute(
                update(breakers)
                .where(
                    breakers.c.system == system,
                    breakers.c.openings > 0,
                    or_(breakers.c.retry_at.is_(None), breakers.c.retry_at <= now),
                    or_(breakers.c.probe_until.is_(None), breakers.c.probe_until <= now),
                )
                .values(probe_until=until)
                .returning(breakers.c.probe_until)
            ).first()
            found = None if won is not None else _read(connection).get(system)
        self._stale()
        if won is not None:
            return Pass(system, won.probe_until)
        if found is None or not found.openings:
            return Pass(system)  # it was closed a moment ago
        raise _refusal(found.pause(now))

    def _count(self, connection: Connection, system: str) -> None:
        """One more failed call; those that were under way when the breaker opened do not count."""
        now = database_now(connection)
        counted = connection.execute(
            upsert(connection, breakers)
            .values(system=system, failures=1, openings=0, changed_at=now)
            .on_conflict_do_update(
                index_elements=["system"],
                set_={"failures": breakers.c.failures + 1},
                where=breakers.c.openings == 0,
            )
            .returning(breakers.c.failures)
        ).first()
        if counted is not None and counted.failures >= MOST_FAILURES:
            opened = {"openings": 1, "retry_at": self._retry_at(now, 1), "changed_at": now}
            connection.execute(update(breakers).where(breakers.c.system == system).values(opened))

    def _reopen(self, connection: Connection, leave: Pass) -> None:
        """The probe failed. One that took so long that another took over has no say."""
        openings = connection.execute(
            select(breakers.c.openings).where(*_held(leave)).with_for_update()
        ).scalar()
        if openings is not None:
            now = database_now(connection)
            connection.execute(
                update(breakers)
                .where(*_held(leave))
                .values(
                    failures=breakers.c.failures + 1,
                    openings=openings + 1,
                    retry_at=self._retry_at(now, openings + 1),
                    probe_until=None,
                    changed_at=now,
                )
            )

    def _close(self, connection: Connection, system: str) -> None:
        closed = connection.execute(
            update(breakers)
            .where(breakers.c.system == system, breakers.c.openings > 0)
            .values(
                failures=0, openings=0, retry_at=None, probe_until=None, changed_at=database_now(connection)
            )
            .returning(breakers.c.system)
        ).first()
        if closed is not None:
            self._on_closed(connection, system)

    def _retry_at(self, now: datetime, openings: int) -> datetime:
        pause = min(FIRST_PAUSE * 2 ** min(openings - 1, 10), LONGEST_PAUSE)
        return now + timedelta(seconds=pause * self._vary(0.8, 1.0))

    def _write(self, work: Callable[[Connection], object]) -> None:
        """Put on record what a call has shown. What cannot be is not worth failing the call for."""
        for tries_left in reversed(range(_TRIES)):
            try:
                with self._engine.begin() as connection:
                    work(connection)
                break
            except SQLAlchemyError as error:
                if not tries_left or not _is_conflict(error):
                    diagnostics.warning("a breaker could not be set: %s", type(error).__name__)
                    break
        self._stale()

    def _stale(self) -> None:
        self._seen = replace(self._seen, at=-math.inf)


def _read(connection: Connection) -> dict[str, Breaker]:
    return {row.system: Breaker(**row._mapping) for row in connection.execute(select(breakers))}


def _forget_failures(connection: Connection, system: str) -> None:
    connection.execute(
        update(breakers)
        .where(breakers.c.system == system, breakers.c.openings == 0, breakers.c.failures > 0)
        .values(failures=0, changed_at=database_now(connection))
    )


def _held(leave: Pass) -> tuple[ColumnElement[bool], ...]:
    return breakers.c.system == leave.system, breakers.c.probe_until == leave.probe


def _seconds(instant: datetime | None, now: datetime) -> float:
    return 0.0 if instant is None else max(0.0, (instant - now).total_seconds())


def _is_conflict(error: SQLAlchemyError) -> bool:
    """Whether PostgreSQL ended the transaction for another's sake."""
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in ("40P01", "40001")


def _refusal(seconds: float) -> errors.SystemUnreachable:
    return errors.SystemUnreachable("it failed repeatedly", retry_after=max(1, math.ceil(seconds)))
