"""A partner's stack that is not ours: envelopes as text, signed by xmlsec, posted as bytes."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import xmlsec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from lxml import etree
from xmlsec import constants

from exchange import utc_now
from security.keys import Identity
from security.xml import Element

NAMESPACE = "urn:spolis:gateway:persons:v1-0"
FAULT = "urn:spolis:gateway:fault:v1-0"
SOAP = {
    "1.1": "http://schemas.xmlsoap.org/soap/envelope/",
    "1.2": "http://www.w3.org/2003/05/soap-envelope",
}
CONTENT_TYPE = {"1.1": "text/xml; charset=utf-8", "1.2": "application/soap+xml; charset=utf-8"}
ACTION = f"{NAMESPACE}/GetPerson"
WSA = "http://www.w3.org/2005/08/addressing"
_OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
WSU = f"{_OASIS}wssecurity-utility-1.0.xsd"
WSSE = f"{_OASIS}wssecurity-secext-1.0.xsd"
X509_V3 = f"{_OASIS}x509-token-profile-1.0#X509v3"
BASE64 = f"{_OASIS}soap-message-security-1.0#Base64Binary"
ID = f"{{{WSU}}}Id"

CODE = "321234-56789"


def context(**values: str) -> str:
    """Konteksts, with some of its values changed."""
    known = {
        "Merkis": "social-service",
        "Tiesibas": "p8.1",
        "Identifikators": "PK:390000-00001",
        "Iestade": "90000000001",
        "Loma": "social worker",
        "PieprasijumaId": str(uuid.uuid4()),
        "Vide": "test",
    } | values
    official = "".join(
        f"<{name}>{known.pop(name)}</{name}>" for name in ("Identifikators", "Iestade", "Loma")
    )
    return (
        f"<Konteksts><Merkis>{known['Merkis']}</Merkis><Tiesibas>{known['Tiesibas']}</Tiesibas>"
        f"<Darbinieks>{official}</Darbinieks><PieprasijumaId>{known['PieprasijumaId']}</PieprasijumaId>"
        f"<Vide>{known['Vide']}</Vide></Konteksts>"
    )


def get_person(code: str = CODE, **values: str) -> str:
    """The body element of GetPerson."""
    return (
        f'<GetPerson xmlns="{NAMESPACE}">{context(**values)}<PersonasKods>{code}</PersonasKods></GetPerson>'
    )


def ask(service: str, operation: str, arguments: str, **values: str) -> str:
    """The body element of any operation of a service; `arguments` stand after Konteksts as they are."""
    return (
        f'<{operation} xmlns="urn:spolis:gateway:{service}:v1-0">{context(**values)}{arguments}</{operation}>'
    )


@dataclass(frozen=True)
class Message:
    """A request before it is signed. `extra` goes into the Header as it is, and is not signed.

    `edition` is the namespace of its addressing headers.
    """

    identity: Identity
    version: str = "1.1"
    body: str = field(default_factory=get_person)
    addressing: Mapping[str, str] = field(default_factory=dict)
    extra: str = ""
    created: datetime = field(default_factory=utc_now)
    edition: str = WSA

    def but(self, **changes: object) -> Message:
        """The same message with something changed."""
        return replace(self, **changes)  # type: ignore[arg-type] # the fields' types are the dataclass's

    def unsigned(self) -> bytes:
        """The bytes without Security header."""
        headers = "".join(
            f'<wsa:{name} wsu:Id="{name}">{text}</wsa:{name}>' for name, text in self.addressing.items()
        )
        return (
            f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="{SOAP[self.version]}" '
            f'xmlns:wsa="{self.edition}" xmlns:wsu="{WSU}"><s:Header>{headers}{self.extra}</s:Header>'
            f'<s:Body wsu:Id="TheBody">{self.body}</s:Body></s:Envelope>'
        ).encode()

    def signed(self) -> bytes:
        """The bytes, Timestamp, Body and addressing headers signed."""
        root = etree.fromstring(self.unsigned())
        header = root[0]
        security = etree.SubElement(header, f"{{{WSSE}}}Security", nsmap={"wsse": WSSE})
        stamp = etree.SubElement(security, f"{{{WSU}}}Timestamp", {ID: "TheStamp"})
        for name, instant in (("Created", self.created), ("Expires", self.created + timedelta(minutes=5))):
            etree.SubElement(stamp, f"{{{WSU}}}{name}").text = instant.strftime("%Y-%m-%dT%H:%M:%SZ")
        token = etree.SubElement(
            security,
            f"{{{WSSE}}}BinarySecurityToken",
            {ID: "TheToken", "ValueType": X509_V3, "EncodingType": BASE64},
        )
        token.text = base64.b64encode(self.identity.certificate.public_bytes(Encoding.DER)).decode()
        signature = xmlsec.template.create(
            root, constants.TransformExclC14N, constants.TransformRsaSha256, ns="ds"
        )
        security.append(signature)
        names = ["TheStamp", "TheBody", *self.addressing]
        for name in names:
            reference = xmlsec.template.add_reference(signature, constants.TransformSha256, uri=f"#{name}")
            xmlsec.template.add_transform(reference, constants.TransformExclC14N)
        key_info = xmlsec.template.ensure_key_info(signature)
        holder = etree.SubElement(key_info, f"{{{WSSE}}}SecurityTokenReference")
        etree.SubElement(holder, f"{{{WSSE}}}Reference", {"URI": "#TheToken", "ValueType": X509_V3})
        context_ = xmlsec.SignatureContext()
        pem = self.identity.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        context_.key = xmlsec.Key.from_memory(pem, constants.KeyDataFormatPem)
        for element in root.iter():
            if element.get(ID):
                context_.register_id(element, "Id", WSU)
        context_.sign(signature)
        return bytes(etree.tostring(root))


@dataclass(frozen=True)
class Heard:
    """A fault as a client hears it."""

    version: str
    code: str
    subcode: str
    reason: str
    kluda: Mapping[str, str]


def heard(envelope: Element) -> Heard:
    """Read a Fault of either version; everything that the contract promises must be there."""
    soap = etree.QName(envelope).namespace
    fault = envelope.find(f"{{{soap}}}Body/{{{soap}}}Fault")
    assert fault is not None, etree.tostring(envelope)
    if soap == SOAP["1.1"]:
        version, code, subcode = "1.1", fault.findtext("faultcode"), ""
        reason, detail = fault.findtext("faultstring"), fault.find("detail")
    else:
        names = {"s": soap}
        version, code = "1.2", fault.findtext("s:Code/s:Value", namespaces=names)
        subcode = fault.findtext("s:Code/s:Subcode/s:Value", namespaces=names)
        reason, detail = fault.findtext("s:Reason/s:Text", namespaces=names), fault.find("s:Detail", names)
    kluda = detail.find(f"{{{FAULT}}}Kluda")
    values = {etree.QName(child).localname: child.text for child in kluda}
    return Heard(version, code.partition(":")[2], subcode.partition(":")[2], reason, values)
