"""The Land register and the register of vehicles over real sockets: what they say is true and by the contract."""

from __future__ import annotations

from collections.abc import Callable

from mappings.codes import code_list
from simulators import csdd, landreg
from simulators.households import Slot
from simulators.population import Population
from simulators.service import NO_SUCH_CODE
from tests.simulators.calls import Client, fault_code, texts
from tests.simulators.conftest import PERSONS, SEED

POPULATION = Population(PERSONS, SEED)
Start = Callable[[str], Client]


def test_real_estate_by_person(start: Start) -> None:
    client, owners = start("landreg"), 0
    for index in range(40):
        person = POPULATION.person(index)
        answer = client.call("GetProperties", {"PersonasKods": person.code})
        client.contract.validate(answer)
        owned = landreg.properties(POPULATION, person)
        assert texts(answer, "Ipasumi/Ipasums/KadastraNumurs") == [one.cadastre_no for one in owned]
        assert texts(answer, "Ipasumi/Ipasums/DomajamaDala") == [one.share for one in owned]
        owners += bool(owned)
    assert 10 < owners < 40
    unknown = client.call("GetProperties", {"PersonasKods": "390000-00000"})
    assert fault_code(unknown) == "NAV_ATRASTS"


def test_a_couple_owns_halves_of_one_house() -> None:
    for block in range(PERSONS // 20):
        both = (POPULATION.person(block * 20 + slot) for slot in (Slot.PENSIONER_WOMAN, Slot.PENSIONER_MAN))
        hers, his = (
            [one for one in landreg.properties(POPULATION, person) if one.share == "1/2"] for person in both
        )
        assert hers == his


def test_vehicles_by_person(start: Start) -> None:
    client, plates = start("csdd"), []
    for index in range(40):
        person = POPULATION.person(index)
        answer = client.call("GetVehicles", {"PersonasKods": person.code})
        client.contract.validate(answer)
        owned = csdd.vehicles(POPULATION, person)
        own = texts(answer, "Transportlidzekli/Transportlidzeklis/RegistracijasNumurs")
        assert own == [one.plate for one in owned]
        plates += own
    assert len(set(plates)) == len(plates) > 10
    client.misbehave(mode="unknown_code", count=1)
    answer = client.call("GetVehicles", {"PersonasKods": POPULATION.person(Slot.SIBLING).code})
    assert texts(answer, "Transportlidzekli/Transportlidzeklis/Statuss/Kods") == [NO_SUCH_CODE]


def test_statuses_of_vehicles_are_in_the_list_of_the_gateway_with_the_same_text() -> None:
    assert {one.code: one.text_lv for one in code_list("vehicle_status")} == dict(csdd.STATUSES)
