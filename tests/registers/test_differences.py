"""Differences over time: found, standing, settled; what is contested stays out; decisions and how they are undone."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, insert, select
from sqlalchemy.exc import IntegrityError

import registers
import wsdl
from errors import InvalidRequest, NotFound
from exchange import Provenance, new_id
from mappings.pmlp import DATA_SETS, GET_PERSON_ANSWER, Person
from mappings.vdeavk import DisabilityStatus
from registers import corrections, differences, settlement
from registers.comparing import Comparison
from registers.corrections import Answer
from registers.differences import DIFFERENCE, Act, Kept, State
from registers.history import business_columns, recorded
from registers.persons import ADDRESS, DOCUMENT, IDENTITY, codes_of, person_by_code
from storage import metadata
from tests.mappings.tables import records
from tests.registers.invented import NOON, code, day, minimal, person_code, provenance
from tests.registers.test_comparing import (
    MANY,
    PMLP,
    VDEAVK,
    VZD,
    _questions,
    another,
    at,
    compared,
    places,
    put,
    registered,
)
from tests.registers.test_feeds import SECOND_GROUP
from tests.registers.test_persons import HOME, PASSPORT, full

WHO = ("A. Ozola", "pase uzrādīta")
_seconds = itertools.count()


def soon() -> datetime:
    """An instant after those of all exchanges, each time a later one."""
    return NOON + timedelta(hours=5, seconds=next(_seconds))


def compare(
    connection: Connection,
    record: Any,
    of: str,
    minutes: int = 60,
    comparison: Comparison = PMLP,
    **more: Any,
) -> tuple[Kept, Provenance]:
    """Compare and keep what was found."""
    agreement = compared(connection, comparison, record, of, **more)
    origin = provenance(minutes, source=comparison.system)
    person_id = person_by_code(connection, of)
    assert person_id is not None
    kept = differences.record(
        connection, person_id, comparison.system, agreement.findings, origin, agreement.looked_at
    )
    return kept, origin


def of_person(connection: Connection, of: str) -> list[Any]:
    mine = select(DIFFERENCE).where(DIFFERENCE.c.person_id == person_by_code(connection, of))
    return list(connection.execute(mine.order_by(DIFFERENCE.c.id)).all())


def acts(connection: Connection, difference_id: uuid.UUID) -> list[str]:
    return [event.act for event in differences.events(connection, difference_id)]


def register_of(connection: Connection, of: str) -> dict[str, list[tuple[object, ...]]]:
    """What is current of a person: identity of things, values and provenance, without the instants."""
    person_id, held = person_by_code(connection, of), {}
    for table in metadata.sorted_tables:
        if {"person_id", "superseded_at", "version_id"} <= set(table.columns.keys()):
            names = ("id", "exchange_id", "source", "contract_version", "mapping_version")
            wanted = [table.c[name] for name in (*names, *business_columns(table))]
            mine = select(*wanted).where(table.c.person_id == person_id, recorded(table))
            held[table.name] = sorted(map(tuple, connection.execute(mine).all()), key=str)
    return held


def current(connection: Connection, table: Any, of: str) -> list[Any]:
    mine = select(table).where(table.c.person_id == person_by_code(connection, of), recorded(table))
    return list(connection.execute(mine).all())


def renamed(of: str, name: str = "Cita") -> Person:
    return replace(full(of), family_name=name)


def test_a_difference_is_found_once_and_settled_by_agreement(engine: Engine) -> None:
    of = person_code()
    with engine.begin() as connection:
        registers.feed(connection, full(of), provenance())
        kept, origin = compare(connection, renamed(of), of)
        assert kept == Kept(opened=1)
        (found,) = of_person(connection, of)
        assert (found.state, found.ours, found.theirs) == (State.OPEN, "Bērziņa", "Cita")
        assert (found.theirs_exchange_id, found.theirs_recorded_at) == (
            origin.exchange_id,
            origin.recorded_at,
        )
        held = current(connection, IDENTITY, of)[0]
        assert (found.ours_exchange_id, found.ours_recorded_at) == (held.exchange_id, held.recorded_at)
        assert compare(connection, renamed(of), of, 70)[0] == Kept(standing=1)
        assert compare(connection, full(of), of, 80)[0] == Kept(settled=1)
        (found,) = of_person(connection, of)
        assert found.state == State.SETTLED
        assert acts(connection, found.id) == [Act.FOUND, Act.AGREED]
        assert compare(connection, full(of), of, 90)[0] == Kept()


def test_another_value_ends_the_difference_and_begins_one(engine: Engine) -> None:
    of = person_code()
    with engine.begin() as connection:
        registers.feed(connection, full(of), provenance())
        compare(connection, renamed(of), of)
        assert compare(connection, renamed(of, "Trešā"), of, 70)[0] == Kept(opened=1, settled=1)
        first, second = of_person(connection, of)
        assert (first.state, first.theirs, second.state, second.theirs) == (
            "settled",
            "Cita",
            "open",
            "Trešā",
        )
        assert acts(connection, first.id) == [Act.FOUND, Act.REPLACED]


def test_what_was_not_looked_at_is_not_settled(engine: Engine) -> None:
    of = person_code()
    with engine.begin() as connection:
        registers.feed(connection, full(of), provenance())
        compare(connection, replace(renamed(of), documents=()), of)
        assert compare(connection, minimal(of), of, 70)[0] == Kept(settled=1)
        assert {(one.field, one.state) for one in of_person(connection, of)} == {
            ("family_name", "settled"),
            ("documents[]", "open"),
        }
        # Another system's comparison says nothing of what this one found.
        status = DisabilityStatus(person_code=of, on_date=day("2024-05-06"), disability=None)
        assert compare(connection, status, of, 80, VDEAVK)[0] == Kept()
        assert [one.state for one in of_person(connection, of) if one.field == "documents[]"] == ["open"]


def test_things_that_nothing_tells_apart_have_differences_of_their_own(engine: Engine) -> None:
    of = person_code()
    two = [replace(HOME, kind=code("INDICATED"), text=text) for text in ("Viena", "Otra")]
    same = [replace(PASSPORT, authority=authority) for authority in ("A", "B")]
    with engine.begin() as connection:
        registers.feed(connection, replace(full(of), addresses=tuple(two), documents=()), provenance())
        answer = replace(
            full(of), addresses=tuple(replace(one, text=one.text + "X") for one in two), documents=tuple(same)
        )
        assert compare(connection, answer, of)[0] == Kept(opened=4)
        assert compare(connection, answer, of, 70)[0] == Kept(standing=4)


def test_the_database_itself_refuses_a_second_standing_difference(engine: Engine) -> None:
    of = person_code()
    with engine.begin() as connection:
        registers.feed(connection, full(of), provenance())
        compare(connection, renamed(of), of)
        (found,) = of_person(connection, of)
    with engine.begin() as connection, pytest.raises(IntegrityError), connection.begin_nested():
        connection.execute(insert(DIFFERENCE).values({**found._mapping, "id": new_id()}))


CHANGES: dict[str, Callable[[Person], Person]] = {
    "a value": lambda one: replace(one, family_name="Cita"),
    "a value of a row among others": lambda one: replace(one, addresses=(replace(HOME, text="Cita 1"),)),
    "a value that tells the row": lambda one: replace(one, documents=(replace(PASSPORT, number="LV9"),)),
    "a row that is missing here": lambda one: replace(
        one, documents=(PASSPORT, replace(PASSPORT, number="LV9", issued_on=day("2025-01-01")))
    ),
    "a row that is missing there": lambda one: replace(one, documents=()),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("decided", ["open", "returned", "kept"])
def test_what_is_contested_enters_by_no_other_way(
    engine: Engine, change: Callable[[Person], Person], decided: str
) -> None:
    of = person_code()
    with engine.begin() as connection:
        registers.feed(connection, full(of), provenance())
        compare(connection, change(full(of)), of)
        (found,) = of_person(connection, of)
        if decided == "returned":
            settlement.give_back(connection, found.id, "90000022632", *WHO, soon())
        elif decided == "kept":
            settlement.keep(connection, found.id, *WHO, soon())
        before = register_of(connection, of)
        fed = registers.feed(connection, change(full(of)), provenance(90))
        assert fed.written == 0
        assert register_of(connection, of) == before
        # The same is found again, and stands as it was decided.
        assert compare(connection, change(full(of)), of, 95)[0] == Kept(standing=1)
        # What the source says otherwise is news: beside the contested value it is written.
        registers.feed(connection, replace(change(full(of)), nationality="EST"), provenance(100))
        after = register_of(connection, of)
        assert {name for name in after if after[name] != before[name]} == {"pmlp_particulars"}


def test_news_of_the_source_enters_and_the_difference_ends(engine: Engine) -> None:
    of = person_code()
    with engine.begin() as connection:
        registers.feed(connection, full(of), provenance())
        compare(connection, renamed(of), of)
        registers.feed(connection, renamed(of, "Trešā"), provenance(90))
        assert current(connection, IDENTITY, of)[0].family_name == "Trešā"
        assert compare(connection, renamed(of, "Trešā"), of, 95)[0] == Kept(settled=1)
        # Nothing is contested any more.
        registers.feed(connection, renamed(of), provenance(100))
        assert current(connection, IDENTITY, of)[0].family_name == "Cita"


def test_keeping_ours_holds_until_the_source_says_another_value(engine: Engine) -> None:
    of = person_code()
    with engine.begin() as connection:
        registers.feed(connection, full(of), provenance())
        compare(connection, renamed(of), of)
        (found,) = of_person(connection, of)
        settlement.keep(connection, found.id, *WHO, soon())
        assert compare(connection, renamed(of), of, 70)[0] == Kept(standing=1)
        assert differences.one(connection, found.id).state == State.DECIDED
        assert compare(connection, renamed(of, "Trešā"), of, 80)[0] == Kept(opened=1, settled=1)


@MANY
@given(data=st.data())
def test_any_value_is_taken_with_its_exchange_and_put_back_as_it_was(
    engine: Engine, data: st.DataObject
) -> None:
    of = person_code()
    drawn = data.draw(records(GET_PERSON_ANSWER, wsdl.contract("pmlp")))
    person = replace(drawn, person_code=of, data_sets=tuple(DATA_SETS))
    way, _, field = data.draw(st.sampled_from(places(GET_PERSON_ANSWER, person)))
    other = put(person, way, another(field, at(person, way)))
    with engine.begin() as connection:
        registers.feed(connection, person, provenance())
        before = register_of(connection, of)
        _, origin = compare(connection, other, of)
        (found,) = of_person(connection, of)
        settlement.take(connection, found.id, *WHO, soon())
        after = register_of(connection, of)
        (changed,) = (name for name in after if after[name] != before[name])
        assert changed == found.register_table
        (new,) = (row for row in after[changed] if row not in before[changed])
        (old,) = (row for row in before[changed] if row not in after[changed])
        assert new[0] == old[0]
        assert new[1:5] == (origin.exchange_id, "pmlp", "v1-0", "m1")
        assert compared(connection, PMLP, other, of).findings == []
        settlement.undo(connection, found.id, *WHO, soon())
        assert register_of(connection, of) == before
        assert differences.one(connection, found.id).state == State.OPEN


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_taken_rows_are_put_back_too(engine: Engine, change: Callable[[Person], Person]) -> None:
    of = person_code()
    with engine.begin() as connection:
        registers.feed(connection, full(of), provenance())
        before = register_of(connection, of)
        compare(connection, change(full(of)), of)
        (found,) = of_person(connection, of)
        for _ in range(2):
            settlement.take(connection, found.id, *WHO, soon())
            assert register_of(connection, of) != before
            assert compared(connection, PMLP, change(full(of)), of).findings == []
            settlement.undo(connection, found.id, *WHO, soon())
            assert register_of(connection, of) == before
        assert acts(connection, found.id) == ["found", *["taken", "undone"] * 2]


def test_two_values_of_one_row_are_taken_and_put_back_one_by_one(engine: Engine) -> None:
    of = person_code()
    other = replace(full(of), family_name="Cita", given_names=("Zane",))
    with engine.begin() as connection:
        registers.feed(connection, full(of), provenance())
        before = register_of(connection, of)
        compare(connection, other, of)
        first, second = of_person(connection, of)
        settlement.take(connection, first.id, *WHO, soon())
        settlement.take(connection, second.id, *WHO, soon())
        assert compared(connection, PMLP, other, of).findings == []
        settlement.undo(connection, first.id, *WHO, soon())
        (finding,) = compared(connection, PMLP, other, of).findings
        assert finding.field == first.field
        settlement.undo(connection, second.id, *WHO, soon())
        assert register_of(connection, of) == before


def test_what_the_register_holds_otherwise_by_now_is_not_written_over(engine: Engine) -> None:
    of = person_code()
    with engine.begin() as connection:
        registers.feed(connection, full(of), provenance())
        compare(connection, renamed(of), of)
        (found,) = of_person(connection, of)
        registers.feed(connection, renamed(of, "Trešā"), provenance(90))
        with pytest.raises(InvalidRequest, match="compare the person again"):
            settlement.take(connection, found.id, *WHO, soon())
        assert current(connection, IDENTITY, of)[0].family_name == "Trešā"
        registers.feed(connection, full(of), provenance(100))
        settlement.take(connection, found.id, *WHO, soon())
        registers.feed(connection, renamed(of, "Ceturtā"), provenance(110))
        with pytest.raises(InvalidRequest, match="compare the person again"):
            settlement.undo(connection, found.id, *WHO, soon())
        assert current(connection, IDENTITY, of)[0].family_name == "Ceturtā"


def test_a_row_that_came_meanwhile_is_not_begun_twice(engine: Engine) -> None:
    of = person_code()
    other = replace(PASSPORT, number="LV2", issued_on=day("2021-01-01"))
    both = replace(full(of), documents=(PASSPORT, other))
    with engine.begin() as connection:
        registers.feed(connection, full(of), provenance())
        compare(connection, both, of)
        (found,) = of_person(connection, of)
        # As by another source, which what PMLP said does not hold back.
        registers.feed(connection, both, provenance(90, source="another"))
        with pytest.raises(InvalidRequest, match="compare the person again"):
            settlement.take(connection, found.id, *WHO, soon())
        assert len(current(connection, DOCUMENT, of)) == 2


def test_a_decision_is_made_once_and_undone_once(engine: Engine) -> None:
    of = person_code()
    with engine.begin() as connection:
        registers.feed(connection, full(of), provenance())
        compare(connection, renamed(of), of)
        (found,) = of_person(connection, of)
        with pytest.raises(InvalidRequest, match="nothing to undo"):
            settlement.undo(connection, found.id, *WHO, soon())
        settlement.keep(connection, found.id, *WHO, soon())
        for again in (settlement.keep, settlement.take):
            with pytest.raises(InvalidRequest, match="undo what was decided first"):
                again(connection, found.id, *WHO, soon())
        with pytest.raises(InvalidRequest, match="only an open one"):
            settlement.give_back(connection, found.id, "90000022632", *WHO, soon())
        settlement.undo(connection, found.id, *WHO, soon())
        settlement.take(connection, found.id, *WHO, soon())
        with pytest.raises(NotFound):
            settlement.keep(connection, new_id(), *WHO, soon())


def test_what_another_was_found_for_since_is_not_undone(engine: Engine) -> None:
    of = person_code()
    with engine.begin() as connection:
        registers.feed(connection, full(of), provenance())
        compare(connection, renamed(of), of)
        (found,) = of_person(connection, of)
        settlement.take(connection, found.id, *WHO, soon())
        compare(connection, full(of), of, 400)
        with pytest.raises(InvalidRequest, match="found since"):
            settlement.undo(connection, found.id, *WHO, soon())


def test_a_register_of_one_system_takes_nothing_of_another(engine: Engine) -> None:
    of = person_code()
    with engine.begin() as connection:
        registers.feed(connection, full(of), provenance())
        compare(connection, registered("Cita iela 1"), of, 60, VZD, **_questions(connection, of)[0])
        (found,) = of_person(connection, of)
        with pytest.raises(InvalidRequest, match="vzd does not fill this register"):
            settlement.take(connection, found.id, *WHO, soon())
        # Nor is what PMLP says held back by what VZD said.
        moved = replace(full(of), addresses=(replace(HOME, text="Cita iela 1"),))
        assert registers.feed(connection, moved, provenance(90)).written == 1
        assert current(connection, ADDRESS, of)[0].text == "Cita iela 1"


def test_a_contested_code_joins_nobody_until_it_is_taken(engine: Engine) -> None:
    of, other = person_code(), person_code()
    with engine.begin() as connection:
        registers.feed(connection, full(of), provenance())
        registers.feed(connection, minimal(other, "Cits"), provenance(1))
        compare(connection, full(other), of)
        compare(connection, minimal(other, "Pavisam cits"), other, 65)
        (found,) = of_person(connection, of)
        (theirs,) = of_person(connection, other)
        before = register_of(connection, of), register_of(connection, other)
        registers.feed(connection, full(other), provenance(90), of)
        assert (register_of(connection, of), register_of(connection, other)) == before
        settlement.take(connection, found.id, *WHO, soon())
        assert person_by_code(connection, of) == person_by_code(connection, other)
        person_id = person_by_code(connection, of)
        assert person_id is not None
        assert codes_of(connection, person_id)[0] == other
        # The differences of both are of the one now.
        assert {one.id for one in of_person(connection, of)} == {found.id, theirs.id}
        with pytest.raises(InvalidRequest, match="joined"):
            settlement.undo(connection, found.id, *WHO, soon())


def test_of_two_alike_one_ends_when_two_persons_become_one(engine: Engine) -> None:
    of, other = person_code(), person_code()
    with engine.begin() as connection:
        for number, each in enumerate((of, other)):
            status = DisabilityStatus(person_code=each, on_date=day("2024-05-06"), disability=SECOND_GROUP)
            registers.feed(connection, full(each), provenance(number))
            # Missing here, so that nothing tells the one from the other.
            compare(connection, status, each, 60 + number, VDEAVK)
        registers.feed(connection, full(other), provenance(90), of)
        found = of_person(connection, of)
        assert sorted(one.state for one in found) == ["open", "settled"]
        assert [acts(connection, one.id)[-1] for one in found if one.state == "settled"] == [Act.JOINED]


def test_a_correction_request_is_answered_refused_and_withdrawn(engine: Engine) -> None:
    of = person_code()
    with engine.begin() as connection:
        registers.feed(connection, full(of), provenance())
        compare(connection, replace(full(of), registry_status=code("PASSIVE")), of)
        (found,) = of_person(connection, of)
        request_id = settlement.give_back(connection, found.id, "90000022632", *WHO, soon())
        request = corrections.one(connection, request_id)
        document = request.document
        assert (request.recipient, request.state, document["person_code"]) == ("pmlp", "prepared", of)
        assert document["other"]["value"]["code"] == "PASSIVE"
        assert all(document["other"]["value"].values())
        assert document["rule_text_lv"][-1] == "ziņas par personas tiesisko statusu Iedzīvotāju reģistrā"
        with pytest.raises(InvalidRequest, match="only one that was sent"):
            settlement.answered(connection, request_id, Answer.REFUSED, "", "A", soon())
        corrections.sent(connection, request_id, "folder", "pmlp/1.json", soon())
        settlement.answered(connection, request_id, Answer.REFUSED, "vēstule", "A", soon())
        assert differences.one(connection, found.id).state == State.OPEN
        second = settlement.give_back(connection, found.id, "90000022632", *WHO, soon())
        settlement.undo(connection, found.id, *WHO, soon())
        assert [one.state for one in corrections.requests_of(connection, found.id)] == [
            "answered",
            "withdrawn",
        ]
        # What was withdrawn does not count as sent, however late the word of it comes.
        corrections.sent(connection, second, "folder", "pmlp/2.json", soon())
        assert corrections.one(connection, second).state == "withdrawn"
        third = settlement.give_back(connection, found.id, "90000022632", *WHO, soon())
        corrections.sent(connection, third, "folder", "pmlp/3.json", soon())
        settlement.answered(connection, third, Answer.CORRECTED, "vēstule", "A", soon())
        assert differences.one(connection, found.id).state == State.RETURNED
        assert compare(connection, full(of), of, 400)[0] == Kept(settled=1)


def test_the_source_of_our_value_holds_the_data(engine: Engine) -> None:
    of = person_code()
    with engine.begin() as connection:
        registers.feed(connection, full(of), provenance())
        compare(connection, registered("Cita iela 1"), of, 60, VZD, **_questions(connection, of)[0])
        status = DisabilityStatus(person_code=of, on_date=day("2024-05-06"), disability=SECOND_GROUP)
        compare(connection, status, of, 61, VDEAVK)
        assert {one.system: corrections.holder(one) for one in of_person(connection, of)} == {
            "vzd": "pmlp",
            "vdeavk": "vdeavk",
        }


def test_a_document_of_another_row_is_not_touched(engine: Engine) -> None:
    of = person_code()
    other = replace(PASSPORT, number="LV2", issued_on=day("2021-01-01"))
    with engine.begin() as connection:
        registers.feed(connection, replace(full(of), documents=(PASSPORT, other)), provenance())
        changed = (replace(PASSPORT, valid_to=None), other)
        compare(connection, replace(full(of), documents=changed), of)
        (found,) = of_person(connection, of)
        settlement.take(connection, found.id, *WHO, soon())
        assert {(row.number, row.valid_to) for row in current(connection, DOCUMENT, of)} == {
            (PASSPORT.number, None),
            ("LV2", PASSPORT.valid_to),
        }
