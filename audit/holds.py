"""Legal holds: exchanges whose values and exact bytes are kept beyond their retention, until the hold is released.

The bytes of a held exchange are sealed anew under a data key of the hold, so that destroying the key of their month
leaves them.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, insert, select, text, update

from audit.archive import Archive
from audit.tables import archive_held, archive_holds, log_records
from errors import InvalidRequest, NotFound
from storage import database_now, upsert

# The key of the advisory lock under which holds are made and erasures are done ("erasing" in ASCII).
_LOCK = 0x65726173696E67


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold and how many exchanges it keeps; `released_at` None: it stands."""

    name: str
    made_at: datetime
    released_at: datetime | None
    exchanges: int


def exclusively(connection: Connection) -> None:
    """Until the transaction ends, nobody else makes a hold or erases; SQLite has one writer at a time anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def held(connection: Connection, exchanges: Sequence[str]) -> set[str]:
    """Those of the exchanges that a standing hold keeps."""
    statement = (
        select(archive_held.c.exchange_id)
        .join(archive_holds, archive_holds.c.name == archive_held.c.hold)
        .where(archive_held.c.exchange_id.in_(exchanges), archive_holds.c.released_at.is_(None))
    )
    return set(connection.execute(statement).scalars())


def begin(connection: Connection, name: str) -> None:
    """Make a hold, or find the one of that name to put more under it.

    Raises: InvalidRequest when it was released.
    """
    exclusively(connection)
    begun = upsert(connection, archive_holds).values(name=name, made_at=database_now(connection))
    connection.execute(begun.on_conflict_do_nothing(index_elements=["name"]))
    released = select(archive_holds.c.released_at).where(archive_holds.c.name == name)
    if connection.execute(released).scalar_one() is not None:
        raise InvalidRequest(f"the hold {name} was released; give the new one another name")


def put_under(connection: Connection, archive: Archive, name: str, exchanges: Iterable[str]) -> int:
    """Put exchanges under a hold, their bytes under its key, and say how many were not under it before.

    Raises: NotFound naming one that the log does not know.
    """
    there = select(archive_held.c.exchange_id).where(archive_held.c.hold == name)
    before = set(connection.execute(there).scalars())
    added = [one for one in dict.fromkeys(exchanges) if one not in before]
    for exchange_id in added:
        known = select(log_records.c.id).where(log_records.c.exchange_id == exchange_id).limit(1)
        if connection.execute(known).first() is None:
            raise NotFound(f"exchange {exchange_id}")
        connection.execute(insert(archive_held).values(hold=name, exchange_id=exchange_id))
        archive.put_under_hold(connection, uuid.UUID(exchange_id), name)
    return len(added)


def release(connection: Connection, name: str) -> int:
    """End a hold and say how many exchanges it kept: what is past its retention goes with the next erasure.

    Raises: NotFound.
    """
    exclusively(connection)
    ended = connection.execute(
        update(archive_holds)
        .where(archive_holds.c.name == name, archive_holds.c.released_at.is_(None))
        .values(released_at=database_now(connection))
    )
    if not ended.rowcount:
        raise NotFound(f"a standing hold {name}")
    return connection.execute(
        select(func.count()).select_from(archive_held).where(archive_held.c.hold == name)
    ).scalar_one()


def every(connection: Connection) -> list[Hold]:
    """All holds, the newest first."""
    statement = (
        select(
            archive_holds.c.name,
            archive_holds.c.made_at,
            archive_holds.c.released_at,
            func.count(archive_held.c.exchange_id).label("number"),
        )
        .outerjoin(archive_held, archive_held.c.hold == archive_holds.c.name)
        .group_by(archive_holds.c.name, archive_holds.c.made_at, archive_holds.c.released_at)
        .order_by(archive_holds.c.made_at.desc(), archive_holds.c.name)
    )
    return [Hold(row.name, row.made_at, row.released_at, row.number) for row in connection.execute(statement)]
