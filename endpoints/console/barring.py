"""Persons of the state login who are kept out until they are allowed again, whatever roles their claim says.

A local account is disabled instead. Nobody's session counts while its name stands here, so that no sign-in that is
under way at that moment gets through.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Column, Connection, String, Table, delete, insert, select

from errors import InvalidRequest, NotFound
from storage import Instant, metadata

barred = Table(
    "console_barred",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("barred_at", Instant, nullable=False),
    schema="console",
)


@dataclass(frozen=True, slots=True)
class Barred:
    """Who is kept out, and since when."""

    name: str
    since: datetime


def bar(connection: Connection, name: str, now: datetime) -> None:
    """Keep a person out. Raises: InvalidRequest when he is already."""
    if is_barred(connection, name):
        raise InvalidRequest("that person is barred already")
    connection.execute(insert(barred).values(name=name, barred_at=now))


def allow(connection: Connection, name: str) -> None:
    """Let a person sign in again. Raises: NotFound when he is not barred."""
    if not connection.execute(delete(barred).where(barred.c.name == name)).rowcount:
        raise NotFound("nobody of that name is barred")


def is_barred(connection: Connection, name: str) -> bool:
    """Whether a person is kept out."""
    return connection.execute(select(barred.c.name).where(barred.c.name == name)).first() is not None


def listed(connection: Connection) -> list[Barred]:
    """Everybody who is kept out, by name."""
    return [Barred(row.name, row.barred_at) for row in connection.execute(select(barred).order_by("name"))]
