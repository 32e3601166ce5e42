"""Persons: history, data sets, codes as aliases, and any sequence of answers."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, insert, select
from sqlalchemy.exc import IntegrityError

import registers
from errors import UnknownCode
from exchange import new_id
from mappings.care_stays import CareStay
from mappings.npais import Placements
from mappings.pmlp import Address, Document, FamilyMember, Person, Representative
from registers import Fed, Row
from registers.care_stays import open_stay
from registers.persons import (
    DOCUMENT,
    IDENTITY,
    PARTICULARS,
    PERSON_CODE,
    codes_of,
    person_by_code,
)
from tests.registers.invented import NOON, code, day, minimal, person_code, provenance

PASSPORT = Document(
    kind=code("PASSPORT"),
    number="LV1234567",
    issued_on=day("2020-02-03"),
    valid_to=day("2030-02-02"),
    country="LVA",
    authority="PMLP",
)
HOME = Address(kind=code("DECLARED"), varis_code="101003948", text="Ozolu iela 18, Valmiermuiža")
FULL = ("NAME_AND_CODE", "IDENTITY", "REPRESENTATIVES", "DOCUMENTS", "ADDRESSES", "FAMILY")


def full(of: str) -> Person:
    return replace(
        minimal(of),
        birth_date=day("1950-06-07"),
        sex=code("F"),
        nationality="LVA",
        nationality_kind=code("CITIZEN"),
        deceased=False,
        capacity_restricted=False,
        registry_status=code("ACTIVE"),
        representatives=(Representative(person_code="320000-00001", kind=code("TRUSTEE")),),
        documents=(PASSPORT,),
        addresses=(HOME,),
        family=(
            FamilyMember(
                relation=code("CHILD"),
                person_code="320000-00002",
                given_names=("Jānis",),
                family_name="Bērziņš",
            ),
        ),
        data_sets=FULL,
    )


def the_person(connection: Connection, of: str, *, history: bool = False) -> Row:
    (row,) = registers.search(connection, "persons", {"person_code": of})
    (row,) = registers.read(connection, "persons", row.id, history)
    return row


def listed(row: Row, part: str) -> tuple[Row, ...]:
    rows = row.parts[part]
    assert isinstance(rows, tuple)
    return rows


def single(row: Row, part: str) -> Row:
    one = row.parts[part]
    assert isinstance(one, Row)
    return one


def test_an_unchanged_answer_makes_no_version(engine: Engine) -> None:
    of = person_code()
    with engine.begin() as connection:
        assert registers.feed(connection, full(of), provenance()) == Fed(written=6)
        before = the_person(connection, of, history=True)
        assert registers.feed(connection, full(of), provenance(1)) == Fed(confirmed=6)
        assert the_person(connection, of, history=True) == before


def test_every_row_says_which_exchange_it_is_from(engine: Engine) -> None:
    of, origin = person_code(), provenance()
    with engine.begin() as connection:
        registers.feed(connection, full(of), origin)
        row = the_person(connection, of, history=True)
    assert row.provenance == origin
    for part in row.parts:
        assert [each.provenance for each in listed(row, part)] == [origin]


def test_a_change_makes_one_version_and_keeps_the_id(engine: Engine) -> None:
    of, later = person_code(), provenance(5)
    longer = replace(PASSPORT, valid_to=day("2032-02-02"))
    with engine.begin() as connection:
        registers.feed(connection, full(of), provenance())
        assert registers.feed(connection, replace(full(of), documents=(longer,)), later) == Fed(1, 5)
        old, new = listed(the_person(connection, of, history=True), "documents")
        assert old.id == new.id
        assert (old.valid_to, new.valid_to) == (day("2030-02-02"), day("2032-02-02"))
        assert old.superseded_at == new.recorded_at == later.recorded_at
        assert new.superseded_at is None
        assert new.provenance == later
        assert listed(the_person(connection, of), "documents") == (new,)


def test_the_register_as_it_was_recorded_at_an_instant(engine: Engine) -> None:
    of = person_code()
    with engine.begin() as connection:
        for minutes, name in ((0, "Bērziņa"), (10, "Kalniņa"), (20, "Ozola")):
            registers.feed(connection, minimal(of, name), provenance(minutes))
        names = []
        for minutes in (-1, 0, 9, 10, 20, 30):
            at = NOON + timedelta(minutes=minutes)
            rows = registers.search(connection, "persons", {"person_code": of}, at=at)
            names.append([single(row, "identity").values["family_name"] for row in rows])
    assert names == [[], ["Bērziņa"], ["Bērziņa"], ["Kalniņa"], ["Ozola"], ["Ozola"]]


def test_data_sets_not_delivered_are_not_touched(engine: Engine) -> None:
    of, first = person_code(), provenance()
    with engine.begin() as connection:
        registers.feed(connection, full(of), first)
        assert registers.feed(connection, minimal(of, "Ozola"), provenance(1)) == Fed(1, 0)
        row = the_person(connection, of)
        assert single(row, "particulars").values["birth_date"] == day("1950-06-07")
        assert single(row, "particulars").provenance == first
        assert {part: len(listed(row, part)) for part in ("documents", "addresses", "family")} == {
            "documents": 1,
            "addresses": 1,
            "family": 1,
        }
        emptied = replace(minimal(of, "Ozola"), data_sets=("NAME_AND_CODE", "DOCUMENTS"))
        assert registers.feed(connection, emptied, provenance(2)) == Fed(1, 1)
        row = the_person(connection, of)
        assert listed(row, "documents") == ()
        assert len(listed(row, "addresses")) == 1


def test_a_thing_that_comes_back_keeps_its_id(engine: Engine) -> None:
    of = person_code()
    with engine.begin() as connection:
        registers.feed(connection, full(of), provenance())
        (was,) = listed(the_person(connection, of), "documents")
        registers.feed(connection, replace(full(of), documents=()), provenance(1))
        registers.feed(connection, full(of), provenance(2))
        (back,) = listed(the_person(connection, of), "documents")
        assert back.id == was.id
        assert len(listed(the_person(connection, of, history=True), "documents")) == 2


def test_two_things_alike_are_two(engine: Engine) -> None:
    of = person_code()
    twice = replace(full(of), addresses=(HOME, HOME, replace(HOME, kind=code("INDICATED"))))
    with engine.begin() as connection:
        registers.feed(connection, twice, provenance())
        assert registers.feed(connection, twice, provenance(1)) == Fed(0, 8)
        assert len(listed(the_person(connection, of), "addresses")) == 3


def test_an_exchange_that_began_earlier_and_commits_later_does_not_turn_time_back(engine: Engine) -> None:
    of = person_code()
    with engine.begin() as connection:
        registers.feed(connection, minimal(of, "Ozola"), provenance(10))
        registers.feed(connection, minimal(of, "Bērziņa"), provenance(5))
        old, new = listed(the_person(connection, of, history=True), "identity")
    assert old.recorded_at < new.recorded_at
    assert old.superseded_at == new.recorded_at


def test_a_data_set_that_no_contract_knows_feeds_nothing(engine: Engine) -> None:
    of = person_code()
    with engine.begin() as connection:
        with pytest.raises(UnknownCode):
            registers.feed(connection, replace(minimal(of), data_sets=("HOROSCOPE",)), provenance())
        assert person_by_code(connection, of) is None


def test_a_person_is_found_under_every_code_that_he_had(engine: Engine) -> None:
    old, new = person_code(), person_code()
    with engine.begin() as connection:
        registers.feed(connection, full(old), provenance(), old)
        assert registers.feed(connection, full(new), provenance(1), old) == Fed(2, 6)
        assert registers.feed(connection, full(new), provenance(2), old) == Fed(0, 8)
        assert registers.feed(connection, full(new), provenance(3), new) == Fed(0, 6)
        by_old, by_new = the_person(connection, old), the_person(connection, new)
        assert by_old == by_new
        assert codes_of(connection, by_old.id) == (new, old)
        dates = {row.values["code"]: (row.valid_from, row.valid_to) for row in listed(by_old, "codes")}
    assert dates == {old: (None, day("2026-05-03")), new: (None, None)}


def test_an_old_code_asked_first_is_an_alias_from_then_on(engine: Engine) -> None:
    old, new = person_code(), person_code()
    with engine.begin() as connection:
        registers.feed(connection, full(new), provenance(), old)
        assert codes_of(connection, the_person(connection, old).id) == (new, old)
        assert the_person(connection, old) == the_person(connection, new)


def test_two_persons_who_are_one_are_joined_with_all_that_is_kept(engine: Engine) -> None:
    old, new = person_code(), person_code()
    stay = CareStay(
        person_code=old,
        institution="VSAC",
        institution_address="Rīga",
        institution_kind=code("STATE_CARE_CENTRE"),
        entered_on=day("2026-01-01"),
        funding_source=code("STATE"),
    )
    with engine.begin() as connection:
        registers.feed(connection, full(old), provenance())
        registers.feed(connection, stay, provenance(source="spolis"))
        registers.feed(connection, replace(full(new), family_name="Ozola", documents=()), provenance(1))
        before, kept = the_person(connection, old).id, the_person(connection, new).id
        registers.feed(connection, replace(minimal(new), family_name="Ozola"), provenance(2), old)
        assert the_person(connection, old).id == the_person(connection, new).id == kept != before
        assert registers.read(connection, "persons", before)[0].id == kept
        joined = the_person(connection, old)
        assert single(joined, "identity").values["family_name"] == "Ozola"
        assert [row.values["number"] for row in listed(joined, "documents")] == ["LV1234567"]
        assert len(listed(joined, "addresses")) == 1, "what both had alike stands once"
        for either in (old, new):
            (found,) = registers.search(connection, "care-stays", {"person_code": either})
            assert found.person_id == kept
        assert open_stay(connection, new, day("2026-02-01"))
        versions = listed(the_person(connection, old, history=True), "identity")
        assert {row.values["family_name"] for row in versions} == {"Bērziņa", "Ozola"}


def test_a_code_that_is_in_force_again_is_so_in_the_register(engine: Engine) -> None:
    first, second, third = person_code(), person_code(), person_code()
    with engine.begin() as connection:
        registers.feed(connection, minimal(second), provenance(), first)
        registers.feed(connection, minimal(third), provenance(1), second)
        assert codes_of(connection, the_person(connection, first).id)[0] == third
        registers.feed(connection, minimal(first), provenance(2), third)
        found = codes_of(connection, the_person(connection, third).id)
    assert found[0] == first
    assert set(found) == {first, second, third}


def test_no_other_system_joins_two_persons(engine: Engine) -> None:
    asked, answered = person_code(), person_code()
    with engine.begin() as connection:
        answer = Placements(person_code=answered, placements=())
        registers.feed(connection, answer, provenance(source="npais"), asked)
        assert person_by_code(connection, asked) is None


names = st.sampled_from(["Bērziņa", "Kalniņa", "Ozola"])
papers = st.lists(
    st.builds(
        replace,
        st.just(PASSPORT),
        number=st.sampled_from(["LV1", "LV2"]),
        valid_to=st.sampled_from([None, day("2030-01-01")]),
    ),
    max_size=3,
)
answers = st.lists(
    st.tuples(
        names, st.sampled_from([None, "ACTIVE", "PASSIVE"]), papers, st.sets(st.sampled_from(FULL)).map(tuple)
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=25, deadline=None)
@given(sequence=answers)
def test_any_sequence_of_answers_leaves_one_current_identity_and_all_of_history(
    engine: Engine, sequence: list[tuple[str, str | None, list[Document], tuple[str, ...]]]
) -> None:
    of = person_code()
    identities: list[str] = []
    statuses: list[str | None] = []
    documents: list[Document] = []
    with engine.begin() as connection:
        for number, (name, status, held, data_sets) in enumerate(sequence):
            answer = replace(
                minimal(of, name),
                registry_status=code(status) if status else None,
                documents=tuple(held),
                data_sets=data_sets,
            )
            registers.feed(connection, answer, provenance(number))
            identities += [name] if identities[-1:] != [name] else []
            if "IDENTITY" in data_sets and statuses[-1:] != [status]:
                statuses.append(status)
            documents = held if "DOCUMENTS" in data_sets else documents
        row = the_person(connection, of, history=True)
        assert [r.values["family_name"] for r in listed(row, "identity")] == identities
        assert [r.values["registry_status"] for r in listed(row, "particulars")] == statuses
        for part in ("identity", "particulars"):
            versions = listed(row, part)
            assert [v.superseded_at for v in versions[:-1]] == [v.recorded_at for v in versions[1:]]
            assert all(v.superseded_at is None for v in versions[-1:])
        current = [
            (r.number, r.valid_to)
            for r in connection.execute(
                select(DOCUMENT).where(DOCUMENT.c.person_id == row.id, DOCUMENT.c.superseded_at.is_(None))
            )
        ]
        assert sorted(current, key=str) == sorted(((d.number, d.valid_to) for d in documents), key=str)


def test_the_database_itself_refuses_a_second_current_identity(engine: Engine) -> None:
    of = person_code()
    with engine.begin() as connection:
        registers.feed(connection, full(of), provenance())
        for table in (IDENTITY, PARTICULARS, PERSON_CODE):
            held = connection.execute(
                select(table).where(table.c.person_id == person_by_code(connection, of))
            ).one()
            second = {**held._mapping, "version_id": new_id(), "id": new_id()}
            with pytest.raises(IntegrityError), connection.begin_nested():
                connection.execute(insert(table).values(second))
