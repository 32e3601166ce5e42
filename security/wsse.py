"""WS-Security: sign an envelope, and believe one.

A message is believed in this order: its structure is the one of the profile (`security.profile`); its certificate
is trusted (`security.certificates`) and may leave unsigned what it left unsigned; the signature holds (by one of
`security.engines`); the Timestamp is fresh. What comes out is built from the verified bytes alone; the message as it
came is never read again.
Source: signature profile (docs/interfaces.md).
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from errors import (
    DoctypeRefused,
    GatewayFailure,
    MalformedMessage,
    SignatureInvalid,
    Stale,
    Unsigned,
    UntrustedCertificate,
)
from security import certificates, profile
from security.engines import ENGINES, Engine
from security.keys import Identity, PrivateKey
from security.profile import DS, SOAP_VERSIONS, WSSE, WSU, Signable
from security.revocation import Rules
from security.xml import Element, canonical, parse, reread, serialise

# The prefixes that new attributes and elements are written with.
etree.register_namespace("wsse", WSSE)
etree.register_namespace("wsu", WSU)
etree.register_namespace("ds", DS)

NARROW = ENGINES["narrow"]
# A certificate has some 2,000 bytes: longer ones are read each time, so that nobody fills the memory with them.
_KEPT_BYTES = 8192

_WSU_ID = f"{{{WSU}}}Id"
# The addressing headers that are read; each holds one address.
_ADDRESSES = frozenset({"MessageID", "RelatesTo", "Action", "To"})
# WS-Security asks for `Z`; zeep writes `+00:00`. Any zone that is written down names one instant.
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})"
)


def nobody(_certificate: x509.Certificate) -> bool:
    """The certificates that may leave addressing headers unsigned: none."""
    return False


@dataclass(frozen=True, slots=True)
class Policy:
    """Whose signatures count, how fresh they must be (seconds), and which engine verifies them.

    `may_leave_unsigned` names the certificates whose addressing headers may go without a signature, where a partner's
    stack cannot sign them. Timestamp and Body are signed by everybody, and what is not signed is not believed.
    """

    authorities: tuple[x509.Certificate, ...]
    window_s: int = 300
    skew_s: int = 60
    max_lifetime_s: int = 900
    crls: tuple[x509.CertificateRevocationList, ...] = ()
    revocation: Rules = certificates.NO_RULES
    may_leave_unsigned: Callable[[x509.Certificate], bool] = nobody
    engine: Engine = NARROW
    # Never taken over from another policy, whose authorities are others.
    chains: certificates.Chains = field(default_factory=certificates.Chains, init=False, compare=False)


@dataclass(frozen=True, slots=True)
class Verified:
    """What a signature vouches for, and nothing besides.

    Shape: `envelope` is a new tree: Header with the addressing headers that are signed, Body. `body` is its Body,
    without its wsu:Id, which belongs to the signature: most stacks make a new one for each try. `body_digest` is the
    SHA-256 of it in exclusive canonical XML. `weaker`: addressing headers were there and not signed; they are left out.
    """

    envelope: Element
    body: Element
    certificate: x509.Certificate
    created: datetime
    message_id: str | None
    relates_to: str | None
    action: str | None
    to: str | None
    soap_version: str
    body_digest: bytes
    weaker: bool


def sign(
    envelope: Element, identity: Identity, *, now: datetime, lifetime_s: int = 300, engine: Engine = NARROW
) -> bytes:
    """Sign a finished envelope: Timestamp, Body and every addressing header. The envelope given is not changed.

    Raises: GatewayFailure when it is no SOAP envelope, has a Security header already, the same Id twice, or a namespace
    name that is not absolute.
    """
    # Written and read once before: what is signed is what a receiver reads, whatever the tree was made by.
    root = reread(serialise(envelope))
    soap = etree.QName(root).namespace
    body = root.find(f"{{{soap}}}Body")
    if soap not in SOAP_VERSIONS or root.tag != f"{{{soap}}}Envelope" or body is None:
        raise GatewayFailure("only a SOAP envelope with a Body can be signed")
    if next(root.iter(f"{{{WSSE}}}Security"), None) is not None:
        raise GatewayFailure("the envelope has a Security header already")
    header = root.find(f"{{{soap}}}Header")
    if header is None:
        header = etree.Element(f"{{{soap}}}Header")
        root.insert(0, header)
    addressing = [child for child in header if etree.QName(child).namespace in profile.ADDRESSING]
    # Made in its place, with its declarations: lxml gives an element that is moved the prefix of an ancestor for the
    # same namespace, and a signature with another prefix is another signature.
    security = etree.SubElement(header, f"{{{WSSE}}}Security", nsmap={"wsse": WSSE, "wsu": WSU, "ds": DS})
    security.set(f"{{{soap}}}mustUnderstand", "1")
    timestamp = etree.SubElement(security, f"{{{WSU}}}Timestamp")
    created, expires = instant_texts(now, lifetime_s)
    etree.SubElement(timestamp, f"{{{WSU}}}Created").text = created
    etree.SubElement(timestamp, f"{{{WSU}}}Expires").text = expires
    token = etree.SubElement(
        security,
        f"{{{WSSE}}}BinarySecurityToken",
        {"ValueType": profile.X509_V3, "EncodingType": profile.BASE64},
    )
    token.text = token_text(identity.certificate)
    try:
        taken = set(profile.ids(root))
    except SignatureInvalid as error:
        raise GatewayFailure("the envelope has two elements with the same Id") from error
    token_id = _give_id(token, taken)
    covered = {_give_id(part, taken): part for part in (timestamp, body, *addressing)}
    try:
        canonical_parts = {name: canonical(part) for name, part in covered.items()}
    except MalformedMessage as error:
        raise GatewayFailure("the envelope has no canonical form") from error
    # The signature is written in the place of a text that stands nowhere else.
    place = os.urandom(16).hex()
    token.tail = place
    head, _, tail = serialise(root).partition(place.encode())
    return engine.sign(Signable(head, tail, canonical_parts, token_id), identity.key, method(identity.key))


def verify(envelope: Element | bytes, policy: Policy, *, now: datetime) -> Verified:
    """Verify a signed message; only what this returns may be used.

    Raises: Unsigned, SignatureInvalid, UntrustedCertificate, Stale, MalformedMessage (with DoctypeRefused, TooLarge
    where bytes are given).
    """
    if isinstance(envelope, bytes):
        return verify_parsed(parse(envelope), policy, now=now)
    if envelope.getroottree().docinfo.doctype:
        raise DoctypeRefused
    # A tree may come from another parser: its comments and entities are judged by ours.
    written = serialise(envelope)
    return verify_parsed(parse(written, max_bytes=len(written)), policy, now=now)


def verify_parsed(root: Element, policy: Policy, *, now: datetime) -> Verified:
    """Verify a message that `security.xml.parse` has just made of its bytes and nobody has changed since.

    Raises: Unsigned, SignatureInvalid, UntrustedCertificate, Stale, MalformedMessage.
    """
    parts = profile.parts(root)
    certificate = _certificate(parts.token)
    certificates.check(certificate, policy.authorities, policy.crls, now, policy.revocation, policy.chains)
    if parts.unsigned and not policy.may_leave_unsigned(certificate):
        raise Unsigned(f"{etree.QName(parts.unsigned[0]).localname} is not signed")
    covered = policy.engine.verify(root, parts, certificate, now)
    signed = dict(zip((reference.element for reference in parts.references), covered, strict=True))
    created = _fresh(reread(signed[parts.timestamp]), policy, now)
    # Joined as bytes, each part as it was signed: moving nodes between trees would change their prefixes.
    verified = reread(
        b'<soap:Envelope xmlns:soap="%b"><soap:Header>%b</soap:Header>%b</soap:Envelope>'
        % (
            parts.soap.encode("ascii"),
            b"".join(signed[element] for element in parts.addressing),
            signed[parts.body],
        )
    )
    header, body = verified
    body.attrib.pop(_WSU_ID, None)
    addresses = _addresses(header)
    return Verified(
        envelope=verified,
        body=body,
        certificate=certificate,
        created=created,
        message_id=addresses.get("MessageID"),
        relates_to=addresses.get("RelatesTo"),
        action=addresses.get("Action"),
        to=addresses.get("To"),
        soap_version=SOAP_VERSIONS[parts.soap],
        body_digest=hashlib.sha256(canonical(body)).digest(),
        weaker=bool(parts.unsigned),
    )


def instant_texts(now: datetime, lifetime_s: int) -> tuple[str, str]:
    """Created and Expires of a Timestamp."""
    expires = now + timedelta(seconds=lifetime_s)
    return _instant_text(now), _instant_text(expires)


def _instant_text(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _give_id(element: Element, taken: set[str]) -> str:
    """The element's wsu:Id, or a new one that no other element has."""
    present: str | None = element.get(_WSU_ID)
    if present is not None and profile.is_id(present):
        return present
    name = etree.QName(element).localname
    number = 1
    while (new := f"{name}-{number}") in taken:
        number += 1
    taken.add(new)
    element.set(_WSU_ID, new)
    return new


def method(key: PrivateKey) -> str:
    """RSA with SHA-256; ECDSA with the digest that is as strong as the curve."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return f"{profile.MORE}ecdsa-sha{min(max(256, key.key_size), 512)}"
    return f"{profile.MORE}rsa-sha256"


def _certificate(token: Element) -> x509.Certificate:
    try:
        der = profile.decoded(token.text or "", "Security/BinarySecurityToken")
    except SignatureInvalid as error:
        raise UntrustedCertificate("the token is not base64") from error
    return _read(der) if len(der) <= _KEPT_BYTES else certificates.read(der)


@lru_cache(maxsize=16)
def token_text(certificate: x509.Certificate) -> str:
    """A certificate as it stands in a message."""
    return base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()


@lru_cache(maxsize=256)
def _read(der: bytes) -> x509.Certificate:
    """Reading is remembered, and nothing else: whether the certificate counts is asked anew at every message."""
    return certificates.read(der)


def _fresh(timestamp: Element, policy: Policy, now: datetime) -> datetime:
    """The instant of a verified Timestamp.

    Shape: Created, then Expires at most once; both with their zone.
    Raises: Stale.
    """
    tags = [child.tag for child in timestamp]
    created_tag, expires_tag = f"{{{WSU}}}Created", f"{{{WSU}}}Expires"
    if tags not in ([created_tag], [created_tag, expires_tag]):
        raise Stale("Timestamp: not Created, or not Created and Expires")
    created, *expires = (_instant(child) for child in timestamp)
    skew = timedelta(seconds=policy.skew_s)
    if abs(now - created) > timedelta(seconds=policy.window_s) + skew:
        raise Stale(f"Timestamp/Created: more than {policy.window_s} s from now")
    for expiry in expires:
        if expiry < created or expiry - created > timedelta(seconds=policy.max_lifetime_s):
            raise Stale(f"Timestamp/Expires: before Created, or more than {policy.max_lifetime_s} s after it")
        if now > expiry + skew:
            raise Stale("Timestamp/Expires: has passed")
    return created


def _instant(element: Element) -> datetime:
    text = (element.text or "").strip()
    if len(element) or not _INSTANT.fullmatch(text):
        raise Stale("Timestamp: not an instant with its zone")
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Stale("Timestamp: not an instant with its zone") from error


def _addresses(header: Element) -> dict[str, str]:
    """The texts of the addressing headers that hold one, whichever edition, by their names; empty ones are left out.

    Raises: MalformedMessage when one of them holds elements.
    """
    found = {}
    for element in header:
        name = etree.QName(element).localname
        if name not in _ADDRESSES:
            continue
        if len(element):
            raise MalformedMessage(f"Header/{name}: holds elements")
        if text := (element.text or "").strip():
            found[name] = text
    return found
