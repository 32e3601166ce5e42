"""A partner whose stack cannot sign addressing headers, and every other one; by either engine."""

from __future__ import annotations

import dataclasses
import uuid

import pytest

from endpoints.soap import application
from gateway import Gateway
from routing.agreements import SignatureProfile, Terms, set_terms
from tests.endpoints.soap.conftest import World
from tests.endpoints.soap.messages import ACTION, WSA
from tests.endpoints.soap.test_soap_exchange import outcomes

EVIL = f"{ACTION}s"


def headers(message_id: str, action: str = ACTION) -> str:
    """Addressing headers that nobody signed."""
    return (
        f'<wsa:MessageID xmlns:wsa="{WSA}">{message_id}</wsa:MessageID>'
        f'<wsa:Action xmlns:wsa="{WSA}">{action}</wsa:Action>'
    )


def allowing(world: World, *names: str) -> World:
    """The world where these partners are registered as leaving addressing headers unsigned."""
    with world.gateway.engine.begin() as connection:
        for name in names:
            set_terms(connection, name, Terms(signature_profile=SignatureProfile.BODY_TIMESTAMP))
    return world


def with_engine(gateway: Gateway, engine: str) -> Gateway:
    """The gateway with another engine for signatures."""
    settings = gateway.settings
    signature = dataclasses.replace(settings.signature, engine=engine)
    return dataclasses.replace(gateway, settings=dataclasses.replace(settings, signature=signature))


def test_unsigned_headers_are_refused_from_everybody_else(world: World) -> None:
    message = world.message(extra=headers("urn:uuid:1"))
    for refusing in (world, allowing(world, "narrow")):
        assert refusing.fault(refusing.post(message.signed())).kluda["Kods"] == "unsigned"
    assert world.pmlp.asked == []


def test_unsigned_headers_say_nothing(world: World) -> None:
    """Neither the action nor the message id of the way counts: the answer relates to none."""
    weaker = allowing(world, "partner")
    response = weaker.post(world.message(extra=headers(f"urn:uuid:{uuid.uuid4()}", EVIL)).signed())
    assert response.status_code == 200, response.data
    assert weaker.believed(response).relates_to is None
    assert outcomes(weaker)[-1]["signature_profile"] == "body-timestamp", "it is on record"


def test_a_message_that_signs_all_is_on_record_as_any(world: World) -> None:
    weaker = allowing(world, "partner")
    assert weaker.post(world.message(addressing={"Action": ACTION}).signed()).status_code == 200
    assert "signature_profile" not in outcomes(weaker)[-1]


def test_another_unsigned_message_id_makes_no_second_effect(world: World) -> None:
    weaker = allowing(world, "partner")
    signed = world.message(extra=headers("urn:uuid:1")).signed()
    answers = [weaker.post(signed.replace(b"urn:uuid:1", new)) for new in (b"urn:uuid:1", b"urn:uuid:2")]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert len(world.pmlp.asked) == 1


@pytest.mark.parametrize("engine", ["narrow", "signxml"])
def test_either_engine_serves_partners(world: World, engine: str) -> None:
    gateway = with_engine(world.gateway, engine)
    chosen = dataclasses.replace(world, app=application(gateway, clock=world.clock))
    message = chosen.message(addressing={"Action": ACTION, "MessageID": f"urn:uuid:{uuid.uuid4()}"})
    response = chosen.post(message.signed())
    assert response.status_code == 200, response.data
    assert chosen.believed(response).relates_to == message.addressing["MessageID"]
    forged = message.signed().replace(b"social worker", b"social warden")
    assert chosen.fault(chosen.post(forged)).kluda["Kods"] == "signature_invalid"
