"""Requests to the simulators, made by hand: nothing of the gateway's own client is in them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import requests
from lxml import etree

from exchange import utc_now
from security import wsse
from security.keys import Identity
from security.xml import Element, parse, serialise
from simulators.server import path_of
from wsdl import Contract, contract

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
WSA = "http://www.w3.org/2005/08/addressing"
Values = Mapping[str, "str | Values | list[Values] | list[str]"]


def context(environment: str = "test") -> Values:
    """A context as every request carries one."""
    return {
        "Merkis": "ilgstosa-aprupe",
        "Tiesibas": "p8",
        "Darbinieks": {"Identifikators": "AB123", "Iestade": "90000022632", "Loma": "socialais-darbinieks"},
        "PieprasijumaId": "018f0000-0000-7000-8000-0123456789ab",
        "Vide": environment,
    }


@dataclass(frozen=True)
class Client:
    """A caller with keys, for one simulator."""

    system: str
    url: str
    identity: Identity
    policy: wsse.Policy
    session: requests.Session = field(default_factory=requests.Session)

    @property
    def contract(self) -> Contract:
        """The contract of the simulator."""
        return contract(*path_of(self.system).strip("/").split("/"))

    def envelope(
        self, operation: str, arguments: Values, *, message_id: str | None = None, environment: str = "test"
    ) -> Element:
        """An unsigned request."""
        namespace = self.contract.namespace
        envelope = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"soap": SOAP, "wsa": WSA})
        header = etree.SubElement(envelope, f"{{{SOAP}}}Header")
        for name, value in (
            ("Action", f"{namespace}/{operation}"),
            ("MessageID", message_id or f"urn:uuid:{uuid.uuid4()}"),
            ("To", self.url),
        ):
            etree.SubElement(header, f"{{{WSA}}}{name}").text = value
        body = etree.SubElement(envelope, f"{{{SOAP}}}Body")
        payload = etree.SubElement(body, f"{{{namespace}}}{operation}", nsmap={None: namespace})
        fill(payload, {"Konteksts": context(environment), **arguments}, namespace)
        return envelope

    def sign(self, envelope: Element, *, now: datetime | None = None) -> bytes:
        """Sign a request."""
        return wsse.sign(envelope, self.identity, now=now or utc_now())

    def post(self, content: bytes, timeout: float = 10.0) -> requests.Response:
        """Send bytes to the service."""
        return self.session.post(
            self.url, data=content, headers={"Content-Type": "text/xml; charset=utf-8"}, timeout=timeout
        )

    def verify(self, response: requests.Response) -> wsse.Verified:
        """Believe an answer, or raise."""
        return wsse.verify(parse(response.content), self.policy, now=utc_now())

    def call(self, operation: str, arguments: Values, *, message_id: str | None = None) -> Element:
        """The verified payload of the answer, a fault included; it answers this message."""
        message_id = message_id or f"urn:uuid:{uuid.uuid4()}"
        verified = self.verify(
            self.post(self.sign(self.envelope(operation, arguments, message_id=message_id)))
        )
        assert verified.relates_to == message_id
        assert verified.action == f"{self.contract.namespace}/{operation}Response"
        (payload,) = verified.body
        return payload

    def unsigned(self, operation: str, arguments: Values) -> bytes:
        """A request without a signature."""
        return serialise(self.envelope(operation, arguments))

    def misbehave(self, **setting: object) -> None:
        """Set the mode."""
        response = self.session.post(f"{self.url}/_control", json=setting, timeout=10)
        assert response.status_code == 200, response.text


def texts(payload: Element, path: str) -> list[str]:
    """The texts at a path of local names."""
    return [
        found.text or "" for found in payload.findall("/".join(f"{{*}}{step}" for step in path.split("/")))
    ]


def fault_code(payload: Element) -> str:
    """The code in the detail of a fault; "" when it is none."""
    return payload.findtext("detail/{*}Kluda/{*}Kods") or ""


def code(value: str) -> Values:
    """A code with some text."""
    return {"Kods": value, "Nosaukums": "teksts"}


def fill(parent: Element, values: Values, namespace: str) -> None:
    """Add elements of a namespace by their names."""
    for name, value in values.items():
        for one in value if isinstance(value, list) else [value]:
            child = etree.SubElement(parent, f"{{{namespace}}}{name}")
            if isinstance(one, str):
                child.text = one
            else:
                fill(child, one, namespace)
