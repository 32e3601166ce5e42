"""Signed envelopes by lxml and `cryptography` alone: for the load, the stand-in of PMLP, and the floor.

Nothing of the gateway's own signatures is used here, so that what it accepts and sends is judged by another hand.
"""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from lxml import etree

Element: TypeAlias = Any

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
WSA = "http://www.w3.org/2005/08/addressing"
DS = "http://www.w3.org/2000/09/xmldsig#"
_OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
WSSE = f"{_OASIS}wssecurity-secext-1.0.xsd"
WSU = f"{_OASIS}wssecurity-utility-1.0.xsd"
X509_V3 = f"{_OASIS}x509-token-profile-1.0#X509v3"
BASE64 = f"{_OASIS}soap-message-security-1.0#Base64Binary"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
ID = f"{{{WSU}}}Id"
FRESH = timedelta(seconds=360)

_ENVELOPE = (
    f'<soap:Envelope xmlns:soap="{SOAP}" xmlns:wsa="{WSA}" xmlns:wsu="{WSU}"><soap:Header>%s'
    f'<wsse:Security xmlns:wsse="{WSSE}" soap:mustUnderstand="1"><wsu:Timestamp wsu:Id="Timestamp">'
    "<wsu:Created>%s</wsu:Created><wsu:Expires>%s</wsu:Expires></wsu:Timestamp>"
    f'<wsse:BinarySecurityToken EncodingType="{BASE64}" ValueType="{X509_V3}" wsu:Id="Token">%s'
    "</wsse:BinarySecurityToken>%%s</wsse:Security></soap:Header>"
    '<soap:Body wsu:Id="Body">%s</soap:Body></soap:Envelope>'
)
# Both are written in their canonical form.
_SIGNED_INFO = (
    f'<ds:SignedInfo xmlns:ds="{DS}"><ds:CanonicalizationMethod Algorithm="{EXCLUSIVE}">'
    f'</ds:CanonicalizationMethod><ds:SignatureMethod Algorithm="{RSA_SHA256}"></ds:SignatureMethod>'
    "%s</ds:SignedInfo>"
)
_REFERENCE = (
    f'<ds:Reference URI="#%s"><ds:Transforms><ds:Transform Algorithm="{EXCLUSIVE}"></ds:Transform>'
    f'</ds:Transforms><ds:DigestMethod Algorithm="{SHA256}"></ds:DigestMethod>'
    "<ds:DigestValue>%s</ds:DigestValue></ds:Reference>"
)
_SIGNATURE = (
    f'<ds:Signature xmlns:ds="{DS}">%s<ds:SignatureValue>%s</ds:SignatureValue><ds:KeyInfo>'
    f'<wsse:SecurityTokenReference><wsse:Reference URI="#Token" ValueType="{X509_V3}"/>'
    "</wsse:SecurityTokenReference></ds:KeyInfo></ds:Signature>"
)


@dataclass(frozen=True, slots=True)
class Signer:
    """An RSA key, and its certificate as it stands in a message."""

    key: rsa.RSAPrivateKey
    token: str

    @classmethod
    def load(cls, keys: Path, name: str) -> Signer:
        """Read `<name>.key` and `<name>.pem`."""
        key = serialization.load_pem_private_key((keys / f"{name}.key").read_bytes(), None)
        assert isinstance(key, rsa.RSAPrivateKey)  # noqa: S101 — for the type checker
        der = load_certificate(keys, name).public_bytes(serialization.Encoding.DER)
        return cls(key, base64.b64encode(der).decode())


@dataclass(frozen=True, slots=True)
class Opened:
    """A message whose signature holds: its one body element, its addressing headers by name, who signed it."""

    payload: Element
    addressing: Mapping[str, str]
    certificate: x509.Certificate
    body_digest: bytes


class Refused(Exception):
    """The message is not believed; the text says why."""


def load_certificate(keys: Path, name: str) -> x509.Certificate:
    """Read `<name>.pem`."""
    return x509.load_pem_x509_certificate((keys / f"{name}.pem").read_bytes())


def parse(message: bytes) -> Element:
    """Parse without entities, network and DTD. Raises: Refused."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(message, parser)
    except etree.XMLSyntaxError as error:
        raise Refused("not well-formed") from error
    if root.getroottree().docinfo.doctype:
        raise Refused("DOCTYPE")
    return root


def sign(
    signer: Signer, body: str, action: str, relates_to: str | None = None, message_id: str = ""
) -> bytes:
    """An envelope around a body element, addressed, its Timestamp, Body and addressing headers signed now."""
    now = datetime.now(UTC)
    addressing = {"Action": action, "MessageID": message_id or f"urn:uuid:{uuid.uuid4()}"}
    if relates_to is not None:
        addressing["RelatesTo"] = relates_to
    headers = "".join(f'<wsa:{name} wsu:Id="{name}">{text}</wsa:{name}>' for name, text in addressing.items())
    text = _ENVELOPE % (headers, _instant(now), _instant(now + timedelta(minutes=5)), signer.token, body)
    root = etree.fromstring((text % "").encode())
    header = root[0]
    parts = (*header[:-1], header[-1][0], root[1])
    signed_info = _SIGNED_INFO % "".join(
        _REFERENCE % (part.get(ID), base64.b64encode(hashlib.sha256(canonical(part)).digest()).decode())
        for part in parts
    )
    value = signer.key.sign(signed_info.encode(), padding.PKCS1v15(), hashes.SHA256())
    return (text % (_SIGNATURE % (signed_info, base64.b64encode(value).decode()))).encode()


def verify(message: bytes, authority: x509.Certificate) -> Opened:
    """Believe a message: one place for each part, chain, signature over every part in use, freshness.

    Raises: Refused.
    """
    root = parse(message)
    if root.tag != f"{{{SOAP}}}Envelope" or [child.tag for child in root] != [
        f"{{{SOAP}}}Header",
        f"{{{SOAP}}}Body",
    ]:
        raise Refused("no envelope of Header and Body")
    header, body = root
    security = only(header, f"{{{WSSE}}}Security")
    signature, timestamp = only(security, f"{{{DS}}}Signature"), only(security, f"{{{WSU}}}Timestamp")
    certificate = chained(only(security, f"{{{WSSE}}}BinarySecurityToken"), authority)
    addressing = [child for child in header if child.tag.startswith(f"{{{WSA}}}")]
    signed_info = only(signature, f"{{{DS}}}SignedInfo")
    key = certificate.public_key()
    value = base64.b64decode(signature.findtext(f"{{{DS}}}SignatureValue"))
    if signed_info.find(f"{{{DS}}}SignatureMethod").get("Algorithm") != RSA_SHA256 or not isinstance(
        key, rsa.RSAPublicKey
    ):
        raise Refused("not RSA with SHA-256")
    try:
        key.verify(value, canonical(signed_info), padding.PKCS1v15(), hashes.SHA256())
    except Exception as error:
        raise Refused("signature") from error
    digests = dict(map(_reference, signed_info.iterchildren(f"{{{DS}}}Reference")))
    parts = {f"#{part.get(ID)}": canonical(part) for part in (timestamp, body, *addressing)}
    if digests.keys() != parts.keys() or len(parts) != len(addressing) + 2:
        raise Refused("a part is not signed, or more is")
    for uri, content in parts.items():
        if hashlib.sha256(content).digest() != digests[uri]:
            raise Refused("digest")
    fresh(timestamp)
    if len(body) != 1:
        raise Refused("not one element in the Body")
    told = {etree.QName(child).localname: child.text or "" for child in addressing}
    return Opened(body[0], told, certificate, hashlib.sha256(canonical(body[0])).digest())


def canonical(element: Element) -> bytes:
    """Exclusive canonical XML without comments."""
    return bytes(etree.tostring(element, method="c14n", exclusive=True, with_comments=False))


def only(parent: Element, tag: str) -> Element:
    """The one element of this name in the document, a child of `parent`. Raises: Refused."""
    found = list(parent.getroottree().iter(tag))
    if len(found) != 1 or found[0].getparent() is not parent:
        raise Refused(etree.QName(tag).localname)
    return found[0]


def chained(token: Element, authority: x509.Certificate) -> x509.Certificate:
    """The certificate in a token: issued by the authority, within its dates. Raises: Refused."""
    now = datetime.now(UTC)
    try:
        certificate = x509.load_der_x509_certificate(base64.b64decode(token.text))
        certificate.verify_directly_issued_by(authority)
    except Exception as error:
        raise Refused("certificate") from error
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise Refused("certificate: dates")
    return certificate


def fresh(timestamp: Element) -> None:
    """Whether Created is near. Raises: Refused."""
    try:
        created = datetime.fromisoformat(timestamp.findtext(f"{{{WSU}}}Created"))
    except (TypeError, ValueError) as error:
        raise Refused("Created") from error
    if abs(datetime.now(UTC) - created) > FRESH:
        raise Refused("stale")


def _reference(reference: Element) -> tuple[str, bytes]:
    transform = reference.find(f"{{{DS}}}Transforms/{{{DS}}}Transform")
    if transform is None or transform.get("Algorithm") != EXCLUSIVE or len(transform):
        raise Refused("transform")
    return reference.get("URI"), base64.b64decode(reference.findtext(f"{{{DS}}}DigestValue"))


def _instant(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
