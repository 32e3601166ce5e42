"""Partners with zeep, over real sockets: the contract loaded from ?wsdl, calls signed, answers verified."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import zeep
import zeep.wsa
from lxml import etree
from xmlsec import constants
from zeep.wsse.signature import BinarySignature
from zeep.wsse.utils import get_security_header

from exchange import utc_now
from security import wsse
from security.certificates import load_authorities
from security.xml import Element
from tests.endpoints.soap.conftest import ABSENT, World
from tests.endpoints.soap.messages import CODE, WSU


class Signature(BinarySignature):
    """What zeep's own lacks: SHA-256 must be asked for, a Timestamp added, and the answer verified at all."""

    def __init__(self, keys: Path, name: str = "partner") -> None:
        super().__init__(  # type: ignore[no-untyped-call] # zeep publishes no types
            str(keys / f"{name}.key"),
            str(keys / f"{name}.pem"),
            signature_method=constants.TransformRsaSha256,
            digest_method=constants.TransformSha256,
        )
        self.policy = wsse.Policy(load_authorities(keys / "authority.pem"))
        self.heard: list[wsse.Verified] = []

    def apply(self, envelope: Element, headers: dict[str, str]) -> Any:
        security = get_security_header(envelope)  # type: ignore[no-untyped-call] # zeep publishes no types
        timestamp = etree.SubElement(security, f"{{{WSU}}}Timestamp", nsmap={"wsu": WSU})
        now = datetime.now(UTC)
        for name, instant in (("Created", now), ("Expires", now + timedelta(minutes=5))):
            etree.SubElement(timestamp, f"{{{WSU}}}{name}").text = instant.strftime("%Y-%m-%dT%H:%M:%SZ")
        return super().apply(envelope, headers)  # type: ignore[no-untyped-call] # zeep publishes no types

    def verify(self, envelope: Element) -> Element:
        self.heard.append(wsse.verify(envelope, self.policy, now=utc_now()))
        return envelope


def konteksts(**values: str) -> dict[str, object]:
    official = {"Identifikators": "PK:390000-00001", "Iestade": "90000000001", "Loma": "social worker"}
    known = {
        "Merkis": "social-service",
        "Tiesibas": "p8.1",
        "PieprasijumaId": str(uuid.uuid4()),
        "Vide": "test",
    }
    return {**known, "Darbinieks": official, **values}


def client(address: str, signature: object, **options: object) -> Any:
    session = requests.Session()
    session.trust_env = False
    transport = zeep.Transport(session=session)  # type: ignore[no-untyped-call] # zeep publishes no types
    return zeep.Client(f"{address}?wsdl", wsse=signature, transport=transport, **options)  # type: ignore[no-untyped-call] # zeep publishes no types


@pytest.mark.parametrize(("port", "version"), [("PersonsSoap11", "1.1"), ("PersonsSoap12", "1.2")])
def test_zeep_calls_get_person(world: World, address: str, port: str, version: str) -> None:
    signature = Signature(world.keys)
    service = client(address, signature).bind("PersonsService", port)
    answer = service.GetPerson(Konteksts=konteksts(), PersonasKods=CODE.replace("-", ""))
    assert answer.Persona.Vards == ["Ilze", "Anna"]
    assert (answer.Persona.Uzvards, answer.Persona.PersonasKods) == ("Paraudziņa", CODE)
    assert answer.Aizturets == []
    assert [heard.soap_version for heard in signature.heard] == [version]


@pytest.mark.parametrize(("port", "code"), [("PersonsSoap11", "Client"), ("PersonsSoap12", "Sender")])
def test_zeep_reads_the_fault(world: World, address: str, port: str, code: str) -> None:
    signature = Signature(world.keys)
    service = client(address, signature).bind("PersonsService", port)
    with pytest.raises(zeep.exceptions.Fault) as raised:
        service.GetPerson(Konteksts=konteksts(), PersonasKods=ABSENT)
    assert raised.value.code.endswith(code)
    assert raised.value.message.startswith("Nothing is held under that key")
    assert raised.value.detail.findtext(".//{*}Kods") == "not_found"


def test_addressing_that_zeep_adds_and_does_not_sign_is_refused(world: World, address: str) -> None:
    adding = client(address, Signature(world.keys), plugins=[zeep.wsa.WsAddressingPlugin()])
    with pytest.raises(zeep.exceptions.Fault) as raised:
        adding.service.GetPerson(Konteksts=konteksts(), PersonasKods=CODE)
    assert raised.value.detail.findtext(".//{*}Kods") == "unsigned"


def test_zeep_without_sha_256_is_refused(world: World, address: str) -> None:
    signature = Signature(world.keys)
    signature.signature_method = signature.digest_method = None
    with pytest.raises(zeep.exceptions.Fault) as raised:
        client(address, signature).service.GetPerson(Konteksts=konteksts(), PersonasKods=CODE)
    assert raised.value.detail.findtext(".//{*}Kods") == "signature_invalid"


def test_a_message_over_a_real_socket_in_chunks(world: World, address: str) -> None:
    content = world.message().signed()
    session = requests.Session()
    session.trust_env = False
    headers = {"Content-Type": "text/xml; charset=utf-8"}
    response = session.post(address, data=iter([content[:100], content[100:]]), headers=headers, timeout=10)
    assert response.status_code == 200
    assert response.headers["X-Exchange-Id"]
