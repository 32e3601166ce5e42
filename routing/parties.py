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
from sqlalchemy import (
    BindParameter,
    Column,
    ColumnElement,
    Connection,
    Row,
    String,
    Table,
    Text,
    and_,
    bindparam,
    insert,
    or_,
    select,
    update,
)

from errors import InvalidRequest, NotFound
from exchange import Caller, utc_now
from routing.agreements import SignatureProfile, terms
from security.keys import fingerprint
from storage import Instant, metadata
from storage.statements import Statement

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

# A partner has several certificates while one replaces another. One that retires is refused from that instant on.
partners = Table(
    "routing_partners",
    metadata,
    Column("fingerprint", String(64), primary_key=True),
    Column("name", String(100), nullable=False, index=True),
    Column("recipient", String(100), nullable=False),
    Column("certificate", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("disabled_at", Instant),
    Column("retires_at", Instant),
    schema="routing",
)


def _active(now: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    return and_(
        partners.c.disabled_at.is_(None), or_(partners.c.retires_at.is_(None), partners.c.retires_at > now)
    )


_FIND_PARTNER = Statement(
    select(partners.c.name, partners.c.recipient, terms.c.signature_profile)
    .select_from(partners.outerjoin(terms, terms.c.partner == partners.c.name))
    .where(partners.c.fingerprint == bindparam("fingerprint"), _active(bindparam("now", type_=Instant)))
)


@dataclass(frozen=True, slots=True)
class Partner:
    """One certificate of a partner agency. `disabled`: it is refused; `retires_at`: it will be, from then on."""

    name: str
    recipient: str
    fingerprint: str
    certificate: x509.Certificate
    disabled: bool
    retires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SigningPartner(Caller):
    """A partner that a certificate was found for, and how its messages are signed."""

    signature_profile: SignatureProfile = SignatureProfile.FULL


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
    held = connection.execute(select(partners).where(partners.c.fingerprint == mark)).first()
    if held and (held.name != name or not _disabled(held, now)):
        raise InvalidRequest("the certificate is registered already")
    known = connection.execute(select(partners.c.recipient).where(partners.c.name == name)).first()
    if known and known.recipient != recipient:
        raise InvalidRequest(f"the partner {name} is registered as recipient {known.recipient}")
    if held:
        connection.execute(
            update(partners).where(partners.c.fingerprint == mark).values(disabled_at=None, retires_at=None)
        )
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
        .where(partners.c.name == name, _active(now), partners.c.fingerprint != keep)
        .values(disabled_at=now)
    )
    if not changed.rowcount:
        raise NotFound("no active partner of that name")
    return int(changed.rowcount)


def retire_partner(connection: Connection, name: str, at: datetime, now: datetime, *, keep: str) -> int:
    """Refuse a partner's certificates from an instant on, all but the one whose fingerprint is `keep`; how many."""
    changed = connection.execute(
        update(partners)
        .where(partners.c.name == name, _active(now), partners.c.fingerprint != keep)
        .values(retires_at=at)
    )
    return int(changed.rowcount)


def find_partner(
    connection: Connection, certificate: x509.Certificate, now: datetime | None = None
) -> SigningPartner | None:
    """The active partner that a certificate is registered for, now unless another instant is given."""
    row = _FIND_PARTNER.first(connection, fingerprint=fingerprint(certificate), now=now or utc_now())
    if row is None:
        return None
    return SigningPartner(
        row.name, row.recipient, SignatureProfile(row.signature_profile or SignatureProfile.FULL)
    )


def may_sign_less(connection: Connection, certificate: x509.Certificate, now: datetime | None = None) -> bool:
    """Whether a certificate is of an active partner whose addressing headers need not be signed."""
    partner = find_partner(connection, certificate, now)
    return partner is not None and partner.signature_profile is SignatureProfile.BODY_TIMESTAMP


def list_partners(connection: Connection, now: datetime | None = None) -> list[Partner]:
    """Every certificate of every partner, by name, as they are now unless another instant is given."""
    rows = connection.execute(select(partners).order_by(partners.c.name, partners.c.created_at))
    return [_partner(row, now or utc_now()) for row in rows]


def _disabled(row: Row[tuple[object, ...]], now: datetime) -> bool:
    """What `_active` says, of a row that was read."""
    return row.disabled_at is not None or (row.retires_at is not None and row.retires_at <= now)


def _partner(row: Row[tuple[object, ...]], now: datetime) -> Partner:
    certificate = x509.load_pem_x509_certificate(row.certificate.encode())
    disabled = _disabled(row, now)
    return Partner(
        row.name,
        row.recipient,
        row.fingerprint,
        certificate,
        disabled,
        None if disabled else row.retires_at,
    )


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
