"""Bring the database to the newest state of all branches of migrations.

The core's migrations lie in `storage/migrations/versions/<branch>/`, those of the registers in
`registers/migrations/<system>/`, each folder a branch of its own with a branch label: a new system brings a folder
and edits nothing. Migrations name schemas as the tables do; `upgrade` strips them on SQLite.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from alembic import command, op
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from errors import ConfigurationError
from storage import unhurried

_HERE = Path(__file__).parent / "migrations"
_ROOTS = (_HERE / "versions", _HERE.parent.parent / "registers" / "migrations")

# Any number will do as long as it stays: the key of the advisory lock on PostgreSQL ("spolis" in ASCII).
_LOCK = 0x73706F6C6973

# So long a process waits for another one that migrates the same SQLite file.
_WAIT_MILLISECONDS = 120_000

# Alembic keeps the running environment in a module global.
_one_at_a_time = threading.Lock()


def locations(roots: Iterable[Path] = _ROOTS) -> list[Path]:
    """Every folder that holds migrations, in order of name within each root."""
    return [
        folder
        for root in roots
        if root.is_dir()
        for folder in sorted(root.iterdir())
        if any(path.name != "__init__.py" for path in folder.glob("*.py"))
    ]


def upgrade(engine: Engine, roots: Iterable[Path] = _ROOTS) -> None:
    """Run every migration that the database does not have yet, all in one transaction.

    Processes that start together wait for each other: the first migrates, the others find nothing left to do.
    Raises: ConfigurationError when the database cannot be reached, a migration fails, or the database has migrations
    that this gateway does not know; nothing is changed then.
    """
    config = _config(roots)
    try:
        with _one_at_a_time, _locked(engine) as connection, connection.begin():
            unhurried(connection)
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            config.attributes["connection"] = connection
            command.upgrade(config, "heads")
    except SQLAlchemyError as error:
        raise ConfigurationError(f"the database cannot be upgraded: {type(error).__name__}") from error
    except CommandError as error:
        raise ConfigurationError(
            "the database has migrations that this gateway does not know; run the newer one"
        ) from error


@dataclass(frozen=True, slots=True)
class Standing:
    """Which revisions the database has, which it lacks, and which of its own this gateway does not know."""

    has: tuple[str, ...]
    lacks: tuple[str, ...]
    unknown: tuple[str, ...]


def standing(connection: Connection, roots: Iterable[Path] = _ROOTS) -> Standing:
    """How far the database's migrations are; nothing is changed."""
    scripts = ScriptDirectory.from_config(_config(roots))
    known = {script.revision: script for script in scripts.walk_revisions()}
    context = MigrationContext.configure(connection)
    heads = context.get_current_heads()
    applied = {
        script.revision
        for head in heads
        if head in known
        for script in scripts.iterate_revisions(head, "base")
    }
    return Standing(
        has=tuple(sorted(heads)),
        lacks=tuple(sorted(known.keys() - applied)),
        unknown=tuple(sorted(head for head in heads if head not in known)),
    )


def create_schema(name: str) -> None:
    """In a migration: make a schema on PostgreSQL; SQLite has none, the tables' prefix is what is left."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f'CREATE SCHEMA IF NOT EXISTS "{name}"')


def _config(roots: Iterable[Path]) -> Config:
    config = Config()
    config.set_main_option("script_location", _escaped(_HERE))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", "\n".join(map(_escaped, locations(roots))))
    return config


def _escaped(path: Path) -> str:
    return str(path).replace("%", "%%")


class _AnySchema(dict[str | None, str | None]):
    """A schema_translate_map that strips every schema, also those of tables that no module has declared yet."""

    def __contains__(self, _schema: object) -> bool:
        return True

    def __missing__(self, _schema: str | None) -> None:
        return None


def _locked(engine: Engine) -> Connection:
    connection = engine.connect()
    if connection.dialect.name == "sqlite":
        # `BEGIN IMMEDIATE`, which open_engine's engines send, is the lock; whoever holds it may have much to migrate.
        connection.detach()
        connection.connection.cursor().execute(f"PRAGMA busy_timeout={_WAIT_MILLISECONDS}")
        return connection.execution_options(schema_translate_map=_AnySchema({None: None}))
    return connection
