"""Runs the background jobs of one process and reports how each is.

A loop takes a step, rests as long as the step says, and outlives whatever the step raises. A scheduled job is planned
by APScheduler in every process; a claim on its slot lets one process run it.
"""

from __future__ import annotations

import itertools
import logging
import os
import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from apscheduler.executors.pool import BasePoolExecutor, ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from errors import GatewayError
from exchange import utc_now
from routing import jobs
from routing.jobs import JobState, JobStatus

REPORT_SECONDS = 5.0
_LONGEST_REST = 5.0

diagnostics = logging.getLogger("gateway.work")


_number = itertools.count(1)


def _name() -> str:
    """The host and the process; when its settings were read again, which of its works in turn."""
    turn = next(_number)
    return f"{socket.gethostname()}:{os.getpid()}" + (f".{turn}" if turn > 1 else "")


def _no_lag() -> float | None:
    return None


@dataclass(frozen=True, slots=True)
class Loop:
    """Work without end: `step` does some of it and gives the seconds to rest; `lag` how long the oldest waits."""

    name: str
    step: Callable[[threading.Event], float]
    lag: Callable[[], float | None] = _no_lag
    threads: int = 1


@dataclass(frozen=True, slots=True)
class Scheduled:
    """Work at set times: `run` gets the slot, the planned instant. `everywhere`: in each process, not in one."""

    name: str
    trigger: BaseTrigger
    run: Callable[[datetime], object]
    everywhere: bool = False


class _Slots(BasePoolExecutor):  # type: ignore[misc] # — APScheduler publishes no types
    """Hands the planned instant to a job: APScheduler's own executors keep it to themselves."""

    def __init__(self, threads: int) -> None:
        super().__init__(ThreadPoolExecutor(threads)._pool)

    def _do_submit_job(self, job: Any, run_times: Sequence[datetime]) -> None:
        def done(_future: Future[None]) -> None:
            self._run_job_success(job.id, [])

        self._pool.submit(job.func, run_times[-1]).add_done_callback(done)


class Work:
    """The jobs of one process. Started by `start`, ended by `stop`."""

    def __init__(self, engine: Engine, loops: Sequence[Loop], scheduled: Sequence[Scheduled] = ()) -> None:
        self.process = _name()
        self._engine = engine
        self._loops = loops
        self._scheduled = scheduled
        self._stop = threading.Event()
        self._lock = threading.Lock()
        blank = JobStatus("", self.process, JobState.IDLE, None, None, None, None, None)
        names = [loop.name for loop in loops] + [job.name for job in scheduled]
        self._status = {name: replace(blank, job=name) for name in names}
        self._threads = [
            threading.Thread(target=self._run, args=(loop,), name=loop.name, daemon=True)
            for loop in loops
            for _ in range(loop.threads)
        ]
        self._reporter = threading.Thread(target=self._report_on, name="reporter", daemon=True)
        self._scheduler = BackgroundScheduler(
            executors={"default": _Slots(4)},
            timezone="UTC",
            job_defaults={"coalesce": True, "misfire_grace_time": 60},
        )
        for job in scheduled:
            # The argument stands for the slot, which the executor knows when it comes.
            self._scheduler.add_job(self._slot(job), job.trigger, args=(None,), id=job.name)

    def start(self) -> None:
        """Begin."""
        for thread in (*self._threads, self._reporter):
            thread.start()
        if self._scheduled:
            self._scheduler.start()

    def fallen(self) -> str | None:
        """The name of a thread that has ended by itself."""
        if self._stop.is_set():
            return None
        return next((thread.name for thread in self._threads if not thread.is_alive()), None)

    def stop(self, seconds: float) -> bool:
        """End: what is under way is finished within `seconds`; whether it was."""
        self._stop.set()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        for thread in self._threads:
            thread.join(timeout=seconds)
        self._reporter.join(timeout=seconds)
        self._report(ended=True)
        return not any(thread.is_alive() for thread in self._threads)

    def statuses(self) -> list[JobStatus]:
        """How each job of this process is."""
        with self._lock:
            return list(self._status.values())

    def _run(self, loop: Loop) -> None:
        failures = 0
        while not self._stop.is_set():
            rest = 0.0
            try:
                rest = loop.step(self._stop)
                self._ran(loop.name, None)
                failures = 0
            except Exception as error:  # a loop outlives a database that is away and whatever it holds
                failures += 1
                if failures == 1:
                    diagnostics.error("%s fails: %s", loop.name, _told(error))
                self._ran(loop.name, error)
                rest = min(_LONGEST_REST, 0.25 * 2 ** min(failures, 10))
            if rest > 0:
                self._stop.wait(rest)

    def _slot(self, job: Scheduled) -> Callable[[datetime], None]:
        def run(slot: datetime) -> None:
            try:
                if not job.everywhere:
                    with self._engine.begin() as connection:
                        if not jobs.claim_slot(connection, job.name, slot, self.process):
                            return
                self._set(job.name, state=JobState.RUNNING, last_run=utc_now())
                job.run(slot)
                self._ran(job.name, None)
            except Exception as error:  # told and shown; the next slot tries again
                diagnostics.error("%s failed: %s", job.name, _told(error))
                self._ran(job.name, error)

        return run

    def _ran(self, name: str, error: Exception | None) -> None:
        now = utc_now()
        if error is None:
            self._set(name, state=JobState.IDLE, last_run=now, last_ok=now, error=None)
        else:
            self._set(name, state=JobState.FAILING, last_run=now, error=_told(error)[:100])

    def _set(self, name: str, **values: Any) -> None:
        with self._lock:
            self._status[name] = replace(self._status[name], **values)

    def _report_on(self) -> None:
        while not self._stop.wait(REPORT_SECONDS if self._reported() else 1.0):
            pass

    def _reported(self) -> bool:
        return self._report(ended=False)

    def _report(self, *, ended: bool) -> bool:
        try:
            for loop in self._loops:
                self._set(loop.name, lag_seconds=None if ended else loop.lag())
            for job in self._scheduled:
                planned = self._scheduler.get_job(job.name) if self._scheduler.running else None
                self._set(job.name, next_run=getattr(planned, "next_run_time", None))
            statuses = self.statuses()
            if ended:
                statuses = [replace(status, state=JobState.ENDED, next_run=None) for status in statuses]
            with self._engine.begin() as connection:
                jobs.report(connection, statuses)
        except (SQLAlchemyError, GatewayError):  # whoever looks sees that this process is silent
            return False
        return True


def _told(error: Exception) -> str:
    return error.code if isinstance(error, GatewayError) else type(error).__name__
