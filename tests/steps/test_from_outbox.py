"""An exchange that goes on from the outbox: the same steps, one MessageID, and a row that always says how it is."""

from __future__ import annotations

import dataclasses
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, update

import config
import errors
from adapters.profiles import Message
from audit import Archive
from endpoints.work.bell import Bell
from endpoints.work.deliveries import Deliveries
from exchange import Arguments
from gateway import Gateway
from mappings.sais import NoticeStatus
from routing import interventions, outbox
from routing.access import Access
from routing.outbox import MOST_LAPSES, Row, State
from routing.queue import PAYLOAD
from storage import database_now
from tests.steps.wired import CODE, Door, Wire, arrive, by_hand, count, leaves, stay, wired

DONE = NoticeStatus(message_id="urn:uuid:0", took_effect=True)
NOT_DONE = NoticeStatus(message_id="urn:uuid:0", took_effect=False)
ENDED: Arguments = {"ended_on": "2026-09-30", "end_reason": "DEATH"}


def deliveries(gateway: Gateway, threads: int = 2) -> Deliveries:
    return Deliveries(gateway, Bell(gateway.settings.database_url), threads)


def deliver(gateway: Gateway, times: int = 1) -> None:
    """Deliver so many rows, each at once, whatever its pause."""
    for _ in range(times):
        make_due(gateway)
        lease = deliveries(gateway).lease()
        assert lease is not None
        deliveries(gateway).deliver(lease)


def make_due(gateway: Gateway) -> None:
    with gateway.engine.begin() as connection:
        now = database_now(connection)
        connection.execute(update(outbox.outbox).where(outbox.outbox.c.state == "waiting").values(due=now))


def rows(gateway: Gateway) -> list[Row]:
    with gateway.engine.connect() as connection:
        return outbox.listed(connection)


def only(gateway: Gateway) -> Row:
    (row,) = rows(gateway)
    return row


def outcomes(gateway: Gateway, exchange_id: uuid.UUID) -> list[object]:
    """The records of an exchange in order: its kinds, and its outcomes by name."""
    return [
        leaf["outcome"] if leaf["kind"] == "outcome" else leaf["kind"]
        for leaf in leaves(gateway)
        if leaf["exchange"] == str(exchange_id)
    ]


@pytest.fixture
def repeating(
    request: pytest.FixtureRequest, keys: Path, database: str, transport: Wire
) -> Iterator[Gateway]:
    """A gateway for whose SAIS `[systems.sais] repeat` is set to the parameter."""
    settings = dataclasses.replace(config.load({}), state=keys, database_url=database)
    sais = dataclasses.replace(settings.systems["sais"], repeat=request.param)
    with wired(dataclasses.replace(settings, systems={**settings.systems, "sais": sais}), transport) as made:
        yield made


def test_a_stay_is_told_by_an_exchange_of_its_own(gateway: Gateway, transport: Wire) -> None:
    reply = arrive(gateway, stay())
    assert reply.status == 200, reply.body
    row = only(gateway)
    assert (row.system, row.operation, row.state) == ("sais", "NotifyCareStay", State.WAITING)
    cause = next(
        leaf for leaf in leaves(gateway) if leaf["kind"] == "outcome" and leaf["system"] == "registers"
    )
    assert (cause["notices"], cause["exchange"]) == ([str(row.id)], str(row.cause))
    assert outcomes(gateway, row.id) == ["opened", "queued"]
    assert transport.sent == []
    transport.answers = [DONE]
    deliver(gateway)
    assert only(gateway).state is State.DELIVERED
    assert outcomes(gateway, row.id) == ["opened", "queued", "attempt", "ok"]
    assert [message.message_id for message in transport.sent] == [f"urn:uuid:{row.id}"]
    assert "vsaa" in {leaf.get("recipient") for leaf in leaves(gateway)}


def test_attempts_have_one_message_id_and_numbers_of_their_own(gateway: Gateway, transport: Wire) -> None:
    arrive(gateway, stay())
    transport.answers = [errors.SystemUnavailable(), errors.SystemUnavailable(), DONE]
    deliver(gateway, 3)
    row = only(gateway)
    assert (row.state, row.attempts, row.last_error) == (State.DELIVERED, 3, None)
    assert {message.message_id for message in transport.sent} == {f"urn:uuid:{row.id}"}
    told = [leaf for leaf in leaves(gateway) if leaf["exchange"] == str(row.id)]
    assert [leaf["attempt"] for leaf in told if leaf["kind"] == "attempt"] == [1, 2, 3]
    ended = [(leaf["outcome"], leaf["attempts"]) for leaf in told if leaf["kind"] == "outcome"]
    assert ended == [("queued", 0), ("queued", 1), ("queued", 2), ("ok", 3)]
    with gateway.engine.connect() as connection:
        for number in (1, 2, 3):
            assert gateway.archive.get(connection, row.id, f"sent-{number}")
        assert gateway.archive.get(connection, row.id, "received-3") == b"the exact bytes of the answer"


def test_between_attempts_it_waits_longer_each_time(gateway: Gateway, transport: Wire) -> None:
    arrive(gateway, stay())
    pauses = []
    for _ in range(3):
        transport.answers = [errors.SystemUnavailable()]
        deliver(gateway)
        with gateway.engine.connect() as connection:
            pauses.append((only(gateway).due - database_now(connection)).total_seconds())
    assert 0 < pauses[0] < pauses[1] < pauses[2]


def test_leaving_is_told_after_entering(gateway: Gateway, transport: Wire) -> None:
    arrive(gateway, stay())
    arrive(gateway, stay(**ENDED))
    entered, left = rows(gateway)
    assert entered.subject_order == left.subject_order is not None
    transport.answers = [errors.SystemUnavailable()]
    deliver(gateway)
    make_due(gateway)
    first = deliveries(gateway).lease()
    assert first is not None
    assert first.lease.exchange_id == entered.id
    assert deliveries(gateway).lease() is None, "the later one waits for the earlier one"
    transport.answers = [DONE]
    deliveries(gateway).deliver(first)
    transport.answers = [DONE]
    deliver(gateway)
    assert [message.message_id for message in transport.sent] == [
        f"urn:uuid:{row}" for row in (entered.id, entered.id, left.id)
    ]
    assert "LEAVE" in transport.sent[-1].content.decode()


def test_another_person_does_not_wait(gateway: Gateway, transport: Wire) -> None:
    arrive(gateway, stay())
    arrive(gateway, stay(person_code="321234-56797"))
    first, second = rows(gateway)
    transport.answers = [errors.SystemUnavailable()]
    deliver(gateway)
    lease = deliveries(gateway).lease()
    assert lease is not None
    assert lease.lease.exchange_id == second.id != first.id


def test_a_right_that_was_withdrawn_stops_a_queued_notice(gateway: Gateway, transport: Wire) -> None:
    arrive(gateway, stay())
    rights = tuple(right for right in gateway.access.rights if right.recipient != "vsaa")
    narrowed = dataclasses.replace(gateway, access=Access(rights))
    deliver(narrowed)
    row = only(gateway)
    assert (row.state, row.last_error, row.attempts) == (State.DEAD, "access_denied", 0)
    assert transport.sent == []
    assert outcomes(gateway, row.id) == ["opened", "queued", "denied"]


def test_an_optional_field_that_is_not_granted_is_not_told(gateway: Gateway, transport: Wire) -> None:
    arrive(gateway, stay(**ENDED))
    rights = tuple(
        dataclasses.replace(right, rules=tuple(rule for rule in right.rules if rule != "p12.8.14"))
        if right.recipient == "vsaa"
        else right
        for right in gateway.access.rights
    )
    narrowed = dataclasses.replace(gateway, access=Access(rights))
    transport.answers = [DONE]
    deliver(narrowed)
    assert "DEATH" not in transport.sent[0].content.decode()


def test_nobody_may_send_a_notice_past_the_outbox(gateway: Gateway, transport: Wire) -> None:
    arguments: Arguments = {
        "person_code": CODE,
        "kind": "ENTER",
        "entered_on": "2026-01-02",
        "funding_source": "STATE",
        "institution": "Cits centrs",
        "institution_address": "Ozolu iela 18",
        "institution_kind": "STATE_CARE_CENTRE",
    }
    door = Door("sais", "NotifyCareStay", arguments, "care-payment", "p18.7", recipient="vsaa")
    assert b"unknown_operation" in arrive(gateway, door).body
    assert transport.sent == []


def test_an_answer_that_acknowledges_nothing_is_no_delivery(gateway: Gateway, transport: Wire) -> None:
    arrive(gateway, stay())
    transport.answers = [NOT_DONE]
    deliver(gateway)
    assert (only(gateway).state, only(gateway).last_error) == (State.DEAD, "system_refused")


def test_a_fault_is_final_and_a_person_may_replay_it(gateway: Gateway, transport: Wire) -> None:
    arrive(gateway, stay())
    transport.answers = [errors.RequestRefused("Par iestāšanos nav ziņots")]
    deliver(gateway)
    dead = only(gateway)
    assert dead.state is State.DEAD
    assert deliveries(gateway).lease() is None
    with gateway.engine.begin() as connection:
        interventions.replay(connection, dead.id, give_up_after=dead.queued_at - dead.queued_at)
    transport.answers = [DONE]
    deliver(gateway)
    assert only(gateway).state is State.DELIVERED
    assert {message.message_id for message in transport.sent} == {f"urn:uuid:{dead.id}"}
    assert outcomes(gateway, dead.id)[-2:] == ["attempt", "ok"]


@pytest.mark.parametrize("repeating", ["queryable"], indirect=True)
def test_who_would_not_know_it_again_is_asked_first(repeating: Gateway, transport: Wire) -> None:
    arrive(repeating, stay())
    transport.answers = [errors.OutcomeUnknown()]
    deliver(repeating)
    assert (only(repeating).state, only(repeating).unclear) == (State.WAITING, True)
    transport.answers = [DONE]
    deliver(repeating)
    assert [message.action for message in transport.sent] == ["NotifyCareStay", "GetCareStayNotice"]
    assert only(repeating).state is State.DELIVERED
    assert transport.sent[0].message_id != transport.sent[1].message_id
    assert f"urn:uuid:{only(repeating).id}" in transport.sent[1].content.decode()


@pytest.mark.parametrize("repeating", ["queryable"], indirect=True)
def test_what_was_not_carried_out_is_sent_again_after_asking(repeating: Gateway, transport: Wire) -> None:
    arrive(repeating, stay())
    transport.answers = [errors.OutcomeUnknown()]
    deliver(repeating)
    transport.answers = [NOT_DONE, DONE]
    deliver(repeating)
    told = ["NotifyCareStay", "GetCareStayNotice", "NotifyCareStay"]
    assert [message.action for message in transport.sent] == told
    assert (only(repeating).state, only(repeating).attempts) == (State.DELIVERED, 3)


@pytest.mark.parametrize("repeating", ["queryable"], indirect=True)
def test_without_an_answer_to_the_question_nothing_is_sent(repeating: Gateway, transport: Wire) -> None:
    arrive(repeating, stay())
    transport.answers = [errors.OutcomeUnknown()]
    deliver(repeating)
    transport.answers = [errors.SystemUnavailable()]
    deliver(repeating)
    assert [message.action for message in transport.sent] == ["NotifyCareStay", "GetCareStayNotice"]
    assert (only(repeating).state, only(repeating).unclear) == (State.WAITING, True)


@pytest.mark.parametrize("repeating", ["neither"], indirect=True)
def test_what_nobody_can_say_is_left_to_a_person(repeating: Gateway, transport: Wire) -> None:
    arrive(repeating, stay())
    transport.answers = [errors.OutcomeUnknown()]
    deliver(repeating)
    row = only(repeating)
    assert row.state is State.UNKNOWN
    assert outcomes(repeating, row.id)[-1] == "unknown"
    assert deliveries(repeating).lease() is None
    with repeating.engine.begin() as connection:
        interventions.replay(connection, row.id, give_up_after=row.queued_at - row.queued_at, decided=True)
    transport.answers = [DONE]
    deliver(repeating)
    assert only(repeating).state is State.DELIVERED


@pytest.mark.parametrize("repeating", ["neither"], indirect=True)
def test_whose_worker_died_after_sending_is_left_to_a_person(repeating: Gateway, transport: Wire) -> None:
    arrive(repeating, stay())
    died = deliveries(repeating).lease()
    assert died is not None
    with repeating.engine.begin() as connection:
        outbox.begin(connection, died.lease)  # the attempt is on record; then nothing more is heard of it
    expire(repeating)
    now = deliveries(repeating).lease()
    assert now is not None
    deliveries(repeating).deliver(now)
    assert only(repeating).state is State.UNKNOWN
    assert transport.sent == []


def test_who_comes_back_late_sends_nothing_and_settles_nothing(gateway: Gateway, transport: Wire) -> None:
    arrive(gateway, stay())
    late = deliveries(gateway).lease()
    assert late is not None
    expire(gateway)
    transport.answers = [DONE]
    deliver_lease(gateway)
    assert only(gateway).state is State.DELIVERED
    before = len(leaves(gateway))
    deliveries(gateway).deliver(late)
    assert (only(gateway).state, len(transport.sent)) == (State.DELIVERED, 1)
    assert len(leaves(gateway)) == before, "what is another's by now is not put on record"


def test_a_row_that_kills_its_workers_is_set_apart(gateway: Gateway, transport: Wire) -> None:
    arrive(gateway, stay())
    for _ in range(MOST_LAPSES):
        assert deliveries(gateway).lease() is not None
        expire(gateway)
    deliver_lease(gateway)
    assert (only(gateway).state, only(gateway).last_error) == (State.DEAD, "internal_error")
    assert transport.sent == []


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"not json"])
def test_a_queued_request_that_cannot_be_read_is_set_apart(
    gateway: Gateway, transport: Wire, content: bytes
) -> None:
    arrive(gateway, stay())

    class Spoilt(Archive):
        """An archive whose queued requests come back as something else."""

        def get(self, connection: Connection, exchange_id: uuid.UUID, part: str) -> bytes:
            assert part == PAYLOAD
            return content

    deliver(dataclasses.replace(gateway, archive=Spoilt(gateway.settings)))
    assert (only(gateway).state, only(gateway).last_error) == (State.DEAD, "malformed_message")
    assert transport.sent == []


def test_what_is_queued_tells_nothing_of_a_person(gateway: Gateway) -> None:
    arrive(gateway, stay())
    (row,) = by_hand(gateway, "SELECT * FROM routing_outbox")
    told = " ".join(str(value) for value in row)
    for secret in (CODE, CODE.replace("-", ""), "Sprūžu", "PK:390000"):
        assert secret not in told


def test_a_write_whose_notice_finds_no_room_is_refused_whole(
    keys: Path, database: str, transport: Wire
) -> None:
    known = config.load({})
    settings = dataclasses.replace(
        known, state=keys, database_url=database, outbox=dataclasses.replace(known.outbox, backlog=1)
    )
    with wired(settings, transport) as gateway:
        assert arrive(gateway, stay()).status == 200
    with wired(settings, transport) as gateway:  # it has counted nothing yet
        reply = arrive(gateway, stay(person_code="321234-56797"))
        assert (reply.status, b" busy:" in reply.body) == (503, True)
        assert len(rows(gateway)) == 1
        assert count(gateway, "spolis_care_stay") == 1


def test_a_queued_request_that_does_not_open_is_set_apart(gateway: Gateway, transport: Wire) -> None:
    arrive(gateway, stay())

    class Closed(Archive):
        """An archive whose sealed bytes were damaged."""

        def get(self, connection: Connection, exchange_id: uuid.UUID, part: str) -> bytes:
            raise errors.GatewayFailure("the sealed bytes do not open")

    deliver(dataclasses.replace(gateway, archive=Closed(gateway.settings)))
    assert (only(gateway).state, only(gateway).last_error) == (State.DEAD, "internal_error")
    assert leaves(gateway)[-1]["code"] == "internal_error"
    assert transport.sent == []


class Slow(Wire):
    """A transport whose answers do not come before they are let."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.let = threading.Semaphore(0), threading.Event()

    def send(self, message: Message, deadline: float) -> bytes:
        self.asked.release()
        assert self.let.wait(30)
        self.record = DONE
        return b"the exact bytes of the answer"


def test_one_system_never_takes_all_threads(keys: Path, database: str) -> None:
    transport = Slow()
    settings = dataclasses.replace(config.load({}), state=keys, database_url=database)
    with wired(settings, transport) as gateway:
        for number in range(3):
            arrive(gateway, stay(person_code=f"32123{number}-56797"))
        worker = deliveries(gateway, threads=4)
        together = threading.Barrier(4)

        def work() -> None:
            together.wait(30)
            held = worker.lease()
            if held is not None:
                worker.deliver(held)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(2):
            assert transport.asked.acquire(timeout=30)
        try:
            assert not transport.asked.acquire(timeout=0.5), "two of its four threads wait for SAIS, no more"
            assert worker.lease() is None
            assert deliveries(gateway, threads=4).lease() is not None, (
                "another process has threads of its own"
            )
        finally:
            transport.let.set()
            for thread in threads:
                thread.join()
        assert [row.state for row in rows(gateway)].count(State.DELIVERED) == 2


def expire(gateway: Gateway) -> None:
    with gateway.engine.begin() as connection:
        past = database_now(connection).replace(year=2020)
        connection.execute(
            update(outbox.outbox).where(outbox.outbox.c.state == "leased").values(leased_until=past)
        )


def deliver_lease(gateway: Gateway) -> None:
    lease = deliveries(gateway).lease()
    assert lease is not None
    deliveries(gateway).deliver(lease)
