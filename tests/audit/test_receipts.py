"""Receipts: the log's word for a record, and what the log is held to by it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given as each
from hypothesis import strategies as some
from sqlalchemy import Engine, delete, text

from audit import checkpoint, receipts
from audit.receipts import Receipt, Standing
from audit.tables import log_records, sequencer_queue
from errors import InvalidRequest
from tests.audit.logs import KEY, open_log, opened, sequencer, unguard

NOW = datetime(2026, 1, 31, 8, tzinfo=UTC)


def _given(engine: Engine) -> Receipt:
    log = open_log(engine)
    record = log.commit(lambda connection: log.append(connection, replace(opened(), instant=NOW)))
    return receipts.receipt(log.line(), KEY, record)


def _standing(engine: Engine, receipt: Receipt, after: float = 0.0) -> tuple[Standing, int | None]:
    with engine.begin() as connection:
        return receipts.standing(connection, receipt, NOW + timedelta(seconds=after))


def test_a_receipt_is_read_back_and_is_of_its_log_alone(engine: Engine) -> None:
    receipt = _given(engine)
    assert receipts.read(receipt.header()) == receipt
    assert receipt.signed_by(KEY.public_key())
    assert not receipt.signed_by(Ed25519PrivateKey.generate().public_key())
    assert receipt.log.startswith("spolis-gateway/test/")


@pytest.mark.parametrize(
    "changes",
    [{"log": "spolis-gateway/test/x"}, {"exchange": "x"}, {"leaf_hash": b"\0" * 32}, {"instant": "2026"}],
    ids=lambda changes: next(iter(changes)),
)
def test_what_a_receipt_says_is_signed(engine: Engine, changes: dict[str, Any]) -> None:
    assert not replace(_given(engine), **changes).signed_by(KEY.public_key())


def test_a_receipt_cannot_pass_for_a_checkpoint(engine: Engine) -> None:
    receipt = _given(engine)
    signature = checkpoint.Signature(
        receipt.log, checkpoint.key_hash(receipt.log, KEY.public_key()), receipt.signature
    )
    with pytest.raises(ValueError, match="not a checkpoint"):
        checkpoint.parse(f"{receipt.signed_bytes().decode()}\n{signature.line()}")


@each(some.text(max_size=80) | some.text(alphabet='logexchangeleafatsig="; ', max_size=80))
def test_what_is_no_receipt_is_refused(header: str) -> None:
    with pytest.raises(InvalidRequest):
        receipts.read(header)


def test_other_spellings_are_refused(engine: Engine) -> None:
    header = _given(engine).header()
    for wrong in (
        header.replace("; ", ";"),
        header + '; log="x"',
        header.replace('sig="', 'sig="AA'),
        header * 9,
    ):
        with pytest.raises(InvalidRequest):
            receipts.read(wrong)


def test_the_log_is_held_to_its_receipts(engine: Engine) -> None:
    receipt = _given(engine)
    assert _standing(engine, receipt) == (Standing.PENDING, None)
    assert _standing(engine, receipt, after=61) == (Standing.LATE, None)
    sequencer(engine).run_once()
    assert _standing(engine, receipt, after=61) == (Standing.HELD, 1)


def test_a_record_that_is_gone_or_changed_is_lost(engine: Engine) -> None:
    receipt = _given(engine)
    unguard(engine)
    for statement in (
        delete(sequencer_queue),
        log_records.update().values(leaf=log_records.c.leaf.op("||")(text("' '"))),
    ):
        with engine.begin() as connection:
            connection.execute(statement)
            assert receipts.standing(connection, receipt, NOW) == (Standing.LOST, None)
            connection.rollback()
