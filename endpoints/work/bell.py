"""Wakes the workers of a process when something is due: by PostgreSQL's NOTIFY, and by looking now and then."""

from __future__ import annotations

import threading
from contextlib import suppress

import psycopg
from sqlalchemy.engine import make_url

from routing.outbox import CHANNEL

_LISTEN_SECONDS = 1.0


class Bell:
    """Rung by any process that queues or settles; without PostgreSQL it never rings, and whoever waits looks again."""

    def __init__(self, database_url: str) -> None:
        url = make_url(database_url)
        self.rings = url.get_backend_name() == "postgresql"
        self._dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._rung = threading.Condition()
        self._connection: psycopg.Connection | None = None

    def wait(self, seconds: float) -> None:
        """Wait until it rings, `seconds` at most."""
        with self._rung:
            self._rung.wait(seconds)

    def ring(self) -> None:
        """Wake everybody in this process."""
        with self._rung:
            self._rung.notify_all()

    def listen(self, stop: threading.Event) -> float:
        """One step of the loop that listens. A broken connection is opened anew by the next step.

        Raises: psycopg.Error while the database is away.
        """
        if self._connection is None:
            self._connection = psycopg.connect(self._dsn, autocommit=True, connect_timeout=5)
            self._connection.execute(f"LISTEN {CHANNEL}")
            self.ring()
        try:
            for _notice in self._connection.notifies(timeout=_LISTEN_SECONDS, stop_after=1):
                self.ring()
        except psycopg.Error:
            self.close()
            raise
        if stop.is_set():
            self.close()
        return 0.0

    def close(self) -> None:
        """Let go of the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                connection.close()
