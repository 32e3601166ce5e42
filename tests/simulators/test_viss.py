"""The simulated state integrator: every published error, and who is behind it. Requests are made by hand."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from lxml import etree

from errors import Unsigned
from exchange import utc_now
from security import wsse
from security.certificates import load_authorities
from security.keys import Identity
from security.xml import Element, parse
from simulators import viss
from simulators.control import Mode
from simulators.discovery import discover
from simulators.population import Population
from simulators.server import Task
from simulators.stand_in import WsSecurity
from tests.simulators.calls import WSA, Client, code, context, fill
from tests.simulators.conftest import PERSONS, SEED, Journal
from tests.simulators.test_modes import CALLS, MOTHER
from wsdl import contract
from wsdl.ivis import message_type

SOAP = "http://www.w3.org/2003/05/soap-envelope"
VISS = contract("viss")
NS = VISS.namespace
Start = Callable[[str], Client]
GET_PERSON = {"PersonasKods": MOTHER, "DatuKopas": {"DatuKopa": [code("NAME_AND_CODE")]}}


def request(operation: str, fields: dict[str, str | None], body: Element | None) -> Element:
    """An unsigned IVISRequest in its envelope; a field that is None is left out."""
    envelope = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"soap": SOAP, "wsa": WSA})
    header = etree.SubElement(envelope, f"{{{SOAP}}}Header")
    etree.SubElement(header, f"{{{WSA}}}Action").text = VISS.actions[operation]
    etree.SubElement(header, f"{{{WSA}}}MessageID").text = f"urn:uuid:{fields.get('MessageID')}"
    within = etree.SubElement(etree.SubElement(envelope, f"{{{SOAP}}}Body"), f"{{{NS}}}IVISRequest")
    for name in ("MessageID", "MessageType", "TransactionID", "CorrelationID"):
        if fields.get(name) is not None:
            etree.SubElement(within, f"{{{NS}}}{name}").text = fields[name]
    sender = etree.SubElement(within, f"{{{NS}}}Sender")
    for name in ("SystemID", "NameIdentifier"):
        if fields.get(name) is not None:
            etree.SubElement(sender, f"{{{NS}}}{name}").text = fields[name]
    process = etree.SubElement(sender, f"{{{NS}}}Process")
    etree.SubElement(process, f"{{{NS}}}Name").text = "test"
    if fields.get("Destination") is not None:
        etree.SubElement(within, f"{{{NS}}}Destination").text = fields["Destination"]
    if body is not None:
        etree.SubElement(within, f"{{{NS}}}Body").append(body)
    return envelope


def header(**fields: str | None) -> dict[str, str | None]:
    return {
        "MessageID": str(uuid.uuid4()),
        "CorrelationID": str(uuid.uuid4()),
        "SystemID": "URN:IVIS:100001:ISS-SPOLIS",
        "NameIdentifier": "AU:100680",
    } | fields


def payload(system: str = "pmlp", operation: str = "GetPerson", arguments: object = None) -> Element:
    namespace = contract(system, discover()[system].version).namespace
    element = etree.Element(f"{{{namespace}}}{operation}", nsmap={None: namespace})
    fill(element, {"Konteksts": context(), **(arguments or GET_PERSON)}, namespace)  # type: ignore[dict-item] # made by hand
    return element


def start_of(purpose: str = "ilgstosa-aprupe") -> Element:
    body = etree.Element(f"{{{NS}}}StartTransaction")
    etree.SubElement(body, f"{{{NS}}}Purpose").text = purpose
    return request("StartTransaction", header(MessageType=message_type(VISS, "StartTransaction")), body)


def submit(transaction: str | None, body: Element | None, **fields: str | None) -> Element:
    known = header(
        MessageType=message_type(contract("pmlp"), "GetPerson"),
        TransactionID=transaction,
        Destination="URN:IVIS:100001:ISS-PMLP",
    )
    return request("SubmitSync", known | fields, body)


def asked(client: Client, envelope: Element) -> Element:
    """The verified payload of the answer, which answers this message."""
    answer = client.verify(post(client, client.sign(envelope)))
    assert answer.soap_version == "1.2"
    assert answer.relates_to == envelope.findtext(f"{{{SOAP}}}Header/{{{WSA}}}MessageID")
    (found,) = answer.body
    return found


def post(client: Client, content: bytes) -> requests.Response:
    return client.session.post(
        client.url, data=content, headers={"Content-Type": "application/soap+xml; charset=utf-8"}, timeout=10
    )


def text(response: Element, path: str) -> str | None:
    found: str | None = response.findtext("/".join(f"{{{NS}}}{step}" for step in path.split("/")))
    return found


def started(client: Client) -> str:
    response = asked(client, start_of())
    VISS.validate(response)
    assert text(response, "Result") == "success"
    return text(response, "TransactionID") or ""


def test_a_message_is_passed_on_to_every_system(start: Start, journal: Journal) -> None:
    client = start("viss")
    transaction = started(client)
    for system, operation, arguments in CALLS:
        known = contract(system, discover()[system].version)
        fields = {
            "MessageType": message_type(known, operation),
            "Destination": f"URN:IVIS:100001:ISS-{system.upper()}",
        }
        response = asked(client, submit(transaction, payload(system, operation, arguments), **fields))
        VISS.validate(response)
        assert text(response, "Result") == "success", etree.tostring(response)
        assert text(response, "MessageType") == message_type(known, f"{operation}Response")
        known.validate(response.find(f"{{{NS}}}Body")[0])
        line = journal.lines()[-1]
        assert (line["system"], line["operation"], line["effect"]) == ("viss", operation, f"read:{operation}")
        assert line["request_id"] == "018f0000-0000-7000-8000-0123456789ab"


def broken(element: Element) -> Element:
    element[0].find("{*}Merkis").text = "ilgstosa-aprupe"
    element.append(etree.Element(f"{{{contract('pmlp').namespace}}}NavLiguma"))
    return element


@pytest.mark.parametrize(
    ("number", "fields", "body"),
    [
        (1, {"MessageID": None}, payload()),
        (4, {"TransactionID": None}, payload()),
        (4, {"TransactionID": "17"}, payload()),
        (4, {"SystemID": "URN:IVIS:100001:ISS-OTHER"}, payload()),
        (5, {"TransactionID": str(uuid.UUID(int=17))}, payload()),
        (6, {"SystemID": None}, payload()),
        (6, {"SystemID": "SPOLIS"}, payload()),
        (6, {"NameIdentifier": "social worker"}, payload()),
        (8, {"Destination": None}, payload()),
        (10, {"Destination": "URN:IVIS:100001:ISS-NOBODY"}, payload()),
        (16, {"MessageType": None}, payload()),
        (17, {}, None),
        (18, {}, payload("vdeavk", "GetDisability", {"PersonasKods": MOTHER, "Datums": "2026-01-01"})),
        (20, {"MessageType": "GetPerson"}, payload()),
        (20, {"Destination": "PMLP"}, payload()),
        (22, {}, broken(payload())),
        (23, {"MessageType": "URN:IVIS:100010:XSD-Pmlp-GetPerson-v9-0"}, payload()),
        (23, {"Destination": "URN:IVIS:100001:ISS-VZD"}, payload()),
    ],
)
def test_what_is_wrong_is_told_by_its_published_code(
    start: Start, journal: Journal, number: int, fields: dict[str, str | None], body: Element | None
) -> None:
    client = start("viss")
    response = asked(client, submit(started(client), body, **fields))
    VISS.validate(response)
    assert text(response, "Errors/Error/ErrorCode") == str(number)
    assert text(response, "Errors/Error/ErrorDescription") == viss.ERRORS[number]
    line = journal.lines()[-1]
    assert (line["effect"], line["answered"]) == ("none", "fault")


def test_a_transaction_is_for_one_purpose(start: Start) -> None:
    client = start("viss")
    other = asked(client, start_of(purpose="child-protection"))
    response = asked(client, submit(text(other, "TransactionID"), payload()))
    assert text(response, "Errors/Error/ErrorCode") == "13"


def test_a_message_over_the_limit_is_refused(keys: Path) -> None:
    policy = wsse.Policy(load_authorities(keys / "authority.pem"))
    seals = WsSecurity(policy, Identity.load(keys / "viss.pem", keys / "viss.key"))
    gateway = Identity.load(keys / "gateway.pem", keys / "gateway.key")
    content = wsse.sign(start_of(), gateway, now=utc_now())
    systems = viss.served(Population(PERSONS, SEED), Task("viss", -1, PERSONS, SEED, "", str(keys)))
    for limit, expected in ((len(content), None), (len(content) - 1, "19")):
        answer = viss.Integrator(VISS, systems, seals, limit=limit).answer(content, Mode.OK)
        body = parse(answer.content).find(f"{{{SOAP}}}Body")[0]
        assert text(body, "Errors/Error/ErrorCode") == expected


def test_an_unsigned_message_gets_a_signed_fault(start: Start) -> None:
    client = start("viss")
    answer = post(client, etree.tostring(start_of()))
    assert answer.status_code == 400
    assert answer.headers["Content-Type"].startswith("application/soap+xml")
    (fault,) = client.verify(answer).body
    assert fault.findtext(f"{{{SOAP}}}Code/{{{SOAP}}}Value") == "soap:Sender"
    client.misbehave(mode="unsigned")
    with pytest.raises(Unsigned):
        client.verify(post(client, client.sign(start_of())))


def test_a_fault_of_a_system_passes_with_its_detail(start: Start) -> None:
    client = start("viss")
    unknown = payload(arguments={**GET_PERSON, "PersonasKods": "320000-00017"})
    fault = asked(client, submit(started(client), unknown))
    kods = f"{{{SOAP}}}Detail/{{*}}Kluda/{{*}}Kods"
    assert fault.findtext(kods) == "NAV_ATRASTS"


def test_the_contract_is_served(start: Start) -> None:
    client = start("viss")
    served = client.session.get(f"{client.url}?wsdl", timeout=10).text
    assert client.url in served
    assert "IVISRequest" in client.session.get(f"{client.url}?xsd", timeout=10).text
