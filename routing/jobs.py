"""The background jobs of every process as they report themselves, and the slots of the scheduled ones.

A scheduled job is planned in every process; whoever claims the slot (the planned instant) runs it, once over all
processes. What a process says of its jobs stands here until it has been silent for a while.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Column, Connection, Float, String, Table, delete, select

from storage import Instant, database_now, metadata, upsert

# A process that has not reported for so long has ended, or hangs.
SILENT_SECONDS = 30.0
_FORGOTTEN = timedelta(hours=1)
_SLOTS_KEPT = timedelta(days=40)

jobs = Table(
    "routing_jobs",
    metadata,
    Column("job", String(100), primary_key=True),
    Column("process", String(200), primary_key=True),
    Column("state", String(20), nullable=False),
    Column("last_run", Instant),
    Column("last_ok", Instant),
    Column("next_run", Instant),
    Column("lag_seconds", Float),
    Column("error", String(100)),
    Column("seen_at", Instant, nullable=False),
    schema="routing",
)

slots = Table(
    "routing_slots",
    metadata,
    Column("job", String(100), primary_key=True),
    Column("slot", Instant, primary_key=True),
    Column("process", String(200), nullable=False),
    Column("claimed_at", Instant, nullable=False),
    schema="routing",
)


class JobState(StrEnum):
    """What a job does at this moment."""

    IDLE = "idle"
    RUNNING = "running"
    FAILING = "failing"
    SILENT = "silent"  # its process has not reported for a while
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job of one process. `lag_seconds` is how long the oldest of what it should have done waits."""

    job: str
    process: str
    state: JobState
    last_run: datetime | None
    last_ok: datetime | None
    next_run: datetime | None
    lag_seconds: float | None
    error: str | None


def report(connection: Connection, statuses: Sequence[JobStatus]) -> None:
    """Say how the jobs of a process are; processes that have been silent for an hour are forgotten."""
    now = database_now(connection)
    for status in statuses:
        values = {
            "state": status.state.value,
            "last_run": status.last_run,
            "last_ok": status.last_ok,
            "next_run": status.next_run,
            "lag_seconds": status.lag_seconds,
            "error": status.error,
            "seen_at": now,
        }
        connection.execute(
            upsert(connection, jobs)
            .values(job=status.job, process=status.process, **values)
            .on_conflict_do_update(index_elements=["job", "process"], set_=values)
        )
    connection.execute(delete(jobs).where(jobs.c.seen_at < now - _FORGOTTEN))


def status(connection: Connection) -> list[JobStatus]:
    """Every job of every process, by name; what a silent process said last is marked."""
    quiet = database_now(connection) - timedelta(seconds=SILENT_SECONDS)
    return [
        JobStatus(
            row.job,
            row.process,
            JobState.SILENT
            if row.seen_at < quiet and row.state != JobState.ENDED.value
            else JobState(row.state),
            row.last_run,
            row.last_ok,
            row.next_run,
            row.lag_seconds,
            row.error,
        )
        for row in connection.execute(select(jobs).order_by(jobs.c.job, jobs.c.process))
    ]


def claim_slot(connection: Connection, job: str, slot: datetime, process: str) -> bool:
    """Whether this process is the one that runs the job's slot; old claims are forgotten."""
    now = database_now(connection)
    claimed = connection.execute(
        upsert(connection, slots)
        .values(job=job, slot=slot, process=process, claimed_at=now)
        .on_conflict_do_nothing(index_elements=["job", "slot"])
        .returning(slots.c.job)
    ).first()
    connection.execute(delete(slots).where(slots.c.job == job, slots.c.claimed_at < now - _SLOTS_KEPT))
    return claimed is not None
