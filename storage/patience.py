"""Connections to PostgreSQL that never hang: a server that has stopped is noticed by its silence.

A server that is stopped or frozen still has its connections held open and its packets acknowledged by the kernel, so no
time-out of TCP or of the server itself ends the wait; the client has to look at the clock.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any, TypeVar

import psycopg
from psycopg import errors
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

T = TypeVar("T")

CONNECT_SECONDS = 5
# Whoever stands still in a transaction, stopped or cut off, holds locks that others need no longer than this.
_IDLE_SECONDS = 20
# Beyond the time that the server itself allows a statement, so that it can still say so.
_GRACE_SECONDS = 1.0


class SilentServer(psycopg.OperationalError):
    """The server has not said a word for longer than it is waited for."""


class PatientConnection(psycopg.Connection[Any]):
    """A connection that is given up when the server is silent for `patience` seconds in the middle of something."""

    patience: float | None = None

    def wait(self, gen: Generator[Any, Any, T], interval: float = 0.1, timeout: float | None = None) -> T:
        """As psycopg's own. A wait with a time-out is for notifications, where silence means nothing."""
        if self.patience is None or timeout is not None:
            return super().wait(gen, interval, timeout)
        return super().wait(self._watched(gen, self.patience), interval)

    def _watched(self, gen: Generator[Any, Any, T], patience: float) -> Generator[Any, Any, T]:
        heard = time.monotonic()
        try:
            awaited = next(gen)
            while True:
                ready = yield awaited
                now = time.monotonic()
                if ready:
                    heard = now
                elif now - heard > patience:
                    gen.close()
                    # Nothing more is said on it, not even a rollback, which would hang too.
                    self.pgconn.finish()
                    raise SilentServer(f"nothing heard for {patience:.0f} s")
                awaited = gen.send(ready)
        except StopIteration as end:
            result: T = end.value
            return result


def is_silence(error: BaseException) -> bool:
    """Whether an error of SQLAlchemy stands for a database that does not answer: another would wait as long for it."""
    return isinstance(error, DBAPIError) and isinstance(error.orig, SilentServer)


def connect(patience: float | None, *args: Any, **kwargs: Any) -> PatientConnection:
    """Connect, within a time of its own. Raises: SilentServer."""
    try:
        connection = PatientConnection.connect(*args, **kwargs)
    except errors.ConnectionTimeout as error:
        raise SilentServer("no connection in time") from error
    connection.patience = None if patience is None else patience + _GRACE_SECONDS
    return connection


def arguments(url: URL, patience: float | None) -> dict[str, object]:
    """What a connection is opened with, except where the URL says otherwise.

    A host that is gone is noticed by the kernel in about 20 s at most, whatever `patience` is. With it, a statement is
    ended by the server after so many seconds; a commit never is.
    """
    known: dict[str, object] = {
        "connect_timeout": CONNECT_SECONDS,
        "keepalives_idle": 10,
        "keepalives_interval": 3,
        "keepalives_count": 3,
        "tcp_user_timeout": 15_000,
    }
    if patience is not None:
        known["options"] = (
            f"-c statement_timeout={int(patience * 1000)}"
            f" -c idle_in_transaction_session_timeout={_IDLE_SECONDS * 1000}"
        )
    return {name: value for name, value in known.items() if name not in url.query}
