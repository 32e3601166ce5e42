"""Messages and certificates for the tests, made by hand: what signs here knows nothing of the code under test.

A message begins as a skeleton, text in which digests and signature value are empty; `complete` fills them in by
whatever algorithms the skeleton names. So a message that breaks one rule is right in everything else, and a refusal
is due to that rule.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from lxml import etree

from security.keys import Identity, PrivateKey
from security.xml import Element

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
WSSE = f"{OASIS}wssecurity-secext-1.0.xsd"
WSU = f"{OASIS}wssecurity-utility-1.0.xsd"
X509_V3 = f"{OASIS}x509-token-profile-1.0#X509v3"
BASE64 = f"{OASIS}soap-message-security-1.0#Base64Binary"
DS = "http://www.w3.org/2000/09/xmldsig#"
WSA = "http://www.w3.org/2005/08/addressing"
EXC = "http://www.w3.org/2001/10/xml-exc-c14n#"
MORE = "http://www.w3.org/2001/04/xmldsig-more#"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
NAMES = {"s": SOAP11, "wsse": WSSE, "wsu": WSU, "ds": DS, "wsa": WSA}

BODY = '<q:Ask xmlns:q="urn:example:ask"><q:Code>A1</q:Code><q:Sum>12.50</q:Sum></q:Ask>'
EVIL = '<q:Ask xmlns:q="urn:example:ask"><q:Code>EVIL</q:Code></q:Ask>'
ADDRESSING = {"MessageID": "urn:uuid:1", "To": "urn:example:to", "Action": "urn:example:ask/Ask"}

_DIGESTS = {
    SHA256: "sha256",
    f"{MORE}sha384": "sha384",
    "http://www.w3.org/2001/04/xmlenc#sha512": "sha512",
    f"{DS}sha1": "sha1",
    f"{MORE}md5": "md5",
    f"{MORE}sha224": "sha224",
}
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
    "sha224": hashes.SHA224(),
    "sha1": hashes.SHA1(),  # noqa: S303 — a forbidden algorithm is what the test is about
    "md5": hashes.MD5(),  # noqa: S303 — the same
}


def transform(algorithm: str = EXC, inside: str = "") -> str:
    """One Transform element."""
    return f'<ds:Transform Algorithm="{algorithm}">{inside}</ds:Transform>'


@dataclass(frozen=True)
class Recipe:
    """How a message is to be made; by default, right."""

    identity: Identity
    soap: str = SOAP11
    created: datetime | None = NOW
    expires: datetime | None = NOW + timedelta(seconds=300)
    timestamp: str | None = None  # the content of Timestamp, where not Created and Expires
    addressing: dict[str, str] = field(default_factory=lambda: dict(ADDRESSING))
    header: str = ""
    body: str = BODY
    signature_method: str = ""
    c14n: str = EXC
    c14n_inside: str = ""
    digest: str = SHA256
    transforms: str = field(default_factory=transform)
    unsigned: tuple[str, ...] = ()
    extra_references: tuple[str, ...] = ()  # URIs
    reference_attributes: str = ""
    method_inside: str = ""
    token: bytes | None = None
    token_type: str = X509_V3
    key_info: str | None = None
    security: str = ""
    signature: str = ""
    secret: bytes = b""

    def change(self, **changes: Any) -> Recipe:
        """The recipe with some of it changed."""
        return replace(self, **changes)


def skeleton(recipe: Recipe) -> str:
    """The message with empty digests and signature value."""
    method = recipe.signature_method or (
        f"{MORE}rsa-sha256" if isinstance(recipe.identity.key, rsa.RSAPrivateKey) else f"{MORE}ecdsa-sha256"
    )
    uris = [
        f"#{name}" for name in ("Stamp", "Body", *recipe.addressing) if name not in recipe.unsigned
    ] + list(recipe.extra_references)
    references = "".join(_reference(recipe, uri) for uri in uris)
    der = recipe.identity.certificate.public_bytes(Encoding.DER) if recipe.token is None else recipe.token
    stamp = recipe.timestamp
    if stamp is None:
        stamp = f"<wsu:Created>{_text(recipe.created)}</wsu:Created>" if recipe.created else ""
        stamp += f"<wsu:Expires>{_text(recipe.expires)}</wsu:Expires>" if recipe.expires else ""
    key_info = recipe.key_info
    if key_info is None:
        key_info = (
            f'<wsse:SecurityTokenReference><wsse:Reference URI="#Token" ValueType="{X509_V3}"/>'
            "</wsse:SecurityTokenReference>"
        )
    addressing = "".join(
        f'<wsa:{name} wsu:Id="{name}">{text}</wsa:{name}>' for name, text in recipe.addressing.items()
    )
    return (
        f'<s:Envelope xmlns:s="{recipe.soap}" xmlns:wsa="{WSA}" xmlns:wsu="{WSU}"><s:Header>{addressing}'
        f'{recipe.header}<wsse:Security xmlns:wsse="{WSSE}"><wsu:Timestamp wsu:Id="Stamp">{stamp}</wsu:Timestamp>'
        f'<wsse:BinarySecurityToken wsu:Id="Token" ValueType="{recipe.token_type}" EncodingType="{BASE64}">'
        f"{base64.b64encode(der).decode()}</wsse:BinarySecurityToken>"
        f'<ds:Signature xmlns:ds="{DS}"><ds:SignedInfo>'
        f'<ds:CanonicalizationMethod Algorithm="{recipe.c14n}">{recipe.c14n_inside}</ds:CanonicalizationMethod>'
        f'<ds:SignatureMethod Algorithm="{method}">{recipe.method_inside}</ds:SignatureMethod>{references}'
        f"</ds:SignedInfo><ds:SignatureValue/><ds:KeyInfo>{key_info}</ds:KeyInfo>{recipe.signature}</ds:Signature>"
        f'{recipe.security}</wsse:Security></s:Header><s:Body wsu:Id="Body">{recipe.body}</s:Body></s:Envelope>'
    )


def complete(text: str, recipe: Recipe) -> bytes:
    """Fill in digests and signature value."""
    root = etree.fromstring(text)
    for reference in root.iterfind(".//ds:Reference", NAMES):
        algorithm = _DIGESTS[reference.find("ds:DigestMethod", NAMES).get("Algorithm")]
        data = _referenced(root, reference)
        digest = hashlib.new(algorithm, data).digest()
        reference.find("ds:DigestValue", NAMES).text = base64.b64encode(digest).decode()
    info = root.find(".//ds:SignedInfo", NAMES)
    data = _canonical(info, info.find("ds:CanonicalizationMethod", NAMES))
    method = info.find("ds:SignatureMethod", NAMES).get("Algorithm")
    value = root.find(".//ds:SignatureValue", NAMES)
    value.text = base64.b64encode(_sign(data, method, recipe)).decode()
    return bytes(etree.tostring(root, encoding="UTF-8"))


def make(recipe: Recipe) -> bytes:
    """The whole message."""
    return complete(skeleton(recipe), recipe)


def envelope(soap: str = SOAP11, *, addressing: dict[str, str] | None = None, body: str = BODY) -> Element:
    """An envelope as it stands before it is signed."""
    headers = "".join(
        f'<wsa:{name} xmlns:wsa="{WSA}">{text}</wsa:{name}>'
        for name, text in (ADDRESSING if addressing is None else addressing).items()
    )
    head = f"<s:Header>{headers}</s:Header>" if headers else ""
    return etree.fromstring(f'<s:Envelope xmlns:s="{soap}">{head}<s:Body>{body}</s:Body></s:Envelope>')


def certificate(
    key: PrivateKey,
    issuer: Identity | None,
    *,
    start: datetime = NOW - timedelta(days=30),
    end: datetime = NOW + timedelta(days=30),
    ca: bool = False,
    signs: bool = True,
    subject: str = "partner",
    unknown: bool = False,
) -> x509.Certificate:
    """A certificate with one thing wrong; self-signed without an issuer."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    issuer_key = key if issuer is None else issuer.key
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name if issuer is None else issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
        .add_extension(
            x509.KeyUsage(signs, not signs, False, False, False, ca, ca, False, False), critical=True
        )
    )
    if unknown:
        odd = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.55555.1"), b"\x05\x00")
        builder = builder.add_extension(odd, critical=True)
    return builder.sign(issuer_key, hashes.SHA256())


def revocation_list(
    issuer: Identity, serial: int, signer: PrivateKey | None = None
) -> x509.CertificateRevocationList:
    """A revocation list in the issuer's name, with one serial number."""
    revoked = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(NOW).build()
    return (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(NOW - timedelta(days=1))
        .next_update(NOW + timedelta(days=1))
        .add_revoked_certificate(revoked)
        .sign(signer or issuer.key, hashes.SHA256())
    )


def _text(instant: datetime | None) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ") if instant is not None else ""


def _reference(recipe: Recipe, uri: str) -> str:
    return (
        f'<ds:Reference URI="{uri}"{recipe.reference_attributes}><ds:Transforms>{recipe.transforms}</ds:Transforms>'
        f'<ds:DigestMethod Algorithm="{recipe.digest}"/><ds:DigestValue/></ds:Reference>'
    )


def _referenced(root: Element, reference: Element) -> bytes:
    uri = reference.get("URI")
    if uri == "":
        return bytes(etree.tostring(root, method="c14n", exclusive=True, with_comments=False))
    found = root.xpath(
        "//*[@*[local-name()='Id' or local-name()='ID' or local-name()='id']=$id]", id=(uri or "")[1:]
    )
    if not found:
        return b""
    return _canonical(found[0], reference.find("ds:Transforms/ds:Transform", NAMES))


def _canonical(element: Element, method: Element | None) -> bytes:
    algorithm = "" if method is None else method.get("Algorithm")
    prefixes = None
    if method is not None and len(method):
        prefixes = (method[0].get("PrefixList") or "").split() or None
    return bytes(
        etree.tostring(
            element,
            method="c14n",
            exclusive="xml-exc-c14n" in algorithm,
            with_comments=algorithm.endswith("WithComments"),
            with_tail=False,
            inclusive_ns_prefixes=prefixes if "xml-exc-c14n" in algorithm else None,
        )
    )


def _sign(data: bytes, method: str, recipe: Recipe) -> bytes:
    kind, _, size = method.rpartition("#")[2].partition("-")
    key = recipe.identity.key
    if kind == "hmac":
        return hmac.new(recipe.secret, data, size).digest()
    if size.endswith("-rsa-MGF1") or kind.startswith("sha"):
        assert isinstance(key, rsa.RSAPrivateKey)
        return key.sign(data, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), _HASHES[size])
    r, s = utils.decode_dss_signature(key.sign(data, ec.ECDSA(_HASHES[size])))
    width = (key.key_size + 7) // 8
    return r.to_bytes(width, "big") + s.to_bytes(width, "big")
