"""What processes say of their background jobs, and slots that run once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, update

from routing import jobs
from routing.jobs import JobState, JobStatus
from storage import database_now

SLOT = datetime(2026, 11, 23, 3, tzinfo=UTC)


def status(job: str, process: str, state: JobState = JobState.IDLE) -> JobStatus:
    return JobStatus(job, process, state, SLOT, SLOT, None, 1.5, None)


def test_a_slot_is_claimed_once(engine: Engine) -> None:
    with engine.begin() as connection:
        assert jobs.claim_slot(connection, "sweeper", SLOT, "one")
        assert not jobs.claim_slot(connection, "sweeper", SLOT, "two")
        assert jobs.claim_slot(connection, "sweeper", SLOT + timedelta(seconds=30), "two")
        assert jobs.claim_slot(connection, "other", SLOT, "two")


def test_silent_and_ended_processes_are_told_apart(engine: Engine) -> None:
    with engine.begin() as connection:
        jobs.report(connection, [status("sequencer", "one"), status("sequencer", "two", JobState.ENDED)])
        jobs.report(connection, [status("sequencer", "three", JobState.RUNNING)])
        before = database_now(connection) - timedelta(seconds=jobs.SILENT_SECONDS + 5)
        connection.execute(
            update(jobs.jobs).where(jobs.jobs.c.process.in_(["one", "two"])).values(seen_at=before)
        )
        states = {each.process: each.state for each in jobs.status(connection)}
    assert states == {"one": JobState.SILENT, "two": JobState.ENDED, "three": JobState.RUNNING}


def test_a_report_takes_the_place_of_the_one_before_and_the_long_silent_are_forgotten(engine: Engine) -> None:
    with engine.begin() as connection:
        jobs.report(connection, [status("sequencer", "one")])
        jobs.report(connection, [status("sequencer", "one", JobState.FAILING)])
        assert [each.state for each in jobs.status(connection)] == [JobState.FAILING]
        connection.execute(update(jobs.jobs).values(seen_at=database_now(connection) - timedelta(hours=2)))
        jobs.report(connection, [status("sequencer", "two")])
        assert [each.process for each in jobs.status(connection)] == ["two"]
