"""Circuit breakers: opened by failed calls of all processes together, probed by one of them, closed by its answer."""

from __future__ import annotations

import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import Connection, Engine, event, select, update

import errors
from routing.breakers import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    MOST_FAILURES,
    PROBE_MARGIN,
    Breakers,
    Pass,
    State,
    breakers,
)
from storage import database_now, metadata, open_engine

SYSTEM = "pmlp"


def steady(_low: float, high: float) -> float:
    """No jitter."""
    return high


@pytest.fixture
def other(database: str) -> Iterator[Engine]:
    """What another process would have."""
    engine = open_engine(database)
    yield engine
    engine.dispose()


def opened(engine: Engine, **arguments: object) -> Breakers:
    """A process's breakers after so many failures that the one of SYSTEM is open."""
    found = Breakers(engine, vary=steady, **arguments)  # type: ignore[arg-type] # — each test names what it sets
    for _ in range(MOST_FAILURES):
        found.failed(found.admit(SYSTEM, 1.0))
    return found


def afresh(engine: Engine) -> Breakers:
    """The breakers of a process that has just begun, so that it knows nothing from before."""
    return Breakers(engine, vary=steady)


def refused(found: Breakers) -> errors.SystemUnavailable | None:
    try:
        found.dropped(found.admit(SYSTEM, 1.0))
    except errors.SystemUnavailable as error:
        return error
    return None


def later(engine: Engine, seconds: float) -> None:
    """As if so much time had gone by."""
    with engine.begin() as connection:
        row = connection.execute(select(breakers).where(breakers.c.system == SYSTEM)).one()
        moved = {
            name: None if instant is None else instant - timedelta(seconds=seconds)
            for name, instant in (("retry_at", row.retry_at), ("probe_until", row.probe_until))
        }
        connection.execute(update(breakers).where(breakers.c.system == SYSTEM).values(moved))


def state(found: Breakers) -> tuple[State, int]:
    (status,) = found.states()
    return status.state, status.failures


def pause(engine: Engine) -> float:
    with engine.begin() as connection:
        retry_at = connection.execute(select(breakers.c.retry_at)).scalar_one()
        return float((retry_at - database_now(connection)).total_seconds())


def test_so_many_failed_calls_open_it_for_every_process(engine: Engine, other: Engine) -> None:
    one, two = afresh(engine), afresh(other)
    for number in range(MOST_FAILURES):
        process = (one, two)[number % 2]
        process.failed(process.admit(SYSTEM, 1.0))
    for process in (one, two, afresh(engine)):
        error = refused(process)
        assert error is not None
        assert error.retry_after == 2
        assert process.states()[0].state is State.OPEN
    assert refused(afresh(engine)) is not None
    one.admit("vzd", 1.0)


def test_an_answer_between_them_begins_the_count_anew(engine: Engine, other: Engine) -> None:
    one = afresh(engine)
    for _ in range(3):
        for _ in range(MOST_FAILURES - 1):
            one.failed(one.admit(SYSTEM, 1.0))
        two = afresh(other)
        two.succeeded(two.admit(SYSTEM, 1.0))
        assert state(one) == (State.CLOSED, 0)


def test_answers_of_calls_that_began_before_it_opened_do_not_close_it(engine: Engine) -> None:
    found = afresh(engine)
    early = found.admit(SYSTEM, 1.0)
    opened(engine)
    found.succeeded(early)
    assert state(found)[0] is State.OPEN


def test_failures_of_calls_that_began_before_it_opened_do_not_count(engine: Engine) -> None:
    found = opened(engine)
    before = pause(engine)
    for _ in range(20):
        found.failed(Pass(SYSTEM))
    assert state(found) == (State.OPEN, MOST_FAILURES)
    assert pause(engine) <= before


def test_when_its_time_is_over_one_call_is_the_probe(engine: Engine, other: Engine) -> None:
    found = opened(engine)
    later(engine, FIRST_PAUSE)
    found = afresh(engine)
    leave = found.admit(SYSTEM, 1.0)
    assert leave.probe is not None
    for process in (found, afresh(engine), afresh(other)):
        error = refused(process)
        assert error is not None
        assert error.retry_after == 1
    assert state(found)[0] is State.HALF_OPEN


def test_the_answer_of_the_probe_closes_it_for_every_process(engine: Engine, other: Engine) -> None:
    told: list[str] = []

    def hear(connection: Connection, system: str) -> None:
        assert connection.in_transaction()
        told.append(system)

    opened(engine)
    later(engine, FIRST_PAUSE)
    found = Breakers(engine, on_closed=hear)
    found.succeeded(found.admit(SYSTEM, 1.0))
    assert told == [SYSTEM]
    assert state(found) == (State.CLOSED, 0)
    for process in (found, afresh(other)):
        assert all(process.admit(SYSTEM, 1.0).probe is None for _ in range(5))
    for _ in range(3):
        found.succeeded(found.admit(SYSTEM, 1.0))
    assert told == [SYSTEM], "it was closed once"


def test_a_breaker_that_was_never_open_closes_nothing(engine: Engine) -> None:
    told: list[str] = []
    found = Breakers(engine, on_closed=lambda _connection, system: told.append(system))
    found.failed(found.admit(SYSTEM, 1.0))
    found.succeeded(found.admit(SYSTEM, 1.0))
    assert told == []


def test_it_does_not_close_when_what_follows_from_that_cannot_be_done(engine: Engine) -> None:
    def fail(connection: Connection, _system: str) -> None:
        connection.exec_driver_sql("SELECT * FROM nowhere")

    opened(engine)
    later(engine, FIRST_PAUSE)
    found = Breakers(engine, on_closed=fail)
    found.succeeded(found.admit(SYSTEM, 1.0))
    assert state(found)[0] is State.HALF_OPEN


def test_each_failed_probe_doubles_the_time_up_to_a_most(engine: Engine) -> None:
    opened(engine)
    pauses = [pause(engine)]
    for _ in range(5):
        later(engine, LONGEST_PAUSE)
        found = afresh(engine)
        leave = found.admit(SYSTEM, 1.0)
        assert leave.probe is not None
        found.failed(leave)
        assert refused(found) is not None
        pauses.append(pause(engine))
    assert pauses == pytest.approx([2, 4, 8, 8, 8, 8], abs=1.0)
    assert max(pauses) <= LONGEST_PAUSE


def test_after_it_closed_the_time_begins_anew(engine: Engine) -> None:
    opened(engine)
    for answer in (Breakers.failed, Breakers.failed, Breakers.succeeded):
        later(engine, LONGEST_PAUSE)
        found = afresh(engine)
        answer(found, found.admit(SYSTEM, 1.0))
    assert state(opened(engine))[0] is State.OPEN
    assert pause(engine) == pytest.approx(FIRST_PAUSE, abs=1.0)


def test_pauses_differ_so_that_probes_of_many_systems_do_not_meet(engine: Engine) -> None:
    asked: list[tuple[float, float]] = []
    found = Breakers(engine, vary=lambda low, high: (asked.append((low, high)), low)[1])  # type: ignore[func-returns-value] # — the list is what counts
    for _ in range(MOST_FAILURES):
        found.failed(Pass(SYSTEM))
    assert asked == [(0.8, 1.0)]
    assert pause(engine) <= 0.8 * FIRST_PAUSE


def test_a_prober_that_died_is_followed_by_another(engine: Engine, other: Engine) -> None:
    opened(engine)
    later(engine, FIRST_PAUSE)
    dead = afresh(engine).admit(SYSTEM, 3.0)
    assert dead.probe is not None
    later(engine, 3.0 + PROBE_MARGIN - 1)
    assert refused(afresh(other)) is not None
    later(engine, 1.1)
    assert afresh(other).admit(SYSTEM, 3.0).probe is not None


def test_a_prober_that_was_taken_for_dead_has_no_say_in_a_failure(engine: Engine, other: Engine) -> None:
    opened(engine)
    later(engine, FIRST_PAUSE)
    slow, quick = afresh(engine), afresh(other)
    late = slow.admit(SYSTEM, 1.0)
    later(engine, 1.0 + PROBE_MARGIN)
    leave = quick.admit(SYSTEM, 1.0)
    with engine.begin() as connection:
        before = connection.execute(select(breakers)).one()
    slow.failed(late)
    slow.dropped(late)
    with engine.begin() as connection:
        assert connection.execute(select(breakers)).one() == before
    assert refused(afresh(engine)) is not None, "the second probe is under way"
    quick.succeeded(leave)
    assert state(quick)[0] is State.CLOSED


def test_who_has_not_heard_yet_that_a_probe_failed_is_refused_all_the_same(
    engine: Engine, other: Engine
) -> None:
    opened(engine)
    later(engine, FIRST_PAUSE)
    slow, quick = Breakers(engine, monotonic=lambda: 0.0), afresh(other)
    slow._look()
    quick.failed(quick.admit(SYSTEM, 1.0))
    error = refused(slow)
    assert error is not None
    assert error.retry_after == 4


def test_a_probe_that_came_to_nothing_is_left_to_another(engine: Engine) -> None:
    opened(engine)
    later(engine, FIRST_PAUSE)
    found = afresh(engine)
    found.dropped(found.admit(SYSTEM, 1.0))
    assert found.admit(SYSTEM, 1.0).probe is not None


def test_of_many_threads_of_two_processes_one_is_the_probe(engine: Engine, other: Engine) -> None:
    opened(engine)
    for _ in range(5):
        later(engine, LONGEST_PAUSE + PROBE_MARGIN)
        processes = afresh(engine), afresh(other)
        together = threading.Barrier(12)

        def ask(
            number: int,
            processes: tuple[Breakers, Breakers] = processes,
            together: threading.Barrier = together,
        ) -> bool:
            together.wait(10)
            try:
                return processes[number % 2].admit(SYSTEM, 1.0).probe is not None
            except errors.SystemUnavailable:
                return False

        for process in processes:  # so that they all know that a probe is due
            process._look()
        with ThreadPoolExecutor(12) as threads:
            assert sum(threads.map(ask, range(12))) == 1


def test_failures_of_many_threads_are_all_counted(engine: Engine, other: Engine) -> None:
    processes = afresh(engine), afresh(other)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda number: processes[number % 2].failed(Pass(SYSTEM)), range(MOST_FAILURES - 1)))
    assert state(processes[0]) == (State.CLOSED, MOST_FAILURES - 1)


def test_the_outbox_hears_of_systems_that_nothing_should_go_to(engine: Engine) -> None:
    found = afresh(engine)

    def away() -> frozenset[str]:
        with engine.begin() as connection:
            return found.open_systems(connection)

    assert away() == frozenset()
    found.failed(Pass("vzd"))
    opened(engine)
    assert away() == {SYSTEM}
    later(engine, FIRST_PAUSE)
    assert away() == frozenset(), "a probe is due"
    leave = afresh(engine).admit(SYSTEM, 1.0)
    assert away() == {SYSTEM}, "the probe is under way"
    found.failed(leave)
    assert away() == {SYSTEM}
    later(engine, LONGEST_PAUSE)
    found.succeeded(afresh(engine).admit(SYSTEM, 1.0))
    assert away() == frozenset()


def test_a_system_that_is_well_is_asked_about_four_times_a_second_at_most(engine: Engine) -> None:
    now = [100.0]
    found = Breakers(engine, monotonic=lambda: now[0])
    statements: list[str] = []
    event.listen(
        engine, "before_cursor_execute", lambda _c, _cursor, statement, *_: statements.append(statement)
    )

    def asked() -> int:
        return sum(statement != "BEGIN" for statement in statements)

    for _ in range(100):
        found.succeeded(found.admit(SYSTEM, 1.0))
    assert asked() == 1
    now[0] += 0.24
    found.succeeded(found.admit(SYSTEM, 1.0))
    assert asked() == 1
    now[0] += 0.02
    found.succeeded(found.admit(SYSTEM, 1.0))
    assert asked() == 2


def test_nobody_waits_while_another_thread_asks(engine: Engine) -> None:
    asking, let = threading.Event(), threading.Event()

    def hold(*_arguments: object) -> None:
        asking.set()
        let.wait(10)

    event.listen(engine, "before_cursor_execute", hold)
    found = Breakers(engine)
    first = threading.Thread(target=found.check, args=(SYSTEM,))
    first.start()
    try:
        assert asking.wait(10)
        began = time.monotonic()
        assert found.admit(SYSTEM, 1.0) == Pass(SYSTEM)
        assert time.monotonic() - began < 5
        assert first.is_alive()
    finally:
        let.set()
        first.join(10)


def test_without_the_database_everybody_is_admitted_and_no_call_fails_for_it(engine: Engine) -> None:
    found = opened(engine)
    assert refused(found) is not None
    with engine.begin() as connection:
        breakers.drop(connection)
    found = afresh(engine)
    leave = found.admit(SYSTEM, 1.0)
    found.failed(leave)
    found.succeeded(leave)
    found.dropped(leave)
    assert found.admit(SYSTEM, 1.0) == Pass(SYSTEM)


@settings(max_examples=60, stateful_step_count=40, deadline=None)
class OneProbe(RuleBasedStateMachine):
    """Whatever two processes do, and whenever: there is one living probe, and only its answer closes a breaker."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.engine = open_engine(f"sqlite:///{self.folder.name}/gateway.db")
        event.listen(self.engine, "connect", _careless)
        with self.engine.begin() as connection:
            metadata.create_all(connection, tables=[breakers])
        self.now = 0.0
        self.processes = [Breakers(self.engine, vary=steady, monotonic=lambda: self.now) for _ in range(2)]
        self.out: list[tuple[int, Pass]] = []
        self.is_open = False

    @rule(process=st.integers(0, 1))
    def admit(self, process: int) -> None:
        try:
            leave = self.processes[process].admit(SYSTEM, 1.0)
        except errors.SystemUnavailable:
            return
        if leave.probe is not None:
            self.out = [(owner, held) for owner, held in self.out if held.probe is None or self.lives(held)]
            assert not any(held.probe is not None for _, held in self.out), "two probes"
        self.out.append((process, leave))

    def lives(self, leave: Pass) -> bool:
        with self.engine.begin() as connection:
            until = connection.execute(select(breakers.c.probe_until)).scalar()
        return until is not None and until == leave.probe

    @rule(which=st.integers(0, 99), how=st.sampled_from([Breakers.failed, Breakers.dropped]))
    def end(self, which: int, how: Callable[[Breakers, Pass], None]) -> None:
        if self.out:
            process, leave = self.out.pop(which % len(self.out))
            how(self.processes[process], leave)
            before, self.is_open = self.is_open, self.opened()
            assert self.is_open or not before, "no failure closes it"

    @rule(which=st.integers(0, 99))
    def answer(self, which: int) -> None:
        if self.out:
            process, leave = self.out.pop(which % len(self.out))
            self.processes[process].succeeded(leave)
            before, self.is_open = self.is_open, self.opened()
            assert self.is_open == (before and leave.probe is None)

    @rule(process=st.integers(0, 1))
    def fail_often(self, process: int) -> None:
        for _ in range(MOST_FAILURES):
            self.processes[process].failed(Pass(SYSTEM))
        self.is_open = True

    @rule(seconds=st.sampled_from([0.1, 0.3, 2.0, 16.0, 60.0]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        with self.engine.begin() as connection:
            known = connection.execute(select(breakers)).first()
        if known is not None:
            later(self.engine, seconds)
            # The instant that marks a living probe has moved with the rest.
            self.out = [
                (owner, Pass(SYSTEM, held.probe and held.probe - timedelta(seconds=seconds)))
                for owner, held in self.out
            ]

    @invariant()
    def is_as_it_is_known(self) -> None:
        assert self.opened() == self.is_open

    def opened(self) -> bool:
        with self.engine.begin() as connection:
            return bool(connection.execute(select(breakers.c.openings)).scalar())

    def teardown(self) -> None:
        if hasattr(self, "engine"):
            self.engine.dispose()
            self.folder.cleanup()


def _careless(connection: sqlite3.Connection, _record: object) -> None:
    """Nothing here outlives the process, so the disk need not be waited for."""
    connection.execute("PRAGMA synchronous=OFF")


TestOneProbe = OneProbe.TestCase
