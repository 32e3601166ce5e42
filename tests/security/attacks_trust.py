"""Attacks on what is trusted: algorithms, keys, certificates, values, freshness, and the XML itself."""

from __future__ import annotations

import base64
from datetime import timedelta

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from lxml import etree

from errors import DoctypeRefused, MalformedMessage, SignatureInvalid, Stale, TooLarge, UntrustedCertificate
from security.keys import Identity
from security.wsse import Policy
from tests.security.attacks import Attempt, Tree, attack, on_tree
from tests.security.conftest import World
from tests.security.messages import (
    DS,
    EXC,
    MORE,
    NOW,
    OASIS,
    WSSE,
    X509_V3,
    Recipe,
    certificate,
    make,
    revocation_list,
)

TOKEN_REFERENCE = (
    f'<wsse:SecurityTokenReference><wsse:Reference URI="#Token" ValueType="{X509_V3}"/>'
    "</wsse:SecurityTokenReference>"
)


def _recipe(name: str, *errors: type[Exception], **changes: object) -> None:
    @attack(name, *errors)  # type: ignore[arg-type] — all are errors of the gateway
    def _(world: World) -> bytes:
        return make(world.recipe.change(**changes))


# Algorithms. Each message is signed rightly by the algorithm it names.

_recipe("algorithm: RSA with SHA-1", SignatureInvalid, signature_method=f"{DS}rsa-sha1")
_recipe("algorithm: RSA with MD5", SignatureInvalid, signature_method=f"{MORE}rsa-md5")
_recipe("algorithm: RSA with SHA-224", SignatureInvalid, signature_method=f"{MORE}rsa-sha224")
_recipe(
    "algorithm: RSA-PSS",
    SignatureInvalid,
    signature_method="http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1",
)
_recipe("algorithm: digest SHA-1", SignatureInvalid, digest=f"{DS}sha1")
_recipe("algorithm: digest MD5", SignatureInvalid, digest=f"{MORE}md5")
_recipe("algorithm: digest SHA-224", SignatureInvalid, digest=f"{MORE}sha224")
_recipe(
    "algorithm: inclusive canonicalisation of SignedInfo",
    SignatureInvalid,
    c14n="http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
)
_recipe("algorithm: canonicalisation of SignedInfo with comments", SignatureInvalid, c14n=f"{EXC}WithComments")
_recipe(
    "algorithm: a truncated signature",
    SignatureInvalid,
    method_inside="<ds:HMACOutputLength>8</ds:HMACOutputLength>",
)
_recipe(
    "algorithm: a prefix list that is none",
    SignatureInvalid,
    c14n_inside=f'<ec:InclusiveNamespaces xmlns:ec="{EXC}" PrefixList="s *"/>',
)


@attack("algorithm: ECDSA with SHA-1", SignatureInvalid)
def _(world: World) -> bytes:
    return make(Recipe(world.p256, signature_method=f"{DS}ecdsa-sha1"))


def _hmac(name: str, method: str, encoding: Encoding, form: PublicFormat) -> None:
    @attack(f"algorithm: {name} with the public key as its secret", SignatureInvalid)
    def _(world: World) -> bytes:
        secret = world.rsa.certificate.public_key().public_bytes(encoding, form)
        return make(world.recipe.change(signature_method=method, secret=secret))


_hmac("HMAC-SHA256 (PEM)", f"{MORE}hmac-sha256", Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
_hmac("HMAC-SHA256 (DER)", f"{MORE}hmac-sha256", Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
_hmac("HMAC-SHA1 (PEM)", f"{DS}hmac-sha1", Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@attack("algorithm: HMAC-SHA256 with the certificate as its secret", SignatureInvalid)
def _(world: World) -> bytes:
    secret = world.rsa.certificate.public_bytes(Encoding.DER)
    return make(world.recipe.change(signature_method=f"{MORE}hmac-sha256", secret=secret))


@on_tree("algorithm: ECDSA named, RSA used", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.at(".//ds:SignatureMethod").set("Algorithm", f"{MORE}ecdsa-sha256")


@on_tree("algorithm: one that does not exist", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.at(".//ds:SignatureMethod").set("Algorithm", "none")


# Certificates.


@attack("certificate: expired", UntrustedCertificate)
def _(world: World) -> bytes:
    return make(world.partner(certificate(world.rsa.key, world.authority, end=NOW - timedelta(seconds=1))))


@attack("certificate: not yet valid", UntrustedCertificate)
def _(world: World) -> bytes:
    return make(world.partner(certificate(world.rsa.key, world.authority, start=NOW + timedelta(seconds=1))))


@attack("certificate: self-signed", UntrustedCertificate)
def _(world: World) -> bytes:
    return make(world.partner(certificate(world.rsa.key, None)))


@attack("certificate: self-signed with the authority's name", UntrustedCertificate)
def _(world: World) -> bytes:
    return make(world.partner(certificate(world.rsa.key, None, ca=True, subject="authority")))


@attack("certificate: of another authority with the same name", UntrustedCertificate)
def _(world: World) -> bytes:
    return make(world.partner(certificate(world.rsa.key, world.stranger)))


@attack("certificate: the authority itself signs", UntrustedCertificate)
def _(world: World) -> bytes:
    return make(Recipe(world.authority))


@attack("certificate: an authority below the authority signs", UntrustedCertificate)
def _(world: World) -> bytes:
    return make(world.partner(certificate(world.rsa.key, world.authority, ca=True)))


@attack("certificate: issued by another partner", UntrustedCertificate)
def _(world: World) -> bytes:
    return make(world.partner(certificate(world.rsa.key, world.other)))


@attack("certificate: not for digital signatures", UntrustedCertificate)
def _(world: World) -> bytes:
    return make(world.partner(certificate(world.rsa.key, world.authority, signs=False)))


@attack("certificate: a critical extension that nobody knows", UntrustedCertificate)
def _(world: World) -> bytes:
    return make(world.partner(certificate(world.rsa.key, world.authority, unknown=True)))


@attack("certificate: RSA of 1024 bits", UntrustedCertificate)
def _(world: World) -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 — the weak key is the attack
    return make(Recipe(Identity(certificate(key, world.authority), key)))


@attack("certificate: the curve secp256k1", UntrustedCertificate)
def _(world: World) -> bytes:
    key = ec.generate_private_key(ec.SECP256K1())
    return make(Recipe(Identity(certificate(key, world.authority), key)))


@attack("certificate: revoked", UntrustedCertificate)
def _(world: World) -> Attempt:
    crl = revocation_list(world.authority, world.rsa.certificate.serial_number)
    return Attempt(make(world.recipe), Policy((world.authority.certificate,), crls=(crl,)))


@attack("certificate: its revocation list is forged", UntrustedCertificate)
def _(world: World) -> Attempt:
    crl = revocation_list(world.authority, 1, world.stranger.key)
    return Attempt(make(world.recipe), Policy((world.authority.certificate,), crls=(crl,)))


@attack("certificate: no authority is trusted", UntrustedCertificate)
def _(world: World) -> Attempt:
    return Attempt(make(world.recipe), Policy(()))


@attack("certificate: of another partner in the token", SignatureInvalid)
def _(world: World) -> bytes:
    return make(world.recipe.change(token=world.other.certificate.public_bytes(Encoding.DER)))


@attack("certificate: of another partner, same kind of key", SignatureInvalid)
def _(world: World) -> bytes:
    return make(Recipe(world.p256, token=world.other.certificate.public_bytes(Encoding.DER)))


_recipe("certificate: the token is no certificate", UntrustedCertificate, token=b"no certificate")
_recipe("certificate: the token is empty", UntrustedCertificate, token=b"")
_recipe(
    "certificate: a token of another type", SignatureInvalid, token_type=f"{OASIS}x509-token-profile-1.0#X509PKIPathv1"
)


@on_tree("certificate: the token is not base64", UntrustedCertificate)
def _(tree: Tree) -> None:
    tree.at(".//wsse:BinarySecurityToken").text = "?"


@on_tree("certificate: the token in hexadecimal", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.at(".//wsse:BinarySecurityToken").set("EncodingType", "urn:hex")


# KeyInfo.


def _key_value(world: World) -> str:
    numbers = world.rsa.key.public_key().public_numbers()
    assert isinstance(numbers, rsa.RSAPublicNumbers)
    modulus = base64.b64encode(numbers.n.to_bytes(256, "big")).decode()
    return (
        f"<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>{modulus}</ds:Modulus><ds:Exponent>AQAB</ds:Exponent>"
        "</ds:RSAKeyValue></ds:KeyValue>"
    )


def _x509_data(world: World) -> str:
    der = base64.b64encode(world.rsa.certificate.public_bytes(Encoding.DER)).decode()
    return f"<ds:X509Data><ds:X509Certificate>{der}</ds:X509Certificate></ds:X509Data>"


@attack("KeyInfo: KeyValue alone", SignatureInvalid)
def _(world: World) -> bytes:
    return make(world.recipe.change(key_info=_key_value(world)))


@attack("KeyInfo: KeyValue besides the token", SignatureInvalid)
def _(world: World) -> bytes:
    return make(world.recipe.change(key_info=TOKEN_REFERENCE + _key_value(world)))


@attack("KeyInfo: X509Data alone", SignatureInvalid)
def _(world: World) -> bytes:
    return make(world.recipe.change(key_info=_x509_data(world)))


@attack("KeyInfo: X509Data besides the token", SignatureInvalid)
def _(world: World) -> bytes:
    return make(world.recipe.change(key_info=_x509_data(world) + TOKEN_REFERENCE))


_recipe("KeyInfo: empty", SignatureInvalid, key_info="")
_recipe("KeyInfo: a KeyName", SignatureInvalid, key_info="<ds:KeyName>partner</ds:KeyName>")
_recipe(
    "KeyInfo: two references",
    SignatureInvalid,
    key_info=TOKEN_REFERENCE.replace("</wsse:S", '<wsse:Reference URI="#Body"/></wsse:S'),
)
_recipe(
    "KeyInfo: a reference to elsewhere", SignatureInvalid, key_info=TOKEN_REFERENCE.replace("#Token", "http://x/#Token")
)
_recipe("KeyInfo: a reference to the Body", SignatureInvalid, key_info=TOKEN_REFERENCE.replace("#Token", "#Body"))
_recipe(
    "KeyInfo: a key identifier",
    SignatureInvalid,
    key_info="<wsse:SecurityTokenReference><wsse:KeyIdentifier>AA==</wsse:KeyIdentifier>"
    "</wsse:SecurityTokenReference>",
)


@on_tree("KeyInfo: none", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.signature.remove(tree.at(".//ds:KeyInfo"))


# Values changed after signing.


def _replaced(name: str, old: str, new: str) -> None:
    @attack(f"changed: {name}", SignatureInvalid)
    def _(world: World) -> bytes:
        text = make(world.recipe).decode()
        assert text.count(old) == 1, name
        return text.replace(old, new).encode()


_replaced("a text in the Body", ">A1<", ">A2<")
_replaced("white space in the Body", "<q:Sum>", "\n<q:Sum>")
_replaced("the MessageID", "urn:uuid:1", "urn:uuid:2")
_replaced("the Action", "urn:example:ask/Ask", "urn:example:ask/Erase")
_replaced("Created", "09:00:00Z</wsu:Created>", "09:00:01Z</wsu:Created>")
_replaced("Expires", "09:05:00Z</wsu:Expires>", "09:06:00Z</wsu:Expires>")
_replaced("the namespace of the Body's content", 'xmlns:q="urn:example:ask"', 'xmlns:q="urn:example:other"')
_replaced("an attribute added to the Body", 'wsu:Id="Body"', 'wsu:Id="Body" x="1"')
_replaced("an element added to the Body", "</s:Body>", "<x/></s:Body>")
_replaced("a namespace taken back", "<q:Sum>", '<q:Sum xmlns:q="urn:example:other">')


@on_tree("changed: a digest", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.at(".//ds:DigestValue").text = base64.b64encode(bytes(32)).decode()


@on_tree("changed: a digest left empty", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.at(".//ds:DigestValue").text = ""


@on_tree("changed: the signature value", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.at(".//ds:SignatureValue").text = base64.b64encode(bytes(256)).decode()


@on_tree("changed: the signature value left empty", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.at(".//ds:SignatureValue").text = None


@on_tree("changed: the signature value cut", SignatureInvalid)
def _(tree: Tree) -> None:
    value = tree.at(".//ds:SignatureValue")
    value.text = value.text[:40]


@attack("changed: an ECDSA value of zeros", SignatureInvalid)
def _(world: World) -> bytes:
    root = etree.fromstring(make(Recipe(world.p256)))
    root.find(f".//{{{DS}}}SignatureValue").text = base64.b64encode(bytes(64)).decode()
    return bytes(etree.tostring(root))


# Freshness. All of these are signed rightly.

_recipe("time: stale", Stale, created=NOW - timedelta(seconds=361), expires=None)
_recipe("time: in the future", Stale, created=NOW + timedelta(seconds=361), expires=None)
_recipe("time: a lifetime too long", Stale, expires=NOW + timedelta(seconds=901))
_recipe("time: expired", Stale, created=NOW - timedelta(seconds=200), expires=NOW - timedelta(seconds=61))
_recipe("time: Expires before Created", Stale, expires=NOW - timedelta(seconds=1))
_recipe("time: no Created", Stale, created=None)
_recipe("time: nothing at all", Stale, created=None, expires=None)
_recipe("time: Created twice", Stale, timestamp="<wsu:Created>2026-03-02T09:00:00Z</wsu:Created>" * 2)
_recipe("time: no zone", Stale, timestamp="<wsu:Created>2026-03-02T09:00:00</wsu:Created>")
_recipe("time: another zone", Stale, timestamp="<wsu:Created>2026-03-02T11:00:00+02:00</wsu:Created>")
_recipe("time: a day that does not exist", Stale, timestamp="<wsu:Created>2026-02-30T09:00:00Z</wsu:Created>")
_recipe("time: no instant", Stale, timestamp="<wsu:Created>today</wsu:Created>")
_recipe("time: Created of another namespace", Stale, timestamp="<Created>2026-03-02T09:00:00Z</Created>")


# The XML.


def _text(name: str, *errors: type[Exception], before: str = "", encoding: str = "utf-8") -> None:
    @attack(f"XML: {name}", *errors)  # type: ignore[arg-type] — all are errors of the gateway
    def _(world: World) -> bytes:
        return (before + make(world.recipe).decode()).encode(encoding)


DOCTYPE = "<!DOCTYPE s:Envelope>"
DTD_IDS = '<!DOCTYPE s:Envelope [<!ATTLIST q:Ask Code ID #IMPLIED wsu:Id CDATA "Body">]>'
BOMB = (
    '<!DOCTYPE s:Envelope [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    + "]>"
)
_text("DOCTYPE", DoctypeRefused, before=DOCTYPE)
_text("DOCTYPE behind declaration and comment", DoctypeRefused, before=f'<?xml version="1.0"?><!-- x --> {DOCTYPE}')
_text("DOCTYPE with byte order mark", DoctypeRefused, before=DOCTYPE, encoding="utf-8-sig")
_text("DOCTYPE in UTF-16", DoctypeRefused, before=DOCTYPE, encoding="utf-16")
_text("DOCTYPE in UTF-16, little end", DoctypeRefused, before="\ufeff" + DOCTYPE, encoding="utf-16-le")
_text("DOCTYPE in UTF-16, big end", DoctypeRefused, before="\ufeff" + DOCTYPE, encoding="utf-16-be")
_text("DOCTYPE in UTF-16 without mark", MalformedMessage, before=DOCTYPE, encoding="utf-16-le")
_text("DOCTYPE in UTF-32", MalformedMessage, DoctypeRefused, before=DOCTYPE, encoding="utf-32")
_text("DOCTYPE in UTF-7", MalformedMessage, before=f'<?xml version="1.0" encoding="utf-7"?>{DOCTYPE}')
_text("DOCTYPE in EBCDIC", MalformedMessage, before=f"<?xml version='1.0'?>{DOCTYPE}", encoding="cp037")
_text("DOCTYPE with Ids", DoctypeRefused, before=DTD_IDS)
_text("DOCTYPE with Ids in UTF-16", DoctypeRefused, before=DTD_IDS, encoding="utf-16")
_text("an external DTD", DoctypeRefused, before='<!DOCTYPE s:Envelope SYSTEM "http://localhost:1/x.dtd">')
_text("an entity that is a file", DoctypeRefused, before='<!DOCTYPE s [<!ENTITY x SYSTEM "file:///etc/hostname">]>')
_text("a parameter entity", DoctypeRefused, before='<!DOCTYPE s [<!ENTITY % x SYSTEM "file:///x"> %x;]>')
_text("an entity bomb", DoctypeRefused, before=BOMB)
_text("a processing instruction", MalformedMessage, before='<?xml-stylesheet href="x"?>')
_text("another encoding declared", MalformedMessage, before='<?xml version="1.0" encoding="iso-8859-1"?>')
_text("XML 1.1", MalformedMessage, before='<?xml version="1.1"?>')
_text("text before the root", MalformedMessage, before="x")


def _body(name: str, *errors: type[Exception], body: str) -> None:
    @attack(f"XML: {name}", *errors)  # type: ignore[arg-type] — all are errors of the gateway
    def _(world: World) -> bytes:
        return make(world.recipe).replace(b"<q:Sum>", body.encode() + b"<q:Sum>")


_body("an entity that is not declared", MalformedMessage, body="&x;")
_body("elements nested 150 deep", TooLarge, body="<a>" * 150 + "</a>" * 150)
_body("elements nested 100,000 deep", MalformedMessage, body="<a>" * 100_000 + "</a>" * 100_000)
_body("a huge attribute", TooLarge, body=f'<a x="{"x" * 20_000}"/>')
_body("a thousand attributes", TooLarge, body="<a " + " ".join(f'x{n}="1"' for n in range(1000)) + "/>")
_body(
    "50,000 namespaces", TooLarge, body='<a y=">" ' + " ".join(f'xmlns:x{n}="urn:{n}"' for n in range(50_000)) + "/>"
)
_body("five megabytes", TooLarge, body="<a>" + "x" * 5_000_000 + "</a>")
_body("a processing instruction within", MalformedMessage, body="<?x y?>")
_body("a null byte", MalformedMessage, body="\0")


@attack("XML: cut off", MalformedMessage)
def _(world: World) -> bytes:
    return make(world.recipe)[:-20]


@attack("XML: a second root", MalformedMessage)
def _(world: World) -> bytes:
    return make(world.recipe) * 2


@attack("XML: nothing", MalformedMessage)
def _(world: World) -> bytes:
    return b""


@attack("XML: JSON", MalformedMessage)
def _(world: World) -> bytes:
    return b'{"Envelope": {}}'


@on_tree("an encrypted key besides", SignatureInvalid)
def _(tree: Tree) -> None:
    etree.SubElement(tree.security, "{http://www.w3.org/2001/04/xmlenc#}EncryptedKey")


_recipe(
    "a namespace that is not absolute", SignatureInvalid, MalformedMessage, body='<q:Ask xmlns:q="urn:q" x="1"/>'
)
