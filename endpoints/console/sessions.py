"""Who is signed in at the console: rows that all processes share, found by the digest of what the browser holds.

A session ends when it was not used for half an hour, after eight hours at the latest, and at once when the account is
disabled, its role or password changes, or its person is barred.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Row,
    String,
    Table,
    delete,
    insert,
    or_,
    select,
    update,
)

from endpoints.console.barring import barred
from endpoints.console.roles import Role
from endpoints.console.visit import SignedIn
from storage import Instant, metadata

IDLE = timedelta(minutes=30)
LONGEST = timedelta(hours=8)
# A page seen within this time of the one before is no news.
_NEWS = timedelta(minutes=1)

sessions = Table(
    "console_sessions",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("name", String(100), nullable=False, index=True),
    Column("role", String(20), nullable=False),
    Column("csrf", String(64), nullable=False),
    Column("began_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    # From which it was used last.
    Column("address", String(64), nullable=False, server_default=""),
    Column("confined", Boolean, nullable=False, server_default="0"),
    schema="console",
)


@dataclass(frozen=True, slots=True)
class Held:
    """A session as its owner and administrators see it; nobody signs in with its digest."""

    digest: str
    name: str
    role: Role
    since: datetime
    seen: datetime
    address: str


def begin(
    connection: Connection,
    name: str,
    role: Role,
    now: datetime,
    *,
    address: str = "",
    confined: bool = False,
) -> str:
    """Begin a session; what is returned goes into the browser's cookie and is kept as a digest only.

    A confined one opens the page of the own account and nothing else.
    """
    token = secrets.token_urlsafe(32)
    connection.execute(
        delete(sessions).where(or_(sessions.c.began_at < now - LONGEST, sessions.c.seen_at < now - IDLE))
    )
    connection.execute(
        insert(sessions).values(
            digest=_digest(token),
            name=name,
            role=role.value,
            csrf=secrets.token_urlsafe(32),
            began_at=now,
            seen_at=now,
            address=address,
            confined=confined,
        )
    )
    return token


def find(connection: Connection, token: str, now: datetime) -> SignedIn | None:
    """Whose session it is, while it lasts."""
    rows = _lasting(connection, now, sessions.c.digest == _digest(token))
    if not rows:
        return None
    row = rows[0]
    return SignedIn(
        name=row.name,
        role=Role(row.role),
        csrf=row.csrf,
        since=row.began_at,
        seen=row.seen_at,
        expires=min(row.began_at + LONGEST, row.seen_at + IDLE),
        session=row.digest,
        address=row.address,
        confined=row.confined,
    )


def lasting(connection: Connection, now: datetime, name: str = "") -> list[Held]:
    """The sessions that last, of one name or of everybody, the newest first."""
    rows = _lasting(connection, now, *([sessions.c.name == name] if name else []))
    return [
        Held(row.digest, row.name, Role(row.role), row.began_at, row.seen_at, row.address) for row in rows
    ]


def is_news(user: SignedIn, address: str, now: datetime) -> bool:
    """Whether it must be noted that the session is used, and from where."""
    return address != user.address or now - user.seen > _NEWS


def note(connection: Connection, token: str, address: str, now: datetime) -> None:
    """The session is used, from an address."""
    used = {"seen_at": now, "address": address}
    connection.execute(update(sessions).where(sessions.c.digest == _digest(token)).values(**used))


def end(connection: Connection, token: str) -> None:
    """End a session."""
    connection.execute(delete(sessions).where(sessions.c.digest == _digest(token)))


def end_all_of(connection: Connection, name: str, but: str = "") -> int:
    """End every session of somebody, but the one of a digest; how many."""
    return connection.execute(
        delete(sessions).where(sessions.c.name == name, sessions.c.digest != but)
    ).rowcount


def _lasting(connection: Connection, now: datetime, *of: ColumnElement[bool]) -> list[Row[Any]]:
    query = (
        select(sessions)
        .where(
            sessions.c.began_at > now - LONGEST,
            sessions.c.seen_at > now - IDLE,
            sessions.c.name.not_in(select(barred.c.name)),
            *of,
        )
        .order_by(sessions.c.began_at.desc(), sessions.c.digest)
    )
    return list(connection.execute(query))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
