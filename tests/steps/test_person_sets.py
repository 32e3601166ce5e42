"""Sets of persons, whose changes are followed and what changed: as every exchange, on both databases."""

from __future__ import annotations

import dataclasses
import json
from datetime import date

import pytest

from exchange import Arguments, Json
from gateway import Gateway
from mappings.codes import ADDRESS_STATUS
from mappings.pmlp import PersonEntry, PersonSet
from mappings.pmlp_changes import PersonChange, PersonChanges, Subscription, Subscriptions
from mappings.vzd import AddressHistory, AddressSpan
from tests.steps.wired import Door, Wire, arrive, by_hand, count, kinds, person

ONE, TWO, NOBODY, OLD = "321111-11111", "322222-22222", "323333-33333", "010180-10001"


def entry(code: str, *, found: bool = True, **values: object) -> PersonEntry:
    known = person(data_sets=(), **{"person_code": code, **values})
    return PersonEntry(asked_code=code, found=found, person=known if found else None)


def answered(*entries: PersonEntry) -> PersonSet:
    return PersonSet(data_sets=("IDENTITY",), entries=entries)


def asking(*codes: str, **values: str) -> Door:
    return dataclasses.replace(
        Door(operation="GetPersonSet", arguments={"person_codes": codes}),
        **values,  # type: ignore[arg-type] # texts
    )


def following(operation: str, *codes: str) -> Door:
    return Door(operation=operation, arguments={"person_codes": codes}, rule="p17.2", effect_once=True)


def found_in(gateway: Gateway, register: str, code: str) -> list[dict[str, Json]]:
    door = Door("registers", f"Search{register}", {"person_code": code}, rule="p8.3")
    rows: list[dict[str, Json]] = json.loads(arrive(gateway, door).body)[1]["rows"]
    return rows


def subjects_of(gateway: Gateway, kind: str) -> Json:
    """The subjects of the only record of a kind."""
    ((value,),) = by_hand(
        gateway,
        "SELECT v.value FROM log_values v JOIN log_records r ON r.id = v.record_id "  # noqa: S608 — our own word
        f"WHERE v.name = 'subject' AND r.kind = '{kind}'",
    )
    found: Json = json.loads(value)
    return found


def limited(gateway: Gateway, persons: int) -> Gateway:
    rights = tuple(dataclasses.replace(right, persons_day=persons) for right in gateway.access.rights)
    return dataclasses.replace(gateway, access=type(gateway.access)(rights))


def test_each_person_of_a_set_is_given_kept_and_a_subject(gateway: Gateway, transport: Wire) -> None:
    transport.answers = [answered(entry(ONE), entry(NOBODY, found=False), entry(TWO))]
    reply = arrive(gateway, asking(ONE, NOBODY, TWO))
    assert reply.status == 200, reply.body
    record = json.loads(reply.body)[1]
    assert [(one["asked_code"], one["found"]) for one in record["entries"]] == [
        (ONE, True), (NOBODY, False), (TWO, True),
    ]  # fmt: skip
    assert [count(gateway, table) for table in ("spolis_person", "pmlp_particulars")] == [2, 2]
    assert [subjects_of(gateway, kind) for kind in ("attempt", "outcome")] == [[ONE, NOBODY, TWO]] * 2


def test_everybody_of_a_set_counts_before_anything_leaves(gateway: Gateway, transport: Wire) -> None:
    transport.answers = [answered(entry(ONE), entry(TWO))]
    assert b"quota_exceeded" in arrive(limited(gateway, 2), asking(ONE, TWO, NOBODY)).body
    assert transport.sent == []
    assert kinds(gateway) == ["opened", "outcome"]
    assert arrive(limited(gateway, 2), asking(ONE, TWO)).status == 200
    assert b"quota_exceeded" in arrive(limited(gateway, 2), asking(ONE, NOBODY)).body


@pytest.mark.parametrize(
    "codes",
    [(), ("32111111111", ONE), tuple(f"32{n:04d}-00000" for n in range(101))],
    ids=["none", "twice", "101"],
)
def test_a_set_that_cannot_be_asked_is_refused(
    gateway: Gateway, transport: Wire, codes: tuple[str, ...]
) -> None:
    reply = arrive(gateway, asking(*codes))
    assert (reply.status, transport.sent) == (400, [])
    assert b"person_codes" in reply.body


@pytest.mark.parametrize(
    "wrong",
    [
        answered(entry(ONE)),
        answered(entry(ONE), entry(NOBODY)),
        answered(entry(ONE), dataclasses.replace(entry(TWO), found=False)),
        answered(entry(ONE), entry(TWO), entry(TWO)),
    ],
    ids=["one short", "another", "found or not", "one twice"],
)
def test_an_answer_to_another_set_feeds_nothing(gateway: Gateway, transport: Wire, wrong: PersonSet) -> None:
    transport.answers = [wrong]
    assert b"answer_mismatch" in arrive(gateway, asking(ONE, TWO)).body
    assert count(gateway, "spolis_person") == 0


def test_family_is_asked_for_under_its_own_purpose(gateway: Gateway, transport: Wire) -> None:
    family: Arguments = {"person_codes": (ONE,), "data_sets": ("FAMILY",)}
    door = dataclasses.replace(asking(ONE), arguments=family)
    assert b"access_denied" in arrive(gateway, door).body
    assert transport.sent == []
    transport.answers = [PersonSet(data_sets=("FAMILY",), entries=(entry(ONE),))]
    reply = arrive(gateway, dataclasses.replace(door, purpose="family-assessment", rule="p9.2.5.1"))
    assert reply.status == 200
    assert "birth_date" not in json.loads(reply.body)[1]["entries"][0]["person"]


def test_an_old_code_in_a_set_is_of_the_same_person(gateway: Gateway, transport: Wire) -> None:
    transport.answers = [answered(dataclasses.replace(entry(ONE), asked_code=OLD))]
    assert arrive(gateway, asking(OLD)).status == 200
    assert count(gateway, "spolis_person") == 1
    (row,) = found_in(gateway, "Persons", OLD)
    assert {code["code"] for code in row["codes"]} == {OLD, ONE}  # type: ignore[index,union-attr,call-overload] # codes are objects


def told(*pairs: tuple[str, bool]) -> Subscriptions:
    return Subscriptions(subscriptions=tuple(Subscription(person_code=c, subscribed=s) for c, s in pairs))


def test_who_is_followed_is_kept_until_he_is_not(gateway: Gateway, transport: Wire) -> None:
    transport.answers = [told((ONE, True), (NOBODY, False)), told((ONE, False))]
    door = following("Subscribe", ONE, NOBODY)
    first = arrive(gateway, door)
    assert first.status == 200, first.body
    assert [row["code"] for row in found_in(gateway, "PersonSubscriptions", ONE)] == [ONE]
    assert found_in(gateway, "PersonSubscriptions", NOBODY) == []
    assert count(gateway, "spolis_person") == 1, "of whom PMLP does not know nothing is kept"
    assert arrive(gateway, following("Unsubscribe", ONE)).status == 200
    assert found_in(gateway, "PersonSubscriptions", ONE) == []
    again = arrive(gateway, door)
    assert (again.body, len(transport.sent)) == (first.body, 2), "the repeat does not follow him again"
    assert found_in(gateway, "PersonSubscriptions", ONE) == []


def test_who_is_still_followed_after_an_end_is_an_error(gateway: Gateway, transport: Wire) -> None:
    transport.answers = [told((ONE, True))]
    assert b"answer_mismatch" in arrive(gateway, following("Unsubscribe", ONE)).body


def page(*changes: PersonChange) -> PersonChanges:
    return PersonChanges(changes=changes, cursor="c-1", more=False)


def changed(code: str, previous: str | None = None, on: date = date(2026, 3, 4)) -> PersonChange:
    sets = ("NAME_AND_CODE",) if previous else ("ADDRESSES",)
    return PersonChange(person_code=code, previous_code=previous, changed_on=on, data_sets=sets)


def test_changes_of_known_persons_are_kept_once(gateway: Gateway, transport: Wire) -> None:
    transport.answers = [answered(entry(ONE)), page(changed(ONE), changed(ONE), changed(NOBODY))]
    transport.answers.append(transport.answers[1])
    assert arrive(gateway, asking(ONE)).status == 200
    for asked in ({"since": "2026-03-01"}, {"cursor": "c-0"}):
        reply = arrive(gateway, Door(operation="GetChanges", arguments=asked, rule="p17.2"))
        assert reply.status == 200, reply.body
        assert json.loads(reply.body)[1]["cursor"] == "c-1"
    (row,) = found_in(gateway, "PersonChanges", ONE)
    assert (row["changed_on"], row["data_sets"]) == ("2026-03-04", ["ADDRESSES"])
    assert count(gateway, "spolis_person") == 1


def test_a_code_that_changed_is_of_the_same_person_from_that_day(gateway: Gateway, transport: Wire) -> None:
    transport.answers = [answered(entry(OLD)), page(changed(ONE, previous=OLD))]
    assert arrive(gateway, asking(OLD)).status == 200
    asked: Arguments = {"since": "2026-03-01"}
    assert arrive(gateway, Door(operation="GetChanges", arguments=asked, rule="p17.2")).status == 200
    assert count(gateway, "spolis_person") == 1
    (row,) = found_in(gateway, "Persons", ONE)
    spans = {code["code"]: (code["valid_from"], code["valid_to"]) for code in row["codes"]}  # type: ignore[index,union-attr,call-overload] # codes are objects
    assert spans == {OLD: (None, "2026-03-03"), ONE: ("2026-03-04", None)}


@pytest.mark.parametrize("asked", [{}, {"since": "2026-03-01", "cursor": "c-0"}])
def test_changes_are_asked_from_a_day_or_from_a_cursor(
    gateway: Gateway, transport: Wire, asked: dict[str, str]
) -> None:
    reply = arrive(gateway, Door(operation="GetChanges", arguments=asked, rule="p17.2"))
    assert (reply.status, transport.sent) == (400, [])


def test_the_history_of_an_address_is_given_and_not_kept(gateway: Gateway, transport: Wire) -> None:
    span = AddressSpan(
        valid_from=None, valid_to=date(2021, 6, 30), text="Vecā iela 1", status=ADDRESS_STATUS["EKS"]
    )
    transport.answers = [AddressHistory(varis_code="103000001", spans=(span,), successors=())]
    asked: Arguments = {"varis_code": "103000001"}
    reply = arrive(gateway, Door("vzd", "GetHistory", asked, "address-check", "p17.10"))
    assert reply.status == 200, reply.body
    assert json.loads(reply.body)[1]["spans"][0]["text"] == "Vecā iela 1"
    assert count(gateway, "vzd_address") == 0
