"""The service providers over a real socket: what the ministry and providers hand in, correct, delete and may read."""

from __future__ import annotations

import dataclasses
import json
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import requests

import config
import registers
from audit import search
from audit.tables import log_records
from endpoints.soap import application
from errors import PurposeNotAllowed
from exchange import Context, Environment, Official, new_id, utc_now
from gateway import Gateway, wire
from routing.parties import add_partner
from routing.register_routes import SearchPlan
from security import wsse
from security.certificates import load_authorities
from security.keys import Identity, issue, new_keys
from tests.endpoints.soap.conftest import on_a_socket
from tests.endpoints.soap.messages import CONTENT_TYPE, SOAP, Message, ask, heard
from tests.endpoints.soap.provided import (
    EVERY,
    body,
    corrected,
    deletion,
    group_home,
    inspection,
    palliative,
    provider,
)
from tests.registers.invented import person_code

# Partner by name: the recipient whose rights it has. Two providers have the rights of one kind.
PARTNERS = {"ministry": "ministry", "provider": "provider", "other": "provider", "narrow": "narrow"}
_PURPOSE = {"ministry": "provider-register", "narrow": "service-provision"}
_RULE = {"ministry": "p17.6", "narrow": "p13^3"}
# A recipient of the test's own: an operation is open to it, one of the rules of its fields is not.
_NARROW = """
[[grant]]
recipient = "narrow"
operations = ["providers.SubmitGroupHome", "providers.GetInspections"]
purposes = ["service-provision"]
rules = ["p8.3", "p13^3.2", "p13^3.3", "p13^3.5", "p13^3.6", "p13^3.7", "p14.1", "p14.3"]
sources = ["provider", "ministry"]
requests_day = 1000
persons_day = 1000
"""


@dataclass(frozen=True)
class Refused:
    """A Fault: its code, and the sentence with the detail."""

    code: str
    reason: str


@dataclass(frozen=True)
class Site:
    """A gateway on a socket and its partners."""

    gateway: Gateway
    address: str
    partners: Mapping[str, Identity]
    policy: wsse.Policy

    def message(self, partner: str, operation: str, record: str, **values: str) -> Message:
        known = {
            "Merkis": _PURPOSE.get(partner, "service-provision"),
            "Tiesibas": "p20" if operation.startswith("Delete") else _RULE.get(partner, "p17.7"),
        }
        if operation == "SubmitInstitutionPlaces":
            known["Tiesibas"] = "p15^1"
        if partner == "ministry" and operation.startswith("Get"):
            known = {"Merkis": "quality-control", "Tiesibas": "p21"}
        return Message(self.partners[partner], body=ask("providers", operation, record, **known | values))

    def send(self, message: Message) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            headers = {"Content-Type": CONTENT_TYPE[message.version]}
            return session.post(self.address, data=message.signed(), headers=headers, timeout=30)

    def post(self, partner: str, operation: str, record: str, **values: str) -> Any:
        """Sign and post; the answer's element, or Refused."""
        response = self.send(self.message(partner, operation, record, **values))
        envelope = wsse.verify(response.content, self.policy, now=utc_now()).envelope
        if response.status_code != 200:
            fault = heard(envelope)
            return Refused(str(fault.kluda["Kods"]), fault.reason)
        (answer,) = envelope.find(f"{{{SOAP['1.1']}}}Body")
        return answer

    def hand_in(self, partner: str, operation: str, record: object) -> None:
        answer = self.post(partner, operation, body(operation, record))
        assert not isinstance(answer, Refused), (operation, answer)

    def rows(self, register: str, **criteria: str) -> Sequence[registers.Row]:
        with self.gateway.engine.connect() as connection:
            return registers.search(connection, register, criteria)

    def outcome(self, response: requests.Response) -> dict[str, Any]:
        query = log_records.select().where(log_records.c.exchange_id == response.headers["X-Exchange-Id"])
        with self.gateway.engine.connect() as connection:
            leaves = [json.loads(record.leaf) for record in connection.execute(query)]
        return next(leaf for leaf in leaves if leaf["kind"] == "outcome")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, session_database: str) -> Iterator[Site]:
    """One gateway for all tests here, with the rights as they are shipped; each test has numbers of its own."""
    folder = tmp_path_factory.mktemp("providers")
    new_keys(folder / "keys", [])
    known = config.load({})
    shutil.copytree(known.access, folder / "access")
    (folder / "access" / "narrow.toml").write_text(_NARROW)
    for name in ("trust", "crl"):
        (folder / name).mkdir()
    settings = dataclasses.replace(
        known,
        environment=Environment.TEST,
        state=folder,
        database_url=session_database,
        access=folder / "access",
        trust=folder / "trust",
        crl=folder / "crl",
        limits=dataclasses.replace(known.limits, requests_per_s=100_000),
    )
    gateway = wire(settings, profile=lambda _system: pytest.fail("no system is asked"))
    partners = {name: issue(folder / "keys", name) for name in PARTNERS}
    # The databases are shared with other tests, and so are the names of partners in them.
    with gateway.engine.begin() as connection:
        for name, recipient in PARTNERS.items():
            add_partner(connection, f"{name} of services", recipient, partners[name].certificate, utc_now())
    policy = wsse.Policy(load_authorities(folder / "keys" / "authority.pem"))
    with on_a_socket(application(gateway), "/soap/providers/v1-0") as address:
        yield Site(gateway, address, partners, policy)
    gateway.log.close()
    gateway.engine.dispose()


@pytest.fixture
def number() -> str:
    return f"N-{uuid.uuid4().hex[:10]}"


@pytest.mark.parametrize("operation", EVERY)
def test_a_record_is_kept_confirmed_corrected_and_deleted_by_who_handed_it_in(
    site: Site, number: str, operation: str
) -> None:
    supplier, register, kind, make = EVERY[operation]
    record = make(number, person_code())
    if operation == "SubmitInspection":
        site.hand_in("ministry", "SubmitProvider", provider(number))
    site.hand_in(supplier, operation, record)
    (first,) = site.rows(register, case_no=number)
    assert first.provenance.source == supplier
    assert first.values["supplier"] == f"{supplier} of services"
    again = site.send(site.message(supplier, operation, body(operation, record)))
    assert (again.status_code, site.outcome(again)["written"]) == (200, 0)
    site.hand_in(supplier, operation, corrected(operation, record))
    (now,) = site.rows(register, case_no=number)
    assert (now.id, now.values != first.values) == (first.id, True)

    delete = "DeleteMinistryRecord" if supplier == "ministry" else "DeleteProviderRecord"
    if supplier == "provider":
        foreign = site.post("other", delete, deletion(operation, record))
        assert isinstance(foreign, Refused)
        assert foreign.code == "not_found"
    assert not isinstance(site.post(supplier, delete, deletion(operation, record)), Refused)
    assert site.rows(register, case_no=number) == ()
    deletions = "ministry-deletions" if supplier == "ministry" else "provider-deletions"
    (why,) = (row for row in site.rows(deletions, case_no=number) if row.values["kind"] == kind)
    assert (why.person_id, why.values["reason"]) == (first.person_id, "SENT_TWICE")
    gone = site.post(supplier, delete, deletion(operation, record))
    assert isinstance(gone, Refused)
    assert gone.code == "not_found"
    with site.gateway.engine.connect() as connection:
        assert len(registers.read(connection, register, first.id, history=True)) == 2


def test_what_a_record_says_is_in_its_columns(site: Site, number: str) -> None:
    of = person_code()
    for operation in ("SubmitOncologyRehabilitation", "SubmitViolenceRehabilitation", "SubmitGroupHome"):
        site.hand_in("provider", operation, EVERY[operation][3](number, of))
    (oncology,) = site.rows("oncology-rehabilitation", person_code=of)
    assert oncology.values["relative_code"] == "321234-56790"
    assert (oncology.values["illness_present"], oncology.values["illness_localisation"]) == (True, "C50")
    assert oncology.values["courses"] == [
        {"number": "1", "began_on": "2026-02-01", "ended_on": "2026-02-10", "with_relative": True}
    ]
    (violence,) = site.rows("violence-rehabilitation", person_code=of)
    kind = {
        "code": "CONSULTATION",
        "text_lv": "Individuāla konsultācija",
        "text_en": "Individual consultation",
    }
    assert violence.values["costs"] == [{"kind": kind, "price": "30.00", "total": "120.00"}]
    (home,) = site.rows("group-homes", person_code=of)
    assert (home.values["came_from"], home.values["contract_number"]) == ("CARE_INSTITUTION", "L-5")
    assert home.valid_from is not None


def test_a_repeated_message_has_one_effect(site: Site, number: str) -> None:
    message = site.message(
        "provider", "SubmitGroupHome", body("SubmitGroupHome", group_home(number, person_code()))
    )
    first, second = (site.send(message) for _ in range(2))
    assert site.outcome(second)["repeats"] == first.headers["X-Exchange-Id"]
    (row,) = site.rows("group-homes", case_no=number)
    assert str(row.provenance.exchange_id) == first.headers["X-Exchange-Id"]


@pytest.mark.parametrize("operation", ["SubmitInspection", "SubmitGroupHome", "SubmitReport"])
def test_nobody_hands_in_what_others_supply(site: Site, number: str, operation: str) -> None:
    supplier, register, _, make = EVERY[operation]
    other = "provider" if supplier == "ministry" else "ministry"
    refused = site.post(other, operation, body(operation, make(number, person_code())))
    assert isinstance(refused, Refused)
    assert (refused.code, f"providers.{operation}" in refused.reason) == ("access_denied", True)
    assert site.rows(register, case_no=number) == ()


def test_where_an_operation_is_open_the_rule_of_a_field_refuses_it(site: Site, number: str) -> None:
    refused = site.post(
        "narrow", "SubmitGroupHome", body("SubmitGroupHome", group_home(number, person_code()))
    )
    assert isinstance(refused, Refused)
    assert (refused.code, refused.reason.endswith("(record.contract_on)")) == ("access_denied", True)
    assert site.rows("group-homes", case_no=number) == ()


def test_a_child_without_a_personal_code_stands_under_the_providers_own(site: Site, number: str) -> None:
    child = f"K-{number}"
    operation, register = "SubmitPalliativeRehabilitation", "palliative-rehabilitation"
    answers = {}
    for partner in ("provider", "other"):
        record = palliative(number, None, child)
        answers[partner] = site.send(site.message(partner, operation, body(operation, record)))
        assert answers[partner].status_code == 200
    ours, theirs = sorted(
        site.rows(register, client_code=child),
        key=lambda row: row.values["supplier"] != "provider of services",
    )
    assert ours.person_id != theirs.person_id, "one code of two providers is of two persons"
    with site.gateway.engine.connect() as connection:
        assert ours.person_id is not None
        subject = registers.subject_of(connection, ours.person_id)
    assert subject == f"provider of services/{child}"
    second = palliative(f"{number}-b", None, child)
    site.hand_in("provider", operation, second)
    assert {row.person_id for row in site.rows(register, client_code=child)} == {
        ours.person_id,
        theirs.person_id,
    }

    found = search.subject(site.gateway.engine, site.gateway.subject_key, [subject])
    exchanges = {str(one.leaf["exchange"]) for one in found}
    assert answers["provider"].headers["X-Exchange-Id"] in exchanges
    assert answers["other"].headers["X-Exchange-Id"] not in exchanges

    seen = SearchPlan(
        site.gateway.engine, registers.register(register), {"client_code": child}, 50, 0, None
    ).deliver(new_id(), time.monotonic() + 10, lambda _number, _content: None)
    assert set(seen.subjects) == {f"{name} of services/{child}" for name in ("provider", "other")}

    deleted = site.post(
        "provider", "DeleteProviderRecord", deletion(operation, palliative(number, None, child))
    )
    assert not isinstance(deleted, Refused)
    (why,) = site.rows("provider-deletions", client_code=child)
    assert why.person_id == ours.person_id


@pytest.mark.parametrize(
    ("person", "client", "detail"),
    [
        (None, None, "person_code or client_code is wanted"),
        ("321234-56789", "K-1", "person_code or client_code is wanted"),
        (None, "321234-56789", "client_code has the form of a personal code"),
        (None, "32123456789", "client_code has the form of a personal code"),
    ],
)
def test_a_child_is_named_in_one_way(
    site: Site, number: str, person: str | None, client: str | None, detail: str
) -> None:
    record = body("SubmitPalliativeRehabilitation", palliative(number, person, client))
    refused = site.post("provider", "SubmitPalliativeRehabilitation", record)
    assert isinstance(refused, Refused)
    assert (refused.code, detail in refused.reason) == ("invalid_request", True)
    assert "32123" not in refused.reason


def test_an_inspection_is_of_a_provider_in_the_register_and_a_number_is_of_one(
    site: Site, number: str
) -> None:
    stranger = site.post("ministry", "SubmitInspection", body("SubmitInspection", inspection(number)))
    assert isinstance(stranger, Refused)
    assert "registration_number is of no provider" in stranger.reason
    site.hand_in("ministry", "SubmitProvider", provider(number))
    twice = provider(number, record_no=f"{number}-other")
    refused = site.post("ministry", "SubmitProvider", body("SubmitProvider", twice))
    assert isinstance(refused, Refused)
    assert "under another record_no" in refused.reason
    assert len(site.rows("providers", registration_number=number)) == 1


def test_the_ministry_reads_providers_and_inspections_for_control_only(site: Site, number: str) -> None:
    site.hand_in("ministry", "SubmitProvider", provider(number))
    site.hand_in("ministry", "SubmitInspection", inspection(number))
    asked = f"<RegistracijasNumurs>{number}</RegistracijasNumurs>"
    told = site.post("ministry", "GetProviders", asked)
    assert told.findtext("{*}Sniedzejs/{*}Pakalpojums/{*}Veids/{*}Kods") == "GROUP_HOME"
    assert told.findtext("{*}Sniedzejs/{*}UznemumaNumurs") == "40003000000"
    inspected = site.post("ministry", "GetInspections", asked)
    assert [one.text for one in inspected.iterfind("{*}Parbaude/{*}Prasiba/{*}PrasibasKods")] == ["P1", "T2"]
    assert inspected.find("{*}Aizturets") is None
    refused = site.post("ministry", "GetInspections", asked, Merkis="provider-register")
    assert isinstance(refused, Refused)
    assert refused.code == "purpose_not_allowed"
    nothing = site.post("ministry", "GetProviders", "")
    assert isinstance(nothing, Refused)
    assert "no criterion" in nothing.reason

    partly = site.post("narrow", "GetInspections", asked, Tiesibas="p14")
    assert partly.findtext("{*}Parbaude/{*}Ieteikums/{*}Apraksts") == "Apmācīt"
    assert partly.find("{*}Parbaude/{*}Prasiba") is None
    assert {one.text for one in partly.iterfind("{*}Aizturets")} == {
        "rows[].case_no",
        "rows[].record_no",
        *(f"rows[].requirements[].{name}" for name in ("code", "text", "conclusion", "remark")),
    }


def test_labis_gets_pseudonyms_and_nothing_that_names_the_child(site: Site, number: str) -> None:
    of = person_code()
    site.hand_in("provider", "SubmitPalliativeRehabilitation", palliative(number, of))
    (row,) = site.rows("palliative-rehabilitation", person_code=of)
    context = Context("statistics", "p18.6", Official("", "", ""), "", uuid.uuid4(), Environment.TEST)
    name = "registers.SearchPalliativeRehabilitation"
    grant = site.gateway.access.decide("labis", name, context).grant
    assert grant.pseudonyms_of == "labis"
    pseudonyms = registers.Pseudonyms.of(site.gateway.subject_key, "labis")
    record, withheld = registers.disclose_nameless(row, grant.permits, pseudonyms)
    told = {"council_on", "decisions", "began_on", "ended_on", "end_reason", "transport_paid"}
    assert told <= record.keys()
    assert {"client_code", "family", "team", "activities", "interruptions", "bereavement"} <= set(withheld)
    assert not {*withheld} & record.keys()
    assert of not in json.dumps(record)
    assert str(row.person_id) not in json.dumps(record)
    with pytest.raises(PurposeNotAllowed):
        site.gateway.access.decide("labis", name, dataclasses.replace(context, purpose="service-control"))
