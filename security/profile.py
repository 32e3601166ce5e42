"""The structure that a signed message must have, checked before anything in it is believed.

The grammar is closed: what is not named here is refused. Elements are judged by where they stand, never by what a
reference says about them, so that a signed part moved elsewhere is not taken for the part that is in use.
Source: signature profile (docs/interfaces.md); WS-Security 1.1, X.509 token profile.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lxml import etree

from errors import MalformedMessage, SignatureInvalid, Unsigned
from security.xml import Element

SOAP_VERSIONS = {
    "http://schemas.xmlsoap.org/soap/envelope/": "1.1",
    "http://www.w3.org/2003/05/soap-envelope": "1.2",
}
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
DS = "http://www.w3.org/2000/09/xmldsig#"
WSA = "http://www.w3.org/2005/08/addressing"
# A header of an older edition must be signed as well: a partner's stack may act on it.
ADDRESSING = frozenset(
    {
        WSA,
        "http://schemas.xmlsoap.org/ws/2004/08/addressing",
        "http://schemas.xmlsoap.org/ws/2004/03/addressing",
        "http://schemas.xmlsoap.org/ws/2003/03/addressing",
    }
)

EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
X509_V3 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3"
BASE64 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"
_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
_XENC = "http://www.w3.org/2001/04/xmlenc#"
SIGNATURES = frozenset(f"{_MORE}{kind}-sha{size}" for kind in ("rsa", "ecdsa") for size in (256, 384, 512))
DIGESTS = frozenset({f"{_XENC}sha256", f"{_MORE}sha384", f"{_XENC}sha512"})

_THIS_NODE = frozenset(
    {
        "",
        "http://schemas.xmlsoap.org/soap/actor/next",
        "http://www.w3.org/2003/05/soap-envelope/role/next",
        "http://www.w3.org/2003/05/soap-envelope/role/ultimateReceiver",
    }
)

# Timestamp, Body, token and the addressing headers: there are not more parts that may be signed.
MAX_REFERENCES = 24

_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}")
_PREFIXES = re.compile(r"(?:(?:#default|[A-Za-z_][\w.-]*)(?: (?:#default|[A-Za-z_][\w.-]*)){0,31})?")
_BASE64_TEXT = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)")
_IDS = etree.XPath("//@*[translate(local-name(), 'ID', 'id') = 'id']")
_NO_ATTRIBUTES: frozenset[str] = frozenset()
_AN_ID = frozenset({"Id"})
_AN_ALGORITHM = frozenset({"Algorithm"})


@dataclass(frozen=True, slots=True)
class Reference:
    """One reference of the signature: the element it covers and the prefixes its canonical form declares."""

    element: Element
    prefixes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a message whose structure is right; nothing of it is verified yet."""

    soap: str
    body: Element
    timestamp: Element
    token: Element
    addressing: tuple[Element, ...]
    signature: Element
    references: tuple[Reference, ...]


def is_id(text: str) -> bool:
    """Whether a reference may name this Id: a plain name, so that no pointer syntax comes into it."""
    return _ID.fullmatch(text) is not None


def parts(root: Element) -> Parts:
    """Find the parts of a signed envelope, and refuse every structure but the one of the profile.

    Raises: MalformedMessage (no SOAP envelope), Unsigned (a part is missing or not covered), SignatureInvalid
    (ambiguous, moved, or an algorithm that is not accepted).
    """
    soap, header, body = _envelope(root)
    security = _only(root, f"{{{WSSE}}}Security", header, "Header/Security")
    _for_this_node(security, soap)
    signature = _only(root, f"{{{DS}}}Signature", security, "Security/Signature")
    timestamp = _only(root, f"{{{WSU}}}Timestamp", security, "Security/Timestamp")
    token = _only(root, f"{{{WSSE}}}BinarySecurityToken", security, "Security/BinarySecurityToken")
    if len(security) != 3:
        raise SignatureInvalid("Header/Security: other than Timestamp, BinarySecurityToken and Signature")
    if token.get("ValueType") != X509_V3 or token.get("EncodingType", BASE64) != BASE64 or len(token):
        raise SignatureInvalid("Security/BinarySecurityToken: not X509v3 in Base64Binary")
    addressing = tuple(child for child in header if etree.QName(child).namespace in ADDRESSING)
    if len({etree.QName(child).localname for child in addressing}) != len(addressing):
        raise SignatureInvalid("Header: an addressing header stands there twice")
    by_id = ids(root)
    signed_info, key_info = _signature(signature)
    if by_id.get(_key_reference(key_info)) is not token:
        raise SignatureInvalid("Signature/KeyInfo: does not name the BinarySecurityToken")
    references = _references(signed_info, by_id)
    _coverage(references, (timestamp, body, *addressing), token)
    return Parts(soap, body, timestamp, token, addressing, signature, references)


def _envelope(root: Element) -> tuple[str, Element, Element]:
    name = etree.QName(root)
    soap = name.namespace
    if name.localname != "Envelope" or soap not in SOAP_VERSIONS:
        raise MalformedMessage("no SOAP envelope")
    children = list(root)
    if [child.tag for child in children] == [f"{{{soap}}}Body"]:
        raise Unsigned("Envelope/Header is missing")
    if [child.tag for child in children] != [f"{{{soap}}}Header", f"{{{soap}}}Body"]:
        raise SignatureInvalid("Envelope: not exactly one Header and then one Body")
    header, body = children
    in_place = {root, header, body}
    tags = [f"{{{space}}}{part}" for space in SOAP_VERSIONS for part in ("Envelope", "Header", "Body")]
    if any(element not in in_place for element in root.iter(*tags)):
        raise SignatureInvalid("Envelope, Header or Body stands in a second place")
    return soap, header, body


def _only(root: Element, tag: str, parent: Element, path: str) -> Element:
    """The one element of its name in the whole document, which must stand where it belongs."""
    found = list(root.iter(tag))
    if not found:
        raise Unsigned(f"{path} is missing")
    if len(found) > 1 or found[0].getparent() is not parent:
        raise SignatureInvalid(f"{path}: more than one, or in another place")
    return found[0]


def _for_this_node(security: Element, soap: str) -> None:
    """A Security header for another node vouches for nothing here (SOAP 1.1 actor, SOAP 1.2 role)."""
    for name in ("actor", "role"):
        if security.get(f"{{{soap}}}{name}", "").strip() not in _THIS_NODE:
            raise Unsigned("Header/Security is for another node")


def ids(root: Element) -> dict[str, Element]:
    """Every element that carries an id, by it, whatever the attribute's spelling and namespace.

    Raises: SignatureInvalid when two attributes have the same value.
    """
    found: dict[str, Element] = {}
    for value in _IDS(root):
        if str(value) in found:
            raise SignatureInvalid("an Id stands there twice")
        found[str(value)] = value.getparent()
    return found


def _children(element: Element, path: str, *tags: str) -> list[Element]:
    """The children of an element, which must be exactly these, in this order."""
    children = list(element)
    if [child.tag for child in children] != list(tags):
        raise SignatureInvalid(f"{path}: other elements than the profile has")
    return children


def _attributes(element: Element, path: str, allowed: frozenset[str]) -> None:
    if not allowed.issuperset(element.keys()):
        raise SignatureInvalid(f"{path}: other attributes than the profile has")


def _value(element: Element, path: str) -> None:
    _children(element, path)
    if not _BASE64_TEXT.fullmatch("".join((element.text or "").split())):
        raise SignatureInvalid(f"{path}: not base64")


def _signature(signature: Element) -> tuple[Element, Element]:
    _attributes(signature, "Signature", _AN_ID)
    signed_info, value, key_info = _children(
        signature, "Signature", f"{{{DS}}}SignedInfo", f"{{{DS}}}SignatureValue", f"{{{DS}}}KeyInfo"
    )
    _attributes(signed_info, "Signature/SignedInfo", _AN_ID)
    _attributes(value, "Signature/SignatureValue", _AN_ID)
    _value(value, "Signature/SignatureValue")
    return signed_info, key_info


def _key_reference(key_info: Element) -> str:
    """The id that KeyInfo names, by one direct reference to a token."""
    _attributes(key_info, "Signature/KeyInfo", _AN_ID)
    (holder,) = _children(key_info, "Signature/KeyInfo", f"{{{WSSE}}}SecurityTokenReference")
    path = "KeyInfo/SecurityTokenReference"
    (reference,) = _children(holder, path, f"{{{WSSE}}}Reference")
    _children(reference, f"{path}/Reference")
    if reference.get("ValueType", X509_V3) != X509_V3:
        raise SignatureInvalid(f"{path}/Reference: not X509v3")
    return _same_document(reference.get("URI"), f"{path}/Reference")


def _same_document(uri: str | None, path: str) -> str:
    if uri is None or not uri.startswith("#") or not is_id(uri[1:]):
        raise SignatureInvalid(f"{path}: not a reference to an Id in this document")
    return uri[1:]


def _references(signed_info: Element, by_id: dict[str, Element]) -> tuple[Reference, ...]:
    children = list(signed_info)
    if len(children) < 3:
        raise SignatureInvalid("Signature/SignedInfo: no references")
    if len(children) - 2 > MAX_REFERENCES:
        raise SignatureInvalid("Signature/SignedInfo: too many references")
    method, algorithm, *references = _children(
        signed_info,
        "Signature/SignedInfo",
        f"{{{DS}}}CanonicalizationMethod",
        f"{{{DS}}}SignatureMethod",
        *[f"{{{DS}}}Reference"] * (len(children) - 2),
    )
    _canonicalisation(method, "SignedInfo/CanonicalizationMethod")
    _algorithm(algorithm, "SignedInfo/SignatureMethod", SIGNATURES)
    return tuple(_reference(reference, by_id) for reference in references)


def _reference(reference: Element, by_id: dict[str, Element]) -> Reference:
    path = "SignedInfo/Reference"
    _attributes(reference, path, frozenset({"Id", "URI"}))
    transforms, digest, value = _children(
        reference, path, f"{{{DS}}}Transforms", f"{{{DS}}}DigestMethod", f"{{{DS}}}DigestValue"
    )
    _attributes(transforms, f"{path}/Transforms", _NO_ATTRIBUTES)
    (transform,) = _children(transforms, f"{path}/Transforms", f"{{{DS}}}Transform")
    prefixes = _canonicalisation(transform, f"{path}/Transforms/Transform")
    _algorithm(digest, f"{path}/DigestMethod", DIGESTS)
    _attributes(value, f"{path}/DigestValue", _NO_ATTRIBUTES)
    _value(value, f"{path}/DigestValue")
    element = by_id.get(_same_document(reference.get("URI"), path))
    if element is None:
        raise SignatureInvalid(f"{path}: no element has this Id")
    return Reference(element, prefixes)


def _algorithm(element: Element, path: str, allowed: frozenset[str]) -> None:
    _attributes(element, path, _AN_ALGORITHM)
    _children(element, path)
    if element.get("Algorithm") not in allowed:
        raise SignatureInvalid(f"{path}: an algorithm that is not accepted")


def _canonicalisation(element: Element, path: str) -> tuple[str, ...]:
    """The prefixes of an exclusive canonicalisation, the only one accepted."""
    _attributes(element, path, _AN_ALGORITHM)
    if element.get("Algorithm") != EXCLUSIVE:
        raise SignatureInvalid(f"{path}: not exclusive canonicalisation without comments")
    if not len(element):
        return ()
    (inclusive,) = _children(element, path, f"{{{EXCLUSIVE}}}InclusiveNamespaces")
    _attributes(inclusive, f"{path}/InclusiveNamespaces", frozenset({"PrefixList"}))
    _children(inclusive, f"{path}/InclusiveNamespaces")
    prefixes = inclusive.get("PrefixList", "")
    if not _PREFIXES.fullmatch(prefixes):
        raise SignatureInvalid(f"{path}/InclusiveNamespaces: not a list of prefixes")
    return tuple(prefixes.split())


def _coverage(references: tuple[Reference, ...], required: tuple[Element, ...], token: Element) -> None:
    """Every required part is signed once, the token at most once, and nothing else."""
    covered = [reference.element for reference in references]
    allowed = (*required, token)
    if any(element not in allowed for element in covered):
        raise SignatureInvalid("SignedInfo/Reference: an element in a place that is not signed here")
    if len(set(covered)) != len(covered):
        raise SignatureInvalid("SignedInfo/Reference: an element is named twice")
    for element in required:
        if element not in covered:
            raise Unsigned(f"{etree.QName(element).localname} is not signed")
