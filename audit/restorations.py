"""A database that was loaded from a backup says so, and nothing is written to its log until it is recovered."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from audit.tables import restorations
from storage import database_now


@dataclass(frozen=True, slots=True)
class Restoration:
    """When the backup was made and loaded, and the size of the log's tree in it."""

    made_at: datetime
    size: int
    restored_at: datetime


def mark(connection: Connection, made_at: datetime, size: int) -> None:
    """Say that this database was loaded from a backup."""
    now = database_now(connection)
    connection.execute(
        insert(restorations).values(id=uuid.uuid4(), made_at=made_at, size=size, restored_at=now)
    )


def open_one(connection: Connection) -> Restoration | None:
    """The load that no recovery has followed yet; of several the last."""
    row = connection.execute(
        select(restorations.c.made_at, restorations.c.size, restorations.c.restored_at)
        .where(restorations.c.recovered_at.is_(None))
        .order_by(restorations.c.restored_at.desc())
        .limit(1)
    ).first()
    return None if row is None else Restoration(row.made_at, row.size, row.restored_at)


def settle(connection: Connection) -> None:
    """Say that the recovery has followed."""
    connection.execute(
        update(restorations)
        .where(restorations.c.recovered_at.is_(None))
        .values(recovered_at=database_now(connection))
    )
