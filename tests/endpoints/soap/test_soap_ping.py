"""The service `ping`: what a partner hears of its own message, and what exactly was wrong with one that is refused."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
import requests
from cryptography.hazmat.primitives import hashes
from sqlalchemy import select

import errors
from audit.tables import log_records
from exchange import RIGA, Environment, utc_now
from mappings.services.ping import NAMESPACE, PING_ANSWER, PingAnswer
from routing.quota import last_day
from tests.endpoints.soap.conftest import PATH as PERSONS
from tests.endpoints.soap.conftest import State, World, on_a_socket, opened
from tests.endpoints.soap.messages import CONTENT_TYPE, WSA, Message, context, get_person, heard
from tests.endpoints.soap.test_soap_zeep import Signature, client, konteksts
from wsdl import contract

PATH = "/soap/ping/v1-0"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
# What no refusal may repeat, in places where a partner could put anything.
MARKER = "Slepens-7391"


def ping(text: str = "Labdien", **values: str) -> str:
    """The body element of Ping."""
    known = {"Merkis": "connection-check", "Tiesibas": "p20"} | values
    teksts = f"<Teksts>{text}</Teksts>" if text else ""
    return f'<Ping xmlns="{NAMESPACE}">{context(**known)}{teksts}</Ping>'


def said(world: World, content: bytes, version: str = "1.1") -> PingAnswer:
    """The answer to a ping, over a real socket, signed by the gateway and as the contract says."""
    with on_a_socket(world.app, PATH) as address:
        response = requests.post(
            address, data=content, headers={"Content-Type": CONTENT_TYPE[version]}, timeout=30
        )
    assert response.status_code == 200, response.text
    return answer(world, response.content)


def answer(world: World, content: bytes) -> PingAnswer:
    """What signed bytes of the gateway answer, as the contract says."""
    (payload,) = world.vouched(content).body
    contract("spolis/ping").validate(payload)
    return PING_ANSWER.read(payload)


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_a_ping_tells_what_the_gateway_found(shared: World, version: str, message_id: str) -> None:
    message = shared.message(body=ping(), version=version, addressing={"MessageID": message_id})
    found = said(shared, message.signed(), version)
    certificate = shared.partner.certificate
    assert (found.text, found.partner, found.recipient) == ("Labdien", "partner", "partner")
    assert (found.environment, found.soap_version) == (Environment.TEST, version)
    assert (found.signature.algorithm, found.signature.addressing) == (RSA_SHA256, "signed")
    assert abs(found.signature.clock_offset) <= 5
    assert found.certificate.fingerprint == certificate.fingerprint(hashes.SHA256()).hex()
    assert found.certificate.valid_until == certificate.not_valid_after_utc.astimezone(RIGA).date()
    assert found.certificate.days_left == (certificate.not_valid_after_utc - utc_now()).days
    assert [one.operation for one in found.granted] == ["persons.GetPerson", "ping.Ping"]
    assert found.granted[0].purposes == ("social-service",)
    assert found.granted[0].rules == ("p8.1", "p8.2", "p8.3")


def test_without_addressing_headers_and_text(shared: World) -> None:
    found = said(shared, shared.message(body=ping("")).signed())
    assert (found.text, found.signature.addressing) == (None, "none")


def test_how_far_the_clocks_are_apart(shared: World) -> None:
    behind = said(shared, shared.message(body=ping(), created=utc_now() - timedelta(seconds=120)).signed())
    assert -130 <= behind.signature.clock_offset <= -119
    ahead = said(shared, shared.message(body=ping(), created=utc_now() + timedelta(seconds=120)).signed())
    assert 110 <= ahead.signature.clock_offset <= 120


def test_zeep_reads_the_contract_and_pings(shared: World) -> None:
    with on_a_socket(shared.app, PATH) as address:
        signature = Signature(shared.keys)
        service = client(address, signature).service
        told = service.Ping(
            Konteksts=konteksts(Merkis="connection-check", Tiesibas="p20"), Teksts="no partnera"
        )
    assert (told.Teksts, told.Partneris, told.Paraksts.Adresacija) == ("no partnera", "partner", "none")
    assert len(signature.heard) == 1


def test_a_partner_without_any_grant_may_ping_and_nothing_else(shared: World) -> None:
    nothing = shared.message(identity=shared.partners["nothing"])
    found = said(shared, nothing.but(body=ping()).signed())
    assert (found.partner, [one.operation for one in found.granted]) == ("nothing", ["ping.Ping"])
    fault = shared.fault(shared.post(nothing.but(body=get_person()).signed()))
    assert fault.kluda["Kods"] == "access_denied"


def test_a_ping_goes_through_the_eight_steps_and_is_on_record(world: World) -> None:
    found = said(world, world.message(body=ping(MARKER)).signed())
    query = select(log_records.c.leaf).where(log_records.c.exchange_id == str(found.exchange_id))
    with world.gateway.engine.begin() as connection:
        leaves = [json.loads(leaf) for leaf in connection.execute(query.order_by(log_records.c.id)).scalars()]
        assert last_day(connection, "partner") is not None
    assert [leaf["kind"] for leaf in leaves] == ["opened", "attempt", "outcome"]
    outcome = leaves[-1]
    assert (outcome["system"], outcome["operation"], outcome["outcome"]) == ("ping", "Ping", "ok")
    assert (outcome["caller"], outcome["source"], outcome["withheld"]) == ("partner", "spolis", [])
    assert MARKER not in json.dumps(leaves)


def test_the_same_message_again_gets_the_same_answer(world: World, message_id: str) -> None:
    message = world.message(body=ping(), addressing={"MessageID": message_id})
    first, second = (answer(world, world.post(message.signed(), path=PATH).data) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (ping(Merkis="social-service"), "purpose_not_allowed"),
        (ping(Tiesibas="p8.1"), "purpose_not_allowed"),
        (ping("x" * 201), "schema_violation"),
        (ping(Vide="production"), "wrong_environment"),
        (get_person(), "unknown_operation"),
    ],
)
def test_what_is_no_ping_is_refused(shared: World, body: str, code: str) -> None:
    fault = shared.fault(shared.post(shared.message(body=body).signed(), path=PATH))
    assert fault.kluda["Kods"] == code


def late(message: Message) -> bytes:
    return message.but(created=utc_now() - timedelta(minutes=20)).signed()


def changed(message: Message) -> bytes:
    return message.signed().replace(b"Labdien", MARKER.encode())


def unsigned_header(message: Message) -> bytes:
    return message.but(extra=f'<wsa:To xmlns:wsa="{WSA}">{MARKER}</wsa:To>').signed()


def weak(message: Message) -> bytes:
    return message.signed().replace(RSA_SHA256.encode(), b"http://www.w3.org/2000/09/xmldsig#rsa-sha1")


def no_token(message: Message) -> bytes:
    return re.sub(rb"<wsse:BinarySecurityToken.*?</wsse:BinarySecurityToken>", b"", message.signed())


# What is wrong, the code, and the detail that a partner hears of it in the test environment.
WRONG: dict[str, tuple[Callable[[Message], bytes], str, str]] = {
    "no signature": (Message.unsigned, "unsigned", "Header/Security is missing"),
    "a header that is not signed": (unsigned_header, "unsigned", "To is not signed"),
    "no token": (no_token, "unsigned", "Security/BinarySecurityToken is missing"),
    "a changed body": (
        changed,
        "signature_invalid",
        "SignedInfo/Reference: a digest is not the one of the part it names",
    ),
    "an old algorithm": (
        weak,
        "signature_invalid",
        "SignedInfo/SignatureMethod: an algorithm that is not accepted",
    ),
    "a clock that is wrong": (late, "stale", "Timestamp/Created: more than 300 s from now"),
    "an empty token": (
        lambda message: re.sub(rb"(<wsse:BinarySecurityToken[^>]*>)[^<]*", rb"\1", message.signed()),
        "untrusted_certificate",
        "the token is not base64",
    ),
    "no envelope": (lambda _message: b"<Envelope/>", "malformed_message", "no envelope of SOAP 1.1 or 1.2"),
    "another structure": (
        lambda message: message.but(
            body=ping(f"<Lieks/>{MARKER}", Identifikators=MARKER, Iestade=MARKER, Loma=MARKER)
        ).signed(),
        "schema_violation",
        "/Ping/Teksts: cvc-type-3-1-2",
    ),
}


@pytest.fixture(scope="module")
def production(state: State, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with opened(state, tmp_path_factory.mktemp("production"), environment=Environment.PRODUCTION) as world:
        yield world


def test_production_pings_too(production: World) -> None:
    found = said(production, production.message(body=ping(Vide="production")).signed())
    assert found.environment is Environment.PRODUCTION


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_in_test_a_refusal_says_what_was_wrong(shared: World, case: str, version: str) -> None:
    spoil, code, detail = WRONG[case]
    message = shared.message(body=ping(), version=version)
    fault = shared.fault(shared.post(spoil(message), version, path=PATH))
    assert fault.kluda["Kods"] == code
    assert fault.reason == errors.by_code()[code](detail).message
    assert fault.reason.endswith(f"({detail})")


@pytest.mark.parametrize("case", WRONG)
def test_in_production_a_refusal_of_a_signature_says_its_code_only(production: World, case: str) -> None:
    spoil, code, detail = WRONG[case]
    response = production.post(spoil(production.message(body=ping(Vide="production"))), path=PATH)
    fault = heard(production.believed(response).envelope)
    assert fault.kluda["Kods"] == code
    kind = errors.by_code()[code]
    terse = issubclass(kind, errors.NotAuthenticated)
    assert fault.reason == (kind() if terse else kind(detail)).message
    assert terse is ("(" not in fault.reason)


def test_so_it_is_for_every_service(production: World, shared: World) -> None:
    for world, told in ((production, False), (shared, True)):
        content = changed(world.message(body=get_person(Loma="Labdien")))
        fault = world.fault(world.post(content, path=PERSONS))
        assert fault.kluda["Kods"] == "signature_invalid"
        assert fault.reason.endswith("a digest is not the one of the part it names)") is told


def test_a_refusal_repeats_no_value(shared: World) -> None:
    """A marker stands wherever a partner writes a value: texts, ids, headers, attributes."""
    values = dict.fromkeys(("Merkis", "Identifikators", "Iestade", "Loma"), MARKER)
    bodies = [
        ping(MARKER, **values),
        ping(MARKER, **values, Tiesibas=MARKER),
        ping(MARKER, **values, Vide=MARKER),
        ping(MARKER, PieprasijumaId=MARKER),
        ping(MARKER * 40),
        ping(f"{MARKER}<a/>"),
        f'<Ping xmlns="{NAMESPACE}">{MARKER}</Ping>',
        f'<Ping xmlns="{NAMESPACE}" id="{MARKER}"/>',
        f"{MARKER}{ping()}",
    ]
    addressings = [{}, {"MessageID": MARKER}, {"Action": MARKER}, {"To": MARKER, "MessageID": MARKER * 40}]
    for body in bodies:
        for addressing in addressings:
            message = shared.message(body=body, addressing=addressing, extra=f"<x xmlns='urn:{MARKER}'>a</x>")
            for content in (
                message.signed(),
                message.unsigned(),
                late(message),
                unsigned_header(message),
                weak(message),
                message.signed().replace(b"TheBody", MARKER.encode(), 1),
                message.but(identity=shared.partners["unregistered"]).signed(),
            ):
                fault = shared.fault(shared.post(content, path=PATH, headers={"SOAPAction": MARKER}))
                assert MARKER not in fault.reason
                assert uuid.UUID(fault.kluda["ApmainasId"])


def test_the_contract_is_served_at_its_address(shared: World) -> None:
    with on_a_socket(shared.app, PATH) as address:
        served = requests.get(f"{address}?wsdl", timeout=30)
    assert f'location="{address}"' in served.text
