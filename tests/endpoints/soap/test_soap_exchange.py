"""A signed request in, a signed answer out: what partners rely on, in both SOAP versions."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, time, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from sqlalchemy import select

from audit.tables import log_records
from exchange import RIGA, utc_now
from routing.parties import add_partner, disable_partner
from security import wsse
from security.keys import Identity, issue
from security.xml import canonical
from tests.endpoints.soap.conftest import ABSENT, DEAD, World
from tests.endpoints.soap.messages import ACTION, CODE, NAMESPACE, WSA, get_person

NS = {"p": NAMESPACE, "wsa": WSA}
ADDRESSING = {"Action": ACTION, "To": "http://localhost/soap/persons/v1-0"}


def outcomes(world: World) -> list[dict[str, object]]:
    """The leaves of the outcome records, oldest first."""
    with world.gateway.engine.begin() as connection:
        rows = connection.execute(
            select(log_records.c.leaf).where(log_records.c.kind == "outcome").order_by(log_records.c.id)
        )
        return [json.loads(row.leaf) for row in rows]


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_the_answer_is_signed_and_holds_the_minimal_data_set(world: World, version: str) -> None:
    response = world.post(world.message(version=version).signed(), version)
    assert response.status_code == 200, response.data
    assert response.mimetype == {"1.1": "text/xml", "1.2": "application/soap+xml"}[version]
    verified = world.believed(response)
    assert verified.soap_version == version
    assert verified.action == f"{ACTION}Response"
    assert verified.message_id is not None
    assert verified.relates_to is None
    (answer,) = verified.body
    assert answer.tag == f"{{{NAMESPACE}}}GetPersonResponse"
    assert answer.findtext("p:ApmainasId", namespaces=NS) == response.headers["X-Exchange-Id"]
    person = answer.find("p:Persona", NS)
    assert [child.text for child in person] == ["Ilze", "Anna", "Paraudziņa", CODE]
    assert answer.find("p:Aizturets", NS) is None
    (asked,) = world.pmlp.asked
    assert asked.data_sets == ("NAME_AND_CODE",)
    assert asked.context.official.institution == "90000000001"


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_an_answer_relates_to_the_message(world: World, version: str, message_id: str) -> None:
    message = world.message(version=version, addressing={**ADDRESSING, "MessageID": message_id})
    assert world.believed(world.post(message.signed(), version)).relates_to == message_id
    refused = message.but(body=get_person(ABSENT), addressing={"MessageID": f"{message_id}-2"})
    verified = world.believed(world.post(refused.signed(), version))
    assert verified.relates_to == f"{message_id}-2"


def test_a_message_signed_on_a_curve_is_believed_too(world: World) -> None:
    identity = issue(world.keys, "curve", key_type="p256")
    with world.gateway.engine.begin() as connection:
        add_partner(connection, "curve", "partner", identity.certificate, utc_now())
    root = etree.fromstring(world.message().unsigned())
    assert world.post(wsse.sign(root, identity, now=utc_now())).status_code == 200


def test_what_is_withheld_is_left_out_and_named(world: World) -> None:
    message = world.message(identity=world.partners["narrow"], body=get_person(Tiesibas="p8.3"))
    (answer,) = world.believed(world.post(message.signed())).body
    assert [child.text for child in answer.find("p:Persona", NS)] == [CODE]
    named = [element.text for element in answer.findall("p:Aizturets", NS)]
    assert named == ["given_names", "family_name"]


def test_every_exchange_is_on_record(world: World) -> None:
    world.post(world.message().signed())
    world.post(world.message(body=get_person(ABSENT)).signed())
    world.post(b"<a/>")
    ends = [(end["outcome"], end["code"]) for end in outcomes(world)]
    assert ends == [("ok", None), ("invalid", "not_found"), ("invalid", "malformed_message")]


@pytest.mark.parametrize(
    ("partner", "body", "code"),
    [
        ("nothing", get_person(), "access_denied"),
        ("partner", get_person(Merkis="research"), "purpose_not_allowed"),
        ("partner", get_person(Tiesibas="p8.13"), "purpose_not_allowed"),
        ("partner", get_person(Vide="production"), "wrong_environment"),
        ("partner", get_person(ABSENT), "not_found"),
        ("partner", get_person(DEAD), "answer_invalid"),
        ("unregistered", get_person(), "unknown_partner"),
    ],
)
@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_a_refusal_is_a_signed_fault(world: World, partner: str, body: str, code: str, version: str) -> None:
    message = world.message(identity=world.partners[partner], body=body, version=version)
    response = world.post(message.signed(), version)
    fault = world.fault(response)
    theirs = code != "answer_invalid"
    assert response.status_code == (400 if version == "1.2" and theirs else 500)
    expected = {"1.1": ("Client", "Server"), "1.2": ("Sender", "Receiver")}[version]
    assert fault.version == version
    assert fault.code == expected[0 if theirs else 1]
    assert fault.subcode == (code if version == "1.2" else "")
    assert fault.kluda == {
        "Kods": code,
        "ApmainasId": response.headers["X-Exchange-Id"],
        "AtkartotVar": "false",
    }
    assert world.believed(response).action == f"{WSA}/soap/fault"
    assert CODE not in response.text


def test_a_quota_says_when_to_come_back(world: World) -> None:
    scarce = world.partners["scarce"]
    assert world.post(world.message(identity=scarce).signed()).status_code == 200
    fault = world.fault(world.post(world.message(identity=scarce, body=get_person()).signed()))
    assert (fault.kluda["Kods"], fault.kluda["AtkartotVar"]) == ("quota_exceeded", "true")
    seconds = int(fault.kluda["AtkartotPec"])
    assert 0 < seconds <= 90_000
    until = datetime.fromisoformat(fault.reason.rpartition("again from ")[2].rstrip(")"))
    assert until.astimezone(RIGA).time() == time()
    assert abs((until - utc_now()).total_seconds() - seconds) < 60


def test_a_partner_that_is_disabled_is_refused_at_once(world: World) -> None:
    assert world.post(world.message().signed()).status_code == 200
    with world.gateway.engine.begin() as connection:
        disable_partner(connection, "partner", utc_now())
    assert (
        world.fault(world.post(world.message(body=get_person()).signed())).kluda["Kods"] == "unknown_partner"
    )


def test_a_revoked_certificate_is_refused_from_the_next_message_on(world: World) -> None:
    assert world.post(world.message().signed()).status_code == 200
    authority = Identity.load(world.keys / "authority.pem", world.keys / "authority.key")
    now = datetime.now(UTC) - timedelta(minutes=1)
    revoked = (
        x509.RevokedCertificateBuilder()
        .serial_number(world.partner.certificate.serial_number)
        .revocation_date(now)
        .build()
    )
    revocations = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(now)
        .next_update(now + timedelta(days=1))
        .add_revoked_certificate(revoked)
        .sign(authority.key, hashes.SHA256())
    )
    path = world.gateway.settings.crl / "authority.pem"
    path.write_bytes(revocations.public_bytes(Encoding.PEM))
    assert (
        world.fault(world.post(world.message(body=get_person()).signed())).kluda["Kods"]
        == "revoked_certificate"
    )
    path.unlink()
    assert world.post(world.message(body=get_person()).signed()).status_code == 200


def test_a_trust_list_that_cannot_be_read_stops_everything_and_names_no_file(world: World) -> None:
    (world.gateway.settings.trust / "broken.pem").write_text("no certificate")
    response = world.post(world.message().signed())
    fault = world.fault(response)
    assert (fault.code, fault.kluda["Kods"]) == ("Server", "configuration_error")
    assert "broken" not in response.text
    assert str(world.keys.parent) not in response.text
    assert world.pmlp.asked == []


def payload(world: World, content: bytes, version: str = "1.1") -> bytes:
    (element,) = world.believed(world.post(content, version)).body
    return canonical(element)


class TestRepeats:
    """Key = (partner, MessageID), content = the Body."""

    @pytest.mark.parametrize("version", ["1.1", "1.2"])
    def test_the_same_message_signed_again_gets_the_same_answer(
        self, world: World, version: str, message_id: str
    ) -> None:
        message = world.message(version=version, addressing={"MessageID": message_id})
        first = payload(world, message.signed(), version)
        later = message.but(created=utc_now() + timedelta(seconds=2))
        assert payload(world, later.signed(), version) == first
        assert len(world.pmlp.asked) == 1
        one, two = outcomes(world)
        assert (one["outcome"], two["outcome"]) == ("ok", "ok")
        assert two["repeats"] == one["exchange"]

    def test_the_identical_bytes_are_a_retry(self, world: World, message_id: str) -> None:
        content = world.message(addressing={"MessageID": message_id}).signed()
        assert payload(world, content) == payload(world, content)
        assert len(world.pmlp.asked) == 1

    def test_without_a_message_id_the_request_id_is_the_key(self, world: World) -> None:
        request_id = str(uuid.uuid4())
        message = world.message(body=get_person(PieprasijumaId=request_id))
        assert payload(world, message.signed()) == payload(world, message.signed())
        other = message.but(body=get_person("320000-00007", PieprasijumaId=request_id))
        assert world.fault(world.post(other.signed())).kluda["Kods"] == "message_id_reused"
        assert len(world.pmlp.asked) == 1

    def test_other_content_under_the_same_message_id_is_refused(self, world: World, message_id: str) -> None:
        message = world.message(addressing={"MessageID": message_id})
        world.post(message.signed())
        fault = world.fault(world.post(message.but(body=get_person()).signed()))
        assert (fault.code, fault.kluda["Kods"]) == ("Client", "message_id_reused")

    def test_message_ids_of_two_partners_are_two(self, world: World, message_id: str) -> None:
        message = world.message(addressing={"MessageID": message_id})
        world.post(message.signed())
        theirs = message.but(identity=world.partners["narrow"], body=get_person(Tiesibas="p8.3"))
        assert world.post(theirs.signed()).status_code == 200

    def test_access_is_checked_again_before_a_stored_answer_leaves(
        self, world: World, message_id: str
    ) -> None:
        message = world.message(addressing={"MessageID": message_id})
        world.post(message.signed())
        with world.gateway.engine.begin() as connection:
            disable_partner(connection, "partner", utc_now())
        assert world.fault(world.post(message.signed())).kluda["Kods"] == "unknown_partner"

    def test_a_refusal_is_not_stored(self, world: World, message_id: str) -> None:
        message = world.message(addressing={"MessageID": message_id}, body=get_person(Merkis="research"))
        assert world.fault(world.post(message.signed())).kluda["Kods"] == "purpose_not_allowed"
        assert world.post(message.but(body=get_person()).signed()).status_code == 200

    def test_a_message_out_of_its_window_is_stale(self, world: World, message_id: str) -> None:
        content = world.message(addressing={"MessageID": message_id}).signed()
        assert world.post(content).status_code == 200
        world.clock.ahead = timedelta(minutes=7)
        assert world.fault(world.post(content)).kluda["Kods"] == "stale"
        world.clock.ahead = timedelta(minutes=-7)
        assert world.fault(world.post(content)).kluda["Kods"] == "stale"
        assert len(world.pmlp.asked) == 1
