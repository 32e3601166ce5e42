"""The exact bytes received and sent, compressed and encrypted, for as long as their retention class is kept.

A data key serves one month and one retention class: destroying it erases all of them at once.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import Connection, insert, select

from audit.log import ExchangeLog
from audit.tables import archive_keys, archive_payloads
from config import Settings
from errors import ConfigurationError, GatewayFailure, NotFound
from security import payloads
from security.keys import load_secret
from storage import upsert
from storage.statements import Statement

RETENTION = "exchange"

# Between the retention class of a key that nothing opened, and the day on which it was set aside.
LOST = " lost "

_INSERT = Statement(insert(archive_payloads))


class Archive:
    """Puts payloads in the caller's transaction and gets them back. Raises: ConfigurationError without master key."""

    def __init__(self, settings: Settings) -> None:
        self._master_key = load_secret(settings.keys / "master.key")
        # By the wrapped form and what it belongs to, never by month: a key whose row was rolled back is not found.
        self._opened: dict[tuple[bytes, bytes], bytes] = {}
        # Data keys whose rows are committed, by month and class.
        self._committed: dict[tuple[str, str], tuple[uuid.UUID, bytes]] = {}

    def begin_month(self, log: ExchangeLog, instant: datetime, retention: str = RETENTION) -> None:
        """See that the data key of the instant's month is committed, so that `put` need not look it up.

        Raises: LogUnavailable, Busy.
        """
        month = f"{instant.astimezone(UTC):%Y-%m}"
        if (month, retention) not in self._committed:
            found = log.commit(lambda connection: self._data_key(connection, month, retention))
            self._committed[month, retention] = found

    def put(
        self,
        connection: Connection,
        exchange_id: uuid.UUID,
        name: str,
        data: bytes,
        instant: datetime,
        retention: str = RETENTION,
    ) -> bytes:
        """Keep the exact bytes under (exchange, name), once, and return their SHA-256."""
        self.put_all(connection, exchange_id, {name: data}, instant, retention)
        return hashlib.sha256(data).digest()

    def put_all(
        self,
        connection: Connection,
        exchange_id: uuid.UUID,
        parts: Mapping[str, bytes],
        instant: datetime,
        retention: str = RETENTION,
    ) -> None:
        """Keep several payloads of one exchange by their names, in one statement."""
        if not parts:
            return
        month = f"{instant.astimezone(UTC):%Y-%m}"
        key_id, key = self._committed.get((month, retention)) or self._data_key(connection, month, retention)
        _INSERT.run_each(
            connection,
            (
                {
                    "exchange_id": exchange_id,
                    "name": name,
                    "key_id": key_id,
                    "digest": hashlib.sha256(data).digest(),
                    "sealed": payloads.seal(data, key, associated=_place(exchange_id, name)),
                }
                for name, data in parts.items()
            ),
        )

    def get(self, connection: Connection, exchange_id: uuid.UUID, name: str) -> bytes:
        """The bytes as they were put.

        Raises: NotFound, GatewayFailure when the row or its key was changed.
        """
        row = connection.execute(
            select(
                archive_payloads.c.digest,
                archive_payloads.c.sealed,
                archive_keys.c.month,
                archive_keys.c.retention,
                archive_keys.c.wrapped,
            )
            .join(archive_keys, archive_keys.c.id == archive_payloads.c.key_id)
            .where(archive_payloads.c.exchange_id == exchange_id, archive_payloads.c.name == name)
        ).first()
        if row is None:
            raise NotFound("payload")
        key = self._open(row.wrapped, row.month, row.retention.partition(LOST)[0])
        data = payloads.open_(row.sealed, key, associated=_place(exchange_id, name))
        if hashlib.sha256(data).digest() != row.digest:
            raise GatewayFailure("a stored payload does not match its digest")
        return data

    def names(self, connection: Connection, exchange_id: uuid.UUID) -> list[str]:
        """What is kept of an exchange.

        Raises: NotFound when nothing is.
        """
        found = connection.execute(
            select(archive_payloads.c.name)
            .where(archive_payloads.c.exchange_id == exchange_id)
            .order_by(archive_payloads.c.name)
        ).scalars()
        names = list(found)
        if not names:
            raise NotFound("payloads of that exchange")
        return names

    def _data_key(self, connection: Connection, month: str, retention: str) -> tuple[uuid.UUID, bytes]:
        statement = select(archive_keys.c.id, archive_keys.c.wrapped).where(
            archive_keys.c.month == month, archive_keys.c.retention == retention
        )
        row = connection.execute(statement).first()
        if row is None:
            wrapped = payloads.wrap(
                payloads.new_data_key(), self._master_key, associated=_class(month, retention)
            )
            connection.execute(
                upsert(connection, archive_keys)
                .values(id=uuid.uuid4(), month=month, retention=retention, wrapped=wrapped)
                .on_conflict_do_nothing(index_elements=["month", "retention"])
            )
            row = connection.execute(statement).one()
        return row.id, self._open(row.wrapped, month, retention)

    def _open(self, wrapped: bytes, month: str, retention: str) -> bytes:
        associated = _class(month, retention)
        key = self._opened.get((wrapped, associated))
        if key is None:
            key = payloads.unwrap(wrapped, self._master_key, associated=associated)
            self._opened[wrapped, associated] = key
        return key


def unopened(connection: Connection, master_key: bytes) -> list[tuple[uuid.UUID, str]]:
    """Id and month of every data key that this master key does not open; those set aside as lost are left out."""
    rows = connection.execute(
        select(archive_keys.c.id, archive_keys.c.month, archive_keys.c.retention, archive_keys.c.wrapped)
        .where(~archive_keys.c.retention.contains(LOST))
        .order_by(archive_keys.c.month)
    ).all()
    found = []
    for row in rows:
        try:
            payloads.unwrap(row.wrapped, master_key, associated=_class(row.month, row.retention))
        except ConfigurationError:
            found.append((row.id, row.month))
    return found


def _place(exchange_id: uuid.UUID, name: str) -> bytes:
    return f"{exchange_id}/{name}".encode()


def _class(month: str, retention: str) -> bytes:
    return f"{month}/{retention}".encode()
