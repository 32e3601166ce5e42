"""`own-data` and delegated tasks over real sockets: what is told of a person himself and of his ward, and no more."""

from __future__ import annotations

import dataclasses
import json
import shutil
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from lxml import etree
from sqlalchemy import select

import config
import registers
from audit.tables import log_records
from endpoints.soap import application
from exchange import Environment, Provenance, new_id, today_in_riga, utc_now
from gateway import Gateway, wire
from mappings.care_applications import SERVICE_KIND, Application, Municipality, QueueDecision
from mappings.care_applications import CareDecision as Decided
from mappings.care_applications import Representative as Applicant
from mappings.care_stays import CareStay
from mappings.codes import (
    ADDRESS_KIND,
    DISABILITY_CAUSE,
    DISABILITY_GROUP,
    FAMILY_RELATION,
    FUNDING_SOURCE,
    INSTITUTION_KIND,
    REPRESENTATIVE_KIND,
    code_list,
)
from mappings.csdd import Vehicle, Vehicles
from mappings.landreg import Properties, Property
from mappings.pmlp import FamilyMember, Person, Representative
from mappings.vdeavk import Disability, DisabilityStatus
from routing.parties import add_partner
from security import wsse
from security.certificates import load_authorities
from security.keys import Identity, issue, new_keys
from simulators.control import Mode, Setting
from simulators.disability import disability
from simulators.households import Slot
from simulators.population import Population
from simulators.server import SimulatorServer, Task, path_of, serve
from storage import reading
from tests.conftest import Template
from tests.endpoints.soap.conftest import on_a_socket
from tests.endpoints.soap.messages import CONTENT_TYPE, SOAP, Message, ask, heard
from wsdl import contract

PERSONS, SEED = 40, 7
POPULATION = Population(PERSONS, SEED)
CONTRACT = contract("spolis/own-data")
TODAY = today_in_riga()
TASK = """
[[grant]]
recipient = "{recipient}"
basis = "p18.4"
task = "technical aids"
contract = "No. 17 of 2 January 2026"
until = {until}
operations = ["persons.GetDisability"]
purposes = ["technical-aids"]
rules = ["p18.4", "p8.3", "p8.13.3", "p8.13.6"]
sources = ["vdeavk"]
requests_day = 500
persons_day = 200
"""
PARTNERS = {
    "portal": "private-person",
    "aids": "aids",
    "aids-no-more": "aids-no-more",
    "blind": "association-of-the-blind",
}


def person(slot: Slot, block: int = 0) -> str:
    code = POPULATION.person(block * 20 + slot).code
    return f"{code[:6]}-{code[6:]}"


WARD, TRUSTEE = person(Slot.WARD), person(Slot.TRUSTEE)
STRANGER, NEIGHBOUR = person(Slot.LONE_PENSIONER), person(Slot.WARD, 1)
SISTER = person(Slot.WIDOW)
NOBODY = "390000-00000"


@dataclass(frozen=True)
class Told:
    """What came back: the entries by register, what is withheld, all of its text; or the code of a fault."""

    entries: dict[str, list[dict[str, list[str]]]] = field(default_factory=dict)
    withheld: frozenset[str] = frozenset()
    person: str = ""
    text: str = ""
    fault: str = ""
    leaves: tuple[dict[str, Any], ...] = ()

    @property
    def outcome(self) -> dict[str, Any]:
        return next(leaf for leaf in self.leaves if leaf["kind"] == "outcome")


@dataclass(frozen=True)
class Site:
    """A gateway with the rights as shipped, a portal, two delegated tasks of the test's own, and two systems."""

    gateway: Gateway
    address: str
    partners: dict[str, Identity]
    policy: wsse.Policy
    systems: dict[str, SimulatorServer]
    journal: Path

    def asks(
        self, asker: str, about: str = "", *, partner: str = "portal", message: str = "", **context: str
    ) -> Told:
        """A person asks at the portal."""
        known = {"Merkis": "own-data", "Tiesibas": "p18.1", "Identifikators": asker, "Loma": "person"}
        arguments = f"<PersonasKods>{about}</PersonasKods>" if about else ""
        body = ask("own-data", "GetOwnData", arguments, **(known | context))
        return self.send(partner, "own-data", body)

    def send(self, partner: str, service: str, body: str) -> Told:
        signed = Message(self.partners[partner], body=body).signed()
        with requests.Session() as session:
            session.trust_env = False
            address = self.address.replace("/persons/", f"/{service}/")
            response = session.post(
                address, signed, headers={"Content-Type": CONTENT_TYPE["1.1"]}, timeout=30
            )
        envelope = wsse.verify(response.content, self.policy, now=utc_now()).envelope
        leaves = self.leaves(response.headers["X-Exchange-Id"])
        text = response.content.decode()
        if response.status_code != 200:
            return Told(fault=str(heard(envelope).kluda["Kods"]), text=text, leaves=leaves)
        (answer,) = envelope.find(f"{{{SOAP['1.1']}}}Body")
        entries: dict[str, list[dict[str, list[str]]]] = {}
        if service == "own-data":
            CONTRACT.validate(answer)
        for entry in answer.iterfind("{*}Ieraksti/{*}Ieraksts"):
            fields = {
                str(one.findtext("{*}Nosaukums")): [
                    str(value.findtext("{*}Kods") or value.findtext("{*}Teksts"))
                    for value in one.iterfind("{*}Vertibas/{*}Vertiba")
                ]
                for one in entry.iterfind("{*}Lauki/{*}Lauks")
            }
            entries.setdefault(str(entry.findtext("{*}Registrs")), []).append(fields)
        withheld = frozenset(str(one.text) for one in answer.iterfind("{*}Aizturets"))
        whose = str(answer.findtext("{*}PersonasKods"))
        return Told(entries, withheld, whose, etree.tostring(answer, encoding="unicode"), "", leaves)

    def leaves(self, exchange_id: str) -> tuple[dict[str, Any], ...]:
        """The records of an exchange, in their order."""
        query = select(log_records.c.leaf).where(log_records.c.exchange_id == exchange_id)
        with self.gateway.engine.connect() as connection:
            found = connection.execute(query.order_by(log_records.c.id)).scalars().all()
        return tuple(json.loads(leaf) for leaf in found)

    def asked(self) -> int:
        """How often PMLP was asked until now."""
        return sum(json.loads(line)["system"] == "pmlp" for line in self.journal.read_text().splitlines())

    def feed(self, record: object, source: str) -> None:
        with self.gateway.engine.begin() as connection:
            registers.feed(connection, record, Provenance(new_id(), source, "v1-0", "m1", utc_now()))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, template: Template) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("own-data")
    new_keys(folder / "keys", ["pmlp", "vdeavk"])
    partners = {name: issue(folder / "keys", name) for name in PARTNERS}
    known = config.load({})
    shutil.copytree(known.access, folder / "access")
    ends = {"aids": TODAY, "aids-no-more": TODAY - timedelta(days=1)}
    tasks = "".join(TASK.format(recipient=name, until=day) for name, day in ends.items())
    (folder / "access" / "tasks.toml").write_text(tasks)
    for name in ("trust", "crl"):
        (folder / name).mkdir()
    shutil.copy(template("sqlite"), folder / "gateway.db")
    journal = folder / "journal.jsonl"
    journal.touch()
    with ExitStack() as later:
        systems, settings = {}, dict(known.systems)
        for name in ("pmlp", "vdeavk"):
            listening = socket.create_server(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{listening.getsockname()[1]}{path_of(name)}"
            server = serve(Task(name, listening.detach(), PERSONS, SEED, str(journal), str(folder / "keys")))
            thread = threading.Thread(target=server.serve_forever, args=(0.02,))
            thread.start()
            for end in (server.server_close, thread.join, server.shutdown):
                later.callback(end)
            trust = folder / "keys" / f"{name}.pem"
            systems[name] = server
            settings[name] = dataclasses.replace(known.systems[name], url=url, trust=trust)
        gateway = wire(
            dataclasses.replace(
                known,
                environment=Environment.TEST,
                state=folder,
                database_url=f"sqlite:///{folder / 'gateway.db'}",
                access=folder / "access",
                trust=folder / "trust",
                crl=folder / "crl",
                systems=settings,
                limits=dataclasses.replace(known.limits, requests_per_s=10_000),
            )
        )
        later.callback(gateway.engine.dispose)
        later.callback(gateway.log.close)
        with gateway.engine.begin() as connection:
            for name, recipient in PARTNERS.items():
                add_partner(connection, name, recipient, partners[name].certificate, utc_now())
        policy = wsse.Policy(load_authorities(folder / "keys" / "authority.pem"))
        address = later.enter_context(on_a_socket(application(gateway)))
        found = Site(gateway, address, partners, policy, systems, journal)
        for record, source in records(WARD):
            found.feed(record, source)
        for record, source in records(TRUSTEE)[:2]:
            found.feed(record, source)
        yield found


def records(of: str) -> list[tuple[object, str]]:
    """What several suppliers said of a person, some of it naming others."""
    applicant = Applicant(
        given_names=("Ilze",),
        family_name="Svešiniece",
        person_code=SISTER,
        address_kind=ADDRESS_KIND["DECLARED"],
        address="Krasta iela 1, Rīga",
        phone=None,
        contacts=(),
    )
    return [
        (
            Person(
                given_names=("Anna",),
                family_name="Paraudziņa",
                person_code=of,
                birth_date=date(1980, 2, 3),
                representatives=(
                    Representative(person_code=TRUSTEE, kind=REPRESENTATIVE_KIND["TRUSTEE"]),
                    Representative(person_code=SISTER, kind=REPRESENTATIVE_KIND["GUARDIAN"]),
                )
                if of == WARD
                else (),
                family=(
                    FamilyMember(
                        relation=FAMILY_RELATION["PARENT"],
                        person_code=SISTER,
                        given_names=("Zenta",),
                        family_name="Svešiniece",
                    ),
                ),
                data_sets=("IDENTITY", "REPRESENTATIVES", "FAMILY"),
            ),
            "pmlp",
        ),
        (
            DisabilityStatus(
                person_code=of,
                on_date=date(2026, 1, 1),
                disability=Disability(
                    determined_on=date(2021, 3, 22),
                    group=DISABILITY_GROUP["II"],
                    valid_until=None,
                    certificate_no=f"A-{of[-3:]}",
                    movement_impairment=True,
                    vision_impairment=False,
                    hearing_impairment=False,
                    severe_mental_impairment=False,
                    other_impairment=False,
                    cause=DISABILITY_CAUSE["ILLNESS"],
                    special_care=False,
                    opinion=None,
                ),
            ),
            "vdeavk",
        ),
        (
            CareStay(
                person_code=of,
                institution="VSAC Paraugs",
                institution_address="Parka iela 1, Talsi",
                institution_kind=INSTITUTION_KIND["STATE_CARE_CENTRE"],
                entered_on=date(2025, 2, 1),
                funding_source=FUNDING_SOURCE["STATE"],
            ),
            "spolis",
        ),
        (
            Application(
                case_no="L-1",
                record_no="L-1-1",
                given_names=("Anna",),
                family_name="Paraudziņa",
                person_code=of,
                submitted_on=date(2025, 1, 5),
                service_kind=SERVICE_KIND["MENTAL_ADULT"],
                desired_provider="VSAC Paraugs",
                representative=applicant,
                municipality=Municipality(name="Talsu novads", address="Talsi", phone=None, contacts=()),
                documents=("Ārsta atzinums", "Novērtējums"),
                document_requests=(),
                supplier="siva",
            ),
            "siva",
        ),
        (
            Decided(
                case_no="L-1",
                record_no="L-1-2",
                person_code=of,
                grant=None,
                queue=QueueDecision(
                    decided_on=date(2025, 1, 12),
                    number="12-3/44",
                    provider="VSAC Paraugs",
                    queued_from=date(2025, 1, 15),
                ),
                supplier="siva",
            ),
            "siva",
        ),
        (
            Properties(
                person_code=of,
                properties=(Property(cadastre_no="42010050123", folio_no="10567", share="1/2"),),
            ),
            "landreg",
        ),
        (
            Vehicles(
                person_code=of,
                vehicles=(
                    Vehicle(
                        plate="AB1234",
                        make="VOLVO",
                        model="V70",
                        year=2008,
                        status=code_list("vehicle_status")["REGISTERED"],
                    ),
                ),
            ),
            "csdd",
        ),
    ]


def test_a_person_is_told_what_the_registers_hold_of_him(site: Site) -> None:
    before = site.asked()
    told = site.asks(WARD)
    assert told.person == WARD
    (names,) = told.entries["persons.identity"]
    assert names == {"given_names": ["Anna"], "family_name": ["Paraudziņa"]}
    (held,) = told.entries["disability"]
    assert (held["group"], held["valid_until"], held["movement_impairment"]) == (["II"], [], ["true"])
    assert [one["institution"] for one in told.entries["care-stays"]] == [["VSAC Paraugs"]]
    assert told.entries["care-applications"][0]["documents"] == ["Ārsta atzinums", "Novērtējums"]
    assert told.entries["care-decisions"][0]["queued_from"] == ["2025-01-15"]
    assert told.entries["properties"] == [
        {"cadastre_no": ["42010050123"], "folio_no": ["10567"], "share": ["1/2"]}
    ]
    assert (told.entries["vehicles"][0]["year"], told.entries["vehicles"][0]["status"]) == (
        ["2008"],
        ["REGISTERED"],
    )
    assert "<Punkts>p8.13.2</Punkts>" in told.text
    assert "invaliditātes grupa" in told.text
    assert site.asked() == before, "nobody is asked about himself"
    assert [leaf["kind"] for leaf in told.leaves] == ["opened", "attempt", "outcome"]
    assert (told.outcome["outcome"], told.outcome["role"], told.outcome["rule"]) == ("ok", "person", "p18.1")
    assert "disability[].group" in told.outcome["given"]


def test_nothing_of_another_person_is_told(site: Site) -> None:
    for told in (site.asks(WARD), site.asks(TRUSTEE, WARD)):
        for other in (SISTER, "Svešiniece", "Zenta", "Ilze", "Krasta iela"):
            assert other not in told.text
        assert "persons.family" not in told.entries
        assert {
            "persons.family[].person_code",
            "persons.family[].family_name",
            "persons.family[].relation",
            "care-applications[].representative_code",
            "care-applications[].representative_address",
        } <= told.withheld
    # Who asks is no other person: that he represents, he is told.
    assert [one["person_code"] for one in told.entries["persons.representatives"]] == [[TRUSTEE]]
    assert "persons.representatives" not in site.asks(WARD).entries


def test_of_a_ward_his_trustee_is_told_the_same_on_the_word_of_pmlp_that_day(site: Site) -> None:
    before, own = site.asked(), site.asks(WARD).entries
    told = site.asks(TRUSTEE, WARD)
    own.pop("persons.representatives", None)
    assert {name: rows for name, rows in told.entries.items() if name != "persons.representatives"} == own
    assert told.person == WARD
    assert site.asked() == before + 1
    assert [leaf["kind"] for leaf in told.leaves] == ["opened", "attempt", "attempt", "outcome"]
    assert (told.outcome["attempts"], told.outcome["written"]) == (1, 0)
    assert told.outcome["request_signed"]
    assert told.outcome["answer_signed"]


@pytest.mark.parametrize(
    ("asker", "about"),
    [
        (STRANGER, WARD),
        (WARD, TRUSTEE),  # a ward does not represent his trustee
        (TRUSTEE, NEIGHBOUR),  # another trustee's ward
        (TRUSTEE, STRANGER),
        (SISTER, WARD),  # the register of SPOLIS says guardian, PMLP on this day does not
        (person(Slot.GUARDIAN, 1), person(Slot.CHILD_IN_CARE, 1)),  # a foster family is neither
        (TRUSTEE, NOBODY),  # whether there is such a person is not told
    ],
)
def test_a_stranger_is_denied_and_that_is_on_record(site: Site, asker: str, about: str) -> None:
    told = site.asks(asker, about)
    assert told.fault == "not_own_data"
    assert [leaf["kind"] for leaf in told.leaves] == ["opened", "attempt", "outcome"]
    assert (told.outcome["outcome"], told.outcome["code"]) == ("denied", "not_own_data")
    assert told.outcome["given"] == []
    with reading(site.gateway.engine).begin() as connection:
        assert about in (WARD, TRUSTEE) or registers.person_by_code(connection, about) is None


@pytest.mark.parametrize(
    ("mode", "code"),
    [
        (Mode.FAULT, "system_fault"),
        (Mode.OTHER_ANSWER, "answer_mismatch"),
        (Mode.UNSIGNED, "answer_signature_invalid"),
        (Mode.UNKNOWN_CODE, "unknown_code"),
    ],
)
def test_when_pmlp_cannot_say_it_nothing_is_told_of_a_ward(site: Site, mode: Mode, code: str) -> None:
    site.systems["pmlp"].control.put(Setting(mode))
    try:
        assert site.asks(TRUSTEE, WARD).fault == code
        assert site.asks(TRUSTEE).fault == ""
    finally:
        site.systems["pmlp"].control.put(Setting())


def test_a_repeated_message_is_judged_anew(site: Site) -> None:
    request_id, before = str(uuid.uuid4()), site.asked()
    assert site.asks(TRUSTEE, WARD, PieprasijumaId=request_id).fault == ""
    site.systems["pmlp"].control.put(Setting(Mode.FAULT))
    try:
        assert site.asks(TRUSTEE, WARD, PieprasijumaId=request_id).fault == "system_fault"
    finally:
        site.systems["pmlp"].control.put(Setting())
    assert site.asked() > before + 1


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"Loma": "social worker"}, "invalid_request"),
        ({"Identifikators": "J. Paraudziņš"}, "invalid_person_code"),
        ({"Merkis": "social-service"}, "purpose_not_allowed"),
        ({"Tiesibas": "p10^1"}, "purpose_not_allowed"),
    ],
)
def test_a_person_asks_as_a_person_and_for_this_purpose(
    site: Site, changed: dict[str, str], code: str
) -> None:
    assert site.asks(WARD, **changed).fault == code


def test_other_partners_have_no_such_right_and_the_portal_no_other(site: Site) -> None:
    assert site.asks(WARD, partner="aids").fault == "access_denied"
    body = ask(
        "persons", "GetPerson", f"<PersonasKods>{WARD}</PersonasKods>", Merkis="own-data", Tiesibas="p18.1"
    )
    assert site.send("portal", "persons", body).fault == "access_denied"


def test_of_who_is_in_no_register_nothing_is_told_and_nothing_kept(site: Site) -> None:
    told = site.asks(STRANGER)
    assert (told.fault, told.entries, told.person) == ("", {}, STRANGER)
    assert "persons.family[].person_code" in told.withheld
    with reading(site.gateway.engine).begin() as connection:
        assert registers.person_by_code(connection, STRANGER) is None


def test_a_delegated_task_gets_what_it_needs_until_its_last_day(site: Site) -> None:
    disabled = POPULATION.person(Slot.DISABLED_ADULT)
    held = disability(POPULATION, disabled)
    assert held is not None
    body = ask(
        "persons",
        "GetDisability",
        f"<PersonasKods>{disabled.code}</PersonasKods><Datums>{held.determined_on}</Datums>",
        Merkis="technical-aids",
        Tiesibas="p18.4",
    )
    told = site.send("aids", "persons", body)
    assert told.fault == ""
    assert "RedzesTraucejumi" in told.text
    for more in ("Grupa", "Celonis", "DzirdesTraucejumi", "ApliecibasNumurs", "NoteiksanasDatums"):
        assert f"<{more}>" not in told.text
    assert "disability.group" in told.withheld
    # The day after the last one, and a draft whose contract is to be filled in.
    for ended in ("aids-no-more", "blind"):
        denied = site.send(ended, "persons", body.replace("Tiesibas>p18.4<", "Tiesibas>p18.4<"))
        assert (denied.fault, denied.outcome["outcome"]) == ("access_denied", "denied")
