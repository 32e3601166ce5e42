"""Time stamps of an outside authority over checkpoints (RFC 3161): what a checkpoint covers existed at that instant.

A stamp is over the exact bytes of the note as `log_checkpoints` keeps it, digest SHA-256. A witness says which history
is the log's; an authority of time stamps says since when, and its word holds in court without ours.
Source: RFC 3161; ETSI EN 319 422.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    PKIStatus,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)
from sqlalchemy import Connection, Engine, insert, select

from audit.stamp_client import StampClient
from audit.tables import log_checkpoints, log_timestamps
from errors import AnswerRefused
from security.certificates import load_authorities
from storage import reading

_SHA256 = "2.16.840.1.101.3.4.2.1"


@dataclass(frozen=True, slots=True)
class Stamp:
    """The size of the checkpoint that is stamped, and the instant that the authority names."""

    size: int
    at: datetime


def roots_of(path: Path | None) -> tuple[x509.Certificate, ...]:
    """The authorities whose stamps count; without a file, none. Raises: ConfigurationError."""
    return () if path is None else tuple(load_authorities(path))


def stamp(engine: Engine, client: StampClient, roots: Sequence[x509.Certificate]) -> Stamp | None:
    """Have the newest checkpoint stamped, unless it is; None where there is nothing to stamp.

    Raises: SystemUnavailable, SystemTimeout, AnswerRefused for a stamp that does not hold: then none is kept.
    """
    with reading(engine).begin() as connection:
        newest = connection.execute(
            select(log_checkpoints.c.size, log_checkpoints.c.note, log_timestamps.c.size.label("stamped"))
            .outerjoin(log_timestamps, log_timestamps.c.size == log_checkpoints.c.size)
            .order_by(log_checkpoints.c.size.desc())
            .limit(1)
        ).first()
    if newest is None or newest.stamped is not None:
        return None
    note = newest.note.encode()
    request = TimestampRequestBuilder().data(note).hash_algorithm(HashAlgorithm.SHA256).build()
    token = client.ask(request.as_bytes())
    try:
        at = _checked(token, note, roots, VerifierBuilder.from_request(request))
    except ValueError as error:
        raise AnswerRefused(f"the authority of time stamps: {error}") from error
    with engine.begin() as connection:
        connection.execute(insert(log_timestamps).values(size=newest.size, token=token))
    return Stamp(newest.size, at)


def first_over(connection: Connection, size: int) -> tuple[int, bytes] | None:
    """Size and bytes of the first stamp over a checkpoint of at least `size` leaves."""
    row = connection.execute(
        select(log_timestamps.c.size, log_timestamps.c.token)
        .where(log_timestamps.c.size >= size)
        .order_by(log_timestamps.c.size)
        .limit(1)
    ).first()
    return None if row is None else (row.size, row.token)


def check(token: object, note: object, roots: Sequence[x509.Certificate]) -> datetime:
    """See that a stamp is over a note, and with `roots` that an authority of theirs made it; the instant that it names.

    Raises: ValueError.
    """
    if type(token) is not bytes or type(note) is not str:
        raise ValueError("a time stamp or its checkpoint cannot be read")
    return _checked(token, note.encode(), roots, VerifierBuilder())


def _checked(
    token: bytes, note: bytes, roots: Sequence[x509.Certificate], builder: VerifierBuilder
) -> datetime:
    try:
        response: TimeStampResponse = decode_timestamp_response(token)
        if PKIStatus(response.status) not in (PKIStatus.GRANTED, PKIStatus.GRANTED_WITH_MODS):
            raise ValueError("not granted")
        imprint, at = response.tst_info.message_imprint, response.tst_info.gen_time
    except ValueError as error:
        raise ValueError(f"no time stamp: {error}") from error
    if imprint.hash_algorithm.dotted_string != _SHA256 or imprint.message != hashlib.sha256(note).digest():
        raise ValueError("the time stamp is over something else")
    for root in roots:
        builder = builder.add_root_certificate(root)
    if roots:
        try:
            builder.build().verify(response, imprint.message)
        except VerificationError as error:
            raise ValueError("the time stamp is not of an authority that is trusted") from error
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
