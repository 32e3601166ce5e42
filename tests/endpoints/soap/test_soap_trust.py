"""What a partner hears of its certificate: each reason by its own code, on real sockets, and rollover without a gap."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from lxml import etree

from config import RevocationSource
from endpoints.soap import application
from endpoints.work.revocations import Revocations
from errors import GatewayError
from exchange import utc_now
from routing.parties import add_partner, disable_partner
from security.keys import Identity, fingerprint
from tests.endpoints.soap.conftest import State, World, on_a_socket, opened
from tests.endpoints.soap.messages import CONTENT_TYPE, FAULT, get_person
from tests.endpoints.work.responders import Told, server
from tests.security.revoking import HOUR, Saying, issued, pem, revoking

NOW = utc_now()
AUTHORITY = issued("agency authority", None, NOW, ca=True)
KEY, NEXT_KEY = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
PARTNER = issued("agency", AUTHORITY, NOW, key=KEY)
SUCCESSOR = issued("agency", AUTHORITY, NOW, key=NEXT_KEY)


@dataclasses.dataclass
class Agency:
    """A partner of an authority in trust/, and the service at its address."""

    world: World
    address: str

    def say(self, identity: Identity = PARTNER) -> str:
        """What a message of the partner gets: `ok`, or the code of the fault."""
        content = self.world.message(identity=identity, body=get_person()).signed()
        with requests.Session() as session:
            session.trust_env = False
            headers = {"Content-Type": CONTENT_TYPE["1.1"]}
            response = session.post(self.address, content, headers=headers, timeout=30)
        if response.status_code == 200:
            return "ok"
        return str(etree.fromstring(response.content).findtext(f".//{{{FAULT}}}Kods"))

    def lists(self, *lists: x509.CertificateRevocationList) -> None:
        (self.world.gateway.settings.crl / "agency.pem").write_bytes(pem(*lists))

    def register(self, identity: Identity) -> None:
        with self.world.gateway.engine.begin() as connection:
            add_partner(connection, "agency", "partner", identity.certificate, utc_now())

    def disable(self, keep: str = "") -> None:
        with self.world.gateway.engine.begin() as connection:
            disable_partner(connection, "agency", utc_now(), keep=keep)


@pytest.fixture
def responder() -> Iterator[Callable[[Callable[[bytes], Told | None]], str]]:
    """Begins a responder and gives its address."""
    running = []

    def begin(answer: Callable[[bytes], Told | None]) -> str:
        one = server(answer)
        running.append(one)
        return one.__enter__().url

    yield begin
    for one in running:
        one.__exit__(None, None, None)


@pytest.fixture
def agency(state: State, tmp_path: Path) -> Iterator[Agency]:
    with opened(state, tmp_path) as world:
        (tmp_path / "trust" / "agency.pem").write_bytes(AUTHORITY.certificate.public_bytes(Encoding.PEM))
        with on_a_socket(world.app) as address:
            found = Agency(world, address)
            found.register(PARTNER)
            yield found


def test_every_reason_has_its_code(agency: Agency) -> None:
    assert agency.say() == "ok"  # neither list nor responder: the issuer is held to none
    stranger = issued("stranger", None, NOW, ca=True)
    assert agency.say(issued("agency", AUTHORITY, NOW, days=-1, key=KEY)) == "expired_certificate"
    assert agency.say(issued("agency", stranger, NOW, key=KEY)) == "untrusted_certificate"
    assert agency.say(issued("agency", AUTHORITY, NOW, key=KEY)) == "unknown_partner"
    agency.lists(revoking(AUTHORITY, NOW - HOUR, 1))
    assert agency.say() == "ok"
    # Past its end, and within the 24 hours for which it still counts.
    agency.lists(revoking(AUTHORITY, NOW - timedelta(hours=47)))
    assert agency.say() == "ok"
    agency.lists(revoking(AUTHORITY, NOW - timedelta(hours=49)))
    assert agency.say() == "revocation_unknown"
    agency.lists(revoking(AUTHORITY, NOW - timedelta(hours=49), PARTNER.certificate.serial_number))
    assert agency.say() == "revoked_certificate"
    agency.lists(revoking(AUTHORITY, NOW, signer=stranger.key))
    assert agency.say() == "revocation_unknown"
    assert agency.world.pmlp.asked
    # Partners of other authorities are not held to this one's lists.
    assert agency.say(agency.world.partner) == "ok"
    agency.lists(revoking(AUTHORITY, NOW, more=[(x509.DeltaCRLIndicator(1), True)]))
    assert agency.say(agency.world.partner) == "configuration_error"


def test_a_stale_list_may_be_accepted_by_setting(agency: Agency) -> None:
    agency.lists(revoking(AUTHORITY, NOW - timedelta(days=9)))
    assert agency.say() == "revocation_unknown"
    gateway = agency.world.gateway
    lenient = dataclasses.replace(gateway.settings.revocation, when_stale="accept")
    gateway = dataclasses.replace(gateway, settings=dataclasses.replace(gateway.settings, revocation=lenient))
    with on_a_socket(application(gateway)) as address:
        other = Agency(agency.world, address)
        assert other.say() == "ok"
        agency.lists(revoking(AUTHORITY, NOW - timedelta(days=9), PARTNER.certificate.serial_number))
        assert other.say() == "revoked_certificate"


def test_a_stored_answer_decides_and_no_message_waits_for_the_responder(
    agency: Agency, responder: Callable[[Callable[[bytes], Told | None]], str]
) -> None:
    answers: list[Saying | None] = [None]

    def answer(asked: bytes) -> Told | None:
        saying = answers[-1]
        if saying is None:
            return None
        return Told(saying.answer(asked, PARTNER.certificate, AUTHORITY, utc_now()))

    gateway = agency.world.gateway
    asking = dataclasses.replace(
        gateway.settings.revocation,
        ask_minutes=0.0001,
        ocsp=(RevocationSource("agency.pem", responder(answer)),),
    )
    settings = dataclasses.replace(gateway.settings, revocation=asking)
    job = Revocations(gateway.engine, settings)
    with on_a_socket(application(dataclasses.replace(gateway, settings=settings))) as address:
        other = Agency(agency.world, address)
        # The responder says nothing and would hold whoever waits for it.
        assert other.say() == "revocation_unknown"
        answers.append(Saying())
        job.ask(utc_now())
        answers.append(None)
        assert other.say() == "ok"
        answers.append(Saying(ocsp.OCSPCertStatus.REVOKED))
        job.ask(utc_now())
        answers.append(None)
        assert other.say() == "revoked_certificate"
        assert agency.say() == "ok"  # the other gateway's settings ask nobody


def test_a_rollover_leaves_no_gap(agency: Agency) -> None:
    assert (agency.say(PARTNER), agency.say(SUCCESSOR)) == ("ok", "unknown_partner")
    agency.register(SUCCESSOR)
    assert (agency.say(PARTNER), agency.say(SUCCESSOR)) == ("ok", "ok")
    agency.disable(keep=fingerprint(SUCCESSOR.certificate))
    assert (agency.say(PARTNER), agency.say(SUCCESSOR)) == ("unknown_partner", "ok")
    agency.disable()
    assert agency.say(SUCCESSOR) == "unknown_partner"


def test_revocation_unknown_may_be_tried_again(agency: Agency) -> None:
    agency.lists(revoking(AUTHORITY, NOW - timedelta(days=9)))
    message = agency.world.message(identity=PARTNER, body=get_person())
    fault = agency.world.fault(agency.world.post(message.signed()))
    assert fault.kluda["AtkartotVar"] == "true"
    agency.lists(revoking(AUTHORITY, NOW))
    assert agency.world.post(message.signed()).status_code == 200


def test_the_job_tells_what_failed_by_a_code(agency: Agency) -> None:
    gateway = agency.world.gateway
    nobody = dataclasses.replace(
        gateway.settings.revocation, ocsp=(RevocationSource("agency.pem", "http://127.0.0.1:9/"),)
    )
    settings = dataclasses.replace(gateway.settings, revocation=nobody)
    with pytest.raises(GatewayError) as told:
        Revocations(gateway.engine, settings).ask(utc_now())
    assert told.value.code == "system_unavailable"
