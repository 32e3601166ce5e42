"""What was counted outside, against the rows of the exchange log."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Engine, select

from audit.merkle import leaf_hash
from audit.receipts import read
from audit.tables import log_records, log_values
from tests.counting.proxies import Message


@dataclass(frozen=True, slots=True)
class Difference:
    """How many of each have no counterpart. The first three must be 0 whatever fails, the others while nothing does."""

    answers_without_outcome: int
    receipts_that_do_not_hold: int
    requests_without_attempt: int
    outcomes_without_answer: int
    attempts_without_request: int

    @property
    def closed(self) -> bool:
        """Whether nothing of a person left without its committed record."""
        return not (
            self.answers_without_outcome or self.receipts_that_do_not_hold or self.requests_without_attempt
        )

    @property
    def total(self) -> int:
        """The difference between what was counted and the rows."""
        return sum(getattr(self, each.name) for each in fields(self))


def difference(
    engine: Engine, key: Ed25519PublicKey, answers: Sequence[Message], requests: Sequence[Message]
) -> Difference:
    """Compare the answers with personal data and the requests that left with outcomes and attempts, by exact bytes."""
    given, asked, held = Counter[object](), Counter[object](), 0
    outcomes, leaves = _rows(engine, "outcome", "reply_sha256")
    attempts, _ = _rows(engine, "attempt", "sent_sha256")
    for one in answers:
        if not one.personal:
            continue
        given[str(one.exchange_id), one.sha256] += 1
        receipt = read(one.receipt) if one.receipt else None
        held += (
            receipt is not None
            and receipt.signed_by(key)
            and receipt.exchange == str(one.exchange_id)
            and receipt.leaf_hash in leaves
        )
    for one in requests:
        asked[str(one.exchange_id), one.sha256] += 1
    return Difference(
        answers_without_outcome=(given - outcomes).total(),
        receipts_that_do_not_hold=given.total() - held,
        requests_without_attempt=(asked - attempts).total(),
        outcomes_without_answer=(outcomes - given).total(),
        attempts_without_request=(attempts - asked).total(),
    )


def _rows(engine: Engine, kind: str, digest: str) -> tuple[Counter[object], set[bytes]]:
    """Exchange and digest of each record of a kind; of outcomes those that gave something. And the leaves' hashes."""
    found, hashes = Counter[object](), set()
    with engine.connect() as connection:
        rows = connection.execute(
            select(log_records.c.exchange_id, log_records.c.leaf, log_values.c.value)
            .join(log_values, log_values.c.record_id == log_records.c.id)
            .where(log_records.c.kind == kind, log_values.c.name == digest)
        )
        for row in rows:
            leaf = json.loads(row.leaf)
            if kind == "outcome" and leaf["outcome"] != "ok":
                continue
            found[row.exchange_id, json.loads(row.value)] += 1
            hashes.add(leaf_hash(row.leaf.encode()))
    return found, hashes
