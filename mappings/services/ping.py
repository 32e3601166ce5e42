"""The service `ping`: whether a message arrives as it should, and what the gateway knows of its sender.

It says nothing of any person, so that every registered partner may call it.
Source: wsdl/spolis/ping/v1-0; docs/adr/0018.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from errors import GatewayFailure
from exchange import Addressing, Context, Disclosed, Environment
from mappings.context import context
from mappings.fields import choice, identifier, integer, many, nested, text
from mappings.fields import date as day
from mappings.mapping import Mapping
from mappings.services import Service, ServiceOperation
from wsdl import contract

NAMESPACE = contract("spolis/ping").namespace

# The system behind the service: the gateway itself.
SYSTEM = "gateway"

_MOST_SECONDS = 999_999_999
_LONGEST = 200


class SoapVersion(StrEnum):
    """The version of SOAP that a message came in."""

    V1_1 = "1.1"
    V1_2 = "1.2"


@dataclass(frozen=True, slots=True, kw_only=True)
class PingRequest:
    """Nothing but who asks, and a text to be repeated (Ping)."""

    context: Context
    text: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundSignature:
    """What the gateway found of the signature (Paraksts). `clock_offset`: Created minus its clock, seconds."""

    algorithm: str | None
    addressing: Addressing
    clock_offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundCertificate:
    """The certificate that signed (Sertifikats)."""

    fingerprint: str
    valid_until: date
    days_left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """An operation that the sender may ask for (Atlauts), as access.d has it."""

    operation: str
    purposes: tuple[str, ...]
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PingAnswer:
    """Everything that the gateway knows of the message and of its sender."""

    exchange_id: uuid.UUID
    text: str | None
    partner: str
    recipient: str
    environment: Environment
    soap_version: SoapVersion
    signature: FoundSignature
    certificate: FoundCertificate
    granted: tuple[Granted, ...]


_SIGNATURE = Mapping(
    FoundSignature,
    NAMESPACE,
    "Paraksts",
    (
        text("algorithm", "Algoritms", rule="p19.2", optional=True, always=True),
        choice("addressing", "Adresacija", Addressing, rule="p19.2", always=True),
        integer("clock_offset", "PulkstenaNobide", least=-_MOST_SECONDS, rule="p19.2", always=True),
    ),
)

_CERTIFICATE = Mapping(
    FoundCertificate,
    NAMESPACE,
    "Sertifikats",
    (
        text("fingerprint", "Nospiedums", rule="p19.2", always=True),
        day("valid_until", "DerigsLidz", rule="p19.2", always=True),
        integer("days_left", "DienasAtlikusas", rule="p19.2", always=True),
    ),
)

_GRANTED = Mapping(
    Granted,
    NAMESPACE,
    "Atlauts",
    (
        text("operation", "Darbiba", rule="p20", always=True),
        many(text("purposes", "Merkis", rule="p22", always=True), minimum=1),
        many(text("rules", "Tiesibas", rule="p20", always=True), minimum=1),
    ),
)

PING_REQUEST = Mapping(
    PingRequest,
    NAMESPACE,
    "Ping",
    (
        context(NAMESPACE),
        text("text", "Teksts", rule="p19.2", optional=True, always=True, longest=_LONGEST),
    ),
    request=True,
)

PING_ANSWER = Mapping(
    PingAnswer,
    NAMESPACE,
    "PingResponse",
    (
        identifier("exchange_id", "ApmainasId", rule="p19.2", always=True),
        text("text", "Teksts", rule="p19.2", optional=True, always=True, longest=_LONGEST),
        text("partner", "Partneris", rule="p20", always=True),
        text("recipient", "Sanemejs", rule="p20", always=True),
        choice("environment", "Vide", Environment, rule="p19.5.6", always=True),
        choice("soap_version", "SoapVersija", SoapVersion, rule="p19.2", always=True),
        nested("signature", "Paraksts", _SIGNATURE),
        nested("certificate", "Sertifikats", _CERTIFICATE),
        many(nested("granted", "Atlauts", _GRANTED)),
    ),
)


def compose(exchange_id: uuid.UUID, disclosed: Disclosed) -> PingAnswer:
    """Our answer is the record that the route made of the message.

    Raises: GatewayFailure when it is of another exchange.
    """
    record = disclosed.record if isinstance(disclosed.record, dict) else {}
    answer = PING_ANSWER.from_json(record)
    if answer.exchange_id != exchange_id:
        raise GatewayFailure("the answer is of another exchange")
    return answer


SERVICE = Service(
    name="ping",
    version="v1-0",
    operations=(
        ServiceOperation(
            name="Ping",
            request=PING_REQUEST,
            answer=PING_ANSWER,
            via=(SYSTEM, "Ping"),
            compose=compose,
        ),
    ),
)
