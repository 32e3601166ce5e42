"""Receipts: what a caller holds in hand of the record of his exchange, signed by the log before it has an index.

    spolis-gateway/test/0198…        the log
    receipt v1
    0198…                            the exchange
    CsUYapGGPo4dkMgIAUqom/Xajj7h…    hash of the leaf of its `outcome`, base64
    2026-01-31T08:00:00.000000Z      the leaf's instant

Its second line is no number, so that no receipt can pass for a checkpoint, which the same key signs. In HTTP it is one
header, `X-Receipt`. A leaf for which there is a receipt, and which the tree does not hold a minute later, was lost.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import Connection, select

from audit.leaf import Record
from audit.merkle import leaf_hash
from audit.tables import log_records, log_tree, sequencer_queue
from errors import InvalidRequest

HEADER = "X-Receipt"
# So long after its instant a leaf may be without an index.
WITHIN_SECONDS = 60.0

_LONGEST = 1000
_NAMES = ("log", "exchange", "leaf", "at", "sig")
_PART = re.compile(r'(?P<name>[a-z]+)="(?P<text>[^"\s]+)"')


@dataclass(frozen=True, slots=True)
class Receipt:
    """The log's word for one record. `instant` is text as in the leaf, `signature` Ed25519 over `signed_bytes`."""

    log: str
    exchange: str
    leaf_hash: bytes
    instant: str
    signature: bytes = b""

    def signed_bytes(self) -> bytes:
        """The five lines that are signed."""
        leaf = base64.b64encode(self.leaf_hash).decode()
        return f"{self.log}\nreceipt v1\n{self.exchange}\n{leaf}\n{self.instant}\n".encode()

    def header(self) -> str:
        """The value of the header."""
        values = (
            self.log,
            self.exchange,
            base64.b64encode(self.leaf_hash).decode(),
            self.instant,
            base64.b64encode(self.signature).decode(),
        )
        return "; ".join(f'{name}="{value}"' for name, value in zip(_NAMES, values, strict=True))

    def signed_by(self, key: Ed25519PublicKey) -> bool:
        """Whether the log of this key gave it."""
        try:
            key.verify(self.signature, self.signed_bytes())
        except InvalidSignature:
            return False
        return True


def receipt(line: str, key: Ed25519PrivateKey, record: Record) -> Receipt:
    """The receipt for a record that is committed, of the log of that name."""
    exchange, instant = str(record.columns["exchange_id"]), str(record.columns["instant"])
    given = Receipt(line, exchange, leaf_hash(record.leaf.encode()), instant)
    return Receipt(line, exchange, given.leaf_hash, instant, key.sign(given.signed_bytes()))


def read(header: str) -> Receipt:
    """The receipt in a header's value; only the one spelling that `header` writes.

    Raises: InvalidRequest.
    """
    if len(header) > _LONGEST:
        raise InvalidRequest("too long for a receipt")
    parts = [_PART.fullmatch(part) for part in header.strip().split("; ")]
    found = {part["name"]: part["text"] for part in parts if part is not None}
    if tuple(found) != _NAMES or len(parts) != len(_NAMES):
        raise InvalidRequest(f"a receipt has {', '.join(_NAMES)}, in that order: the value of {HEADER}")
    try:
        hashed, signature = (base64.b64decode(found[name], validate=True) for name in ("leaf", "sig"))
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest("the receipt has malformed base64") from error
    given = Receipt(found["log"], found["exchange"], hashed, found["at"], signature)
    if given.header() != header.strip():
        raise InvalidRequest("the receipt is not in its exact form")
    return given


class Standing(StrEnum):
    """How the log stands to a receipt."""

    HELD = "held"  # the tree holds the leaf
    PENDING = "pending"  # committed, and without an index for less than a minute
    LATE = "late"  # committed, and without an index for longer
    LOST = "lost"  # the log does not hold the leaf that it signed for


def standing(connection: Connection, given: Receipt, now: datetime) -> tuple[Standing, int | None]:
    """How the log in this database stands to a receipt, and the leaf's index where it has one."""
    rows = connection.execute(
        select(log_records.c.leaf, log_tree.c.idx, log_tree.c.leaf_hash, sequencer_queue.c.position)
        .outerjoin(log_tree, log_tree.c.record_id == log_records.c.id)
        .outerjoin(sequencer_queue, sequencer_queue.c.record_id == log_records.c.id)
        .where(log_records.c.exchange_id == given.exchange)
    ).all()
    for row in rows:
        if leaf_hash(row.leaf.encode()) != given.leaf_hash:
            continue
        if row.idx is not None and row.leaf_hash == given.leaf_hash:
            return Standing.HELD, row.idx
        if row.position is None:
            return Standing.LOST, None
        try:
            waited = (now - datetime.fromisoformat(given.instant)).total_seconds()
        except ValueError:
            return Standing.LATE, None
        return (Standing.PENDING if waited <= WITHIN_SECONDS else Standing.LATE), None
    return Standing.LOST, None
