"""What responders said of partners' certificates: stored by the job that asks, read by every process for each message.

Revoked is remembered: a responder that is silent afterwards, or says otherwise, takes nothing back. Only a certificate
that was on hold is released, by a later answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from sqlalchemy import Boolean, Column, Connection, Engine, Row, String, Table, select, update

from routing.parties import Partner, list_partners
from security.keys import fingerprint
from security.revocation import Status, Verdict
from security.revocation_ocsp import Answer
from storage import Instant, metadata, reading, upsert

revocations = Table(
    "routing_revocations",
    metadata,
    Column("fingerprint", String(64), primary_key=True),
    Column("issuer", String(100), nullable=False),
    Column("status", String(20)),
    Column("held", Boolean, nullable=False),
    Column("this_update", Instant),
    Column("ends", Instant),
    Column("signer_ends", Instant),
    Column("asked_at", Instant, nullable=False),
    Column("answered_at", Instant),
    schema="routing",
)


@dataclass(frozen=True, slots=True)
class Stored:
    """What is stored of one certificate; without an answer yet only when it was asked for.

    `issuer` is the file in trust/ by which the responder is known, `signer_ends` the end of a delegated responder.
    """

    fingerprint: str
    issuer: str
    verdict: Verdict | None
    held: bool
    this_update: datetime | None
    signer_ends: datetime | None
    asked_at: datetime
    answered_at: datetime | None


def verdict_of(engine: Engine, certificate: x509.Certificate) -> Verdict | None:
    """What was last said of a certificate, in a transaction of its own; nobody is asked now."""
    with reading(engine).begin() as connection:
        row = connection.execute(
            select(revocations.c.status, revocations.c.ends).where(
                revocations.c.fingerprint == fingerprint(certificate)
            )
        ).first()
    return None if row is None or row.status is None else Verdict(Status(row.status), row.ends)


def stored(connection: Connection, fingerprints: Sequence[str]) -> Mapping[str, Stored]:
    """What is stored of certificates, by fingerprint."""
    rows = connection.execute(select(revocations).where(revocations.c.fingerprint.in_(fingerprints)))
    return {row.fingerprint: _stored(row) for row in rows}


def asked_about(connection: Connection, issuer: x509.Certificate, now: datetime) -> list[Partner]:
    """The certificates of partners about which an issuer is asked: active, not ended, issued by its key."""
    return [
        partner
        for partner in list_partners(connection)
        if not partner.disabled
        and partner.certificate.not_valid_after_utc > now
        and _is_issued_by(partner.certificate, issuer)
    ]


def signers(connection: Connection) -> list[tuple[str, datetime]]:
    """By issuer, the end of the delegated responder's certificate that signed the last answer."""
    answered = (
        select(revocations.c.issuer, revocations.c.signer_ends)
        .where(revocations.c.answered_at.is_not(None))
        .order_by(revocations.c.answered_at)
    )
    last = {row.issuer: row.signer_ends for row in connection.execute(answered)}
    return [(issuer, end) for issuer, end in sorted(last.items()) if end is not None]


def put(connection: Connection, mark: str, issuer: str, answer: Answer | None, now: datetime) -> bool:
    """Store that a certificate was asked for at an instant, and the answer where there is one; whether it was taken.

    An answer older than the one held, as somebody may send again, is not taken; nor one that takes back what was
    revoked for good.
    """
    blank = {"fingerprint": mark, "issuer": issuer, "held": False, "asked_at": now}
    connection.execute(
        upsert(connection, revocations).values(blank).on_conflict_do_nothing(index_elements=["fingerprint"])
    )
    # Locked before it is read: a process that is late must not take back what another one stores meanwhile.
    of_this = revocations.c.fingerprint == mark
    row = connection.execute(select(revocations).where(of_this).with_for_update()).one()
    taken = answer is not None and _may_follow(_stored(row), answer)
    values: dict[str, object] = {"issuer": issuer, "asked_at": now}
    if answer is not None and taken:
        values |= {
            "status": answer.status.value,
            "held": answer.held,
            "this_update": answer.this_update,
            "ends": answer.ends,
            "signer_ends": answer.signer_ends,
            "answered_at": now,
        }
    connection.execute(update(revocations).where(of_this).values(values))
    return taken


def _may_follow(known: Stored, answer: Answer) -> bool:
    if known.this_update is not None and answer.this_update < known.this_update:
        return False
    revoked = known.verdict is not None and known.verdict.status is Status.REVOKED
    return not revoked or known.held or answer.status is Status.REVOKED


def _is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _stored(row: Row[tuple[object, ...]]) -> Stored:
    return Stored(
        row.fingerprint,
        row.issuer,
        None if row.status is None else Verdict(Status(row.status), row.ends),
        row.held,
        row.this_update,
        row.signer_ends,
        row.asked_at,
        row.answered_at,
    )
