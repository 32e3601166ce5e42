"""Who is signed in at the console: rows that all processes share, found by the digest of what the browser holds.

A session ends when it was not used for half an hour, after eight hours at the latest, and at once when the account is
disabled or its role changes.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from sqlalchemy import Column, Connection, String, Table, delete, insert, or_, select, update

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
    schema="console",
)


def begin(connection: Connection, name: str, role: Role, now: datetime) -> str:
    """Begin a session; what is returned goes into the browser's cookie and is kept as a digest only."""
    token = secrets.token_urlsafe(32)
    over = or_(sessions.c.began_at < now - LONGEST, sessions.c.seen_at < now - IDLE)
    connection.execute(delete(sessions).where(over))
    connection.execute(
        insert(sessions).values(
            digest=_digest(token),
            name=name,
            role=role.value,
            csrf=secrets.token_urlsafe(32),
            began_at=now,
            seen_at=now,
        )
    )
    return token


def find(connection: Connection, token: str, now: datetime) -> SignedIn | None:
    """Whose session it is, while it lasts."""
    row = connection.execute(
        select(sessions).where(
            sessions.c.digest == _digest(token),
            sessions.c.began_at > now - LONGEST,
            sessions.c.seen_at > now - IDLE,
        )
    ).first()
    if row is None:
        return None
    expires = min(row.began_at + LONGEST, row.seen_at + IDLE)
    return SignedIn(row.name, Role(row.role), row.csrf, row.began_at, row.seen_at, expires)


def is_news(user: SignedIn, now: datetime) -> bool:
    """Whether it must be noted that the session is used."""
    return now - user.seen > _NEWS


def note(connection: Connection, token: str, now: datetime) -> None:
    """The session is used."""
    connection.execute(update(sessions).where(sessions.c.digest == _digest(token)).values(seen_at=now))


def end(connection: Connection, token: str) -> None:
    """End a session."""
    connection.execute(delete(sessions).where(sessions.c.digest == _digest(token)))


def end_all_of(connection: Connection, name: str) -> None:
    """End every session of somebody."""
    connection.execute(delete(sessions).where(sessions.c.name == name))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
