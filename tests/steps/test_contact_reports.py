"""A report that is written is told to NPAIS by an exchange of its own, in the order of the child's reports."""

from __future__ import annotations

import dataclasses
from typing import cast

from exchange import Arguments
from gateway import Gateway
from mappings.npais import ReportReceipt
from routing.access import Access
from routing.outbox import State
from tests.registers.test_contact_reports import ARGUMENTS
from tests.steps.test_from_outbox import deliver, only, outcomes, rows
from tests.steps.wired import CODE, Door, Wire, arrive, leaves

DONE = ReportReceipt(message_id="m", took_effect=True)


def report(**values: object) -> Door:
    arguments = cast("Arguments", {**ARGUMENTS, "person_code": CODE, **values})
    return Door("registers", "WriteContactReports", arguments, "child-protection", "p10.11", effect_once=True)


def test_a_report_is_told_by_an_exchange_of_its_own(gateway: Gateway, transport: Wire) -> None:
    reply = arrive(gateway, report())
    assert reply.status == 200, reply.body
    row = only(gateway)
    assert (row.system, row.operation, row.state) == ("npais", "ReportChildContact", State.WAITING)
    assert transport.sent == []
    transport.answers = [DONE]
    deliver(gateway)
    assert outcomes(gateway, row.id) == ["opened", "queued", "attempt", "ok"]
    (message,) = transport.sent
    assert message.message_id == f"urn:uuid:{row.id}"
    for told in ("Draudzīgs.", "ieplānots", "Māte ierodas", "Atbilst vecumam.", "A. Paraudziņa"):
        assert told.encode() in message.content
    (told_to,) = {
        (leaf["recipient"], leaf["purpose"], leaf["rule"])
        for leaf in leaves(gateway)
        if leaf["kind"] == "outcome" and leaf["system"] == "npais"
    }
    assert told_to == ("npais", "child-protection", "p18.3")


def test_a_correction_leaves_after_the_report_and_the_same_report_not_again(
    gateway: Gateway, transport: Wire
) -> None:
    arrive(gateway, report())
    arrive(gateway, report())
    arrive(gateway, report(author="B. Paraudziņš"))
    first, second = rows(gateway)
    assert first.subject_order == second.subject_order is not None
    transport.answers = [DONE, DONE]
    deliver(gateway, 2)
    assert [b"B. Paraudzi" in message.content for message in transport.sent] == [False, True]


def test_what_npais_did_not_take_is_not_delivered(gateway: Gateway, transport: Wire) -> None:
    arrive(gateway, report())
    transport.answers = [ReportReceipt(message_id="m", took_effect=False)]
    deliver(gateway)
    assert only(gateway).state is State.DEAD
    assert only(gateway).last_error == "system_refused"


def test_nobody_may_send_a_report_past_the_register(gateway: Gateway, transport: Wire) -> None:
    arguments = cast("Arguments", {**ARGUMENTS, "person_code": CODE})
    door = Door("npais", "ReportChildContact", arguments, "child-protection", "p18.3", "npais")
    assert b"unknown_operation" in arrive(gateway, door).body
    assert transport.sent == []


def test_a_report_whose_contacts_may_not_be_told_is_not_told_without_them(
    gateway: Gateway, transport: Wire
) -> None:
    arrive(gateway, report())
    rights = tuple(
        dataclasses.replace(right, rules=("p18.3",)) if right.recipient == "npais" else right
        for right in gateway.access.rights
    )
    deliver(dataclasses.replace(gateway, access=Access(rights)))
    assert transport.sent == []
    assert (only(gateway).state, only(gateway).last_error) == (State.DEAD, "access_denied")
