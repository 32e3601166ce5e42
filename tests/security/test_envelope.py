"""Our own messages: written as text, and yet what every reader canonicalises, believes and sees."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from endpoints import spyne_protocol
from endpoints.spyne_protocol import FAULT, Letter
from security import wsse
from security.engines import ENGINES
from security.envelope import ANONYMOUS, Draft, write
from security.profile import WSU
from security.xml import Element, canonical, parse
from tests.security.conftest import World
from tests.security.messages import NOW, SOAP11, SOAP12, WSA
from tests.security.verdicts import agreed, xmlsec_believes
from wsdl import contract
from wsdl.spyne_compat import Fault

HEADERS = {"Action": "urn:t/Get", "MessageID": "urn:uuid:1", "To": "https://partner/", "ReplyTo": ANONYMOUS}
# What XML 1.0 can carry.
TEXTS = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff")
    | st.sampled_from("\t\r\n<>&'\""),
    min_size=1,
)


def element(text: str = "A1", namespace: str = "urn:t") -> bytes:
    root = etree.Element(f"{{{namespace}}}Get", nsmap={None: namespace})
    etree.SubElement(root, f"{{{namespace}}}Number", {"kind": text}).text = text
    return canonical(root)


def read(world: World, message: bytes) -> wsse.Verified:
    return wsse.verify(message, world.policy, now=NOW)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("soap", [SOAP11, SOAP12])
@pytest.mark.parametrize("key", ["rsa", "p256"])
def test_everybody_believes_what_is_written(world: World, engine: str, soap: str, key: str) -> None:
    identity = getattr(world, key)
    message = write(Draft(soap, HEADERS, element()), identity, now=NOW, engine=ENGINES[engine])
    assert agreed(message, world.policy).refused is None
    assert xmlsec_believes(message, identity.certificate)
    verified = read(world, message)
    assert canonical(verified.body[0]) == element()
    assert (verified.action, verified.message_id, verified.to) == tuple(HEADERS.values())[:3]
    assert [child.tag for child in verified.envelope[0]] == [f"{{{WSA}}}{name}" for name in HEADERS]
    assert not verified.weaker


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(inside=TEXTS, header=TEXTS)
def test_any_text_arrives_as_it_was(world: World, inside: str, header: str) -> None:
    draft = Draft(SOAP11, {**HEADERS, "RelatesTo": header}, element(inside))
    message = write(draft, world.p256, now=NOW)
    assert agreed(message, world.policy).refused is None
    assert xmlsec_believes(message, world.p256.certificate)
    verified = read(world, message)
    assert verified.body[0][0].text == inside
    assert verified.envelope[0].findtext(f"{{{WSA}}}RelatesTo") == header


@pytest.mark.parametrize("namespace", [SOAP11, SOAP12, WSU, WSA])
def test_a_payload_of_the_envelope_s_own_namespaces_is_signed_as_it_is_read(
    world: World, namespace: str
) -> None:
    for prefix in (None, "soap", "wsu", "x"):
        root = etree.Element(f"{{{namespace}}}Thing", nsmap={prefix: namespace})
        etree.SubElement(root, f"{{{namespace}}}Inner").text = 'xmlns:soap="not a declaration"'
        message = write(Draft(SOAP11, HEADERS, canonical(root)), world.p256, now=NOW)
        assert agreed(message, world.policy).refused is None
        assert xmlsec_believes(message, world.p256.certificate)
        assert read(world, message).body[0].tag == f"{{{namespace}}}Thing"


@pytest.mark.parametrize("version", ["1.1", "1.2"])
@pytest.mark.parametrize("addressing_fault", ["", "OnlyAnonymousAddressSupported"])
def test_the_codes_of_a_fault_are_names_in_scope(world: World, version: str, addressing_fault: str) -> None:
    fault = Fault("Client", "told", detail=etree.Element(f"{{{FAULT}}}Kluda", nsmap={None: FAULT}))
    servers = spyne_protocol.servers(contract("spolis/ping"), lambda draft: write(draft, world.p256, now=NOW))
    letter = Letter("urn:t/fault", "urn:uuid:1", subcode="denied", addressing_fault=addressing_fault)
    _status, message = spyne_protocol.write_fault(servers[version], fault, letter)
    assert agreed(message, world.policy).refused is None
    codes = list(_codes(parse(message)))
    assert codes
    for code in codes:
        prefix, _, name = (code.text or "").partition(":")
        assert code.nsmap[prefix] in (SOAP11, SOAP12, FAULT, WSA)
        assert name


def _codes(root: Element) -> list[Element]:
    return [one for one in root.iter("faultcode", f"{{{SOAP12}}}Value") if one.text]


def test_a_message_is_damaged_by_any_change(world: World) -> None:
    message = write(Draft(SOAP11, HEADERS, element()), world.rsa, now=NOW)
    for old, new in ((b">A1<", b">A2<"), (b"urn:t/Get<", b"urn:t/Got<"), (b"urn:uuid:1<", b"urn:uuid:2<")):
        assert old in message
        assert agreed(message.replace(old, new), world.policy).refused is not None
