"""One load at a time: a lock that ends with the process that holds it, however that ends."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, func, select

from errors import Busy

# Any number will do as long as it stays: the key of the advisory lock on PostgreSQL ("varis" in ASCII).
_KEY = 0x7661726973


@contextmanager
def alone(connection: Connection) -> Iterator[None]:
    """Hold the lock; `connection` must live as long as the block, since on PostgreSQL the lock is its own.

    On SQLite, which one host has, it is a lock on a file beside the database.
    Raises: Busy when another load is under way.
    """
    if connection.dialect.name == "postgresql":
        with connection.begin():
            held = connection.execute(select(func.pg_try_advisory_lock(_KEY))).scalar_one()
        if not held:
            raise Busy("another edition is being loaded", retry_after=60)
        try:
            yield
        finally:
            with connection.begin():
                connection.execute(select(func.pg_advisory_unlock(_KEY)))
        return
    database = connection.engine.url.database
    if not database:
        yield
        return
    with Path(f"{database}.edition-lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Busy("another edition is being loaded", retry_after=60) from error
        yield
