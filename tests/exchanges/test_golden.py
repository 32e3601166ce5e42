"""Golden exchanges: every recorded case of every adapter, through the real client, from request to record or error.

A case is a folder `<system>/<case>/` with
  request.json  operation and arguments
  sent.xml      the Body's content as it leaves
  answer.xml    the Body's content as it arrives, a SOAP Fault where the case is one
  record.json   the canonical record, or
  error.json    code and detail of the error

`pytest tests/exchanges --update` writes sent.xml, record.json and error.json anew; the reviewer reads the diff.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest
from lxml import etree

import config
import errors
from adapters import Adapter, Operation, discover
from adapters.profiles.soap import SoapProfile
from exchange import Context, Environment, Json, Official, utc_now
from security import wsse
from security.keys import Identity, new_keys
from security.profile import WSA
from security.xml import Element, canonical, parse
from wsdl import contract

HERE = Path(__file__).parent
CASES = sorted(path.parent for path in HERE.glob("*/*/request.json"))
ADAPTERS = discover()
NOW = utc_now()  # the certificates are made for the run; no golden file holds an instant
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
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


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    new_keys(folder, sorted(ADAPTERS))
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


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: f"{folder.parent.name}/{folder.name}")
def test_golden(
    folder: Path, keys: Path, profiles: Callable[[str], SoapProfile], request: pytest.FixtureRequest
) -> None:
    case = Case(folder)
    update = bool(request.config.getoption("--update"))
    asked = case.operation.request.from_json(case.read("request.json")["arguments"], context=CONTEXT)  # type: ignore[arg-type] # the runner's own files
    profile = profiles(case.adapter.name)
    message = profile.compose(case.operation, asked, "urn:uuid:018f0000-0000-7000-8000-000000000002")

    sent = body(parse(message.content))
    contract(case.adapter.name, case.adapter.version).validate(sent)
    compare_xml(folder / "sent.xml", sent, update)

    answer = envelope(case.element("answer.xml"), message.message_id, f"{message.action}Response")
    identity = Identity.load(keys / f"{case.adapter.name}.pem", keys / f"{case.adapter.name}.key")
    signed = wsse.sign(answer, identity, now=NOW)
    try:
        record = profile.read(case.operation, message, signed)
    except errors.GatewayError as error:
        compare_json(folder / "error.json", {"code": error.code, "detail": error.detail}, update)
        assert not (folder / "record.json").exists()
    else:
        compare_json(folder / "record.json", case.operation.answer.json(record), update)
        assert not (folder / "error.json").exists()


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


def envelope(payload: Element, relates_to: str, action: str) -> Element:
    root = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"soap": SOAP, "wsa": WSA})
    header = etree.SubElement(root, f"{{{SOAP}}}Header")
    for name, value in (("Action", action), ("RelatesTo", relates_to)):
        etree.SubElement(header, f"{{{WSA}}}{name}").text = value
    etree.SubElement(root, f"{{{SOAP}}}Body").append(payload)
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
