"""Take what was deleted out of the files: a deleted row's bytes lie on until something else is written over them."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence

from sqlalchemy import Engine, Table, event, text

from errors import Busy
from storage import open_engine
from storage.statements import driver

# For so long readers of the SQLite file are waited for, whose snapshots still need the old pages.
_WAIT_SECONDS = 30.0


def open_erasing(url: str) -> Engine:
    """An engine whose deletions overwrite what they delete, where the database can do that (SQLite)."""
    engine = open_engine(url, patience=None)
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def _overwrite(connection: sqlite3.Connection, _record: object) -> None:
            connection.execute("PRAGMA secure_delete=ON")

    return engine


def compact(engine: Engine, tables: Sequence[Table], seconds: float = _WAIT_SECONDS) -> tuple[str, ...]:
    """Take deleted rows out of the files, and name the tables for which this role may not ask that.

    SQLite: the whole file is written anew and the write-ahead log emptied; others wait meanwhile. PostgreSQL: VACUUM,
    after which the space of deleted rows is free and is overwritten in use.
    Raises: Busy when readers of the file do not let go of the old pages.
    """
    if engine.dialect.name == "sqlite":
        _rewrite(engine, seconds)
        return ()
    refused: list[str] = []
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in tables:
            name = f"{table.schema}.{table.name}"
            owns = text(
                "SELECT pg_has_role(current_user, relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass(:name)"
            )
            if connection.execute(owns, {"name": name}).scalar():
                connection.exec_driver_sql(f"VACUUM (ANALYZE) {name}")
            else:
                refused.append(name)
    return tuple(refused)


def _rewrite(engine: Engine, seconds: float) -> None:
    until = time.monotonic() + seconds
    with engine.connect() as borrowed:
        borrowed.detach()
        connection = driver(borrowed)
        assert isinstance(connection, sqlite3.Connection)  # noqa: S101 — open_engine knows two databases
        connection.execute("PRAGMA secure_delete=ON")
        _patiently(connection, "VACUUM", until)
        while True:
            (busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if not busy:
                return
            if time.monotonic() > until:
                raise Busy("others read the database file without end; run it again when they have stopped")
            time.sleep(0.1)


def _patiently(connection: sqlite3.Connection, statement: str, until: float) -> None:
    while True:
        try:
            connection.execute(statement)
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise Busy(f"the database file is in use ({error}); run it again") from error
            time.sleep(0.1)
