"""The judge finds what it is there to find: each kind of loss and doubling, put before it on purpose."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from audit import Entry, Kind
from exchange import Json, Outcome, utc_now
from mappings.care_stays import CareStay
from registers.care_stays import feed_care_stay
from routing.outbox import put
from tests.audit.logs import open_log
from tests.kill.judge import Ended, Kept, Row, Stay, Verdict, effects, judge, read
from tests.kill.load import Acknowledged, Write
from tests.registers.invented import code, day, provenance

PERSON = "32000110000"
ENTERS, LEAVES = Write(uuid.uuid4(), PERSON, leaves=False), Write(uuid.uuid4(), PERSON, leaves=True)
WRITES = (ENTERS, LEAVES)
ENTERED, LEFT = (Acknowledged(uuid.uuid4(), write, seconds=0.1) for write in WRITES)
TOLD_ENTERED = Row(uuid.uuid4(), ENTERED.exchange_id, "delivered", 1)
TOLD_LEFT = Row(uuid.uuid4(), LEFT.exchange_id, "delivered", 2)
ROWS = (TOLD_ENTERED, TOLD_LEFT)
STAYS = (Stay(PERSON, None, current=False), Stay(PERSON, date(2026, 9, 30)))


def message(row: Row) -> str:
    return f"urn:uuid:{row.id}"


def ended(one: Acknowledged, outcome: Outcome = Outcome.OK) -> Ended:
    return Ended(one.exchange_id, outcome.value, one.write.request_id)


IN_ORDER = [message(TOLD_ENTERED), message(TOLD_LEFT)]
OUTCOMES = (ended(ENTERED), ended(LEFT), Ended(TOLD_LEFT.id, "queued", None), Ended(TOLD_LEFT.id, "ok", None))


def verdict(
    *rows: Row,
    took_effect: Sequence[str] = IN_ORDER,
    acknowledged: Sequence[Acknowledged] = (LEFT, ENTERED),
    outcomes: Sequence[Ended] = OUTCOMES,
    stays: Sequence[Stay] = STAYS,
    attempted: Sequence[Write] = WRITES,
) -> Verdict:
    return judge(
        {write.request_id: write for write in attempted},
        acknowledged,
        Kept(rows or ROWS, outcomes, stays),
        took_effect,
    )


def test_one_effect_for_each_write_in_order_holds() -> None:
    found = verdict()
    assert found == Verdict(2, (), (), (), (), (), effects=2, recovered=1)
    assert found.holds


def test_a_write_that_queued_nothing_is_lost() -> None:
    found = verdict(TOLD_LEFT, took_effect=[message(TOLD_LEFT)])
    assert [one.cause for one in found.lost] == [ENTERED.exchange_id]
    assert not found.holds


def test_a_delivered_row_without_effect_is_lost() -> None:
    found = verdict(took_effect=IN_ORDER[:1])
    assert [one.cause for one in found.lost] == [LEFT.exchange_id]


def test_an_effect_that_nobody_queued_is_found() -> None:
    assert verdict(took_effect=[*IN_ORDER, f"urn:uuid:{uuid.uuid4()}"]).lost


def test_two_effects_of_one_notice_are_a_doubling() -> None:
    found = verdict(took_effect=[*IN_ORDER, IN_ORDER[0]])
    assert [one.cause for one in found.duplicated] == [ENTERED.exchange_id]
    assert not found.holds


def test_one_write_queued_twice_is_a_doubling() -> None:
    again = replace(TOLD_LEFT, id=uuid.uuid4(), state="parked")
    assert [one.cause for one in verdict(*ROWS, again).duplicated] == [LEFT.exchange_id]


def test_one_write_carried_out_by_two_exchanges_is_a_doubling() -> None:
    """The client was told of one of them; the log says of the other for which request it was."""
    second = uuid.uuid4()
    again = Row(uuid.uuid4(), second, "delivered", 1)
    found = verdict(
        again,
        *ROWS,
        took_effect=[message(again), *IN_ORDER],
        outcomes=(*OUTCOMES, Ended(second, "ok", ENTERS.request_id)),
    )
    whose = {one.cause for one in found.duplicated}
    assert whose == {second, ENTERED.exchange_id}, "queued once more, and entered once more"
    assert not found.holds


def test_a_row_of_no_client_is_a_doubling() -> None:
    strange = Row(uuid.uuid4(), uuid.uuid4(), "waiting", 0)
    assert [one.cause for one in verdict(*ROWS, strange).duplicated] == [strange.cause]


def test_a_second_entering_of_a_person_is_a_doubling() -> None:
    """Two writes of which each has one effect, where the client made one out of the other's request."""
    again = Acknowledged(uuid.uuid4(), Write(uuid.uuid4(), PERSON, leaves=False), seconds=0.1)
    row = Row(uuid.uuid4(), again.exchange_id, "delivered", 1)
    found = verdict(
        *ROWS,
        row,
        took_effect=[*IN_ORDER, message(row)],
        acknowledged=(ENTERED, LEFT, again),
        attempted=(*WRITES, again.write),
        outcomes=(*OUTCOMES, ended(again)),
    )
    assert [one.cause for one in found.duplicated] == [again.exchange_id]


def test_a_write_that_nobody_answered_may_exist_once() -> None:
    assert verdict(acknowledged=(ENTERED,)).holds
    second = Row(uuid.uuid4(), uuid.uuid4(), "parked", 0)
    twice = (*OUTCOMES, Ended(second.cause, "ok", LEAVES.request_id))
    found = verdict(*ROWS, second, acknowledged=(ENTERED,), outcomes=twice)
    assert [one.cause for one in found.duplicated] == [second.cause]


def test_an_acknowledged_stay_that_is_not_in_the_register_is_lost() -> None:
    found = verdict(stays=())
    assert {one.cause for one in found.lost} == {ENTERED.exchange_id, LEFT.exchange_id}
    assert not verdict(stays=(replace(STAYS[1], current=False),)).holds


def test_an_acknowledged_end_that_is_not_in_the_register_is_lost() -> None:
    found = verdict(stays=(Stay(PERSON, None),))
    assert [one.cause for one in found.lost] == [LEFT.exchange_id]


@pytest.mark.parametrize(
    "also", [Stay(PERSON, None), Stay(PERSON, None, current=False), Stay("32000210000", None)]
)
def test_a_stay_that_is_kept_once_more_is_a_doubling(also: Stay) -> None:
    found = verdict(stays=(*STAYS, also))
    assert found.duplicated
    assert PERSON not in str(found)


def test_leaving_before_entering_is_out_of_order() -> None:
    found = verdict(took_effect=IN_ORDER[::-1])
    assert [one.cause for one in found.disordered] == [LEFT.exchange_id]
    assert not found.holds
    assert verdict(acknowledged=(), took_effect=IN_ORDER[::-1]).disordered


@pytest.mark.parametrize("second", [outcome for outcome in Outcome if outcome is not Outcome.QUEUED])
def test_an_exchange_that_ends_twice_contradicts_itself(second: Outcome) -> None:
    found = verdict(outcomes=(*OUTCOMES, ended(ENTERED, second)))
    assert [one.cause for one in found.contradicted] == [ENTERED.exchange_id]
    assert not found.holds
    assert verdict(outcomes=(*OUTCOMES, ended(ENTERED, Outcome.QUEUED))).holds


def test_an_acknowledgement_that_the_log_does_not_bear_out_is_found() -> None:
    for told in ((OUTCOMES[1],), (ended(ENTERED, Outcome.UNKNOWN), OUTCOMES[1])):
        assert [one.cause for one in verdict(outcomes=told).contradicted] == [ENTERED.exchange_id]


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


def test_what_is_kept_is_read_from_the_tables(engine: Engine) -> None:
    log = open_log(engine)
    stay = CareStay(
        person_code=f"{PERSON[:6]}-{PERSON[6:]}",
        institution="VSAC “Ozoli”",
        institution_address="Ozolu iela 1, Valmiera",
        institution_kind=code("STATE_CARE_CENTRE"),
        region="Vidzeme",
        entered_on=day("2026-02-03"),
        funding_source=code("STATE"),
    )
    with engine.begin() as connection:
        feed_care_stay(connection, stay, provenance())
        left = replace(stay, ended_on=day("2026-09-30"), end_reason=code("OWN_REQUEST"))
        feed_care_stay(connection, left, provenance(1))
        name = ("sais", "NotifyCareStay")
        put(connection, TOLD_LEFT.id, name, give_up_after=timedelta(hours=1), cause=TOLD_LEFT.cause)
        put(connection, uuid.uuid4(), name, give_up_after=timedelta(hours=1))
    facts: dict[str, Json] = {"outcome": "ok", "request_id": str(LEAVES.request_id)}
    log.write(
        Entry(Kind.OUTCOME, LEFT.exchange_id, utc_now(), facts),
        Entry(Kind.OUTCOME, ENTERED.exchange_id, utc_now(), {"outcome": "unknown"}),
    )
    with engine.connect() as connection:
        kept = read(connection)
    assert kept.rows == [Row(TOLD_LEFT.id, TOLD_LEFT.cause, "waiting", 0)]
    assert set(kept.outcomes) == {ended(LEFT), Ended(ENTERED.exchange_id, "unknown", None)}
    assert set(kept.stays) == set(STAYS)
