"""Partners with zeep, over real sockets: the contract loaded from ?wsdl, calls signed, answers verified."""

from __future__ import annotations

import re
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
import zeep
import zeep.wsa
from lxml import etree
from werkzeug.test import run_wsgi_app
from xmlsec import constants
from zeep.wsse.signature import BinarySignature
from zeep.wsse.utils import get_security_header

from exchange import utc_now
from security import wsse
from security.certificates import load_authorities
from security.xml import Element
from tests.endpoints.soap.conftest import ABSENT, World, on_a_socket
from tests.endpoints.soap.messages import CODE, WSU
from wsdl import contract

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"


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


def script(world: World, address: str) -> subprocess.CompletedProcess[str]:
    """The script that partners are given, run on its own."""
    options = {"--key": "partner.key", "--certificate": "partner.pem", "--gateway": "gateway.pem"}
    files = [part for name, file in options.items() for part in (name, str(world.keys / file))]
    return subprocess.run(  # noqa: S603 — our own script with our own arguments
        [sys.executable, str(EXAMPLES / "partner_zeep.py"), "--wsdl", f"{address}?wsdl", *files, CODE],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"NO_PROXY": "*"},
    )


def test_the_script_that_partners_are_given(world: World, address: str) -> None:
    ran = script(world, address)
    assert ran.returncode == 0, ran.stderr
    assert "Paraudziņa" in ran.stdout


def _twice(answer: bytes, body: bytes, forged: bytes) -> bytes:
    return answer.replace(body, forged + body)


def _in_place(answer: bytes, body: bytes, forged: bytes) -> bytes:
    forged = re.sub(rb' wsu:Id="[^"]*"', b"", forged, count=1)
    return answer.replace(body, forged).replace(b"</soap:Header>", b"<x>" + body + b"</x></soap:Header>")


def _unsigned(answer: bytes, body: bytes, forged: bytes) -> bytes:
    return re.sub(rb"<wsse:Security.*</wsse:Security>", b"", answer, flags=re.DOTALL).replace(body, forged)


@pytest.mark.parametrize("wrap", [_twice, _in_place, _unsigned])
def test_the_script_believes_no_forged_answer(
    world: World, wrap: Callable[[bytes, bytes, bytes], bytes]
) -> None:
    def between(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        content, status, headers = run_wsgi_app(world.app, environ, buffered=True)
        answer = b"".join(content)
        if found := re.search(rb"<soap:Body.*</soap:Body>", answer, re.DOTALL):
            answer = wrap(answer, found[0], found[0].replace("Paraudziņa".encode(), b"Forged"))
        headers["Content-Length"] = str(len(answer))
        start_response(status, list(headers))
        return [answer]

    with on_a_socket(between) as address:
        ran = script(world, address)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "ValueError: the answer has" in ran.stderr or "is not signed" in ran.stderr


@pytest.mark.parametrize(
    "name", ["partner_zeep.py", "partner_node.mjs", "partner_php.php", "PartnerJava.java"]
)
def test_every_script_for_partners_calls_the_service_that_is_published(name: str) -> None:
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    assert "GetPerson" in text
    assert contract("spolis/persons").namespace in text or name == "partner_zeep.py"
    assert name in (EXAMPLES.parent / "partners.md").read_text(encoding="utf-8")


def test_a_message_over_a_real_socket_in_chunks(world: World, address: str) -> None:
    content = world.message().signed()
    session = requests.Session()
    session.trust_env = False
    headers = {"Content-Type": "text/xml; charset=utf-8"}
    response = session.post(address, data=iter([content[:100], content[100:]]), headers=headers, timeout=10)
    assert response.status_code == 200
    assert response.headers["X-Exchange-Id"]
