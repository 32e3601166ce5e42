"""A database that has stopped answering: whoever asks it hears so in time, and goes on when it answers again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

import errors
from audit import ExchangeLog
from audit.tables import log_records
from exchange import Environment
from routing.breakers import MOST_FAILURES, Breakers, Pass, State
from storage import migrate, open_engine, unhurried
from storage.patience import CONNECT_SECONDS, PatientConnection, arguments, is_silence
from tests.audit.logs import opened
from tests.instances import PrivatePostgres

pytestmark = pytest.mark.long

# Short, so that the tests are; noticing takes one second more, and connecting has a time of its own.
PATIENCE = 2.0
NOTICED = PATIENCE + 1.0
# What one caller may have to wait for: a silent connection from the pool, then a new one; and a busy machine.
MOST = NOTICED + CONNECT_SECONDS + 4.0


@pytest.fixture(scope="module")
def server() -> Iterator[PrivatePostgres]:
    with PrivatePostgres() as server:
        engine = open_engine(server.url)
        migrate.upgrade(engine)
        engine.dispose()
        yield server


@pytest.fixture
def engine(server: PrivatePostgres) -> Iterator[Engine]:
    engine = open_engine(server.url, PATIENCE)
    with engine.begin() as connection:
        connection.execute(text("SELECT 1"))
    yield engine
    server.resume()
    engine.dispose()


def failing(work: Callable[[], object]) -> tuple[BaseException, float]:
    began = time.monotonic()
    with pytest.raises((SQLAlchemyError, errors.GatewayError)) as failed:
        work()
    return failed.value, time.monotonic() - began


def select_one(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("SELECT 1"))


def test_a_frozen_server_is_noticed_on_an_open_connection(server: PrivatePostgres, engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        server.pause()
        error, seconds = failing(lambda: connection.execute(text("SELECT 2")))
        assert is_silence(error)
        assert PATIENCE <= seconds < MOST
        connection.invalidate()
    server.resume()
    select_one(engine)


def test_a_frozen_server_is_noticed_at_the_commit(server: PrivatePostgres, engine: Engine) -> None:
    connection = engine.connect()
    transaction = connection.begin()
    connection.execute(text("SELECT 1"))
    server.pause()
    error, seconds = failing(transaction.commit)
    assert is_silence(error)
    assert seconds < MOST
    connection.close()


def test_a_frozen_server_is_noticed_when_connecting(server: PrivatePostgres, engine: Engine) -> None:
    engine.dispose()
    server.pause()
    error, seconds = failing(lambda: select_one(engine))
    assert is_silence(error)
    assert seconds < MOST


def test_a_pool_of_silent_connections_does_not_add_up(server: PrivatePostgres, engine: Engine) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: select_one(engine), range(8)))
        server.pause()
        waits = list(threads.map(lambda _: failing(lambda: select_one(engine)), range(8)))
    assert all(seconds < MOST for _, seconds in waits)
    server.resume()
    select_one(engine)


def test_a_statement_that_takes_too_long_is_ended_by_the_server(engine: Engine) -> None:
    with engine.connect() as connection:
        error, seconds = failing(lambda: connection.execute(text("SELECT pg_sleep(60)")))
        assert isinstance(error, OperationalError)
        assert not is_silence(error)
        assert getattr(error.orig, "sqlstate", None) == "57014"
        assert seconds < MOST
        connection.rollback()
        connection.execute(text("SELECT 1"))


def test_what_may_take_its_time_gets_it(engine: Engine) -> None:
    with engine.begin() as connection:
        unhurried(connection)
        connection.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": NOTICED + 0.5})
    error, _ = failing(lambda: _sleep(engine, 60))
    assert isinstance(error, DBAPIError), "the next one has the usual time"


def _sleep(engine: Engine, seconds: float) -> None:
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": seconds})


def test_whoever_stands_still_in_a_transaction_does_not_keep_its_locks(engine: Engine) -> None:
    with engine.connect() as connection:
        found = connection.execute(text("SHOW idle_in_transaction_session_timeout")).scalar()
        assert found == "20s"


def test_a_long_answer_is_no_silence(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        # Each row fills the server's buffer, and so leaves at once.
        rows = connection.execute(text("SELECT pg_sleep(0.4), repeat('x', 9000) FROM generate_series(1, 12)"))
        assert len(rows.all()) == 12


def test_a_listener_may_hear_nothing(engine: Engine) -> None:
    with engine.connect() as connection:
        driver = connection.connection.dbapi_connection
        assert isinstance(driver, PatientConnection)
        driver.rollback()
        driver.autocommit = True
        driver.execute("LISTEN nothing")
        assert list(driver.notifies(timeout=NOTICED + 0.5)) == []
        connection.invalidate()


def test_what_the_url_says_wins() -> None:
    url = make_url("postgresql+psycopg://127.0.0.1/test?connect_timeout=3&options=-c%20work_mem%3D1MB")
    known = arguments(url, PATIENCE)
    assert "connect_timeout" not in known
    assert "options" not in known
    assert "tcp_user_timeout" in known


# The exchange log


def log(engine: Engine, patience: float = 60.0) -> ExchangeLog:
    made = ExchangeLog(
        engine,
        environment=Environment.TEST,
        public_key=Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key(),
        subject_key=bytes(32),
        patience=patience,
    )
    made.write(opened())
    return made


def count(engine: Engine) -> int:
    with engine.begin() as connection:
        return len(connection.execute(log_records.select()).all())


def outcomes(calls: list[Future[object]]) -> list[type[BaseException] | None]:
    return [None if (error := call.exception(60)) is None else type(error) for call in calls]


def test_no_caller_waits_for_another_when_the_log_is_silent(server: PrivatePostgres, engine: Engine) -> None:
    writing = log(engine)
    server.pause()
    with ThreadPoolExecutor(24) as threads:
        began = time.monotonic()
        calls: list[Future[object]] = [threads.submit(writing.write, opened()) for _ in range(24)]
        assert outcomes(calls) == [errors.LogUnavailable] * 24
        assert time.monotonic() - began < MOST
        # Nor do those who come later, while it still is.
        began = time.monotonic()
        calls = [threads.submit(writing.write, opened()) for _ in range(24)]
        assert outcomes(calls) == [errors.LogUnavailable] * 24
        assert time.monotonic() - began < MOST
    before = time.monotonic()
    server.resume()
    writing.write(opened())
    assert time.monotonic() - before < MOST


def test_who_waits_too_long_for_his_turn_is_told_to_try_later(engine: Engine) -> None:
    writing = log(engine, patience=0.5)
    before = count(engine)
    with ThreadPoolExecutor(3) as threads:
        slow = threads.submit(
            writing.commit, lambda connection: connection.execute(text("SELECT pg_sleep(1.7)"))
        )
        time.sleep(0.2)
        late: list[Future[object]] = [threads.submit(writing.write, opened()) for _ in range(2)]
        for call in late:
            error = call.exception(30)
            assert isinstance(error, errors.Busy)
            assert error.retry_after == 5
        slow.result(30)
    assert count(engine) == before, "what was withdrawn is not written later"
    writing.write(opened())
    assert count(engine) == before + 1


def test_a_frozen_database_opens_and_hides_no_breaker(server: PrivatePostgres, engine: Engine) -> None:
    breakers = Breakers(engine)
    for _ in range(MOST_FAILURES):
        breakers.failed(Pass("pmlp"))
    assert breakers.states()[0].state is State.OPEN
    server.pause()
    time.sleep(0.3)  # what is known is old by now
    began = time.monotonic()
    assert breakers.admit("vzd", 1.0) == Pass("vzd")
    breakers.failed(Pass("vzd"))
    assert time.monotonic() - began < 2 * MOST
    server.resume()
    assert {status.system: status.state for status in breakers.states()}["pmlp"] is not State.CLOSED
