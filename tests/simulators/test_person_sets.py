"""PMLP over a real socket: persons in sets, whose changes are followed, and what changed."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from simulators.changes import FIRST, changes
from simulators.households import Slot
from simulators.population import Population
from tests.simulators.calls import Client, Values, code, fault_code, texts
from tests.simulators.conftest import PERSONS, SEED, Journal

POPULATION = Population(PERSONS, SEED)
NOBODY = "01019010008"
SETS: Values = {"DatuKopas": {"DatuKopa": [code("NAME_AND_CODE")]}}
Start = Callable[[str], Client]


def of(*codes: str) -> Values:
    return {"PersonasKodi": {"PersonasKods": list(codes)}}


def everybody() -> list[str]:
    return [person.code for person in POPULATION]


def follow(pmlp: Client) -> None:
    for first in range(0, PERSONS, 100):
        pmlp.call("Subscribe", of(*everybody()[first : first + 100]))


def test_a_set_has_an_entry_for_each_code_found_or_not(start: Start) -> None:
    pmlp = start("pmlp")
    mother = POPULATION.person(Slot.MOTHER)
    answer = pmlp.call("GetPersonSet", {**of(mother.code, NOBODY), **SETS})
    pmlp.contract.validate(answer)
    assert texts(answer, "Ieraksti/Ieraksts/PrasitaisKods") == [mother.code, NOBODY]
    assert texts(answer, "Ieraksti/Ieraksts/Atrasts") == ["true", "false"]
    assert texts(answer, "Ieraksti/Ieraksts/Persona/PersonasKods") == [mother.code]


def test_a_set_is_bounded_by_the_contract(start: Start) -> None:
    pmlp = start("pmlp")
    codes = everybody()
    whole = pmlp.call("GetPersonSet", {**of(*codes[:100]), **SETS})
    assert len(texts(whole, "Ieraksti/Ieraksts")) == 100
    more = pmlp.call("GetPersonSet", {**of(*codes[:101]), **SETS})
    assert fault_code(more) == "NEPAREIZS_PIEPRASIJUMS"


def test_who_is_followed_and_a_message_that_comes_again(start: Start, journal: Journal) -> None:
    pmlp = start("pmlp")
    mother = POPULATION.person(Slot.MOTHER).code
    message = f"urn:uuid:{uuid.uuid4()}"
    answer = pmlp.call("Subscribe", of(mother, NOBODY), message_id=message)
    pmlp.contract.validate(answer)
    assert texts(answer, "Abonementi/Abonements/Seko") == ["true", "false"]
    assert texts(pmlp.call("Unsubscribe", of(mother)), "Abonementi/Abonements/Seko") == ["false"]
    again = pmlp.call("Subscribe", of(mother, NOBODY), message_id=message)
    assert texts(again, "Abonementi/Abonements/Seko") == ["false", "false"], "it ended meanwhile"
    assert [line["effect"] for line in journal.lines()] == ["write:Subscribe", "write:Unsubscribe", "none"]


def test_changes_come_page_by_page_and_all_of_them(start: Start) -> None:
    pmlp = start("pmlp")
    follow(pmlp)
    expected = {
        (change.person.code, change.previous_code, change.changed_on.isoformat())
        for person in POPULATION
        for change in changes(POPULATION, person)
    }
    asked: Values = {"KopsDatuma": FIRST.isoformat()}
    got: list[tuple[str | None, str | None, str | None]] = []
    pages = 0
    while True:
        answer = pmlp.call("GetChanges", asked)
        pmlp.contract.validate(answer)
        got += [
            (
                one.findtext("{*}PersonasKods"),
                one.findtext("{*}IepriekssejaisKods"),
                one.findtext("{*}MainitsDatums"),
            )
            for one in answer.iterfind("{*}Izmainas/{*}Izmaina")
        ]
        pages += 1
        asked = {"Kursors": texts(answer, "Kursors")[0]}
        if texts(answer, "VelIr") == ["false"]:
            break
    assert len(got) == len(set(got))
    assert set(got) == expected
    assert (len(expected) > 60, any(change[1] for change in got)) == (True, True)
    days = [str(change[2]) for change in got]
    assert days == sorted(days)
    nothing = pmlp.call("GetChanges", asked)
    assert (texts(nothing, "Izmainas/Izmaina"), texts(nothing, "Kursors")) == ([], [asked["Kursors"]])


def test_of_who_is_not_followed_nothing_is_told(start: Start) -> None:
    pmlp = start("pmlp")
    follow(pmlp)
    for first in range(0, PERSONS, 100):
        pmlp.call("Unsubscribe", of(*everybody()[first : first + 100]))
    answer = pmlp.call("GetChanges", {"KopsDatuma": FIRST.isoformat()})
    assert texts(answer, "Izmainas/Izmaina") == []
    assert fault_code(pmlp.call("GetChanges", {})) == "NEPAREIZS_PIEPRASIJUMS"
