"""A partner agency in a demonstration: signed SOAP calls over mutual TLS, their answers verified like any other."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import requests
from cryptography import x509
from lxml import etree

import wsdl
from errors import AnswerRefused, NotAuthenticated
from exchange import utc_now
from security import wsse
from security.keys import Identity
from security.xml import Element

_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
_WSA = "http://www.w3.org/2005/08/addressing"
_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class PartnerCall:
    """What a partner has: the service's address, its own files, the authority it trusts, the gateway's certificate."""

    url: str
    certificate: Path
    key: Path
    authority: Path
    gateway: Path
    institution: str
    environment: str


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a service of ours, why and under which rule; `arguments` are elements and their texts."""

    service: str
    operation: str
    purpose: str
    rule: str
    arguments: Mapping[str, str]


def questions(code: str) -> tuple[Question, ...]:
    """One of each that a municipality may ask about a person."""
    who = {"PersonasKods": code}
    return (
        Question("ping", "Ping", "connection-check", "p20", {"Teksts": "Labdien!"}),
        Question("persons", "GetPerson", "social-service", "p8.1", who),
        Question("persons", "GetDisability", "social-service", "p8.13.2", who),
        Question("persons", "GetServices", "social-service", "p10.8", who),
        Question("addresses", "SearchAddress", "address-check", "p17.10", {"Teksts": "ozolu 18"}),
    )


def ask(call: PartnerCall, question: Question) -> uuid.UUID:
    """Ask one question, and give the id of the exchange.

    Raises: AnswerRefused when the answer is a fault or not of the gateway, what `wsse.verify` raises, and
    requests.RequestException.
    """
    contract = wsdl.contract(f"spolis/{question.service}")
    message_id = f"urn:uuid:{uuid.uuid4()}"
    action = contract.actions[question.operation]
    address = f"{call.url}/soap/{question.service}/v1-0"
    envelope = _envelope(contract.namespace, (action, message_id, address), call, question)
    session = requests.Session()
    session.trust_env = False  # no proxy stands between us and the loopback address
    response = session.post(
        address,
        data=wsse.sign(envelope, Identity.load(call.certificate, call.key), now=utc_now()),
        headers={"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{action}"'},
        cert=(str(call.certificate), str(call.key)),
        verify=str(call.authority),
        timeout=_TIMEOUT_S,
    )
    (authority,) = x509.load_pem_x509_certificates(call.authority.read_bytes())
    verified = wsse.verify(response.content, wsse.Policy(authorities=(authority,)), now=utc_now())
    if verified.certificate != x509.load_pem_x509_certificates(call.gateway.read_bytes())[0]:
        raise NotAuthenticated("the answer is signed by somebody else")
    if verified.relates_to != message_id:
        raise AnswerRefused("the answer belongs to another message")
    answer = verified.body[0]
    if response.status_code != 200 or etree.QName(answer).localname != f"{question.operation}Response":
        raise AnswerRefused(f"HTTP {response.status_code}, {etree.QName(answer).localname}")
    contract.validate(answer)
    return uuid.UUID(response.headers["X-Exchange-Id"])


def _envelope(
    namespace: str, addressing: tuple[str, str, str], call: PartnerCall, question: Question
) -> Element:
    envelope = etree.Element(f"{{{_SOAP}}}Envelope", nsmap={"soap": _SOAP, "wsa": _WSA, "p": namespace})
    header = etree.SubElement(envelope, f"{{{_SOAP}}}Header")
    for name, text in zip(("Action", "MessageID", "To"), addressing, strict=True):
        etree.SubElement(header, f"{{{_WSA}}}{name}").text = text
    request = _add(etree.SubElement(envelope, f"{{{_SOAP}}}Body"), namespace, question.operation)
    context = _add(request, namespace, "Konteksts")
    _add(context, namespace, "Merkis", question.purpose)
    _add(context, namespace, "Tiesibas", question.rule)
    official = _add(context, namespace, "Darbinieks")
    _add(official, namespace, "Identifikators", "demo-partner-official")
    _add(official, namespace, "Iestade", call.institution)
    _add(official, namespace, "Loma", "social worker")
    _add(context, namespace, "PieprasijumaId", str(uuid.uuid4()))
    _add(context, namespace, "Vide", call.environment)
    for name, text in question.arguments.items():
        _add(request, namespace, name, text)
    return envelope


def _add(parent: Element, namespace: str, name: str, text: str | None = None) -> Element:
    element = etree.SubElement(parent, f"{{{namespace}}}{name}")
    element.text = text
    return element
