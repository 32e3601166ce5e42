"""The registered callers (SPOLIS core, by key) and partners (agencies, by certificate).

Both live in the database, so that one that is disabled is refused at once by all processes. Keys are random and kept
as a digest only.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Column, Connection, Row, String, Table, Text, insert, select, update

from errors import InvalidRequest, NotFound
from exchange import Caller
from security.keys import fingerprint
from storage import Instant, metadata

callers = Table(
    "routing_callers",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("recipient", String(100), nullable=False),
    Column("key_digest", String(64), nullable=False, unique=True),
    Column("created_at", Instant, nullable=False),
    Column("disabled_at", Instant),
    schema="routing",
)

# A partner has several certificates while one replaces another.
partners = Table(
    "routing_partners",
    metadata,
    Column("fingerprint", String(64), primary_key=True),
    Column("name", String(100), nullable=False, index=True),
    Column("recipient", String(100), nullable=False),
    Column("certificate", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("disabled_at", Instant),
    schema="routing",
)


@dataclass(frozen=True, slots=True)
class Partner:
    """One certificate of a partner agency."""

    name: str
    recipient: str
    fingerprint: str
    certificate: x509.Certificate
    disabled: bool


def add_caller(connection: Connection, name: str, recipient: str, now: datetime) -> str:
    """Register a caller and return its key, which is shown this once and kept as a digest only.

    Raises: InvalidRequest when the name is taken.
    """
    if connection.execute(select(callers.c.name).where(callers.c.name == name)).first():
        raise InvalidRequest(f"the caller {name} exists; disable it or choose another name")
    key = f"spolis_{secrets.token_urlsafe(32)}"
    connection.execute(
        insert(callers).values(name=name, recipient=recipient, key_digest=_digest(key), created_at=now)
    )
    return key


def disable_caller(connection: Connection, name: str, now: datetime) -> None:
    """Refuse a caller's key from now on.

    Raises: NotFound.
    """
    changed = connection.execute(
        update(callers).where(callers.c.name == name, callers.c.disabled_at.is_(None)).values(disabled_at=now)
    )
    if not changed.rowcount:
        raise NotFound("no active caller of that name")


def find_caller(connection: Connection, key: str) -> Caller | None:
    """The active caller that a key belongs to."""
    row = connection.execute(
        select(callers.c.name, callers.c.recipient).where(
            callers.c.key_digest == _digest(key), callers.c.disabled_at.is_(None)
        )
    ).first()
    return Caller(row.name, row.recipient) if row else None


def list_callers(connection: Connection) -> list[tuple[str, str, bool]]:
    """Name, recipient and whether disabled, by name."""
    rows = connection.execute(select(callers).order_by(callers.c.name))
    return [(row.name, row.recipient, row.disabled_at is not None) for row in rows]


def add_partner(
    connection: Connection, name: str, recipient: str, certificate: x509.Certificate, now: datetime
) -> Partner:
    """Register a certificate of a partner; a partner may have several, for rollover. A disabled one is taken up again.

    Raises: InvalidRequest when the certificate is in use already, or the partner under another recipient.
    """
    mark = fingerprint(certificate)
    held = connection.execute(
        select(partners.c.name, partners.c.disabled_at).where(partners.c.fingerprint == mark)
    ).first()
    if held and (held.name != name or held.disabled_at is None):
        raise InvalidRequest("the certificate is registered already")
    known = connection.execute(select(partners.c.recipient).where(partners.c.name == name)).first()
    if known and known.recipient != recipient:
        raise InvalidRequest(f"the partner {name} is registered as recipient {known.recipient}")
    if held:
        connection.execute(update(partners).where(partners.c.fingerprint == mark).values(disabled_at=None))
        return Partner(name, recipient, mark, certificate, disabled=False)
    pem = certificate.public_bytes(Encoding.PEM).decode()
    connection.execute(
        insert(partners).values(
            fingerprint=mark, name=name, recipient=recipient, certificate=pem, created_at=now
        )
    )
    return Partner(name, recipient, mark, certificate, disabled=False)


def disable_partner(connection: Connection, name: str, now: datetime, *, keep: str = "") -> int:
    """Refuse a partner's certificates from now on, all but the one whose fingerprint is `keep`.

    Raises: NotFound when it has no active certificate.
    """
    changed = connection.execute(
        update(partners)
        .where(partners.c.name == name, partners.c.disabled_at.is_(None), partners.c.fingerprint != keep)
        .values(disabled_at=now)
    )
    if not changed.rowcount:
        raise NotFound("no active partner of that name")
    return int(changed.rowcount)


def find_partner(connection: Connection, certificate: x509.Certificate) -> Caller | None:
    """The active partner that a certificate is registered for."""
    row = connection.execute(
        select(partners.c.name, partners.c.recipient).where(
            partners.c.fingerprint == fingerprint(certificate), partners.c.disabled_at.is_(None)
        )
    ).first()
    return Caller(row.name, row.recipient) if row else None


def list_partners(connection: Connection) -> list[Partner]:
    """Every certificate of every partner, by name."""
    return [_partner(row) for row in connection.execute(select(partners).order_by(partners.c.name))]


def _partner(row: Row[tuple[object, ...]]) -> Partner:
    certificate = x509.load_pem_x509_certificate(row.certificate.encode())
    return Partner(row.name, row.recipient, row.fingerprint, certificate, row.disabled_at is not None)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
