"""The worker model: loops that outlive failures, slots that run once, states that can be seen."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

import psycopg
import pytest
from sqlalchemy import Engine, text

from audit.sequencer import Sequencer
from endpoints.work.bell import Bell
from endpoints.work.jobs import Loop, Scheduled, Work
from endpoints.work.schedules import every
from exchange import Environment
from routing import jobs, outbox
from routing.jobs import JobState
from tests.audit.logs import KEY, open_log, opened, sequencer
from tests.audit.test_sequencer import size


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.02)


def states(engine: Engine) -> dict[str, JobState]:
    with engine.connect() as connection:
        return {each.job: each.state for each in jobs.status(connection)}


def test_a_loop_outlives_what_its_step_raises(engine: Engine) -> None:
    calls: list[float] = []

    def step(_stop: threading.Event) -> float:
        calls.append(time.monotonic())
        if len(calls) < 3:
            raise RuntimeError("390000-00001")
        return 0.01

    work = Work(engine, [Loop("one", step)])
    work.start()
    try:
        until(lambda: states(engine).get("one") is JobState.FAILING or len(calls) > 3)
        until(lambda: len(calls) > 5 and work.statuses()[0].state is JobState.IDLE)
        assert calls[1] - calls[0] >= 0.25
        assert work.fallen() is None
    finally:
        assert work.stop(5)
    assert states(engine) == {"one": JobState.ENDED}


def test_of_two_processes_one_runs_a_slot(engine: Engine) -> None:
    ran: list[tuple[str, datetime]] = []

    def note(name: str) -> Callable[[datetime], None]:
        return lambda slot: ran.append((name, slot))

    second = timedelta(seconds=1)
    works = [
        Work(
            engine,
            [],
            [
                Scheduled("once", every(second), note("once")),
                Scheduled("each", every(second), note("each"), everywhere=True),
            ],
        )
        for _ in range(2)
    ]
    for work in works:
        work.start()
    try:
        until(lambda: len([name for name, _ in ran if name == "once"]) >= 3)
    finally:
        for work in works:
            work.stop(5)
    once = [slot for name, slot in ran if name == "once"]
    assert len(once) == len(set(once))
    each = [slot for name, slot in ran if name == "each"]
    assert any(each.count(slot) == 2 for slot in each)


def test_stopping_waits_for_what_is_under_way(engine: Engine) -> None:
    began, done = threading.Event(), threading.Event()

    def step(_stop: threading.Event) -> float:
        began.set()
        time.sleep(0.3)
        done.set()
        return 10.0

    work = Work(engine, [Loop("one", step)])
    work.start()
    assert began.wait(10)
    assert work.stop(10)
    assert done.is_set()


def test_the_sequencer_outlives_a_failing_database(engine: Engine) -> None:
    log = open_log(engine)
    log.write(opened())
    looping = Sequencer(engine, KEY, environment=Environment.TEST, checkpoint_seconds=0.02)
    work = Work(engine, [Loop("sequencer", looping.step, looping.lag)])
    work.start()
    try:
        until(lambda: size(engine) == 2)
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE leases RENAME TO away"))
        log.write(opened())
        until(lambda: work.statuses()[0].state is JobState.FAILING)
        assert (looping.lag() or 0) > 0
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE away RENAME TO leases"))
        until(lambda: size(engine) == 3)
    finally:
        assert work.stop(10)
    looping.release()
    log.write(opened())
    assert sequencer(engine).run_once() == 1, "the lease was given back"


def test_the_bell_rings_on_a_commit_and_comes_back_after_a_break(engine: Engine, database: str) -> None:
    bell = Bell(database)
    if engine.dialect.name != "postgresql":
        assert not bell.rings
        return
    stop, rung = threading.Event(), threading.Event()

    def wait() -> None:
        while not stop.is_set():
            began = time.monotonic()
            bell.wait(30)
            if time.monotonic() - began < 25:
                rung.set()

    threads = [
        threading.Thread(target=wait, daemon=True),
        threading.Thread(target=lambda: _listen(bell, stop), daemon=True),
    ]
    for thread in threads:
        thread.start()
    for _ in range(2):
        until(lambda: _listening(engine))
        rung.clear()

        def ring() -> bool:
            with engine.begin() as connection:
                outbox.ring(connection)
            return rung.wait(0.3)

        until(ring)
        with engine.begin() as connection:
            connection.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN %'")
            )
    stop.set()
    bell.ring()


def _listen(bell: Bell, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            bell.listen(stop)
        except psycopg.Error:
            time.sleep(0.05)


def _listening(engine: Engine) -> bool:
    with engine.connect() as connection:
        found = connection.execute(
            text(
                "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN %' AND datname = current_database()"
            )
        )
        return bool(found.scalar_one())


@pytest.mark.parametrize("seconds", [30, 3600])
def test_all_processes_plan_the_same_slots(seconds: int) -> None:
    trigger = every(timedelta(seconds=seconds))
    now = datetime.now().astimezone()
    planned = trigger.get_next_fire_time(None, now)
    assert int(planned.timestamp()) % seconds == 0
