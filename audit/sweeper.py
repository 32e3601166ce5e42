"""Closes orphans: an exchange that was opened and whose process died before its outcome becomes `unknown`.

Source: docs/adr/0003; the outcomes in docs/interfaces.md.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection, Engine, Exists, Select, exists, select

from audit.leaf import Entry, Kind
from audit.log import ExchangeLog
from audit.tables import log_records
from exchange import Json, Outcome, instant_text, utc_now
from storage import reading


class Sweeper:
    """Looks for orphans older than `grace`: longer than any exchange may take.

    Several may run: whether an exchange is still open is asked again in the transaction that closes it.
    """

    def __init__(self, engine: Engine, log: ExchangeLog, grace: timedelta) -> None:
        self._engine = engine
        self._log = log
        self._grace = grace
        self._since = ""

    def sweep(self, now: datetime | None = None) -> int:
        """Close what is orphaned and say how many there were.

        Raises: LogUnavailable, and the errors of the database.
        """
        until = instant_text((now or utc_now()) - self._grace)
        closed = 0
        for one in self.orphans(until):
            closed += self._log.commit(partial(self._close, exchange_id=one))
        self._since = until
        return closed

    def orphans(self, until: str) -> list[str]:
        """The exchanges that were opened before an instant (its text) and have no outcome."""
        with reading(self._engine).begin() as connection:
            return list(connection.execute(_open_between(self._since, until)).scalars())

    def _close(self, connection: Connection, exchange_id: str) -> int:
        if connection.execute(select(_outcome_of(exchange_id))).scalar_one():
            return 0
        facts: dict[str, Json] = {"outcome": Outcome.UNKNOWN.value, "code": "orphaned", "attempts": 0}
        self._log.append(connection, Entry(Kind.OUTCOME, uuid.UUID(exchange_id), utc_now(), facts))
        return 1


def _open_between(since: str, until: str) -> Select[str]:
    later = log_records.alias()
    return select(log_records.c.exchange_id).where(
        log_records.c.kind == Kind.OPENED.value,
        log_records.c.instant >= since,
        log_records.c.instant < until,
        ~exists().where(later.c.exchange_id == log_records.c.exchange_id, later.c.kind == Kind.OUTCOME.value),
    )


def _outcome_of(exchange_id: str) -> Exists:
    return exists().where(log_records.c.exchange_id == exchange_id, log_records.c.kind == Kind.OUTCOME.value)
