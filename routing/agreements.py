"""What is agreed with a partner agency, and the evidence of it: contract, and the promise of confidentiality.

Terms are as they are now. Evidence is only ever added to: the newest of its kind counts, what was before stays.
Source: p19 (contracts for the use of the system), p19.6 (confidentiality).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, Date, Integer, Row, String, Table, insert, select

from storage import Instant, metadata, upsert

# Working days ahead that a change of format is announced, unless another number is agreed.
NOTICE_DAYS = 30


class SignatureProfile(StrEnum):
    """What a partner's messages must be signed over; all but `full` is an exception for a stack that cannot."""

    FULL = "full"  # Timestamp, Body and every WS-Addressing header
    BODY_TIMESTAMP = "body-timestamp"


class EvidenceKind(StrEnum):
    """What a piece of evidence proves."""

    CONTRACT = "contract"
    CONFIDENTIALITY = "confidentiality"


terms = Table(
    "routing_partner_terms",
    metadata,
    Column("partner", String(100), primary_key=True),
    Column("contact", String(254)),
    Column("notice_days", Integer, nullable=False),
    Column("signature_profile", String(20), nullable=False),
    schema="routing",
)
evidence = Table(
    "routing_partner_evidence",
    metadata,
    Column("position", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("partner", String(100), nullable=False, index=True),
    Column("kind", String(20), nullable=False),
    Column("number", String(100)),
    Column("signed_on", Date, nullable=False),
    Column("valid_until", Date),
    Column("reference", String(200), nullable=False),
    Column("sha256", String(64)),
    Column("recorded_at", Instant, nullable=False),
    schema="routing",
)


@dataclass(frozen=True, slots=True)
class Terms:
    """What is agreed with a partner: whom to write to, how long ahead (working days), how its messages are signed."""

    contact: str | None = None
    notice_days: int = NOTICE_DAYS
    signature_profile: SignatureProfile = SignatureProfile.FULL


@dataclass(frozen=True, slots=True)
class Evidence:
    """One document: where it is kept and, if it was at hand, its SHA-256. Without `valid_until` it has no end."""

    kind: EvidenceKind
    signed_on: date
    reference: str
    number: str | None = None
    valid_until: date | None = None
    sha256: str | None = None

    def holds(self, day: date) -> bool:
        """Whether it is in force on a day."""
        return self.signed_on <= day and (self.valid_until is None or day <= self.valid_until)


def terms_of(connection: Connection, partner: str) -> Terms:
    """The terms of a partner; those of every partner where nothing else was agreed."""
    row = connection.execute(select(terms).where(terms.c.partner == partner)).first()
    return Terms() if row is None else _terms(row)


def every_terms(connection: Connection) -> dict[str, Terms]:
    """The terms of those partners with whom something was agreed, by name."""
    return {row.partner: _terms(row) for row in connection.execute(select(terms))}


def every_evidence(connection: Connection) -> dict[str, tuple[Evidence, ...]]:
    """Every document of every partner that has one, by name, the oldest first."""
    found: dict[str, list[Evidence]] = defaultdict(list)
    for row in connection.execute(select(evidence).order_by(evidence.c.position)):
        found[row.partner].append(_evidence(row))
    return {name: tuple(held) for name, held in found.items()}


def set_terms(connection: Connection, partner: str, agreed: Terms) -> None:
    """Keep the terms of a partner in place of those before."""
    values = {
        "contact": agreed.contact,
        "notice_days": agreed.notice_days,
        "signature_profile": agreed.signature_profile.value,
    }
    connection.execute(
        upsert(connection, terms)
        .values(partner=partner, **values)
        .on_conflict_do_update(index_elements=[terms.c.partner], set_=values)
    )


def add_evidence(connection: Connection, partner: str, found: Iterable[Evidence], now: datetime) -> None:
    """Add documents; from now on they are the ones that count for their kinds."""
    for one in found:
        connection.execute(
            insert(evidence).values(
                partner=partner,
                kind=one.kind.value,
                number=one.number,
                signed_on=one.signed_on,
                valid_until=one.valid_until,
                reference=one.reference,
                sha256=one.sha256,
                recorded_at=now,
            )
        )


def evidence_of(connection: Connection, partner: str) -> tuple[Evidence, ...]:
    """Every document of a partner, oldest first."""
    rows = connection.execute(
        select(evidence).where(evidence.c.partner == partner).order_by(evidence.c.position)
    )
    return tuple(map(_evidence, rows))


def newest(found: Sequence[Evidence], kind: EvidenceKind) -> Evidence | None:
    """The document of a kind that counts: the one added last."""
    return next((one for one in reversed(found) if one.kind is kind), None)


def wanting(found: Sequence[Evidence], day: date) -> tuple[str, ...]:
    """What of the evidence is missing or not in force on a day, in words; nothing when all is well."""
    said: list[str] = []
    for kind in EvidenceKind:
        one = newest(found, kind)
        if one is None:
            said.append(f"{kind.value} missing")
        elif day < one.signed_on:
            said.append(f"{kind.value} not signed before {one.signed_on}")
        elif not one.holds(day):
            said.append(f"{kind.value} ended on {one.valid_until}")
    return tuple(said)


def _terms(row: Row[Any]) -> Terms:
    return Terms(row.contact, row.notice_days, SignatureProfile(row.signature_profile))


def _evidence(row: Row[Any]) -> Evidence:
    return Evidence(
        EvidenceKind(row.kind), row.signed_on, row.reference, row.number, row.valid_until, row.sha256
    )
