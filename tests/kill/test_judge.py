"""The judge finds what it is there to find: each kind of loss and doubling, put before it on purpose."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from pathlib import Path

from tests.kill.judge import Row, Verdict, effects, judge
from tests.kill.load import Acknowledged

ENTERED = Acknowledged(uuid.uuid4(), "320001-10000", leaves=False, seconds=0.1)
LEFT = replace(ENTERED, exchange_id=uuid.uuid4(), leaves=True)
TOLD_ENTERED = Row(uuid.uuid4(), ENTERED.exchange_id, "delivered", 1)
TOLD_LEFT = Row(uuid.uuid4(), LEFT.exchange_id, "delivered", 2)
ROWS = (TOLD_ENTERED, TOLD_LEFT)


def message(row: Row) -> str:
    return f"urn:uuid:{row.id}"


IN_ORDER = [message(TOLD_ENTERED), message(TOLD_LEFT)]


def verdict(*rows: Row, took_effect: list[str]) -> Verdict:
    return judge((LEFT, ENTERED), rows, took_effect)


def test_one_effect_for_each_write_in_order_holds() -> None:
    found = verdict(*ROWS, took_effect=IN_ORDER)
    assert found == Verdict(2, (), (), (), (), effects=2, recovered=1)
    assert found.holds


def test_a_write_that_queued_nothing_is_lost() -> None:
    found = verdict(TOLD_LEFT, took_effect=[message(TOLD_LEFT)])
    assert [one.cause for one in found.lost] == [ENTERED.exchange_id]
    assert not found.holds


def test_a_delivered_row_without_effect_is_lost() -> None:
    found = verdict(*ROWS, took_effect=IN_ORDER[1:])
    assert [one.cause for one in found.lost] == [ENTERED.exchange_id]


def test_an_effect_that_nobody_queued_is_found() -> None:
    assert verdict(*ROWS, took_effect=[*IN_ORDER, f"urn:uuid:{uuid.uuid4()}"]).lost


def test_two_effects_of_one_notice_are_a_doubling() -> None:
    found = verdict(*ROWS, took_effect=[*IN_ORDER, IN_ORDER[0]])
    assert [one.cause for one in found.duplicated] == [ENTERED.exchange_id]
    assert not found.holds


def test_one_write_queued_twice_is_a_doubling() -> None:
    again = replace(TOLD_LEFT, id=uuid.uuid4())
    found = verdict(*ROWS, again, took_effect=[*IN_ORDER, message(again)])
    assert [one.cause for one in found.duplicated] == [LEFT.exchange_id]


def test_leaving_before_entering_is_out_of_order() -> None:
    found = verdict(*ROWS, took_effect=IN_ORDER[::-1])
    assert [one.cause for one in found.disordered] == [LEFT.exchange_id]
    assert not found.holds


def test_what_waits_for_a_person_is_unresolved_and_no_loss() -> None:
    parked = replace(TOLD_LEFT, state="unknown", last_error="outcome_unknown")
    found = verdict(TOLD_ENTERED, parked, took_effect=IN_ORDER[:1])
    assert [one.cause for one in found.unresolved] == [LEFT.exchange_id]
    assert found.holds


def test_only_writes_of_the_journal_are_effects(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    lines = [
        {"effect": "write:NotifyCareStay", "message_id": "urn:uuid:1"},
        {"effect": "none", "message_id": "urn:uuid:1"},
        {"effect": "read:GetPayments", "message_id": "urn:uuid:2"},
    ]
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    assert effects(journal) == ["urn:uuid:1"]
