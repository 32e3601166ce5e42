"""A migrated database of each kind. Tests share it: every test speaks of persons of its own."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text

import registers
from storage import open_engine
from storage.migrate import upgrade

POSTGRESQL = "postgresql+psycopg://127.0.0.1:5432"


@contextmanager
def empty_database(kind: str, directory: Path) -> Iterator[Engine]:
    """A database without tables, dropped afterwards."""
    assert registers.REGISTERS  # the engine translates the schemas of the tables declared so far
    name = f"registers_{secrets.token_hex(6)}"
    if kind == "sqlite":
        engine = open_engine(f"sqlite:///{directory / name}.db")
        yield engine
        engine.dispose()
        return
    server = create_engine(f"{POSTGRESQL}/test", isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    engine = open_engine(f"{POSTGRESQL}/{name}")
    try:
        yield engine
    finally:
        engine.dispose()
        with server.connect() as connection:
            connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
        server.dispose()


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A migrated database, SQLite and PostgreSQL in turn."""
    with empty_database(request.param, tmp_path_factory.mktemp("registers")) as database:
        upgrade(database)
        yield database
