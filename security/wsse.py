"""WS-Security: sign an envelope, and believe one.

A message is believed in this order: its structure is the one of the profile (`security.profile`); its certificate
is trusted (`security.certificates`); the signature holds (signxml); the Timestamp is fresh. What comes out is built
from the verified bytes alone; the message as it came is never read again.
Source: signature profile (docs/interfaces.md).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from signxml.algorithms import (
    CanonicalizationMethod,
    DigestAlgorithm,
    SignatureConstructionMethod,
    SignatureMethod,
)
from signxml.exceptions import InvalidDigest, SignXMLException
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, XMLVerifier

from errors import (
    DoctypeRefused,
    GatewayFailure,
    MalformedMessage,
    SignatureInvalid,
    Stale,
    UntrustedCertificate,
)
from security import certificates, profile
from security.keys import Identity
from security.profile import DS, SOAP_VERSIONS, WSSE, WSU
from security.revocation import Rules
from security.xml import Element, canonical, parse, serialise

# The prefixes that new attributes and elements are written with.
etree.register_namespace("wsse", WSSE)
etree.register_namespace("wsu", WSU)
etree.register_namespace("ds", DS)

_WSU_ID = f"{{{WSU}}}Id"
_SIGNATURES = frozenset(SignatureMethod(uri) for uri in profile.SIGNATURES)
_DIGESTS = frozenset(DigestAlgorithm(uri) for uri in profile.DIGESTS)
# WS-Security asks for `Z`; zeep writes `+00:00`. Any zone that is written down names one instant.
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})"
)


@dataclass(frozen=True, slots=True)
class Policy:
    """Whose signatures count, and how fresh they must be (seconds)."""

    authorities: tuple[x509.Certificate, ...]
    window_s: int = 300
    skew_s: int = 60
    max_lifetime_s: int = 900
    crls: tuple[x509.CertificateRevocationList, ...] = ()
    revocation: Rules = certificates.NO_RULES


@dataclass(frozen=True, slots=True)
class Verified:
    """What a signature vouches for, and nothing besides.

    Shape: `envelope` is a new tree: Header with the addressing headers, Body. `body` is its Body.
    `body_digest` is the SHA-256 of the Body in exclusive canonical XML, without its wsu:Id.
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


def sign(envelope: Element, identity: Identity, *, now: datetime, lifetime_s: int = 300) -> bytes:
    """Sign a finished envelope: Timestamp, Body and every addressing header. The envelope given is not changed.

    Raises: GatewayFailure when it is no SOAP envelope, has a Security header already, or the same Id twice.
    """
    root = _reparsed(serialise(envelope))
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
    etree.SubElement(timestamp, f"{{{WSU}}}Created").text = _instant_text(now)
    etree.SubElement(timestamp, f"{{{WSU}}}Expires").text = _instant_text(now + timedelta(seconds=lifetime_s))
    token = etree.SubElement(
        security,
        f"{{{WSSE}}}BinarySecurityToken",
        {"ValueType": profile.X509_V3, "EncodingType": profile.BASE64},
    )
    token.text = base64.b64encode(identity.certificate.public_bytes(Encoding.DER)).decode()
    try:
        taken = set(profile.ids(root))
    except SignatureInvalid as error:
        raise GatewayFailure("the envelope has two elements with the same Id") from error
    token_id = _give_id(token, taken)
    references = [f"#{_give_id(part, taken)}" for part in (timestamp, body, *addressing)]
    security.append(_signature(root, identity, token_id, references))
    return serialise(root)


def verify(envelope: Element | bytes, policy: Policy, *, now: datetime) -> Verified:
    """Verify a signed message; only what this returns may be used.

    Raises: Unsigned, SignatureInvalid, UntrustedCertificate, Stale, MalformedMessage (with DoctypeRefused, TooLarge
    where bytes are given).
    """
    if isinstance(envelope, bytes):
        root = parse(envelope)
    elif envelope.getroottree().docinfo.doctype:
        raise DoctypeRefused
    else:
        # A tree may come from another parser: its comments and entities are judged by ours.
        root = _reparsed(serialise(envelope))
    parts = profile.parts(root)
    certificate = certificates.read(_token(parts.token))
    certificates.check(certificate, policy.authorities, policy.crls, now, policy.revocation)
    signed = dict(
        zip((r.element for r in parts.references), _signed(root, parts, certificate, now), strict=True)
    )
    created = _fresh(_reparsed(signed[parts.timestamp]), policy, now)
    # Joined as bytes, each part as it was signed: moving nodes between trees would change their prefixes.
    verified = _reparsed(
        b'<soap:Envelope xmlns:soap="%b"><soap:Header>%b</soap:Header>%b</soap:Envelope>'
        % (
            parts.soap.encode("ascii"),
            b"".join(signed[element] for element in parts.addressing),
            signed[parts.body],
        )
    )
    header, body = verified
    return Verified(
        envelope=verified,
        body=body,
        certificate=certificate,
        created=created,
        message_id=_address(header, "MessageID"),
        relates_to=_address(header, "RelatesTo"),
        action=_address(header, "Action"),
        to=_address(header, "To"),
        soap_version=SOAP_VERSIONS[parts.soap],
        body_digest=_content(signed[parts.body]),
    )


def _content(body: bytes) -> bytes:
    """The digest that tells a repeat from other content.

    The Body's own wsu:Id is left out: it belongs to the signature, and most stacks make a new one for each try.
    """
    element = _reparsed(body)
    element.attrib.pop(_WSU_ID, None)
    return hashlib.sha256(canonical(element)).digest()


def _reparsed(written: bytes) -> Element:
    """Parse what we wrote; canonical XML may be longer than what arrived, whose size was limited already."""
    return parse(written, max_bytes=len(written))


def _instant_text(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


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


def _signature(root: Element, identity: Identity, token_id: str, references: list[str]) -> Element:
    key_info = etree.Element(f"{{{DS}}}KeyInfo", nsmap={"ds": DS, "wsse": WSSE})
    holder = etree.SubElement(key_info, f"{{{WSSE}}}SecurityTokenReference")
    etree.SubElement(holder, f"{{{WSSE}}}Reference", {"URI": f"#{token_id}", "ValueType": profile.X509_V3})
    key = identity.key
    size = min(max(256, key.key_size), 512) if isinstance(key, ec.EllipticCurvePrivateKey) else 256
    kind = "ECDSA" if isinstance(key, ec.EllipticCurvePrivateKey) else "RSA"
    signer = XMLSigner(
        method=SignatureConstructionMethod.detached,
        signature_algorithm=SignatureMethod[f"{kind}_SHA{size}"],
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    return signer.sign(root, key=key, key_info=key_info, reference_uri=references)


def _token(token: Element) -> bytes:
    try:
        return base64.b64decode("".join((token.text or "").split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise UntrustedCertificate("the token is not base64") from error


def _signed(root: Element, parts: profile.Parts, certificate: x509.Certificate, now: datetime) -> list[bytes]:
    """The bytes that the signature covers, one for each reference, in their order.

    Raises: SignatureInvalid.
    """
    try:
        results = XMLVerifier().verify(
            root,
            x509_cert=certificate,
            # The structure is checked already, and stricter than by the schema.
            validate_schema=False,
            expect_config=SignatureConfiguration(
                require_x509=True,
                location=f"./{{{parts.soap}}}Header/{{{WSSE}}}Security/",
                expect_references=len(parts.references),
                verification_time=now,
                signature_methods=_SIGNATURES,
                digest_algorithms=_DIGESTS,
            ),
        )
    except InvalidDigest as error:
        raise SignatureInvalid(
            "SignedInfo/Reference: a digest is not the one of the part it names"
        ) from error
    except (SignXMLException, InvalidSignature, UnsupportedAlgorithm, ValueError, etree.LxmlError) as error:
        raise SignatureInvalid from error
    if not isinstance(results, list) or len(results) != len(parts.references):
        raise SignatureInvalid("not every reference was verified")
    for result, reference in zip(results, parts.references, strict=True):
        # The library found the element by its Id, we by its place: it must be the same one.
        if result.signed_data != canonical(reference.element, reference.prefixes):
            raise SignatureInvalid("a reference was resolved to another element")
    return [result.signed_data for result in results]


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


def _address(header: Element, name: str) -> str | None:
    """The text of an addressing header, whichever edition; None where it is absent or empty.

    Raises: MalformedMessage when it holds elements.
    """
    for element in header:
        if etree.QName(element).localname == name:
            if len(element):
                raise MalformedMessage(f"Header/{name}: holds elements")
            return (element.text or "").strip() or None
    return None
