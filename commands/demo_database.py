"""Which database a demonstration uses: the one that was set, else a fresh SQLite file that harms nobody's."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from config import Settings

_MARK = ".demo"
_MOST = 1000


def choose(settings: Settings) -> str:
    """The URL of the database.

    One that was set is used as it is. At the default place a file that a demonstration made, that nobody has open and
    nobody has registered in, is made anew; any other is left alone and a new one made beside it.
    """
    default = settings.state / "gateway.db"
    if settings.database_url != f"sqlite:///{default}":
        return settings.database_url
    candidates = [default, *(settings.state / f"gateway-demo-{number}.db" for number in range(1, _MOST))]
    chosen = next(path for path in candidates if not path.exists() or _may_go(path))
    for suffix in ("", "-wal", "-shm"):
        chosen.with_name(chosen.name + suffix).unlink(missing_ok=True)
    chosen.parent.mkdir(parents=True, exist_ok=True)
    _mark(chosen).write_text("Made by `gateway demo`, which makes it anew each time.\n", encoding="utf-8")
    return f"sqlite:///{chosen}"


def _may_go(path: Path) -> bool:
    return _mark(path).exists() and not _in_use(path) and not _has_registered(path)


def _mark(path: Path) -> Path:
    return path.with_name(path.name + _MARK)


def _in_use(path: Path) -> bool:
    """Whether another process has the file open: leaving WAL mode is what SQLite then refuses."""
    try:
        connection = sqlite3.connect(path, timeout=0.5, isolation_level=None)
        try:
            return bool(connection.execute("PRAGMA journal_mode=DELETE").fetchone()[0] != "delete")
        finally:
            connection.close()
    except sqlite3.DatabaseError:
        return True


def _has_registered(path: Path) -> bool:
    """Whether callers or partners are registered that no demonstration made: somebody works with this database."""
    connection = sqlite3.connect(path)
    try:
        return any(
            connection.execute(f"SELECT 1 FROM {table} WHERE name NOT LIKE 'demo-%' LIMIT 1").fetchone()  # noqa: S608 — the names are ours
            for table in ("routing_callers", "routing_partners")
        )
    except sqlite3.DatabaseError:
        return False  # no such table: nothing was migrated yet
    finally:
        connection.close()
