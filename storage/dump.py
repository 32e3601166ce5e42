"""A consistent copy of the whole database out to one file, and back into an empty one.

SQLite: the online backup API, from one read transaction. PostgreSQL: `pg_dump -Fc` of the gateway's schemas at one
exported snapshot, and `pg_restore` in one transaction. Writers go on meanwhile.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, inspect, make_url, text
from sqlalchemy.engine import URL

from errors import ConfigurationError, GatewayFailure
from storage import metadata, open_engine, reading

T = TypeVar("T")

# Bytes or pages done, and of how many; None where that is not known beforehand.
Progress = Callable[[int, int | None], None]

SQLITE_FILE = "database.sqlite"
POSTGRESQL_FILE = "database.dump"

_PAGES = 2000
_TOLD_EVERY = 0.2
_VERSION = re.compile(r"(\d+)(\.\d+)*")


@dataclass(frozen=True, slots=True)
class Dumped:
    """Which kind of database was copied, of which version, with what, and the file's name in the folder."""

    kind: str
    server: str
    tool: str
    file: str


def copy_out(
    engine: Engine, folder: Path, read: Callable[[Connection], T], progress: Progress
) -> tuple[Dumped, T]:
    """Copy the database into a file of `folder`; `read` is given a connection that sees exactly what is copied.

    Raises: ConfigurationError where pg_dump is missing or older than the server, GatewayFailure when the copy fails.
    """
    if engine.dialect.name == "postgresql":
        return _dump_postgresql(engine, folder, read, progress)
    with reading(engine).connect() as connection, connection.begin():
        found = read(connection)  # the first read fixes what this transaction sees
        source = connection.connection.driver_connection
        assert isinstance(source, sqlite3.Connection)  # noqa: S101 — open_engine knows two databases
        copied = sqlite3.connect(folder / SQLITE_FILE)
        try:
            source.backup(copied, pages=_PAGES, progress=lambda _code, left, of: progress(of - left, of))
            copied.execute("PRAGMA journal_mode=DELETE")  # one file, with no log beside it
            (verdict,) = copied.execute("PRAGMA quick_check(1)").fetchone()
        finally:
            copied.close()
    if verdict != "ok":
        raise GatewayFailure("the database file is damaged: restore from an older backup")
    return Dumped("sqlite", sqlite3.sqlite_version, f"sqlite3 {sqlite3.sqlite_version}", SQLITE_FILE), found


def see_that_empty(url: str) -> None:
    """Raises: ConfigurationError where the database has tables of a gateway, or cannot be reached."""
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        if not address.database or not Path(address.database).exists():
            return
        with sqlite3.connect(f"file:{address.database}?mode=ro", uri=True) as connection:
            found = connection.execute("SELECT name FROM sqlite_master LIMIT 1").fetchone()
        connection.close()
    else:
        engine = open_engine(url)
        try:
            with engine.connect() as opened:
                tables = inspect(opened)
                found = next((name for schema in schemas() for name in tables.get_table_names(schema)), None)
        finally:
            engine.dispose()
    if found:
        raise ConfigurationError(
            f"{address.render_as_string(hide_password=True)} is not empty: move it away, or name an empty one "
            "with --into"
        )


def copy_in(file: Path, url: str, finish: Callable[[Engine], None], progress: Progress) -> None:
    """Load a copy into an empty database, and `finish` it.

    On SQLite the database appears only when all is done; on PostgreSQL it is empty again when loading fails, and must
    be dropped when `finish` does.
    Raises: ConfigurationError, GatewayFailure.
    """
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        _place_sqlite(file, Path(str(address.database)), finish, progress)
        return
    _restore_postgresql(file, address, progress)
    engine = open_engine(url)
    try:
        finish(engine)
    finally:
        engine.dispose()


def schemas() -> list[str]:
    """The schemas of all declared tables, on PostgreSQL."""
    return sorted({table.schema or "public" for table in metadata.tables.values()})


def _dump_postgresql(
    engine: Engine, folder: Path, read: Callable[[Connection], T], progress: Progress
) -> tuple[Dumped, T]:
    with engine.connect() as plain:
        connection = plain.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with connection.begin():
            server = connection.dialect.server_version_info or (0,)
            tool = _tool("pg_dump", int(server[0]))
            connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            snapshot: str = connection.execute(text("SELECT pg_export_snapshot()")).scalar_one()
            found = read(connection)
            target = folder / POSTGRESQL_FILE
            wanted = [part for schema in schemas() for part in ("--schema", schema)]
            _run(
                [
                    "pg_dump",
                    "--format=custom",
                    "--no-owner",
                    "--no-privileges",
                    "--no-password",
                    *wanted,
                    f"--snapshot={snapshot}",
                    f"--file={target}",
                    f"--dbname={_address(engine.url)}",
                ],
                engine.url,
                lambda: progress(target.stat().st_size if target.exists() else 0, None),
            )
    return Dumped("postgresql", ".".join(map(str, server)), tool, POSTGRESQL_FILE), found


def _restore_postgresql(file: Path, address: URL, progress: Progress) -> None:
    engine = open_engine(address.render_as_string(hide_password=False))
    with engine.connect() as connection:
        server = connection.dialect.server_version_info or (0,)
    engine.dispose()
    _tool("pg_restore", int(server[0]))
    listed = _run(["pg_restore", "--list", str(file)], address, lambda: None)
    with tempfile.NamedTemporaryFile("w", prefix="gateway-restore-") as wanted:
        # Every database has its schema `public` already.
        wanted.write("\n".join(line for line in listed.splitlines() if " SCHEMA - public " not in line))
        wanted.flush()
        _run(
            [
                "pg_restore",
                "--single-transaction",
                "--exit-on-error",
                "--no-owner",
                "--no-privileges",
                "--no-password",
                f"--use-list={wanted.name}",
                f"--dbname={_address(address)}",
                str(file),
            ],
            address,
            lambda: progress(0, None),
        )


def _place_sqlite(file: Path, target: Path, finish: Callable[[Engine], None], progress: Progress) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.restoring")
    total = file.stat().st_size
    try:
        shutil.copyfile(file, partial)
        progress(total, total)
        partial.chmod(0o600)
        engine = open_engine(f"sqlite:///{partial}")
        finish(engine)
        engine.dispose()  # the last one to leave folds the write-ahead log into the file
        with sqlite3.connect(partial) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")
        connection.close()
        # A write-ahead log that lies there is of the database that was lost: it would be played into this one.
        for stale in (target.with_name(f"{target.name}-wal"), target.with_name(f"{target.name}-shm")):
            if stale.exists():
                stale.replace(stale.with_name(f"{stale.name}.lost"))
        synced = os.open(partial, os.O_RDONLY)
        os.fsync(synced)
        os.close(synced)
        partial.replace(target)
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            partial.with_name(f"{partial.name}{suffix}").unlink(missing_ok=True)


def _tool(name: str, server: int) -> str:
    if shutil.which(name) is None:
        raise ConfigurationError(
            f"{name} is not installed: install PostgreSQL's client programs (postgresql-client-{server})"
        )
    said = subprocess.run([name, "--version"], capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603 — a fixed program
    version = _VERSION.search(said)
    if version is None or int(version[1]) < server:
        raise ConfigurationError(
            f"{said or name} is older than the server, which is {server}: install postgresql-client-{server}"
        )
    return f"{name} {version[0]}"


def _address(url: URL) -> str:
    """The address without the password, which other accounts of the machine could read on a command line."""
    return url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)


def _run(command: list[str], url: URL, meanwhile: Callable[[], None]) -> str:
    environ: Mapping[str, str] = {**os.environ, "LC_ALL": "C"} | (
        {"PGPASSWORD": str(url.password)} if url.password else {}
    )
    with subprocess.Popen(  # noqa: S603 — PostgreSQL's own programs
        command,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while True:
            try:
                out, errors = process.communicate(timeout=_TOLD_EVERY)
                break
            except subprocess.TimeoutExpired:
                meanwhile()
    if process.returncode:
        # The first line names object and cause; lines after it may quote rows.
        first = next(iter(errors.strip().splitlines()), "no reason given")
        raise GatewayFailure(f"{command[0]} failed: {first[:300]}")
    return out
