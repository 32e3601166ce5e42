"""One exchange through its eight steps, on a real database and log; way in and transport are fakes by argument."""

from __future__ import annotations

import dataclasses
import gc
import json
import threading
import time
import uuid
import weakref
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import cast

import pytest
from sqlalchemy import Connection

import errors
import gateway as eight_steps
from audit import Entry, ExchangeLog, Kind
from audit.search import subject
from audit.sequencer import Sequencer
from audit.sweeper import close, orphans, sweep
from audit.tables import sweeps
from exchange import Arguments, Arrival, Disclosed, Environment, Json, Peer, Received, Request, Way, utc_now
from gateway import Gateway
from mappings.codes import PAYMENT_KIND, PAYMENT_STATUS
from mappings.npais import Decisions, Placements
from mappings.sais import Payment, Payments
from routing import quota
from routing.trail import Trail
from security.keys import load_log_key
from tests.steps.wired import (
    CODE,
    STAY,
    Door,
    Wire,
    arrive,
    by_hand,
    count,
    decision,
    kinds,
    leaves,
    person,
    stay,
    wired,
)


def test_an_answer_is_given_fed_and_on_record(gateway: Gateway, transport: Wire) -> None:
    transport.answers = [person()]
    reply = arrive(gateway, Door())
    assert reply.status == 200
    assert json.loads(reply.body)[1]["family_name"] == "Paraudziņa"
    opened, attempt, outcome = leaves(gateway)
    assert [opened["kind"], attempt["kind"], outcome["kind"]] == ["opened", "attempt", "outcome"]
    assert (outcome["outcome"], outcome["attempts"], attempt["attempt"]) == ("ok", 1, 1)
    assert cast("int", outcome["written"]) >= 2
    assert count(gateway, "pmlp_identity") == 1


def test_a_refused_request_is_about_whom_it_asked_for(gateway: Gateway, transport: Wire) -> None:
    """Who asks later who tried to see his data finds the refusal too."""
    nested: Arguments = {"record": {"case_no": "L-1", "person_code": "32123456799", "person_codes": ("3",)}}
    arrive(gateway, Door(purpose="curiosity"))
    arrive(gateway, Door(recipient="labis", arguments=nested))
    key = gateway.subject_key
    for code in (CODE, "321234-56799"):
        (found,) = subject(gateway.engine, key, [code])
        assert (found.leaf["kind"], found.leaf["outcome"]) == ("outcome", "denied")
    assert transport.sent == []


def test_no_leaf_holds_a_person(gateway: Gateway, transport: Wire) -> None:
    transport.answers = [person(), errors.AnswerMismatch("RelatesTo")]
    arrive(gateway, Door())
    arrive(gateway, Door())
    told = json.dumps(leaves(gateway), ensure_ascii=False)
    for secret in (
        CODE,
        CODE.replace("-", ""),
        "Paraudziņa",
        "390000-00001",
        "127.0.0.1",
        "1980-02-03",
        "L-1",
    ):
        assert secret not in told


def test_an_unchanged_answer_writes_no_version(gateway: Gateway, transport: Wire) -> None:
    transport.answers = [person(), person()]
    arrive(gateway, Door())
    arrive(gateway, Door())
    last = leaves(gateway)[-1]
    assert (last["written"], cast("int", last["confirmed"]) > 0) == (0, True)


def test_withheld_is_named_of_what_was_asked_for(gateway: Gateway, transport: Wire) -> None:
    transport.answers = [person(), person()]
    asked = Door(arguments={"person_code": CODE, "data_sets": ("NAME_AND_CODE",)}, rule="p8.1")
    assert json.loads(arrive(gateway, asked).body)[2] == []
    assert leaves(gateway)[-1]["withheld"] == []
    family = Door(
        arguments={"person_code": CODE, "data_sets": "FAMILY"}, purpose="family-assessment", rule="p9.2.5.1"
    )
    assert json.loads(arrive(gateway, family).body)[2] == []


def test_a_field_without_a_permission_never_leaves_and_is_named(gateway: Gateway, transport: Wire) -> None:
    transport.answers = [person()]
    reply = arrive(gateway, Door(purpose="family-assessment", rule="p9.2.5.1"))
    _, record, withheld = json.loads(reply.body)
    assert "birth_date" not in record
    assert "birth_date" in withheld
    assert "birth_date" in cast("list[str]", leaves(gateway)[-1]["withheld"])
    assert "DOCUMENTS" not in transport.sent[0].content.decode()


@pytest.mark.parametrize(
    ("door", "code", "outcome"),
    [
        (Door(recipient="labis"), "access_denied", "denied"),
        (Door(purpose="curiosity"), "purpose_not_allowed", "denied"),
        (Door(rule="p9.1"), "purpose_not_allowed", "denied"),
        (Door(arguments={"person_code": "not a code"}), "invalid_person_code", "invalid"),
        (Door(arguments={}), "invalid_request", "invalid"),
        (Door(environment=Environment.PRODUCTION), "wrong_environment", "invalid"),
        (
            Door(
                system="sais",
                operation="GetPayments",
                purpose="care-payment",
                rule="p12.8.3",
            ),
            "no_open_stay",
            "denied",
        ),
    ],
)
def test_what_is_refused_asks_nobody_and_is_on_record(
    gateway: Gateway, transport: Wire, door: Door, code: str, outcome: str
) -> None:
    reply = arrive(gateway, door)
    assert f" {code}:" in reply.body.decode()
    assert transport.sent == []
    last = leaves(gateway)[-1]
    assert (kinds(gateway), last["code"], last["outcome"]) == (["opened", "outcome"], code, outcome)
    assert str(last["exchange"]) in reply.body.decode()


def test_an_unauthenticated_message_is_an_exchange_too(gateway: Gateway) -> None:
    assert arrive(gateway, Door(), b"unsigned").status == 401
    assert [(leaf["kind"], leaf.get("code")) for leaf in leaves(gateway)] == [
        ("opened", None),
        ("outcome", "unsigned"),
    ]


def test_every_attempt_is_on_record(gateway: Gateway, transport: Wire) -> None:
    transport.answers = [errors.SystemUnavailable(), person()]
    assert arrive(gateway, Door()).status == 200
    assert kinds(gateway) == ["opened", "attempt", "attempt", "outcome"]
    assert leaves(gateway)[-1]["attempts"] == 2
    assert {message.message_id for message in transport.sent} == {
        f"urn:uuid:{leaves(gateway)[-1]['exchange']}"
    }


def test_a_refused_answer_feeds_nothing_and_is_kept(gateway: Gateway, transport: Wire) -> None:
    transport.answers = [errors.UnexpectedElement("/GetPersonResponse/Persona/Jauns")]
    assert arrive(gateway, Door()).status == 502
    last = leaves(gateway)[-1]
    assert (last["code"], last["detail"]) == ("unexpected_element", "/GetPersonResponse/Persona/Jauns")
    assert count(gateway, "pmlp_identity") == 0
    with gateway.engine.begin() as connection:
        exchange_id = uuid.UUID(str(last["exchange"]))
        assert gateway.archive.get(connection, exchange_id, "received-1") == b"the exact bytes of the answer"


def test_nothing_leaves_when_the_log_cannot_be_written(gateway: Gateway, transport: Wire) -> None:
    transport.answers = [person()]
    arrive(gateway, Door())
    by_hand(gateway, "ALTER TABLE log_records RENAME TO away")
    transport.answers = [person()]
    reply = arrive(gateway, Door())
    assert reply.status == 503
    assert b"log_unavailable" in reply.body
    assert len(transport.sent) == 1


def test_a_database_that_fails_in_between_is_told_as_such(gateway: Gateway) -> None:
    arrive(gateway, stay())
    by_hand(gateway, "ALTER TABLE routing_answered RENAME TO away")
    reply = arrive(gateway, stay(institution="Cits centrs"))
    assert (reply.status, b"log_unavailable" in reply.body) == (503, True)
    assert leaves(gateway)[-1]["outcome"] == "failed"


def test_a_fault_of_ours_is_recorded_without_its_words(gateway: Gateway, transport: Wire) -> None:
    transport.answers = [object()]
    reply = arrive(gateway, Door())
    assert (reply.status, b"internal_error" in reply.body) == (500, True)
    assert leaves(gateway)[-1]["code"] == "internal_error"


def test_payments_are_asked_once_a_stay_is_open(gateway: Gateway, transport: Wire) -> None:
    written = arrive(gateway, stay())
    assert written.status == 200, written.body
    month = date(2026, 1, 1)
    transport.answers = [Payments(person_code=CODE, from_month=month, to_month=month, payments=())]
    of_january: Arguments = {"person_code": CODE, "from_month": "2026-01", "to_month": "2026-01"}
    asked = Door("sais", "GetPayments", of_january, "care-payment", "p12.8.3")
    assert arrive(gateway, asked).status == 200
    other = dataclasses.replace(cast("Payments", transport.record), to_month=date(2026, 2, 1))
    paid = Payment(
        kind=PAYMENT_KIND["OLD_AGE_PENSION"],
        counts_for_share=True,
        amount=Decimal("300.00"),
        month=date(2026, 2, 1),
        paid_on=None,
        status=PAYMENT_STATUS["GRANTED"],
    )
    for wrong in (other, dataclasses.replace(other, to_month=month, payments=(paid,))):
        transport.answers = [wrong]
        assert b"answer_mismatch" in arrive(gateway, asked).body
    read = arrive(
        gateway,
        Door(
            "registers",
            "ReadCareStays",
            {"id": json.loads(written.body)[1]["id"]},
            "care-payment",
            "p12.8.13",
        ),
    )
    assert json.loads(read.body)[1]["institution"] == STAY["institution"]


def test_a_stay_that_contradicts_another_is_refused_whole(gateway: Gateway) -> None:
    arrive(gateway, stay())
    reply = arrive(gateway, stay(institution="Cits centrs", entered_on="2026-02-01"))
    assert b"invalid_request" in reply.body
    assert leaves(gateway)[-1]["outcome"] == "invalid"
    assert count(gateway, "spolis_care_stay") == 1


def test_a_repeated_message_has_one_effect_and_one_answer(gateway: Gateway) -> None:
    door = stay()
    first, second = arrive(gateway, door), arrive(gateway, door)
    assert first.body == second.body
    assert leaves(gateway)[-1]["repeats"] == leaves(gateway)[2]["exchange"]
    assert count(gateway, "spolis_care_stay") == 1


def test_an_id_with_other_content_is_refused(gateway: Gateway) -> None:
    door = stay()
    arrive(gateway, door)
    reply = arrive(gateway, dataclasses.replace(door, content=b"1" * 32))
    assert (reply.status, b"message_id_reused" in reply.body) == (409, True)


def test_fifty_at_once_have_one_effect(gateway: Gateway) -> None:
    door, replies = stay(), []
    threads = [
        threading.Thread(target=lambda: replies.append(arrive(gateway, door, seconds=30))) for _ in range(50)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({reply.body for reply in replies}) == 1
    assert {reply.status for reply in replies} == {200}
    assert count(gateway, "spolis_care_stay") == 1


def test_a_refused_message_does_not_stay_in_memory(gateway: Gateway) -> None:
    class Tree:
        """What a way in makes of the bytes that it reads."""

    made: list[weakref.ref[Tree]] = []

    class Reads(Door):
        def read(self, received: Received) -> Request:
            tree = Tree()
            made.append(weakref.ref(tree))
            raise errors.Unsigned(type(tree).__name__)

    gc.disable()
    try:
        assert arrive(gateway, Reads()).status == 401
        assert made[0]() is None
    finally:
        gc.enable()


def test_fifty_at_once_ask_a_system_once(gateway: Gateway, transport: Wire) -> None:
    pmlp = dataclasses.replace(gateway.settings.systems["pmlp"], pool=50)
    systems = {**gateway.settings.systems, "pmlp": pmlp}
    door, replies = Door(effect_once=True), []
    transport.answers = [person()]
    transport.seconds = 0.3
    with wired(dataclasses.replace(gateway.settings, systems=systems), transport) as roomy:
        threads = [
            threading.Thread(target=lambda: replies.append(arrive(roomy, door, seconds=30)))
            for _ in range(50)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len({reply.body for reply in replies}) == 1
    assert {reply.status for reply in replies} == {200}
    assert len(transport.sent) == 1
    assert kinds(gateway).count("attempt") == 1


def test_who_waits_for_one_that_fails_carries_the_message_out_himself(
    gateway: Gateway, transport: Wire
) -> None:
    door, replies = Door(effect_once=True), []
    transport.answers = [errors.AnswerMismatch(), person()]
    transport.seconds = 0.3
    threads = [
        threading.Thread(target=lambda: replies.append(arrive(gateway, door, seconds=30))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(reply.status for reply in replies) == [200, 502]
    assert len(transport.sent) == 2


def test_an_id_with_other_content_is_refused_while_the_first_is_under_way(
    gateway: Gateway, transport: Wire
) -> None:
    door, replies = Door(effect_once=True), []
    transport.answers = [person()]
    transport.seconds = 0.5
    first = threading.Thread(target=lambda: replies.append(arrive(gateway, door)))
    first.start()
    while not transport.sent:
        time.sleep(0.01)
    assert b"message_id_reused" in arrive(gateway, dataclasses.replace(door, content=b"1" * 32)).body
    first.join()
    assert (replies[0].status, len(transport.sent)) == (200, 1)


def test_rights_are_asked_again_for_a_repeat(gateway: Gateway) -> None:
    door = stay()
    arrive(gateway, door)
    assert b"purpose_not_allowed" in arrive(gateway, dataclasses.replace(door, purpose="curiosity")).body


def test_quotas_count_requests_and_persons(gateway: Gateway, transport: Wire) -> None:
    rights = tuple(
        dataclasses.replace(right, requests_day=3, persons_day=1) for right in gateway.access.rights
    )
    limited = dataclasses.replace(gateway, access=type(gateway.access)(rights))
    transport.answers = [person(), person(), person()]
    assert arrive(limited, Door()).status == 200
    assert arrive(limited, Door()).status == 200
    other = Door(arguments={"person_code": "321234-56780"})
    assert b"quota_exceeded" in arrive(limited, other).body
    assert arrive(limited, Door()).status == 200
    assert b"quota_exceeded" in arrive(limited, Door()).body
    assert len(transport.sent) == 3
    with gateway.engine.begin() as connection:
        assert quota.noted(connection, quota.day_of(utc_now())) == {"spolis-core": 2}
    denied = [leaf for leaf in leaves(gateway) if leaf.get("code") == "quota_exceeded"]
    assert [leaf["outcome"] for leaf in denied] == ["denied", "denied"]
    assert str(denied[0]["detail"]).startswith("persons a day; again from ")


GRACE = timedelta(seconds=60)


def swept(gateway: Gateway) -> int:
    return sweep(gateway.engine, gateway.log, GRACE)


def sequence(gateway: Gateway) -> None:
    key = load_log_key(gateway.settings.keys / "log.key")
    sequencer = Sequencer(gateway.engine, key, environment=Environment.TEST)
    sequencer.run_once()
    sequencer.release()


def pass_time(gateway: Gateway) -> None:
    """Twice the grace goes by: what was noted by the database's clock lies so far back."""
    with gateway.engine.begin() as connection:
        for noted in connection.execute(sweeps.select()).all():
            back = noted.noted_at - 2 * GRACE
            connection.execute(sweeps.update().where(sweeps.c.size == noted.size).values(noted_at=back))


def opened(gateway: Gateway, ahead: timedelta) -> uuid.UUID:
    """An exchange that was opened on a host whose clock is that far ahead, and never ends."""
    received = eight_steps.receive(Arrival(Way.API, Peer("127.0.0.1"), "/api", b"request"))
    skewed = dataclasses.replace(received, instant=received.instant + ahead)
    eight_steps.open_record(gateway, Trail(skewed, Environment.TEST))
    return received.exchange_id


def ends(gateway: Gateway, exchange_id: uuid.UUID) -> list[tuple[Json, Json]]:
    """Kind and outcome of the records of an exchange."""
    return [
        (leaf["kind"], leaf.get("outcome"))
        for leaf in leaves(gateway)
        if leaf["exchange"] == str(exchange_id)
    ]


@pytest.mark.parametrize("minutes", [-10, 10])
def test_no_clock_of_a_host_makes_an_orphan_or_hides_one(gateway: Gateway, minutes: int) -> None:
    ahead = timedelta(minutes=minutes)
    for _ in range(2):  # what comes after a part of the tree was swept is looked at too
        exchange_id = opened(gateway, ahead)
        sequence(gateway)
        assert swept(gateway) == swept(gateway) == 0, "it has only begun"
        pass_time(gateway)
        assert swept(gateway) == 1
        assert ("outcome", "unknown") in ends(gateway, exchange_id)


def test_an_exchange_that_was_closed_meanwhile_has_no_effect_and_no_second_end(
    gateway: Gateway, transport: Wire
) -> None:
    """Its process stood still for longer than the grace, in the middle of the exchange."""
    late: list[uuid.UUID] = []

    class Slow(Door):
        def compose(self, request: Request, exchange_id: uuid.UUID, disclosed: Disclosed) -> bytes:
            late.append(exchange_id)
            assert close(gateway.log, orphans(gateway.engine)) == 1
            return super().compose(request, exchange_id, disclosed)

    transport.answers = [person()]
    limits = dataclasses.replace(gateway.settings.limits, exchange_seconds=0.0)
    hurried = dataclasses.replace(gateway, settings=dataclasses.replace(gateway.settings, limits=limits))
    reply = arrive(hurried, Slow())
    assert b"outcome_unknown" in reply.body
    (exchange_id,) = late
    assert ends(gateway, exchange_id) == [("opened", None), ("attempt", None), ("outcome", "unknown")]
    assert count(gateway, "pmlp_identity") == 0


def test_an_orphan_is_closed_as_unknown(gateway: Gateway, transport: Wire) -> None:
    arrival = Arrival(Way.API, Peer("127.0.0.1"), "/api", b"request")
    received = eight_steps.receive(arrival)
    eight_steps.open_record(gateway, Trail(received, Environment.TEST))
    transport.answers = [person()]
    arrive(gateway, Door())
    assert swept(gateway) == 0, "it has no place in the tree: nobody knows for how long it has been there"
    sequence(gateway)
    assert swept(gateway) == 0, "nobody has noted yet that it is there"
    assert swept(gateway) == 0, "it has not been there for long enough"
    pass_time(gateway)
    assert swept(gateway) == 1
    pass_time(gateway)
    assert swept(gateway) == 0
    assert ends(gateway, received.exchange_id) == [
        ("opened", None),
        ("outcome", "unknown"),
    ]


def every_subject(gateway: Gateway) -> list[Json]:
    """The subjects of each outcome that has one, oldest first."""
    found = by_hand(
        gateway,
        "SELECT v.value FROM log_values v JOIN log_records r ON r.id = v.record_id "
        "WHERE v.name = 'subject' AND r.kind = 'outcome' ORDER BY r.instant",
    )
    return [json.loads(value) for (value,) in found]


def subjects(gateway: Gateway) -> Json:
    """The subjects of the only outcome."""
    (only,) = every_subject(gateway)
    return only


def test_everybody_whom_an_answer_names_is_a_subject_of_the_exchange(
    gateway: Gateway, transport: Wire
) -> None:
    first, second = "321111-11111", "322222-22222"
    transport.answers = [
        Decisions(person_code=None, since=date(2026, 1, 1), decisions=(decision(first), decision(second)))
    ]
    door = Door("npais", "GetDecisions", {"since": "2026-01-01"}, "child-protection", "p10.11")
    assert arrive(gateway, door).status == 200
    assert subjects(gateway) == [first, second]


def test_a_check_digit_that_does_not_fit_is_a_warning_on_record(gateway: Gateway, transport: Wire) -> None:
    fits, fits_not = "010180-10000", "010180-10007"
    for code in (fits, fits_not):
        transport.answers = [person(person_code=code)]
        assert arrive(gateway, Door(arguments={"person_code": code})).status == 200
    warned = [leaf.get("warnings") for leaf in leaves(gateway) if leaf["kind"] == "outcome"]
    assert warned == [None, ["person_code_check_digit"]]


def test_a_person_asked_for_by_an_old_code_is_one_person(gateway: Gateway, transport: Wire) -> None:
    old = "010180-10001"
    transport.answers = [person()]
    assert arrive(gateway, Door(arguments={"person_code": old})).status == 200
    assert subjects(gateway) == [old, CODE]
    search = {"person_code": old}
    found = json.loads(arrive(gateway, Door("registers", "SearchPersons", search)).body)[1]["rows"]
    assert [{code["code"] for code in row["codes"]} for row in found] == [{old, CODE}]
    assert count(gateway, "spolis_person") == 1


def test_a_child_placement_feeds_its_register(gateway: Gateway, transport: Wire) -> None:
    transport.answers = [Placements(person_code=CODE, placements=())]
    door = Door("npais", "GetChildPlacement", {"person_code": CODE}, "child-protection", "p10.11")
    assert arrive(gateway, door).status == 200
    assert leaves(gateway)[-1]["source"] == "npais"


def with_rules(gateway: Gateway, *rules: str) -> Gateway:
    rights = tuple(dataclasses.replace(right, rules=rules) for right in gateway.access.rights)
    return dataclasses.replace(gateway, access=type(gateway.access)(rights))


def test_a_repeat_is_a_disclosure_about_its_subject_too(gateway: Gateway) -> None:
    door = stay()
    arrive(gateway, door)
    arrive(gateway, door)
    assert leaves(gateway)[-1]["repeats"] is not None
    assert every_subject(gateway) == [CODE, CODE]


def test_who_reads_a_register_leaves_a_record_about_the_person(gateway: Gateway) -> None:
    stay_id = json.loads(arrive(gateway, stay()).body)[1]["id"]
    for operation, arguments in (
        ("ReadCareStays", {"id": stay_id}),
        ("SearchCareStays", {"institution": cast("str", STAY["institution"])}),
    ):
        door = Door("registers", operation, arguments, "care-payment", "p12.8.13")
        assert arrive(gateway, door).status == 200
    assert every_subject(gateway) == [CODE, CODE, CODE]


def test_a_search_tells_nothing_of_a_value_that_may_not_be_given(gateway: Gateway) -> None:
    arrive(gateway, stay())
    door = Door("registers", "SearchCareStays", {"funding_source": "STATE"}, "care-payment", "p12.8.13")
    assert arrive(with_rules(gateway, "p12.8.13", "p12.8.12"), door).status == 200
    assert b"access_denied" in arrive(with_rules(gateway, "p12.8.13"), door).body


def test_a_stay_is_written_only_with_the_right_to_stays(gateway: Gateway) -> None:
    door = dataclasses.replace(stay(), rule="p12.8.12")
    assert b"access_denied" in arrive(with_rules(gateway, "p12.8.12"), door).body
    assert count(gateway, "spolis_care_stay") == 0


def test_an_orphan_that_ends_while_it_is_swept_keeps_its_own_outcome(gateway: Gateway) -> None:
    received = eight_steps.receive(Arrival(Way.API, Peer("127.0.0.1"), "/api", b"request"))
    eight_steps.open_record(gateway, Trail(received, Environment.TEST))

    class Late:
        """A log in which the exchange ends just before the sweeper's commit."""

        def commit_apart(self, work: Callable[[Connection], int]) -> int:
            facts: dict[str, Json] = {"outcome": "ok"}
            gateway.log.write(Entry(Kind.OUTCOME, received.exchange_id, utc_now(), facts))
            return gateway.log.commit_apart(work)

    assert close(cast("ExchangeLog", Late()), orphans(gateway.engine)) == 0
    assert [leaf["outcome"] for leaf in leaves(gateway) if leaf["kind"] == "outcome"] == ["ok"]
