"""The structure that a signed message must have, checked before anything in it is believed.

The grammar is closed: what is not named here is refused. Elements are judged by where they stand, never by what a
reference says about them, so that a signed part moved elsewhere is not taken for the part that is in use.
Source: signature profile (docs/interfaces.md); WS-Security 1.1, X.509 token profile.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
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
MORE = "http://www.w3.org/2001/04/xmldsig-more#"
_XENC = "http://www.w3.org/2001/04/xmlenc#"
SIGNATURES = frozenset(f"{MORE}{kind}-sha{size}" for kind in ("rsa", "ecdsa") for size in (256, 384, 512))
DIGESTS = frozenset({f"{_XENC}sha256", f"{MORE}sha384", f"{_XENC}sha512"})

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
# Without `#default`: lxml passes over it, so that a canonical form would be another than the sender's.
_PREFIXES = re.compile(r"(?:[A-Za-z_][\w.-]*(?: [A-Za-z_][\w.-]*){0,31})?")
_WITHOUT_SPACES = dict.fromkeys(map(ord, " \t\r\n"))
# Between elements stands white space and nothing else: no text that one reader takes for a value and another does not,
# and no carriage return, which is there only if somebody wrote `&#13;` and which a reader that writes it out loses.
_TEXT_IN = etree.XPath("boolean(text()[normalize-space() or contains(., '\r')])")
_TEXT_BETWEEN = etree.XPath(
    "boolean(descendant-or-self::*[*]/text()[normalize-space() or contains(., '\r')])"
)
_IDS = etree.XPath("//@*[translate(local-name(), 'ID', 'id') = 'id']")
# What there is once in a whole message, wherever it stands.
_ENVELOPES = frozenset(
    f"{{{space}}}{part}" for space in SOAP_VERSIONS for part in ("Envelope", "Header", "Body")
)
_SECURITY, _SIGNATURE = f"{{{WSSE}}}Security", f"{{{DS}}}Signature"
_TIMESTAMP, _TOKEN = f"{{{WSU}}}Timestamp", f"{{{WSSE}}}BinarySecurityToken"
_SINGLE = (*_ENVELOPES, _SECURITY, _SIGNATURE, _TIMESTAMP, _TOKEN)
_NO_ATTRIBUTES: frozenset[str] = frozenset()
_AN_ID = frozenset({"Id"})
_AN_ALGORITHM = frozenset({"Algorithm"})


@dataclass(frozen=True, slots=True)
class Reference:
    """One reference of the signature: the element it covers, the prefixes its canonical form declares, its digest.

    `method` is one of `DIGESTS`.
    """

    element: Element
    prefixes: tuple[str, ...]
    method: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a message whose structure is right; nothing of it is verified yet.

    `addressing` are the addressing headers that a reference covers, `unsigned` those that none does. `signed_info`,
    `prefixes` of its canonical form, `method` (one of `SIGNATURES`) and `value` are the signature's.
    """

    soap: str
    body: Element
    timestamp: Element
    token: Element
    addressing: tuple[Element, ...]
    unsigned: tuple[Element, ...]
    signed_info: Element
    prefixes: tuple[str, ...]
    method: str
    value: bytes
    references: tuple[Reference, ...]


@dataclass(frozen=True, slots=True)
class Signable:
    """A message around the place of its ds:Signature, and what is to be signed of it.

    `covered` are the canonical forms of the parts by their ids, `token_id` is the id of the BinarySecurityToken.
    """

    head: bytes
    tail: bytes
    covered: Mapping[str, bytes]
    token_id: str


def is_id(text: str) -> bool:
    """Whether a reference may name this Id: a plain name, so that no pointer syntax comes into it."""
    return _ID.fullmatch(text) is not None


def parts(root: Element) -> Parts:
    """Find the parts of a signed envelope, and refuse every structure but the one of the profile.

    Raises: MalformedMessage (no SOAP envelope), Unsigned (a part is missing; Timestamp or Body is not covered),
    SignatureInvalid (ambiguous, moved, or an algorithm that is not accepted).
    """
    single = _single(root)
    soap, header, body = _envelope(root, single)
    security = _only(single, _SECURITY, header, "Header/Security")
    _for_this_node(security, soap)
    signature = _only(single, _SIGNATURE, security, "Security/Signature")
    timestamp = _only(single, _TIMESTAMP, security, "Security/Timestamp")
    token = _only(single, _TOKEN, security, "Security/BinarySecurityToken")
    if _TEXT_BETWEEN(security) or _TEXT_IN(header) or _TEXT_IN(root):
        raise SignatureInvalid("Envelope, Header or Header/Security: text between elements")
    if len(security) != 3:
        raise SignatureInvalid("Header/Security: other than Timestamp, BinarySecurityToken and Signature")
    if token.get("ValueType") != X509_V3 or token.get("EncodingType", BASE64) != BASE64 or len(token):
        raise SignatureInvalid("Security/BinarySecurityToken: not X509v3 in Base64Binary")
    addressing = tuple(child for child in header if etree.QName(child).namespace in ADDRESSING)
    if len({etree.QName(child).localname for child in addressing}) != len(addressing):
        raise SignatureInvalid("Header: an addressing header stands there twice")
    by_id = ids(root)
    signed_info, value, key_info = _signature(signature)
    if _named(by_id, _key_reference(key_info)) is not token:
        raise SignatureInvalid("Signature/KeyInfo: does not name the BinarySecurityToken")
    prefixes, method, references = _signed_info(signed_info, by_id)
    covered = _coverage(references, (timestamp, body), (*addressing, token))
    return Parts(
        soap=soap,
        body=body,
        timestamp=timestamp,
        token=token,
        addressing=tuple(element for element in addressing if element in covered),
        unsigned=tuple(element for element in addressing if element not in covered),
        signed_info=signed_info,
        prefixes=prefixes,
        method=method,
        value=value,
        references=references,
    )


def _single(root: Element) -> dict[str, list[Element]]:
    """What there may be once in a message, by its name, in one walk through it."""
    found: dict[str, list[Element]] = {}
    for element in root.iter(*_SINGLE):
        found.setdefault(element.tag, []).append(element)
    return found


def _envelope(root: Element, single: dict[str, list[Element]]) -> tuple[str, Element, Element]:
    name = etree.QName(root)
    soap = name.namespace
    if name.localname != "Envelope" or soap not in SOAP_VERSIONS:
        raise MalformedMessage("no SOAP envelope")
    children = list(root)
    if [child.tag for child in children] == [f"{{{soap}}}Body"]:
        raise Unsigned("Envelope/Header is missing")
    if [child.tag for child in children] != [f"{{{soap}}}Header", f"{{{soap}}}Body"]:
        raise SignatureInvalid("Envelope: not exactly one Header and then one Body")
    if sum(len(single.get(tag, ())) for tag in _ENVELOPES) != 3:
        raise SignatureInvalid("Envelope, Header or Body stands in a second place")
    return soap, children[0], children[1]


def _only(single: dict[str, list[Element]], tag: str, parent: Element, path: str) -> Element:
    """The one element of its name in the whole document, which must stand where it belongs."""
    found = single.get(tag)
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


def _named(by_id: dict[str, Element], name: str) -> Element | None:
    """The element that a reference means. `iD` keeps others from having its value, and is no Id to refer to."""
    element = by_id.get(name)
    if element is None or not any(
        value == name and etree.QName(key).localname in ("Id", "ID", "id") for key, value in element.items()
    ):
        return None
    return element


def _children(element: Element, path: str, *tags: str) -> list[Element]:
    """The children of an element, which must be exactly these, in this order."""
    children = list(element)
    if [child.tag for child in children] != list(tags):
        raise SignatureInvalid(f"{path}: other elements than the profile has")
    return children


def _attributes(element: Element, path: str, allowed: frozenset[str]) -> None:
    if not allowed.issuperset(element.keys()):
        raise SignatureInvalid(f"{path}: other attributes than the profile has")


def _value(element: Element, path: str) -> bytes:
    _children(element, path)
    return decoded(element.text or "", path)


def decoded(text: str, path: str) -> bytes:
    """Base64, in lines or not: nothing in it but its alphabet and XML's white space.

    Raises: SignatureInvalid.
    """
    text = text.translate(_WITHOUT_SPACES)
    try:
        if not text:
            raise binascii.Error
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeError) as error:
        raise SignatureInvalid(f"{path}: not base64") from error


def _signature(signature: Element) -> tuple[Element, bytes, Element]:
    _attributes(signature, "Signature", _AN_ID)
    signed_info, value, key_info = _children(
        signature, "Signature", f"{{{DS}}}SignedInfo", f"{{{DS}}}SignatureValue", f"{{{DS}}}KeyInfo"
    )
    _attributes(signed_info, "Signature/SignedInfo", _AN_ID)
    _attributes(value, "Signature/SignatureValue", _AN_ID)
    return signed_info, _value(value, "Signature/SignatureValue"), key_info


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


def _signed_info(
    signed_info: Element, by_id: dict[str, Element]
) -> tuple[tuple[str, ...], str, tuple[Reference, ...]]:
    """The prefixes of its canonical form, the signature method, the references."""
    children = list(signed_info)
    if len(children) < 3:
        raise SignatureInvalid("Signature/SignedInfo: no references")
    if len(children) - 2 > MAX_REFERENCES:
        raise SignatureInvalid("Signature/SignedInfo: too many references")
    canonicalisation, method, *references = _children(
        signed_info,
        "Signature/SignedInfo",
        f"{{{DS}}}CanonicalizationMethod",
        f"{{{DS}}}SignatureMethod",
        *[f"{{{DS}}}Reference"] * (len(children) - 2),
    )
    return (
        _canonicalisation(canonicalisation, "SignedInfo/CanonicalizationMethod"),
        _algorithm(method, "SignedInfo/SignatureMethod", SIGNATURES),
        tuple(_reference(reference, by_id) for reference in references),
    )


def _reference(reference: Element, by_id: dict[str, Element]) -> Reference:
    path = "SignedInfo/Reference"
    _attributes(reference, path, frozenset({"Id", "URI"}))
    transforms, digest, value = _children(
        reference, path, f"{{{DS}}}Transforms", f"{{{DS}}}DigestMethod", f"{{{DS}}}DigestValue"
    )
    _attributes(transforms, f"{path}/Transforms", _NO_ATTRIBUTES)
    (transform,) = _children(transforms, f"{path}/Transforms", f"{{{DS}}}Transform")
    prefixes = _canonicalisation(transform, f"{path}/Transforms/Transform")
    method = _algorithm(digest, f"{path}/DigestMethod", DIGESTS)
    _attributes(value, f"{path}/DigestValue", _NO_ATTRIBUTES)
    element = _named(by_id, _same_document(reference.get("URI"), path))
    if element is None:
        raise SignatureInvalid(f"{path}: no element has this Id")
    return Reference(element, prefixes, method, _value(value, f"{path}/DigestValue"))


def _algorithm(element: Element, path: str, allowed: frozenset[str]) -> str:
    _attributes(element, path, _AN_ALGORITHM)
    _children(element, path)
    algorithm: str = element.get("Algorithm", "")
    if algorithm not in allowed:
        raise SignatureInvalid(f"{path}: an algorithm that is not accepted")
    return algorithm


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


def _coverage(
    references: tuple[Reference, ...], required: tuple[Element, ...], optional: tuple[Element, ...]
) -> list[Element]:
    """What is signed: every required part once, an optional one at most once, and nothing else."""
    covered = [reference.element for reference in references]
    if any(element not in required and element not in optional for element in covered):
        raise SignatureInvalid("SignedInfo/Reference: an element in a place that is not signed here")
    if len(set(covered)) != len(covered):
        raise SignatureInvalid("SignedInfo/Reference: an element is named twice")
    for element in required:
        if element not in covered:
            raise Unsigned(f"{etree.QName(element).localname} is not signed")
    return covered
