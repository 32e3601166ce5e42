"""How far the clock of this host is from the one that all hosts share, the database's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection

from exchange import utc_now
from storage import database_now


def offset(connection: Connection, clock: Callable[[], datetime] = utc_now) -> float:
    """Seconds by which this host is ahead of the database, negative when behind; with SQLite there is one clock."""
    if connection.dialect.name != "postgresql":
        return 0.0
    before = clock()
    theirs = database_now(connection)
    after = clock()
    return (before + (after - before) / 2 - theirs).total_seconds()
