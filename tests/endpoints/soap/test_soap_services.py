"""Every reading operation of `persons` and `addresses`: what is given, what is withheld, what the contract says."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from lxml import etree
from werkzeug.test import Client

import errors
from adapters import Operation
from adapters.profiles import Message as Outgoing
from adapters.profiles import one_message
from exchange import Provenance, new_id, utc_now
from mappings import codes
from mappings.care_stays import CareStay
from mappings.municipal_services import MunicipalService
from mappings.pmlp import Address, Person
from mappings.vdeavk import Disability, DisabilityStatus
from mappings.vzd import AddressMatches, AddressPart, RegisteredAddress
from registers import feed
from security.xml import Element
from tests.endpoints.soap.conftest import State, World, opened
from tests.endpoints.soap.messages import CODE, ask
from wsdl import contract

WHO = f"<PersonasKods>{CODE}</PersonasKods>"
ADDRESS = RegisteredAddress(
    varis_code="103000001",
    kind=codes.ADDRESS_TYPE["108"],
    status=codes.ADDRESS_STATUS["EKS"],
    text="Ozolu iela 18, Valmiera, LV-4201",
    postcode="LV-4201",
    atvk=None,
    valid_from=date(2010, 1, 1),
    valid_to=None,
    north=Decimal("57.530000"),
    east=None,
    chain=(AddressPart(varis_code="100003003", kind=codes.ADDRESS_TYPE["104"], name="Valmiera"),),
)
DISABILITY = Disability(
    determined_on=date(2021, 3, 22),
    group=codes.DISABILITY_GROUP["II"],
    valid_until=None,
    certificate_no="A-17",
    movement_impairment=True,
    vision_impairment=False,
    hearing_impairment=False,
    severe_mental_impairment=False,
    other_impairment=False,
    cause=codes.DISABILITY_CAUSE["ILLNESS"],
    special_care=False,
    opinion=None,
)
PERSON = Person(
    given_names=("Ilze",),
    family_name="Paraudziņa",
    person_code=CODE,
    birth_date=date(1980, 2, 3),
    addresses=(
        Address(kind=codes.ADDRESS_KIND["DECLARED"], varis_code="103000001", text="Ozolu iela 18, Valmiera"),
    ),
    data_sets=("NAME_AND_CODE", "ADDRESSES"),
)
ANSWERS: dict[str, object] = {
    "GetPerson": PERSON,
    "GetDisability": DisabilityStatus(person_code=CODE, on_date=date(2026, 5, 1), disability=DISABILITY),
    "ResolveCode": ADDRESS,
    "SearchAddress": AddressMatches(text="ozolu 18", addresses=(ADDRESS, ADDRESS)),
}
RIGHTS = """
[[grant]]
recipient = "partner"
operations = ["persons.GetPerson", "persons.GetDisability", "persons.GetServices", "addresses.ResolveCode",
              "addresses.SearchAddress"]
purposes = ["social-service"]
rules = ["p8", "p10", "p12.8", "p15^1.1", "p17.10"]
sources = ["pmlp", "vdeavk", "vzd", "spolis"]
requests_day = 1000
persons_day = 1000

[[grant]]
recipient = "narrow"
operations = ["persons.GetPerson", "persons.GetDisability", "persons.GetServices"]
purposes = ["social-service"]
rules = ["p8.1", "p8.3", "p8.13.2", "p10.8.1", "p12.8.13"]
sources = ["pmlp", "vdeavk", "spolis"]
requests_day = 1000
persons_day = 1000
"""


class Systems:
    """Transports that give canned records, and keep what they were asked."""

    converse = one_message

    def __init__(self) -> None:
        self.asked: list[object] = []

    def compose(self, operation: Operation, request: object, message_id: str) -> Outgoing:
        self.asked.append(request)
        return Outgoing(message_id, operation.name, repr(request).encode())

    def send(self, message: Outgoing, deadline: float) -> bytes:
        return b"the exact bytes"

    def read(self, operation: Operation, message: Outgoing, answer: bytes) -> object:
        return ANSWERS[operation.name]


@pytest.fixture
def systems() -> Systems:
    return Systems()


@pytest.fixture
def services(state: State, tmp_path: Path, systems: Systems) -> Iterator[World]:
    access = tmp_path / "rights"
    access.mkdir()
    (access / "all.toml").write_text(RIGHTS)
    with opened(state, tmp_path, lambda _system: systems, access) as world:
        yield world


def answered(world: World, service: str, operation: str, arguments: str, who: str = "partner") -> Element:
    """The answer of an operation: believed, and as the contract says."""
    message = world.message(
        identity=world.partners[who], body=ask(service, operation, arguments, Tiesibas="p8.3")
    )
    if service == "addresses":
        message = message.but(body=ask(service, operation, arguments, Tiesibas="p17.10"))
    response = world.post(message.signed(), path=f"/soap/{service}/v1-0")
    (answer,) = world.believed(response).body
    assert response.status_code == 200, etree.tostring(answer)
    assert etree.QName(answer).localname == f"{operation}Response"
    contract(f"spolis/{service}").validate(answer)
    return answer


def names(answer: Element, path: str) -> list[str]:
    """Local names of the elements at a path."""
    return [etree.QName(found).localname for found in answer.iterfind(path)]


def withheld(answer: Element) -> list[str]:
    return [found.text for found in answer.iterfind("{*}Aizturets")]


def test_a_person_is_given_by_data_set(services: World, systems: Systems) -> None:
    sets = "".join(
        f"<DatuKopa><Kods>{code}</Kods><Nosaukums>-</Nosaukums></DatuKopa>"
        for code in ("NAME_AND_CODE", "ADDRESSES")
    )
    answer = answered(services, "persons", "GetPerson", f"{WHO}<DatuKopas>{sets}</DatuKopas>")
    assert answer.findtext("{*}Persona/{*}Adreses/{*}Adrese/{*}Teksts") == "Ozolu iela 18, Valmiera"
    assert answer.findtext("{*}Persona/{*}Adreses/{*}Adrese/{*}Veids/{*}Nosaukums") == "Deklarētā adrese"
    assert withheld(answer) == []
    (asked,) = systems.asked
    assert getattr(asked, "data_sets", None) == ("NAME_AND_CODE", "ADDRESSES")


def test_a_data_set_of_which_nothing_is_granted_is_not_asked_for(services: World, systems: Systems) -> None:
    sets = "<DatuKopas><DatuKopa><Kods>ADDRESSES</Kods><Nosaukums>-</Nosaukums></DatuKopa></DatuKopas>"
    message = services.message(
        identity=services.partners["narrow"],
        body=ask("persons", "GetPerson", f"{WHO}{sets}", Tiesibas="p8.3"),
    )
    assert services.fault(services.post(message.signed())).kluda["Kods"] == errors.AccessDenied.code
    assert systems.asked == []


def test_disability_of_a_day(services: World) -> None:
    answer = answered(services, "persons", "GetDisability", f"{WHO}<Datums>2026-05-01</Datums>")
    assert names(answer, "{*}Stavoklis/*") == ["PersonasKods", "Datums", "Invaliditate"]
    assert answer.findtext("{*}Stavoklis/{*}Invaliditate/{*}Grupa/{*}Nosaukums") == "II grupa"
    assert withheld(answer) == []


def test_of_disability_only_what_is_granted(services: World) -> None:
    answer = answered(services, "persons", "GetDisability", WHO, "narrow")
    assert names(answer, "{*}Stavoklis/{*}Invaliditate/*") == ["Grupa"]
    assert "disability.certificate_no" in withheld(answer)
    assert "disability.group" not in withheld(answer)


def kept(world: World) -> None:
    """One stay and two services of municipalities."""
    origin = Provenance(new_id(), "spolis", "v1-0", "test", utc_now())
    stay = CareStay(
        person_code=CODE,
        institution="Sprūžu aprūpes centrs",
        institution_address="Ozolu iela 18",
        institution_kind=codes.INSTITUTION_KIND["STATE_CARE_CENTRE"],
        entered_on=date(2026, 1, 2),
        funding_source=codes.FUNDING_SOURCE["STATE"],
    )
    service = MunicipalService(
        person_code=CODE,
        municipality="Valmieras novads",
        case_number="V-1",
        applied_on=date(2025, 5, 5),
        status=codes.SERVICE_STATUS["GRANTED"],
        decided_on=date(2025, 5, 9),
        service=codes.MUNICIPAL_SERVICE["HOME_CARE"],
        provider="Sociālais dienests",
        provider_kind=codes.SERVICE_PROVIDER["OWN_MUNICIPALITY"],
        started_on=date(2025, 6, 1),
    )
    refused = dataclasses.replace(
        service,
        case_number="V-2",
        status=codes.SERVICE_STATUS["REFUSED"],
        service=codes.MUNICIPAL_SERVICE["DAY_CENTRE"],
        refusal_reason="Nav pamata",
        started_on=None,
    )
    with world.gateway.engine.begin() as connection:
        for record in (stay, service, refused):
            feed(connection, record, origin)


def test_all_services_of_a_person_state_and_municipal(services: World) -> None:
    kept(services)
    answer = answered(services, "persons", "GetServices", WHO)
    (stay,) = answer.iterfind("{*}ValstsPakalpojumi/{*}Uzturesanas")
    assert stay.findtext("{*}Institucija/{*}Nosaukums") == "Sprūžu aprūpes centrs"
    found = [
        (
            one.findtext("{*}LietasNumurs"),
            one.findtext("{*}Statuss/{*}Kods"),
            one.findtext("{*}AtteikumaIemesls"),
        )
        for one in answer.iterfind("{*}PasvaldibuPakalpojumi/{*}Pakalpojums")
    ]
    assert found == [("V-1", "GRANTED", None), ("V-2", "REFUSED", "Nav pamata")]
    assert withheld(answer) == []


def test_of_services_only_what_is_granted(services: World) -> None:
    kept(services)
    answer = answered(services, "persons", "GetServices", WHO, "narrow")
    assert names(answer, "{*}ValstsPakalpojumi/{*}Uzturesanas/*") == ["IestasanasDatums"]
    assert set(names(answer, "{*}PasvaldibuPakalpojumi/{*}Pakalpojums/*")) == {
        "PakalpojumaVeids",
        "Sniedzejs",
        "SakumaDatums",
    }
    assert {"state[].institution", "municipal[].status"} <= set(withheld(answer))


def test_a_person_without_services_has_empty_lists(services: World) -> None:
    answer = answered(services, "persons", "GetServices", WHO)
    assert names(answer, "*") == ["ApmainasId"]


def test_an_address_is_resolved_and_found(services: World, systems: Systems) -> None:
    answer = answered(services, "addresses", "ResolveCode", "<AdresesKods>103000001</AdresesKods>")
    assert answer.findtext("{*}Adrese/{*}PilnaAdrese") == "Ozolu iela 18, Valmiera, LV-4201"
    assert answer.findtext("{*}Adrese/{*}Kede/{*}Posms/{*}Nosaukums") == "Valmiera"
    answer = answered(services, "addresses", "SearchAddress", "<Teksts>ozolu 18</Teksts><Skaits>2</Skaits>")
    assert len(answer.findall("{*}Adreses/{*}Adrese")) == 2
    assert getattr(systems.asked[-1], "limit", None) == 2


@pytest.mark.parametrize("service", ["persons", "addresses"])
def test_each_service_serves_its_contract(services: World, service: str) -> None:
    served = Client(services.app).get(f"/soap/{service}/v1-0?wsdl")
    assert served.status_code == 200
    assert f'location="http://localhost/soap/{service}/v1-0"'.encode() in served.data
