"""Databases for tests: each test gets a fresh one, on SQLite and on PostgreSQL."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Protocol

import pytest
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

import audit
import registers
from storage import migrate, open_engine
from tests.calls import Calls, counted

SERVER = os.environ.get("GATEWAY_TEST_POSTGRESQL", "postgresql+psycopg://127.0.0.1:5432/test")
# An engine of SQLite must know the schemas of all tables, so the rooms that declare them are imported here.
ROOMS = (audit, registers)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update` writes golden files anew; the reviewer reads the diff."""
    parser.addoption("--update", action="store_true", help="write golden files anew")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that are marked `long` come first."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


class Template(Protocol):
    """By kind of database, a migrated one to copy: a file of SQLite, the name of one on PostgreSQL."""

    def __call__(self, kind: str) -> str: ...


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Template]:
    """Makes the templates when they are first asked for, and drops them at the end."""
    with ExitStack() as later:

        @cache
        def made(kind: str) -> str:
            if kind == "sqlite":
                url = f"sqlite:///{tmp_path_factory.mktemp('template') / 'gateway.db'}"
            else:
                url = later.enter_context(_postgresql("template1"))
            engine = open_engine(url)
            migrate.upgrade(engine)
            engine.dispose()  # the last one to leave folds SQLite's write-ahead log into the file
            return str(make_url(url).database)

        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database with nothing in it."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
    else:
        with _postgresql("template1") as url:
            yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path, template: Template) -> Iterator[str]:
    """The URL of a migrated database without rows."""
    if request.param == "sqlite":
        shutil.copy(template("sqlite"), tmp_path / "gateway.db")
        yield f"sqlite:///{tmp_path / 'gateway.db'}"
    else:
        with _postgresql(template("postgresql")) as url:
            yield url


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def session_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, template: Template
) -> Iterator[str]:
    """The URL of a migrated database that many tests share."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("shared") / "gateway.db"
        shutil.copy(template("sqlite"), path)
        yield f"sqlite:///{path}"
    else:
        with _postgresql(template("postgresql")) as url:
            yield url


@pytest.fixture
def migrated_postgresql(template: Template) -> Iterator[str]:
    """The URL of a migrated database without rows, on PostgreSQL."""
    with _postgresql(template("postgresql")) as url:
        yield url


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    """An engine on a migrated database without rows."""
    engine = open_engine(database)
    yield engine
    engine.dispose()


@contextmanager
def _postgresql(like: str) -> Iterator[str]:
    name = f"spolis_test_{uuid.uuid4().hex[:12]}"
    server = create_engine(SERVER, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 3})
    try:
        try:
            with server.connect() as connection:
                connection.execute(text(f'CREATE DATABASE "{name}" TEMPLATE "{like}"'))
        except OperationalError as error:
            if os.environ.get("CI") == "true" or "connect" not in str(error):
                raise
            pytest.skip("no PostgreSQL server is reachable")
        try:
            yield make_url(SERVER).set(database=name).render_as_string(hide_password=False)
        finally:
            with server.connect() as connection:
                connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    finally:
        server.dispose()


@pytest.fixture
def calls() -> Iterator[Calls]:
    """An address that nobody must call, and who did."""
    with counted() as calls:
        yield calls
