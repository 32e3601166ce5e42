"""The database engine, SQLite embedded or PostgreSQL by URL, and the metadata that all rooms declare tables in.

Tables of one room or one external system share a schema on PostgreSQL. Their names carry the schema's name as a
prefix in both databases; on SQLite, which has no schemas, the prefix is what is left (ADR 0006).
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

from sqlalchemy import (
    Connection,
    DateTime,
    Dialect,
    Engine,
    MetaData,
    Table,
    Uuid,
    create_engine,
    event,
    func,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

from exchange import utc_now
from storage import patience as patient
from storage.beginning import DRIVER
from storage.beginning import Dialect as SqliteDialect

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Instant(TypeDecorator[datetime]):
    """A UTC instant; a naive datetime is refused, so that no local time slips in."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("an instant needs its time zone")
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        instant: datetime = value
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def identifier() -> Uuid[uuid.UUID]:
    """The column type of an internal identifier."""
    return Uuid(as_uuid=True)


# For so long a statement may take, and a database may be silent, before whoever asked it hears that it is away.
PATIENCE_SECONDS = 8.0
_WAIT_SECONDS = int(PATIENCE_SECONDS)  # for SQLite's one writer
_POOL_SECONDS = 5.0
# An exchange writes some forty pages of 4 KiB, mostly the same ones as the one before: copied from the write-ahead log
# into the file after every 25 exchanges they would be written twice each.
_WAL_PAGES = 8000
_CACHE_KIB = 8000


def open_engine(url: str, patience: float | None = PATIENCE_SECONDS) -> Engine:
    """An engine with the pragmas, isolation and pool that concurrent writers need.

    PostgreSQL: nobody waits for more than `patience` seconds for a server that is silent, None waits for ever; see
    storage/patience.py. SQLite: WAL, synchronous FULL, foreign keys, and `BEGIN IMMEDIATE` for every transaction: the
    driver's own transactions lose concurrent updates silently.
    """
    if make_url(url).get_backend_name() != "sqlite":
        return _open_postgresql(url, patience)
    database = make_url(url).database
    if database:
        Path(database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        make_url(url).set(drivername=DRIVER),
        pool_size=5,
        max_overflow=5,
        # The connection that wrote last: what it has read is still true, that of the others is not.
        pool_use_lifo=True,
        pool_timeout=_POOL_SECONDS,
        connect_args={"timeout": _WAIT_SECONDS, "isolation_level": None},
    )

    @event.listens_for(engine, "connect")
    def _pragmas(connection: sqlite3.Connection, _record: object) -> None:
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            f"wal_autocheckpoint={_WAL_PAGES}",
            f"cache_size=-{_CACHE_KIB}",
            f"busy_timeout={_WAIT_SECONDS * 1000}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    schemas: dict[str | None, str | None] = dict.fromkeys(
        table.schema for table in metadata.tables.values()
    ) | {"log": None}
    return engine.execution_options(schema_translate_map=schemas)


def _open_postgresql(url: str, patience: float | None) -> Engine:
    engine = create_engine(
        url,
        pool_size=10,
        # Not for want of a connection should a thread of `serve` wait.
        max_overflow=20,
        pool_timeout=_POOL_SECONDS,
        pool_pre_ping=True,
        connect_args=patient.arguments(make_url(url), patience),
    )

    @event.listens_for(engine, "do_connect")
    def _connect(_dialect: object, _record: object, arguments: Any, named: Any) -> Any:
        return patient.connect(patience, *arguments, **named)

    return engine


def unhurried(connection: Connection) -> None:
    """In a transaction: let its statements take their time, as those that change large tables must.

    The connection does not go back to the pool afterwards.
    """
    if connection.dialect.name == "postgresql":
        connection.detach()
        driver = connection.connection.dbapi_connection
        if isinstance(driver, patient.PatientConnection):
            driver.patience = None
        connection.exec_driver_sql("SET statement_timeout = 0")


def reading(engine: Engine) -> Engine:
    """The same engine for transactions that only read: on SQLite they take no write lock."""
    other = engine.execution_options()
    if isinstance(engine.dialect, SqliteDialect):
        other.dialect = engine.dialect.reading()
    return other


class DatabaseClock(FunctionElement[datetime]):
    """In a statement: the present instant by the database's clock, as `database_now` gives it."""

    type = Instant()
    inherit_cache = True


@compiles(DatabaseClock, "postgresql")
def _postgresql_clock(*_: Any, **__: Any) -> str:
    return "clock_timestamp()"


@compiles(DatabaseClock, "sqlite")
def _sqlite_clock(*_: Any, **__: Any) -> str:
    return "strftime('%Y-%m-%d %H:%M:%f000', 'now')"


def database_now(connection: Connection) -> datetime:
    """The present instant by the clock that all hosts share: the database's; with SQLite there is one host only."""
    if connection.dialect.name != "postgresql":
        return utc_now()
    instant: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    return instant.astimezone(UTC)


UpsertOf: TypeAlias = Callable[[Table], postgresql.Insert | sqlite.Insert]


def upsert_of(connection: Connection) -> UpsertOf:
    """How the connection's dialect begins an INSERT with `on_conflict_do_…`.

    For statements that every exchange runs: built once for each dialect (`functools.cache`), because building one takes
    three times as long as running it.
    """
    return postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert


def upsert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT of the connection's own dialect, for its `on_conflict_do_…`, which plain SQL has not."""
    return upsert_of(connection)(table)
