"""Golden exchanges: every recorded case of every adapter, through the real client, from request to record or error.

A case is a folder `<system>/<case>/` with
  request.json  operation and arguments
  sent.xml      the Body's content as it leaves
  answer.xml    the Body's content as it arrives, a SOAP Fault where the case is one
  record.json   the canonical record, or
  error.json    code and detail of the error
  sent-viss.xml the Body's content as it leaves for the state integrator; for the first case of each operation

Every case goes through the plain profile and by way of the state integrator, and ends with the same record or error.
`pytest tests/exchanges --update` writes sent*.xml, record.json and error.json anew; the reviewer reads the diff.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import cast

import pytest
from lxml import etree

import config
import errors
from adapters import Adapter, Operation, discover
from adapters.profiles import Message
from adapters.profiles.soap import SoapProfile
from adapters.profiles.viss import VissProfile
from exchange import Context, Environment, Json, Official, utc_now
from security import wsse
from security.keys import Identity, new_keys
from security.profile import WSA
from security.xml import Element, canonical, parse
from wsdl import contract
from wsdl.ivis import message_type

HERE = Path(__file__).parent
CASES = sorted(path.parent for path in HERE.glob("*/*/request.json"))
ADAPTERS = discover()
NOW = utc_now()  # the certificates are made for the run; no golden file holds an instant
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
MESSAGE_ID = "urn:uuid:018f0000-0000-7000-8000-000000000002"
TRANSACTION = "018f0000-0000-7000-8000-000000000003"
VISS = contract("viss")
CONTEXT = Context(
    purpose="social-service",
    rule="p8.1",
    official=Official("PK:390000-00001", "90000022632", "social worker"),
    case="L-2026-17",
    request_id=uuid.UUID("018f0000-0000-7000-8000-000000000001"),
    environment=Environment.TEST,
)


@dataclass(frozen=True)
class Case:
    """A recorded case and what it is about."""

    folder: Path

    @property
    def adapter(self) -> Adapter:
        return ADAPTERS[self.folder.parent.name]

    @property
    def operation(self) -> Operation:
        operation = self.adapter.operation(str(self.read("request.json")["operation"]))
        assert operation is not None, f"{self.folder}: unknown operation"
        return operation

    def read(self, name: str) -> dict[str, Json]:
        return cast("dict[str, Json]", json.loads((self.folder / name).read_text(encoding="utf-8")))

    def element(self, name: str) -> Element:
        return parse((self.folder / name).read_bytes())


# The first case of each operation, by name.
FIRST = {Case(folder).operation.name + folder.parent.name: folder for folder in reversed(CASES)}.values()


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    new_keys(folder, [*sorted(ADAPTERS), "viss"])
    return folder


@pytest.fixture(scope="module")
def profiles(keys: Path) -> Callable[[str], SoapProfile]:
    identity = Identity.load(keys / "gateway.pem", keys / "gateway.key")
    opened: dict[str, SoapProfile] = {}

    def profile(name: str) -> SoapProfile:
        if name not in opened:
            system = config.System("http://127.0.0.1:1/", "soap", 1.0, keys / f"{name}.pem")
            opened[name] = SoapProfile(
                ADAPTERS[name], system, identity, keys / "authority.pem", clock=lambda: NOW
            )
        return opened[name]

    return profile


@pytest.fixture(scope="module")
def integrated(keys: Path) -> Callable[[str], VissProfile]:
    """The same systems by way of the state integrator, each with the transaction TRANSACTION."""
    identity = Identity.load(keys / "gateway.pem", keys / "gateway.key")
    viss = config.Viss(
        url="http://127.0.0.1:1/",
        trust=keys / "viss.pem",
        tls_trust=None,
        system_id="URN:IVIS:100001:ISS-SPOLIS",
        agency="100680",
        transaction_minutes=30.0,
    )

    @cache
    def profile(name: str) -> VissProfile:
        system = replace(config.load({}).system(name), viss=viss)
        return VissProfile(ADAPTERS[name], system, identity, keys / "authority.pem", clock=lambda: NOW)

    return profile


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: f"{folder.parent.name}/{folder.name}")
def test_golden(
    folder: Path, keys: Path, profiles: Callable[[str], SoapProfile], request: pytest.FixtureRequest
) -> None:
    case = Case(folder)
    update = bool(request.config.getoption("--update"))
    asked = case.operation.request.from_json(case.read("request.json")["arguments"], context=CONTEXT)  # type: ignore[arg-type] # the runner's own files
    profile = profiles(case.adapter.name)
    message = profile.compose(case.operation, asked, MESSAGE_ID)

    sent = body(parse(message.content))
    contract(case.adapter.name, case.adapter.version).validate(sent)
    compare_xml(folder / "sent.xml", sent, update)

    answer = envelope(case.element("answer.xml"), message.message_id, f"{message.action}Response")
    signed = wsse.sign(answer, identity(keys, case.adapter.name), now=NOW)
    compare_end(case, lambda: profile.read(case.operation, message, signed), update)


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: f"{folder.parent.name}/{folder.name}")
def test_golden_by_way_of_the_state_integrator(
    folder: Path, keys: Path, integrated: Callable[[str], VissProfile], request: pytest.FixtureRequest
) -> None:
    case = Case(folder)
    update = bool(request.config.getoption("--update"))
    asked = case.operation.request.from_json(case.read("request.json")["arguments"], context=CONTEXT)  # type: ignore[arg-type] # the runner's own files
    profile, system = integrated(case.adapter.name), contract(case.adapter.name, case.adapter.version)
    conversation = profile.converse(case.operation, asked, MESSAGE_ID)
    message = next(conversation)
    if message.opening:
        assert message.message_id != MESSAGE_ID
        started = response(message, {"TransactionID": TRANSACTION})
        message = conversation.send(wsse.sign(started, identity(keys, "viss"), now=NOW))

    assert message.message_id == MESSAGE_ID
    sent = parse(message.content).find(f"{{{SOAP12}}}Body")[0]
    VISS.validate(sent)
    inner = sent.find(f"{{{VISS.namespace}}}Body")[0]
    compare_xml(folder / "sent.xml", inner, update=False)
    if folder in FIRST:
        compare_xml(folder / "sent-viss.xml", sent, update)

    answered, kind = case.element("answer.xml"), f"{case.operation.name}Response"
    if etree.QName(answered).localname == "Fault":
        answer = envelope(fault12(answered), MESSAGE_ID, f"{message.action}Response", SOAP12)
    else:
        header = {"TransactionID": TRANSACTION, "MessageType": message_type(system, kind)}
        answer = response(message, header, answered)
    signed = wsse.sign(answer, identity(keys, "viss"), now=NOW)
    compare_end(case, lambda: profile.read(case.operation, message, signed), update=False)


def identity(keys: Path, name: str) -> Identity:
    return Identity.load(keys / f"{name}.pem", keys / f"{name}.key")


def compare_end(case: Case, read: Callable[[], object], update: bool) -> None:
    try:
        record = read()
    except errors.GatewayError as error:
        compare_json(case.folder / "error.json", {"code": error.code, "detail": error.detail}, update)
        assert not (case.folder / "record.json").exists()
    else:
        compare_json(case.folder / "record.json", case.operation.answer.json(record), update)
        assert not (case.folder / "error.json").exists()


@pytest.mark.parametrize("adapter", ADAPTERS.values(), ids=lambda adapter: adapter.name)
def test_every_operation_has_a_success_and_a_fault(adapter: Adapter) -> None:
    cases = [Case(folder) for folder in CASES if folder.parent.name == adapter.name]
    for operation in adapter.operations:
        ends = {
            (case.folder / "record.json").exists()
            for case in cases
            if case.read("request.json")["operation"] == operation.name
        }
        assert ends == {True, False}, f"{adapter.name}.{operation.name}"


def response(message: Message, header: Mapping[str, str], payload: Element | None = None) -> Element:
    """The envelope of an IVISResponse to a message that says that it succeeded."""
    root = etree.Element(f"{{{VISS.namespace}}}IVISResponse", nsmap={None: VISS.namespace})
    fields = {
        "MessageID": str(uuid.uuid4()),
        "CorrelationID": message.message_id.removeprefix("urn:uuid:"),
        **header,
        "TimeStamp": NOW.isoformat(),
        "Result": "success",
    }
    for name in ("MessageID", "MessageType", "TransactionID", "CorrelationID", "TimeStamp", "Result"):
        if name in fields:
            etree.SubElement(root, f"{{{VISS.namespace}}}{name}").text = fields[name]
    if payload is not None:
        etree.SubElement(root, f"{{{VISS.namespace}}}Body").append(payload)
    return envelope(root, message.message_id, f"{message.action}Response", SOAP12)


def fault12(fault: Element) -> Element:
    """A recorded SOAP 1.1 Fault as the integrator passes it on: in SOAP 1.2, with the system's own detail."""
    root = etree.Element(f"{{{SOAP12}}}Fault", nsmap={"soap": SOAP12})
    side = "Sender" if "Client" in (fault.findtext("faultcode") or "") else "Receiver"
    code = etree.SubElement(root, f"{{{SOAP12}}}Code")
    etree.SubElement(code, f"{{{SOAP12}}}Value").text = f"soap:{side}"
    text = etree.SubElement(etree.SubElement(root, f"{{{SOAP12}}}Reason"), f"{{{SOAP12}}}Text")
    text.text = fault.findtext("faultstring")
    detail = etree.SubElement(root, f"{{{SOAP12}}}Detail")
    for child in fault.find("detail") if fault.find("detail") is not None else ():
        detail.append(child)
    return root


def envelope(payload: Element, relates_to: str, action: str, soap: str = SOAP) -> Element:
    root = etree.Element(f"{{{soap}}}Envelope", nsmap={"soap": soap, "wsa": WSA})
    header = etree.SubElement(root, f"{{{soap}}}Header")
    for name, value in (("Action", action), ("RelatesTo", relates_to)):
        etree.SubElement(header, f"{{{WSA}}}{name}").text = value
    etree.SubElement(root, f"{{{soap}}}Body").append(payload)
    return root


def body(envelope: Element) -> Element:
    return envelope.find(f"{{{SOAP}}}Body")[0]


def compare_xml(path: Path, element: Element, update: bool) -> None:
    alone = etree.fromstring(etree.tostring(element))
    etree.cleanup_namespaces(alone)
    etree.indent(alone)
    if update:
        path.write_bytes(etree.tostring(alone, encoding="utf-8", xml_declaration=True) + b"\n")
    known = etree.fromstring(
        path.read_bytes(), etree.XMLParser(remove_blank_text=True, resolve_entities=False)
    )
    etree.indent(known)
    assert canonical(alone) == canonical(known)


def compare_json(path: Path, value: object, update: bool) -> None:
    if update:
        path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    assert json.loads(path.read_text(encoding="utf-8")) == value
