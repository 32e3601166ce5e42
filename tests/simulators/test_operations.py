"""Every operation over a real socket: the answer is signed, answers our message, keeps to the XSD and is true."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import zeep
from lxml import etree

from errors import SchemaViolation
from exchange import utc_now
from security import wsse
from security.keys import Identity, new_keys
from security.xml import parse, serialise
from simulators.addresses import ROOT, address_register
from simulators.care import decided_since, decisions, placements
from simulators.disability import disability, disability_changes
from simulators.households import Slot
from simulators.population import Population
from tests.simulators.calls import SOAP, Client, Values, code, fault_code, texts
from tests.simulators.conftest import PERSONS, SEED, Journal

POPULATION = Population(PERSONS, SEED)
EVERYTHING: Values = {
    "DatuKopas": {
        "DatuKopa": [
            code(name) for name in ("IDENTITY", "REPRESENTATIVES", "DOCUMENTS", "ADDRESSES", "FAMILY")
        ]
    }
}
Start = Callable[[str], Client]


def person(slot: Slot, block: int = 0) -> str:
    """The code of a person of the population."""
    return POPULATION.person(block * 20 + slot).code


def test_get_person_gives_the_data_sets_asked_for(start: Start) -> None:
    pmlp = start("pmlp")
    for index in range(40):
        one = POPULATION.person(index)
        answer = pmlp.call("GetPerson", {"PersonasKods": one.code, **EVERYTHING})
        pmlp.contract.validate(answer)
        assert texts(answer, "Persona/PersonasKods") == [one.code]
        assert texts(answer, "Persona/Vards") == list(one.given_names)
        assert texts(answer, "Persona/TiesiskaisStatuss/Kods") == [one.status]
        family = texts(answer, "Persona/Gimene/GimenesLoceklis/PersonasKods")
        assert family == [other.code for _, other in POPULATION.family(one)]
    minimal = {"DatuKopas": {"DatuKopa": [code("NAME_AND_CODE")]}}
    answer = pmlp.call("GetPerson", {"PersonasKods": person(Slot.MOTHER), **minimal})
    pmlp.contract.validate(answer)
    shown = [etree.QName(child).localname for child in answer.find("{*}Persona")]
    assert set(shown) == {"Vards", "Uzvards", "PersonasKods"}
    assert texts(answer, "DatuKopas/DatuKopa/Kods") == ["NAME_AND_CODE"]


def test_a_changed_code_still_finds_the_person_under_the_new_one(start: Start) -> None:
    changed = next(one for one in POPULATION if one.previous_code)
    answer = start("pmlp").call("GetPerson", {"PersonasKods": str(changed.previous_code), **EVERYTHING})
    assert texts(answer, "Persona/PersonasKods") == [changed.code]


def test_a_code_may_be_written_with_a_dash(start: Start) -> None:
    written = person(Slot.MOTHER)
    dashed = f"{written[:6]}-{written[6:]}"
    answer = start("pmlp").call("GetPerson", {"PersonasKods": dashed, **EVERYTHING})
    assert texts(answer, "Persona/PersonasKods") == [written]


def test_get_disability_holds_on_a_day(start: Start) -> None:
    vdeavk = start("vdeavk")
    one = POPULATION.person(Slot.WARD)
    known = disability(POPULATION, one)
    assert known is not None
    for day, group in (
        (known.determined_on, [known.group]),
        (known.determined_on - timedelta(days=1), []),
    ):
        answer = vdeavk.call("GetDisability", {"PersonasKods": one.code, "Datums": day.isoformat()})
        vdeavk.contract.validate(answer)
        assert texts(answer, "Datums") == [day.isoformat()]
        assert texts(answer, "Invaliditate/Grupa/Kods") == group
    answer = vdeavk.call("GetDisability", {"PersonasKods": person(Slot.MOTHER), "Datums": "2026-01-01"})
    vdeavk.contract.validate(answer)
    assert texts(answer, "Invaliditate/Grupa/Kods") == []


def test_whose_disability_changed_comes_page_by_page(start: Start) -> None:
    vdeavk = start("vdeavk")
    expected = {
        (change.person.code, change.changed_on.isoformat()) for change in disability_changes(POPULATION)
    }
    asked: Values = {"KopsDatuma": "2000-01-01"}
    got: list[tuple[str | None, str | None]] = []
    more = ["true"]
    while more == ["true"]:
        answer = vdeavk.call("GetChanges", asked)
        vdeavk.contract.validate(answer)
        rows = answer.iterfind("{*}Izmainas/{*}Izmaina")
        got += [(one.findtext("{*}PersonasKods"), one.findtext("{*}MainitsDatums")) for one in rows]
        asked, more = {"Kursors": texts(answer, "Kursors")[0]}, texts(answer, "VelIr")
    assert sorted(got, key=str) == sorted(expected, key=str)
    assert [day for _, day in got] == sorted(str(day) for _, day in got)
    assert texts(vdeavk.call("GetChanges", asked), "Izmainas/Izmaina") == []
    assert fault_code(vdeavk.call("GetChanges", {})) == "NEPAREIZS_PIEPRASIJUMS"


def test_get_payments_gives_the_months_asked_for(start: Start) -> None:
    sais = start("sais")
    months = {"NoMenesa": "2025-08", "LidzMenesim": "2025-11"}
    answer = sais.call("GetPayments", {"PersonasKods": person(Slot.DISABLED_ADULT), **months})
    sais.contract.validate(answer)
    pensions = [
        payment.findtext("{*}Menesis")
        for payment in answer.iterfind("{*}Maksajumi/{*}Maksajums")
        if payment.findtext("{*}Veids/{*}Kods") == "DISABILITY_PENSION"
    ]
    assert pensions == ["2025-08", "2025-09", "2025-10", "2025-11"]
    for amount in texts(answer, "Maksajumi/Maksajums/Summa"):
        assert amount[-3] == "."
    assert set(texts(answer, "Maksajumi/Maksajums/Statuss/Kods")) == {"PAID"}
    assert len(texts(answer, "Maksajumi/Maksajums/IzmaksasDatums")) == len(
        texts(answer, "Maksajumi/Maksajums")
    )
    nothing = sais.call("GetPayments", {"PersonasKods": person(Slot.MOTHER), **months})
    sais.contract.validate(nothing)
    assert texts(nothing, "Maksajumi/Maksajums") == []


@pytest.mark.parametrize(
    ("first", "last"), [("2025-02", "2025-01"), ("1990-01", "2025-01"), ("0000-01", "0000-02")]
)
def test_a_wrong_range_of_months_is_refused(start: Start, first: str, last: str) -> None:
    values = {"PersonasKods": person(Slot.MOTHER), "NoMenesa": first, "LidzMenesim": last}
    assert fault_code(start("sais").call("GetPayments", values)) == "NEPAREIZS_PIEPRASIJUMS"


def test_get_decisions_of_a_child_and_since_a_day(start: Start) -> None:
    npais = start("npais")
    child = POPULATION.person(Slot.CHILD_IN_CARE)
    answer = npais.call("GetDecisions", {"PersonasKods": child.code})
    npais.contract.validate(answer)
    made = decisions(POPULATION, child)
    assert texts(answer, "Lemumi/Lemums/Numurs") == [decision.number for decision in made]
    assert set(texts(answer, "Lemumi/Lemums/PersonasKods")) == {child.code}
    day = made[-1].decided_on
    answer = npais.call("GetDecisions", {"KopsDatuma": day.isoformat()})
    npais.contract.validate(answer)
    assert texts(answer, "PersonasKods") == []
    dates = texts(answer, "Lemumi/Lemums/Datums")
    assert dates == sorted(dates)
    assert dates[0] >= day.isoformat()
    assert len(dates) == len(list(decided_since(POPULATION, day)))
    nobody = npais.call("GetDecisions", {"PersonasKods": person(Slot.PENSIONER_MAN)})
    npais.contract.validate(nobody)
    assert texts(nobody, "Lemumi/Lemums") == []


def test_get_child_placement(start: Start) -> None:
    npais = start("npais")
    for block in range(10):
        for slot in (Slot.CHILD_IN_CARE, Slot.SIBLING, Slot.LEFT_CARE):
            child = POPULATION.person(block * 20 + slot)
            answer = npais.call("GetChildPlacement", {"PersonasKods": child.code})
            npais.contract.validate(answer)
            stays = placements(POPULATION, child)
            entered = texts(answer, "Ievietosanas/Ievietosana/IestasanasDatums")
            assert entered == [stay.entered_on.isoformat() for stay in stays]


def test_every_code_of_the_register_resolves(start: Start) -> None:
    vzd = start("vzd")
    for place in address_register().places.values():
        answer = vzd.call("ResolveCode", {"AdresesKods": place.code})
        vzd.contract.validate(answer)
        assert texts(answer, "Adrese/PilnaAdrese") == [place.text]
        assert texts(answer, "Adrese/Statuss/Kods") == [place.status]
        chain = texts(answer, "Adrese/Kede/Posms/AdresesKods")
        assert chain[0] == place.code
    assert fault_code(vzd.call("ResolveCode", {"AdresesKods": "100000000"})) == "NAV_ATRASTS"


def test_search_address(start: Start) -> None:
    vzd = start("vzd")
    answer = vzd.call("SearchAddress", {"Teksts": "brivibas iela", "Skaits": "2"})
    vzd.contract.validate(answer)
    assert texts(answer, "Teksts") == ["brivibas iela"]
    assert len(texts(answer, "Adreses/Adrese")) == 2
    nothing = vzd.call("SearchAddress", {"Teksts": "tādas nav", "Skaits": "2"})
    vzd.contract.validate(nothing)
    assert texts(nothing, "Adreses/Adrese") == []


def test_what_stands_under_an_object_comes_page_by_page(start: Start) -> None:
    vzd = start("vzd")
    places = address_register().places
    for above in {place.parent for place in places.values()} & {*places, ROOT}:
        for ended in (False, True):
            expected = {p.code for p in places.values() if p.parent == above and (ended or p.status == "EKS")}
            got: list[str] = []
            more = ["true"]
            while more == ["true"]:
                answer = vzd.call(
                    "GetChildren",
                    {
                        "AdresesKods": above,
                        "ArIzbeigtiem": str(ended).lower(),
                        "Skaits": "3",
                        "Izlaist": str(len(got)),
                    },
                )
                vzd.contract.validate(answer)
                got += texts(answer, "Adreses/Adrese/AdresesKods")
                more = texts(answer, "VelIr")
            assert (len(got), set(got)) == (len(expected), expected)
    nowhere = {"AdresesKods": "999999999", "ArIzbeigtiem": "true", "Skaits": "3", "Izlaist": "0"}
    assert fault_code(vzd.call("GetChildren", nowhere)) == "NAV_ATRASTS"


def test_the_history_of_an_object_has_no_gap_and_ends_with_what_is(start: Start) -> None:
    vzd = start("vzd")
    several = 0
    for place in address_register().places.values():
        answer = vzd.call("GetHistory", {"AdresesKods": place.code})
        vzd.contract.validate(answer)
        spans = list(answer.iterfind("{*}Laikposmi/{*}Laikposms"))
        several += len(spans) > 1
        assert spans[0].findtext("{*}SpekaNo") == place.valid_from.isoformat()
        assert spans[-1].findtext("{*}Statuss/{*}Kods") == place.status
        if place.status == "EKS":
            assert spans[-1].findtext("{*}PilnaAdrese") == place.text
        for one, following in pairwise(spans):
            ended = date.fromisoformat(one.findtext("{*}SpekaLidz") or "")
            assert following.findtext("{*}SpekaNo") == (ended + timedelta(days=1)).isoformat()
        after = texts(answer, "Pecteci/Pectecis/AdresesKods")
        assert bool(after) == (place.status == "DEL")
        assert place.code not in after
    assert several > 10
    assert fault_code(vzd.call("GetHistory", {"AdresesKods": ROOT})) == "NAV_ATRASTS"


@pytest.mark.parametrize(
    ("system", "operation", "values"),
    [
        ("pmlp", "GetPerson", EVERYTHING),
        ("vdeavk", "GetDisability", {"Datums": "2026-01-01"}),
        ("sais", "GetPayments", {"NoMenesa": "2026-01", "LidzMenesim": "2026-01"}),
        ("npais", "GetDecisions", {}),
        ("npais", "GetChildPlacement", {}),
    ],
)
def test_an_unknown_person_is_a_declared_fault(
    start: Start, journal: Journal, system: str, operation: str, values: Values
) -> None:
    client = start(system)
    answer = client.call(operation, {"PersonasKods": "01019010008", **values})
    assert fault_code(answer) == "NAV_ATRASTS"
    client.contract.validate(answer.find("detail")[0])
    assert "Client" in (answer.findtext("faultcode") or "")
    (line,) = journal.lines()
    assert (line["effect"], line["answered"]) == (f"read:{operation}", "fault")


def test_a_request_that_is_not_signed_as_agreed_has_no_effect(
    start: Start, journal: Journal, tmp_path: Path
) -> None:
    pmlp = start("pmlp")
    arguments: Values = {"PersonasKods": person(Slot.MOTHER), **EVERYTHING}
    new_keys(tmp_path / "others", ["stranger"])
    stranger = Identity.load(tmp_path / "others" / "stranger.pem", tmp_path / "others" / "stranger.key")
    untrusted = wsse.sign(pmlp.envelope("GetPerson", arguments), stranger, now=utc_now())
    signed = pmlp.sign(pmlp.envelope("GetPerson", arguments))
    changed = signed.replace(person(Slot.MOTHER).encode(), person(Slot.FATHER).encode())
    stale = pmlp.sign(pmlp.envelope("GetPerson", arguments), now=utc_now() - timedelta(hours=1))
    for content in (pmlp.unsigned("GetPerson", arguments), changed, stale, untrusted):
        response = pmlp.post(content)
        assert response.status_code == 500
        (fault,) = pmlp.verify(response).body
        assert fault_code(fault) == "NAV_TIESIBU"
    assert [line["effect"] for line in journal.lines()] == ["none"] * 4
    assert {line["answered"] for line in journal.lines()} == {"fault"}
    assert {line["operation"] for line in journal.lines()} == {"GetPerson"}


def test_a_request_outside_the_contract_has_no_effect(start: Start, journal: Journal) -> None:
    pmlp = start("pmlp")
    arguments: Values = {"PersonasKods": person(Slot.MOTHER), **EVERYTHING}
    wrong_code = pmlp.envelope("GetPerson", {"PersonasKods": "12", **EVERYTHING})
    production = pmlp.envelope("GetPerson", arguments, environment="production")
    as_request = pmlp.envelope("GetPersonResponse", {})
    unknown_set = pmlp.envelope("GetPerson", {**arguments, "DatuKopas": {"DatuKopa": [code("VISS")]}})
    action = pmlp.envelope("GetPerson", arguments)
    action.find(f"{{{SOAP}}}Header")[0].text = "urn:cits"
    for envelope in (wrong_code, production, as_request, unknown_set, action):
        (fault,) = pmlp.verify(pmlp.post(pmlp.sign(envelope))).body
        assert fault_code(fault) == "NEPAREIZS_PIEPRASIJUMS"
        assert person(Slot.MOTHER) not in (etree.tostring(fault, encoding="unicode"))
    for content in (b"", b"nav XML", b"<!DOCTYPE a><a/>", b"<a/>"):
        (fault,) = pmlp.verify(pmlp.post(content)).body
        assert fault_code(fault) in ("NEPAREIZS_PIEPRASIJUMS", "NAV_TIESIBU")
    effects = [line["effect"] for line in journal.lines()]
    assert effects == ["none"] * 3 + ["read:GetPerson"] + ["none"] * 5


def test_the_contract_is_served_with_the_address_in_use(start: Start) -> None:
    pmlp = start("pmlp")
    response = pmlp.session.get(f"{pmlp.url}?wsdl", timeout=10)
    assert response.headers["Content-Type"].startswith("text/xml")
    assert f'location="{pmlp.url}"'.encode() in response.content
    client = zeep.Client(f"{pmlp.url}?wsdl")  # type: ignore[no-untyped-call] # — zeep publishes no types
    assert "GetPerson" in dir(client.service)


def test_the_schema_check_of_these_tests_can_fail(start: Start) -> None:
    vzd = start("vzd")
    answer = vzd.call("ResolveCode", {"AdresesKods": "101003948"})
    answer.find("{*}Adrese").remove(answer.find("{*}Adrese/{*}SpekaNo"))
    with pytest.raises(SchemaViolation):
        vzd.contract.validate(parse(serialise(answer)))


def test_unknown_paths_and_bodies_without_length_are_turned_away(start: Start) -> None:
    pmlp = start("pmlp")
    root = pmlp.url.rsplit("/", 2)[0]
    assert pmlp.session.get(f"{root}/", timeout=10).status_code == 404
    assert pmlp.session.post(f"{root}/cits/v1-0", data=b"x", timeout=10).status_code == 404
    assert pmlp.session.post(pmlp.url, data=iter([b"x"]), timeout=10).status_code == 411
