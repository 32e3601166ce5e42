"""The exact bytes received and sent, compressed and encrypted, for as long as their retention class is kept.

A data key serves one month and one retention class: destroying it erases all of them at once.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial

from sqlalchemy import Connection, func, insert, select, update

from audit import retention as classes
from audit.log import ExchangeLog
from audit.tables import archive_keys, archive_payloads
from config import Settings
from errors import ConfigurationError, GatewayFailure, NotFound
from security import payloads
from security.masters import MasterKeys
from storage import upsert
from storage.statements import Row, Statement

RETENTION = classes.EXCHANGE

# In the place of a month: the key is that of a legal hold, and its retention class the hold's name.
HOLD = "hold"

# Held while data keys are wrapped, so that none is wrapped under a master key that is just being replaced ("wrapping").
_LOCK = 0x7772617070696E67

# Between the retention class of a key that nothing opened, and the day on which it was set aside.
LOST = " lost "

_INSERT = Statement(insert(archive_payloads))


class Archive:
    """Puts payloads in the caller's transaction and gets them back. Raises: ConfigurationError without master key."""

    def __init__(self, settings: Settings) -> None:
        self._master = MasterKeys(settings.keys)
        # By the wrapped form and what it belongs to, never by month: a key whose row was rolled back is not found.
        self._opened: dict[tuple[bytes, bytes], bytes] = {}
        # Data keys whose rows are committed, by month and class.
        self._committed: dict[tuple[str, str], tuple[uuid.UUID, bytes]] = {}

    def begin_month(self, log: ExchangeLog, instant: datetime) -> None:
        """See that the data keys of the instant's month are committed, so that `put` need not look them up.

        One for each class that an exchange can turn out to be of.
        Raises: LogUnavailable, Busy.
        """
        month = f"{instant.astimezone(UTC):%Y-%m}"
        for retention in classes.of_exchanges():
            if (month, retention) not in self._committed:
                found = log.commit(partial(self._data_key, month=month, retention=retention))
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

    def put_under_hold(self, connection: Connection, exchange_id: uuid.UUID, hold: str) -> None:
        """Seal what is kept of an exchange anew under the hold's own key; what another hold has already stays so.

        Raises: GatewayFailure when a row was changed. It needs the eraser's role.
        """
        rows = connection.execute(
            select(archive_payloads.c.name)
            .join(archive_keys, archive_keys.c.id == archive_payloads.c.key_id)
            .where(archive_payloads.c.exchange_id == exchange_id, archive_keys.c.month != HOLD)
        ).scalars()
        for name in list(rows):
            data = self.get(connection, exchange_id, name)
            key_id, key = self._data_key(connection, HOLD, hold)
            connection.execute(
                update(archive_payloads)
                .where(archive_payloads.c.exchange_id == exchange_id, archive_payloads.c.name == name)
                .values(key_id=key_id, sealed=payloads.seal(data, key, associated=_place(exchange_id, name)))
            )

    def _data_key(self, connection: Connection, month: str, retention: str) -> tuple[uuid.UUID, bytes]:
        statement = select(archive_keys.c.id, archive_keys.c.wrapped).where(
            archive_keys.c.month == month, archive_keys.c.retention == retention
        )
        row = connection.execute(statement).first()
        if row is None:
            wrapping(connection)
            wrapped = payloads.wrap(
                payloads.new_data_key(), self._master.current(), associated=_class(month, retention)
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
            key = self._master.unwrap(wrapped, associated=associated)
            self._opened[wrapped, associated] = key
        return key


def wrapping(connection: Connection) -> None:
    """Until the transaction ends, nobody else wraps a data key; SQLite has one writer at a time anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))


def unopened(connection: Connection, keys: MasterKeys) -> list[tuple[uuid.UUID, str]]:
    """Id and month of every data key that no master key opens; those set aside as lost are left out."""

    def opens(wrapped: bytes, associated: bytes) -> bool:
        try:
            keys.unwrap(wrapped, associated=associated)
        except ConfigurationError:
            return False
        return True

    return [(row.id, row.month) for row in _wrapped(connection) if not opens(row.wrapped, _class(*row[1:3]))]


def outdated(connection: Connection, current: bytes) -> int:
    """How many data keys another master key than the current one wraps; those that nothing opens are among them."""
    return sum(not _is_under(row, current) for row in _wrapped(connection))


def rewrap(connection: Connection, keys: MasterKeys, new: bytes) -> int:
    """Wrap every data key under the new master key and say how many it were; the keys themselves stay the same.

    The caller has taken `wrapping`. It needs the eraser's role.
    Raises: ConfigurationError when one opens under no master key that there is: nothing is changed then.
    """
    rows = [row for row in _wrapped(connection) if not _is_under(row, new)]
    for row in rows:
        associated = _class(row.month, row.retention)
        opened = keys.unwrap(row.wrapped, associated=associated)
        connection.execute(
            update(archive_keys)
            .where(archive_keys.c.id == row.id)
            .values(wrapped=payloads.wrap(opened, new, associated=associated))
        )
    return len(rows)


def _wrapped(connection: Connection) -> Sequence[Row]:
    return connection.execute(
        select(archive_keys.c.id, archive_keys.c.month, archive_keys.c.retention, archive_keys.c.wrapped)
        .where(~archive_keys.c.retention.contains(LOST))
        .order_by(archive_keys.c.month)
    ).all()


def _is_under(row: Row, master: bytes) -> bool:
    try:
        payloads.unwrap(row.wrapped, master, associated=_class(row.month, row.retention))
    except ConfigurationError:
        return False
    return True


def _place(exchange_id: uuid.UUID, name: str) -> bytes:
    return f"{exchange_id}/{name}".encode()


def _class(month: str, retention: str) -> bytes:
    return f"{month}/{retention}".encode()
