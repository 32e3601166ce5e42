"""Appending: group commit over threads, failing works alone, and what happens when the database fails."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, Engine, Integer, MetaData, Table, event, func, insert, select, text
from sqlalchemy.exc import IntegrityError

from audit import Entry, Kind
from audit.tables import log_records, log_tree, sequencer_queue
from errors import Busy, ConfigurationError, InvalidRequest, LogUnavailable
from exchange import Environment, new_id, utc_now
from storage import open_engine
from tests.audit.logs import SUBJECT_KEY, exchange, open_log, opened, sequence, verified

CHECKOUT = Path(__file__).parent.parent.parent
NOTES = Table("notes", MetaData(), Column("number", Integer, primary_key=True))


@pytest.fixture
def notes(engine: Engine) -> Table:
    """A table that works write to beside the log."""
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE notes (number INTEGER PRIMARY KEY)"))
    return NOTES


def count(engine: Engine, table: Table) -> int:
    with engine.begin() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def test_sixteen_threads_leave_no_gap(engine: Engine) -> None:
    log = open_log(engine, writers=2)
    with ThreadPoolExecutor(16) as pool:
        written = list(pool.map(lambda _: log.write(*exchange()), range(48)))
    sequence(engine)
    assert len({id_ for ids in written for id_ in ids}) == 3 * 48
    report = verified(engine)
    assert (report.status, report.size, report.pending) == ("unanchored", 1 + 3 * 48, 0)
    with engine.begin() as connection:
        indexes = connection.execute(select(log_tree.c.idx).order_by(log_tree.c.idx)).scalars().all()
    assert indexes == list(range(1 + 3 * 48))


def test_whose_log_it_is_is_told_by_its_first_leaf(engine: Engine) -> None:
    """Whatever the log has become by then: the kind of a record is in no index."""
    log = open_log(engine)
    log.write(*exchange())
    asked: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def _ask(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "log_records" in statement:
            asked.append(statement)

    line = open_log(engine).line()
    assert (log.line(), "log_tree" in asked[-1]) == (line, False), (
        "it has no place yet: all are looked through"
    )
    sequence(engine)
    asked.clear()
    assert open_log(engine).line() == line
    assert len(asked) == 1
    assert "log_tree" in asked[0]


def test_commits_are_shared(engine: Engine) -> None:
    log = open_log(engine)
    log.write(opened())
    commits = 0

    @event.listens_for(engine, "commit")
    def _count(_connection: Connection) -> None:
        nonlocal commits
        commits += 1

    held, released = threading.Event(), threading.Event()

    def hold(_connection: Connection) -> None:
        held.set()
        assert released.wait(10)

    with ThreadPoolExecutor(16) as pool:
        first = pool.submit(log.commit, hold)
        assert held.wait(10)
        others = [pool.submit(log.write, opened()) for _ in range(12)]
        wait_until(lambda: len(log._waiting) == 12)
        released.set()
        first.result()
        assert len({future.result()[0] for future in others}) == 12
    assert commits == 2


def test_nobody_is_answered_before_the_commit(engine: Engine) -> None:
    log = open_log(engine)
    log.write(opened())
    answered: list[bool] = []

    @event.listens_for(engine, "commit")
    def _not_yet(_connection: Connection) -> None:
        time.sleep(0.05)
        answered.append(thread.is_alive())

    thread = threading.Thread(target=log.write, args=(opened(),))
    thread.start()
    thread.join()
    assert answered == [True]


def test_a_failing_work_fails_alone(engine: Engine, notes: Table) -> None:
    log = open_log(engine)
    started = threading.Barrier(8)

    def work(number: int) -> Callable[[Connection], int]:
        def run(connection: Connection) -> int:
            connection.execute(insert(notes).values(number=number))
            log.append(connection, opened())
            if number % 2:
                raise ZeroDivisionError
            return number

        return run

    def attempt(number: int) -> object:
        started.wait()
        try:
            return log.commit(work(number))
        except ZeroDivisionError as error:
            return type(error)

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(attempt, range(8)))
    assert results == [0, ZeroDivisionError, 2, ZeroDivisionError, 4, ZeroDivisionError, 6, ZeroDivisionError]
    with engine.begin() as connection:
        assert connection.execute(select(notes.c.number).order_by(notes.c.number)).scalars().all() == [
            0,
            2,
            4,
            6,
        ]
    assert count(engine, log_records) == 1 + 4
    assert count(engine, sequencer_queue) == 1 + 4
    assert verified(engine).status == "unanchored"


def test_a_broken_rule_of_a_table_is_the_works_own(engine: Engine, notes: Table) -> None:
    """As when a message is answered twice at the same moment: its caller hears it, the others do not."""
    log = open_log(engine)
    log.commit(lambda connection: connection.execute(insert(notes).values(number=1)))
    with pytest.raises(IntegrityError):
        log.commit(lambda connection: connection.execute(insert(notes).values(number=1)))
    log.write(opened())


def test_what_has_no_canonical_form_is_refused_alone(engine: Engine) -> None:
    log = open_log(engine)
    with pytest.raises(InvalidRequest):
        log.write(opened(), Entry(Kind.OPENED, new_id(), utc_now(), {"purpose": "\ud800"}))
    assert count(engine, log_records) == 1


def test_a_database_that_fails_is_log_unavailable_to_all(engine: Engine) -> None:
    log = open_log(engine)
    log.write(opened())
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE sequencer_queue RENAME TO away"))
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(log.write, opened()) for _ in range(8)]
    for future in futures:
        error = future.exception()
        assert isinstance(error, LogUnavailable)
        assert error.__cause__ is not None
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE away RENAME TO sequencer_queue"))
    log.write(opened())
    assert count(engine, log_records) == 3


def test_a_database_that_is_not_there_is_log_unavailable() -> None:
    engine = open_engine("postgresql+psycopg://127.0.0.1:1/nowhere")
    with pytest.raises(LogUnavailable):
        open_log(engine).write(opened())


def test_too_many_waiting_is_busy(engine: Engine) -> None:
    log = open_log(engine, capacity=2)
    log.write(opened())
    held, released = threading.Event(), threading.Event()

    def hold(_connection: Connection) -> None:
        held.set()
        assert released.wait(10)

    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(log.commit, hold)
        assert held.wait(10)
        others = [pool.submit(log.write, opened()) for _ in range(2)]
        wait_until(lambda: len(log._waiting) == 2)
        with pytest.raises(Busy):
            log.write(opened())
        released.set()
        first.result()
        assert [len(future.result()) for future in others] == [1, 1]


def test_an_interrupted_leader_leaves_nobody_waiting(engine: Engine) -> None:
    log = open_log(engine)
    log.write(opened())
    held, released = threading.Event(), threading.Event()

    def interrupted(_connection: Connection) -> None:
        held.set()
        assert released.wait(10)
        raise KeyboardInterrupt

    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(log.commit, interrupted)
        assert held.wait(10)
        others = [pool.submit(log.write, opened()) for _ in range(3)]
        wait_until(lambda: len(log._waiting) == 3)
        released.set()
        assert isinstance(first.exception(), KeyboardInterrupt)
        assert [len(future.result()) for future in others] == [1, 1, 1]


def test_a_closed_log_takes_nothing(engine: Engine) -> None:
    log = open_log(engine)
    log.write(opened())
    log.close()
    with pytest.raises(LogUnavailable):
        log.write(opened())


def test_an_append_in_a_transaction_of_ones_own(engine: Engine) -> None:
    log = open_log(engine)
    log.write(opened())
    with engine.begin() as connection:
        log.append(connection, opened())
    sequence(engine)
    assert verified(engine).size == 3


def test_a_log_of_the_other_environment_is_refused(engine: Engine) -> None:
    from audit import ExchangeLog
    from tests.audit.logs import KEY

    open_log(engine).write(opened())
    other = ExchangeLog(
        engine, environment=Environment.PRODUCTION, public_key=KEY.public_key(), subject_key=SUBJECT_KEY
    )
    with pytest.raises(ConfigurationError):
        other.write(opened())


def test_processes_that_start_together_begin_one_log(database: str) -> None:
    """Forked after the log was opened: each goes on with connections and locks of its own."""
    engine = open_engine(database)
    log = open_log(engine)
    with engine.begin() as connection:
        connection.execute(text("SELECT 1"))

    def write() -> None:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: log.write(*exchange()), range(8)))
        os._exit(0)

    children = [multiprocessing.get_context("fork").Process(target=write) for _ in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join(30)
        assert child.exitcode == 0
    sequence(engine)
    report = verified(engine)
    assert (report.status, report.size) == ("unanchored", 1 + 3 * 3 * 8)
    engine.dispose()


WRITER = """
import sys
from concurrent.futures import ThreadPoolExecutor
from storage import open_engine
from tests.audit.logs import exchange, open_log
log = open_log(open_engine(sys.argv[1]))
def write(_):
    while True:
        for entry in exchange():
            (id_,) = log.write(entry)
            sys.stdout.write(f"{id_}\\n")
            sys.stdout.flush()
with ThreadPoolExecutor(4) as pool:
    list(pool.map(write, range(4)))
"""


def test_a_killed_writer_leaves_a_log_that_verifies(database: str) -> None:
    writer = subprocess.Popen(  # noqa: S603 — our own interpreter and program
        [sys.executable, "-c", WRITER, database], stdout=subprocess.PIPE, text=True, cwd=CHECKOUT
    )
    assert writer.stdout is not None
    acknowledged = [writer.stdout.readline().strip() for _ in range(60)]
    writer.send_signal(signal.SIGKILL)
    acknowledged += [line.strip() for line in writer.stdout if line.endswith("\n")]
    writer.wait()
    writer.stdout.close()
    engine = open_engine(database)
    sequence(engine)
    report = verified(engine)
    assert (report.status, report.pending, report.first_bad) == ("unanchored", 0, None)
    with engine.begin() as connection:
        kept = set(connection.execute(select(log_tree.c.record_id)).scalars())
    assert set(acknowledged) <= kept
    engine.dispose()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_a_deadlock_between_two_groups_loses_nothing(engine: Engine, notes: Table) -> None:
    """Two processes' groups that lock the same rows in opposite orders: both are carried out in the end."""
    with engine.begin() as connection:
        connection.execute(insert(notes), [{"number": 1}, {"number": 2}])
    met = threading.Barrier(2)

    def touch(*numbers: int) -> Callable[[Connection], int]:
        def work(connection: Connection) -> int:
            for number in numbers:
                connection.execute(select(notes).where(notes.c.number == number).with_for_update()).one()
                if connection.dialect.name == "postgresql" and not met.broken:
                    try:
                        met.wait(timeout=2)  # each holds its first row; run again, nobody waits
                    except threading.BrokenBarrierError:
                        continue
                    finally:
                        met.abort()
            return sum(numbers)

        return work

    other = open_engine(engine.url.render_as_string(hide_password=False))
    with ThreadPoolExecutor(2) as pool:
        results = list(
            pool.map(
                lambda log, work: log.commit(work),
                (open_log(engine), open_log(other)),
                (touch(1, 2), touch(2, 1)),
            )
        )
    other.dispose()
    assert results == [3, 3]
