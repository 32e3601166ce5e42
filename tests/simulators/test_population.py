"""The population is one: the same for everybody, and what one system says of a person agrees with the others."""

from __future__ import annotations

import re
from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum.lv import pvn

from mappings.codes import code_list
from simulators import code_lists
from simulators.addresses import address_register
from simulators.benefits import payments
from simulators.care import Care, care, decided_since, decisions, placements
from simulators.disability import CHILD_GROUP, disability
from simulators.households import SLOTS, Relation, Slot
from simulators.kinds import kinds
from simulators.population import LARGEST, Person, Population
from simulators.residents import addresses, representatives

SEEDS = st.integers(0, 2**31)
# Days for which the ages of the population hold, and around which a demonstration is run.
DAYS = st.dates(date(2025, 1, 1), date(2029, 12, 31))


@st.composite
def somebody(draw: st.DrawFn, *slots: Slot) -> tuple[Population, Person]:
    """A person of some population, in one of the slots where any are named."""
    population = Population(draw(st.sampled_from([20, 400, 100_000, LARGEST])), draw(SEEDS))
    block = draw(st.integers(0, len(population) // SLOTS - 1))
    return population, population.person(block * SLOTS + draw(st.sampled_from(slots or tuple(Slot))))


CHILDREN = (Slot.CHILD_IN_CARE, Slot.SIBLING, Slot.LEFT_CARE)
DISABLED = (Slot.DISABLED_ADULT, Slot.WARD, Slot.TRUSTEE, Slot.DISABLED_CHILD)
AGED = (Slot.PENSIONER_WOMAN, Slot.PENSIONER_MAN, Slot.LONE_PENSIONER)


@given(somebody())
def test_a_code_leads_back_to_its_person(found: tuple[Population, Person]) -> None:
    population, person = found
    assert population.by_code(person.code) == person
    if person.previous_code is not None:
        assert person.previous_code != person.code
        assert population.by_code(person.previous_code) == person


@given(somebody())
def test_codes_are_valid(found: tuple[Population, Person]) -> None:
    _, person = found
    for code in filter(None, (person.code, person.previous_code)):
        if not re.fullmatch(r"3[2-9][0-9]{9}", code):
            assert pvn.is_valid(code)
            assert code[:6] == f"{person.birth_date:%d%m%y}"


@given(SEEDS, st.integers(1, 2_000))
@settings(max_examples=10)
def test_no_two_persons_share_a_code(seed: int, size: int) -> None:
    population = Population(size, seed)
    codes = [code for person in population for code in (person.code, person.previous_code) if code]
    assert len(population) == size
    assert len(set(codes)) == len(codes)


@given(somebody(), st.text("0123456789", min_size=0, max_size=13))
def test_any_other_code_is_nobody(found: tuple[Population, Person], code: str) -> None:
    population, _ = found
    person = population.by_code(code)
    assert person is None or code in (person.code, person.previous_code)


@given(SEEDS, st.integers(0, 99))
def test_the_same_seed_gives_the_same_people(seed: int, index: int) -> None:
    assert Population(100, seed).person(index) == Population(100, seed).person(index)
    assert Population(100, seed).person(index).code != Population(100, seed + 1).person(index).code


def test_a_larger_population_begins_with_other_codes_of_the_same_people() -> None:
    small, large = Population(20, 5), Population(LARGEST, 5)
    assert [person.code for person in small] == [large.person(index).code for index in range(20)]


@given(somebody())
def test_relations_hold_both_ways(found: tuple[Population, Person]) -> None:
    population, person = found
    back = {Relation.PARENT: Relation.CHILD, Relation.CHILD: Relation.PARENT}
    for relation, other in population.family(person):
        assert other.code != person.code
        assert (back.get(relation, relation), person) in population.family(other)
        if relation is Relation.PARENT:
            assert other.birth_date < person.birth_date - timedelta(days=16 * 365)


@given(somebody() | somebody(*CHILDREN))
def test_a_child_in_npais_has_a_family_in_pmlp(found: tuple[Population, Person]) -> None:
    population, person = found
    known = bool(decisions(population, person))
    assert known == bool(placements(population, person)) == (care(person) is not None)
    if known:
        assert Relation.PARENT in {relation for relation, _ in population.family(person)}


@given(somebody(Slot.CHILD_IN_CARE), DAYS)
def test_a_child_in_care_has_a_representative_and_an_agreeing_decision(
    found: tuple[Population, Person], today: date
) -> None:
    population, child = found
    assert "child_in_care" in kinds(population, child, today)
    ((kind, representative),) = representatives(population, child)
    assert "guardian" in kinds(population, representative, today)
    in_force = {made.kind for made in decisions(population, child) if made.effective_to is None}
    assert ("FOSTER_FAMILY" if "PLACE_FOSTER_FAMILY" in in_force else "GUARDIAN") == kind
    paid = {payment.kind for payment in payments(population, representative, today, today, today=today)}
    if care(child) is not Care.INSTITUTION and all(
        made.decided_on < today for made in decisions(population, child)
    ):
        assert paid & {"GUARDIAN_PAY", "FOSTER_FAMILY_PAY"}


@given(somebody(*CHILDREN))
def test_placements_follow_from_decisions(found: tuple[Population, Person]) -> None:
    population, person = found
    made = {decision.kind: decision for decision in decisions(population, person)}
    for stay in placements(population, person):
        assert made["PLACE_INSTITUTION"].effective_from == stay.entered_on > person.birth_date
        assert made["PLACE_INSTITUTION"].effective_to == stay.stopped_on
        assert (stay.stopped_on is None) == (stay.stop_reason is None)
        assert stay.stopped_on is None or stay.stopped_on > stay.entered_on


@given(somebody() | somebody(*DISABLED), DAYS)
def test_disability_in_vdeavk_is_paid_by_sais(found: tuple[Population, Person], today: date) -> None:
    population, person = found
    paid = {payment.kind for payment in payments(population, person, today, today, today=today)}
    known = disability(population, person)
    if known is None:
        assert "DISABILITY_PENSION" not in paid
        return
    if not known.holds(today, today):
        return
    if known.group == CHILD_GROUP:
        assert {"FAMILY_BENEFIT", "DISABLED_CHILD_SUPPLEMENT"} <= paid
        assert "DISABILITY_PENSION" not in paid
    else:
        assert "DISABILITY_PENSION" in paid
        assert person.birthday(18) <= known.determined_on


@given(somebody(*AGED), DAYS)
def test_the_aged_have_a_pension(found: tuple[Population, Person], today: date) -> None:
    population, person = found
    assert "pensioner" in kinds(population, person, today)
    paid = {payment.kind for payment in payments(population, person, today, today, today=today)}
    aged = {
        "OLD_AGE_PENSION",
        "SERVICE_PENSION",
        "SPECIAL_PENSION",
        "FOREIGN_PENSION",
        "SOCIAL_SECURITY_BENEFIT",
    }
    assert len(paid & aged) == 1


@given(somebody(), DAYS, st.integers(0, 24))
def test_payments_are_of_the_months_asked_and_of_the_living(
    found: tuple[Population, Person], today: date, months: int
) -> None:
    population, person = found
    first = today - timedelta(days=30 * months)
    made = payments(population, person, first, today + timedelta(days=70), today=today)
    assert [payment.month for payment in made] == sorted(payment.month for payment in made)
    for payment in made:
        assert first.replace(day=1) <= payment.month <= today
        assert payment.amount == payment.amount.quantize(payment.amount.__class__("0.01")) > 0
        assert payment.paid_on is None or (payment.paid_on <= today and payment.paid_on.weekday() < 5)
        assert person.died_on is None or person.died_on >= payment.month
        assert (payment.status == "PAID") == (payment.paid_on is not None)


@given(somebody())
def test_addresses_are_of_the_register(found: tuple[Population, Person]) -> None:
    population, person = found
    register = address_register()
    kept = addresses(population, person)
    assert kept[0][0] == "DECLARED"
    for _, code, text in kept:
        if code is not None:
            assert register.places[code].text == text
            assert register.places[code].status == "EKS"


@given(SEEDS, st.dates(date(2015, 1, 1), date(2027, 1, 1)))
@settings(max_examples=20)
def test_decisions_since_a_day_are_those_of_the_persons(seed: int, day: date) -> None:
    population = Population(200, seed)
    by_person = {
        made for person in population for made in decisions(population, person) if made.decided_on >= day
    }
    assert set(decided_since(population, day)) == by_person


def test_the_first_forty_show_every_kind() -> None:
    population = Population(40, 1)
    found = [kinds(population, person, date(2026, 11, 22)) for person in population]
    assert "child_in_care" in found[0]
    first_ten = {kind for one in found[:10] for kind in one}
    assert {"child_in_care", "disabled", "pensioner", "capacity_restricted"} <= first_ten
    for kind, least in {
        "pensioner": 6,
        "disabled": 4,
        "child_in_care": 2,
        "disabled_child": 2,
        "deceased": 2,
    }.items():
        assert sum(kind in one for one in found) >= least, kind


def test_every_code_of_the_systems_is_in_the_lists_of_the_gateway_with_the_same_text() -> None:
    lists = {
        "address_kind": code_lists.ADDRESS_KINDS,
        "address_status": code_lists.PLACE_STATUSES,
        "address_type": code_lists.PLACE_KINDS,
        "contact_kind": code_lists.CONTACT_KINDS,
        "contact_person": code_lists.CONTACT_PERSONS,
        "data_set": code_lists.DATA_SETS,
        "decision_kind": code_lists.DECISION_KINDS,
        "disability_cause": code_lists.DISABILITY_CAUSES,
        "disability_group": code_lists.DISABILITY_GROUPS,
        "document_kind": code_lists.DOCUMENT_KINDS,
        "family_relation": code_lists.RELATIONS,
        "nationality_kind": code_lists.NATIONALITY_KINDS,
        "payment_kind": code_lists.PAYMENT_KINDS,
        "payment_status": code_lists.PAYMENT_STATUSES,
        "registry_status": code_lists.REGISTRY_STATUSES,
        "representative_kind": code_lists.REPRESENTATIVE_KINDS,
        "sex": code_lists.SEXES,
        "stop_reason": code_lists.STOP_REASONS,
        "succession_reason": code_lists.SUCCESSION_REASONS,
    }
    for name, texts in lists.items():
        for code, text in texts.items():
            assert code_list(name)[code].text_lv == text, (name, code)
