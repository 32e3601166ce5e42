"""The private servers do what their verbs say: else a test that stops, kills or fills one would prove nothing."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.endpoints.serving import alive
from tests.instances import PrivatePostgres, PrivateRabbit


@pytest.fixture(scope="module")
def postgres() -> Iterator[PrivatePostgres]:
    with PrivatePostgres() as server:
        yield server


@pytest.fixture(scope="module")
def rabbit() -> Iterator[PrivateRabbit]:
    with PrivateRabbit() as server:
        yield server


def connect(server: PrivatePostgres) -> psycopg.Connection[tuple[object, ...]]:
    address = server.url.replace("+psycopg", "")
    return psycopg.connect(address, autocommit=True, connect_timeout=2)


def greets(server: PrivateRabbit, seconds: float = 5.0) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout=seconds) as connection:
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            return bool(connection.recv(1))
    except OSError:
        return False


def states(processes: list[int]) -> set[str]:
    return {Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] for number in processes}


@pytest.mark.parametrize("verb", ["stop", "kill"])
def test_postgres_ends_and_keeps_what_was_committed(postgres: PrivatePostgres, verb: str) -> None:
    with connect(postgres) as connection:
        connection.execute(f'CREATE TABLE "{verb}" (line text)')
        processes = postgres.processes
        assert len(processes) > 3
        getattr(postgres, verb)()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    assert alive(processes) == []
    with pytest.raises(psycopg.OperationalError):
        connect(postgres)
    postgres.start()
    with connect(postgres) as connection:
        assert connection.execute(f'SELECT * FROM "{verb}"').fetchall() == []  # noqa: S608 — a word of ours
        assert connection.execute("SHOW fsync").fetchone() == ("on",)


def test_postgres_stands_still_and_goes_on(postgres: PrivatePostgres) -> None:
    with connect(postgres) as connection:
        postgres.pause()
        assert states(postgres.processes) == {"T"}
        with pytest.raises(psycopg.OperationalError):
            connect(postgres)
        postgres.resume()
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_postgres_is_ended_while_it_stands_still() -> None:
    with PrivatePostgres() as server:
        server.pause()
        processes = server.processes
    assert alive(processes) == []


def test_postgres_finds_its_disk_full_and_recovers() -> None:
    with PrivatePostgres(data_size_mb=96) as server:
        with connect(server) as connection:
            connection.execute("CREATE TABLE line (text text)")
            server.fill_disk()
            with pytest.raises(psycopg.OperationalError):
                connection.execute(
                    "INSERT INTO line SELECT repeat('x', 1000) FROM generate_series(1, 200000)"
                )
        server.free_disk()
        server.stop()
        server.start()
        with connect(server) as connection:
            connection.execute("INSERT INTO line VALUES ('after')")


@pytest.mark.parametrize("verb", ["stop", "kill"])
def test_rabbit_ends_and_starts_again(rabbit: PrivateRabbit, verb: str) -> None:
    processes = rabbit.processes
    getattr(rabbit, verb)()
    assert alive(processes) == []
    assert not greets(rabbit)
    rabbit.start()
    assert greets(rabbit)


def test_rabbit_stands_still_and_goes_on(rabbit: PrivateRabbit) -> None:
    rabbit.pause()
    assert states(rabbit.processes) == {"T"}
    assert not greets(rabbit, 0.5)
    rabbit.resume()
    assert greets(rabbit)


def test_rabbit_is_wiped(rabbit: PrivateRabbit) -> None:
    before = rabbit.processes
    rabbit.wipe()
    assert alive(before) == []
    assert greets(rabbit)


def test_a_server_that_does_not_start_says_why() -> None:
    with PrivatePostgres() as server:
        server.stop()
        with (
            socket.create_server(("127.0.0.1", server.port)),
            pytest.raises(AssertionError, match="could not bind"),
        ):
            server.start()
