"""Attacks on what is trusted: algorithms, keys and certificates."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from errors import (
    ExpiredCertificate,
    SignatureInvalid,
    UntrustedCertificate,
)
from security.keys import Identity
from security.wsse import Policy
from tests.security.attacks import Attempt, Tree, attack, on_recipe, on_tree
from tests.security.conftest import World
from tests.security.messages import (
    DS,
    EXC,
    MORE,
    OASIS,
    X509_V3,
    make,
    revocation_list,
)

TOKEN_REFERENCE = (
    f'<wsse:SecurityTokenReference><wsse:Reference URI="#Token" ValueType="{X509_V3}"/>'
    "</wsse:SecurityTokenReference>"
)


# Algorithms. Each message is signed rightly by the algorithm it names.

on_recipe("algorithm: RSA with SHA-1", SignatureInvalid, signature_method=f"{DS}rsa-sha1")
on_recipe("algorithm: RSA with MD5", SignatureInvalid, signature_method=f"{MORE}rsa-md5")
on_recipe("algorithm: RSA with SHA-224", SignatureInvalid, signature_method=f"{MORE}rsa-sha224")
on_recipe(
    "algorithm: RSA-PSS",
    SignatureInvalid,
    signature_method="http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1",
)
on_recipe(
    "algorithm: RSA-PSS with parameters",
    SignatureInvalid,
    signature_method=f"{MORE}rsa-sha256",
    method_inside='<pss:RSAPSSParams xmlns:pss="http://www.w3.org/2007/05/xmldsig-more#"/>',
)
on_recipe("algorithm: digest SHA-1", SignatureInvalid, digest=f"{DS}sha1")
on_recipe("algorithm: digest MD5", SignatureInvalid, digest=f"{MORE}md5")
on_recipe("algorithm: digest SHA-224", SignatureInvalid, digest=f"{MORE}sha224")
on_recipe(
    "algorithm: inclusive canonicalisation of SignedInfo",
    SignatureInvalid,
    c14n="http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
)
on_recipe(
    "algorithm: canonicalisation of SignedInfo with comments", SignatureInvalid, c14n=f"{EXC}WithComments"
)
on_recipe(
    "algorithm: a truncated signature",
    SignatureInvalid,
    method_inside="<ds:HMACOutputLength>8</ds:HMACOutputLength>",
)
on_recipe(
    "algorithm: a prefix list that is none",
    SignatureInvalid,
    c14n_inside=f'<ec:InclusiveNamespaces xmlns:ec="{EXC}" PrefixList="s *"/>',
)


@attack("algorithm: ECDSA with SHA-1", SignatureInvalid)
def _(world: World) -> bytes:
    return make(world.by(world.p256).change(signature_method=f"{DS}ecdsa-sha1"))


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


@on_tree("changed: ECDSA named, RSA used", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.at(".//ds:SignatureMethod").set("Algorithm", f"{MORE}ecdsa-sha256")


@on_tree("algorithm: one that does not exist", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.at(".//ds:SignatureMethod").set("Algorithm", "none")


@on_tree("algorithm: DSA named", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.at(".//ds:SignatureMethod").set("Algorithm", "http://www.w3.org/2009/xmldsig11#dsa-sha256")


@on_tree("algorithm: Ed25519 named", SignatureInvalid)
def _(tree: Tree) -> None:
    eddsa = "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed25519"
    tree.at(".//ds:SignatureMethod").set("Algorithm", eddsa)


@on_tree("algorithm: none named", SignatureInvalid)
def _(tree: Tree) -> None:
    del tree.at(".//ds:SignatureMethod").attrib["Algorithm"]


# Certificates.


@attack("certificate: expired", ExpiredCertificate)
def _(world: World) -> bytes:
    return make(
        world.partner(world.certificate(world.rsa.key, world.authority, end=world.now - timedelta(seconds=1)))
    )


@attack("certificate: not yet valid", UntrustedCertificate)
def _(world: World) -> bytes:
    return make(
        world.partner(
            world.certificate(world.rsa.key, world.authority, start=world.now + timedelta(minutes=1))
        )
    )


@attack("certificate: self-signed", UntrustedCertificate)
def _(world: World) -> bytes:
    return make(world.partner(world.certificate(world.rsa.key, None)))


@attack("certificate: self-signed with the authority's name", UntrustedCertificate)
def _(world: World) -> bytes:
    return make(world.partner(world.certificate(world.rsa.key, None, ca=True, subject="authority")))


@attack("certificate: of another authority with the same name", UntrustedCertificate)
def _(world: World) -> bytes:
    return make(world.partner(world.certificate(world.rsa.key, world.stranger)))


@attack("certificate: the authority itself signs", UntrustedCertificate)
def _(world: World) -> bytes:
    return make(world.by(world.authority))


@attack("certificate: an authority below the authority signs", UntrustedCertificate)
def _(world: World) -> bytes:
    return make(world.partner(world.certificate(world.rsa.key, world.authority, ca=True)))


@attack("certificate: issued by another partner", UntrustedCertificate)
def _(world: World) -> bytes:
    return make(world.partner(world.certificate(world.rsa.key, world.other)))


@attack("certificate: not for digital signatures", UntrustedCertificate)
def _(world: World) -> bytes:
    return make(world.partner(world.certificate(world.rsa.key, world.authority, signs=False)))


@attack("certificate: a critical extension that nobody knows", UntrustedCertificate)
def _(world: World) -> bytes:
    return make(world.partner(world.certificate(world.rsa.key, world.authority, unknown=True)))


@attack("certificate: RSA of 1024 bits", UntrustedCertificate)
def _(world: World) -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 — the weak key is the attack
    return make(world.by(Identity(world.certificate(key, world.authority), key)))


@attack("certificate: RSA of 2047 bits", UntrustedCertificate)
def _(world: World) -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2047)  # noqa: S505 — one bit too few is the attack
    return make(world.by(Identity(world.certificate(key, world.authority), key)))


@attack("certificate: the curve P-224", UntrustedCertificate)
def _(world: World) -> bytes:
    key = ec.generate_private_key(ec.SECP224R1())
    return make(world.by(Identity(world.certificate(key, world.authority), key)))


@attack("certificate: the curve P-192", UntrustedCertificate)
def _(world: World) -> bytes:
    key = ec.generate_private_key(ec.SECP192R1())
    return make(world.by(Identity(world.certificate(key, world.authority), key)))


def _kind_of_key(name: str, public: Callable[[], object]) -> None:
    @attack(f"certificate: a key for {name}", UntrustedCertificate)
    def _(world: World) -> bytes:
        # Signed by another key: a certificate of such a key must be refused before any signature is looked at.
        odd = (
            x509.CertificateBuilder()
            .subject_name(world.rsa.certificate.subject)
            .issuer_name(world.authority.certificate.subject)
            .public_key(public())  # type: ignore[arg-type] # one of the kinds that the library takes
            .serial_number(x509.random_serial_number())
            .not_valid_before(world.now - timedelta(days=1))
            .not_valid_after(world.now + timedelta(days=1))
            .sign(world.authority.key, hashes.SHA256())
        )
        return make(world.recipe.change(token=odd.public_bytes(Encoding.DER)))


_kind_of_key("DSA", lambda: dsa.generate_private_key(2048).public_key())
_kind_of_key("Ed25519", lambda: ed25519.Ed25519PrivateKey.generate().public_key())
_kind_of_key("Ed448", lambda: ed448.Ed448PrivateKey.generate().public_key())


@attack("certificate: issued by a partner below the authority", UntrustedCertificate)
def _(world: World) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    middle = Identity(world.certificate(key, world.authority, subject="middle"), key)
    leaf = ec.generate_private_key(ec.SECP256R1())
    return make(world.by(Identity(world.certificate(leaf, middle), leaf)))


@attack("certificate: two in one token", UntrustedCertificate)
def _(world: World) -> bytes:
    both = (world.rsa.certificate, world.authority.certificate)
    return make(world.recipe.change(token=b"".join(one.public_bytes(Encoding.DER) for one in both)))


@attack("certificate: in PEM within the token", UntrustedCertificate)
def _(world: World) -> bytes:
    return make(world.recipe.change(token=world.rsa.certificate.public_bytes(Encoding.PEM)))


@attack("certificate: the curve secp256k1", UntrustedCertificate)
def _(world: World) -> bytes:
    key = ec.generate_private_key(ec.SECP256K1())
    return make(world.by(Identity(world.certificate(key, world.authority), key)))


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
    return make(world.by(world.p256).change(token=world.other.certificate.public_bytes(Encoding.DER)))


on_recipe("certificate: the token is no certificate", UntrustedCertificate, token=b"no certificate")
on_recipe("certificate: the token is empty", UntrustedCertificate, token=b"")
on_recipe(
    "certificate: a token of another type",
    SignatureInvalid,
    token_type=f"{OASIS}x509-token-profile-1.0#X509PKIPathv1",
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


def _identifier(name: str, kind: str) -> None:
    @attack(f"KeyInfo: {name}", SignatureInvalid)
    def _(world: World) -> bytes:
        value = base64.b64encode(world.rsa.certificate.fingerprint(hashes.SHA256())).decode()
        holder = (
            f'<wsse:SecurityTokenReference><wsse:KeyIdentifier ValueType="{kind}">{value}</wsse:KeyIdentifier>'
            "</wsse:SecurityTokenReference>"
        )
        return make(world.recipe.change(key_info=holder))


_identifier(
    "a thumbprint",
    "http://docs.oasis-open.org/wss/oasis-wss-soap-message-security-1.1#ThumbprintSHA1",
)
_identifier("a subject key identifier", f"{OASIS}x509-token-profile-1.0#X509SubjectKeyIdentifier")
_identifier("the certificate itself", X509_V3)
on_recipe(
    "KeyInfo: issuer and serial number",
    SignatureInvalid,
    key_info="<wsse:SecurityTokenReference><ds:X509Data><ds:X509IssuerSerial><ds:X509IssuerName>CN=authority"
    "</ds:X509IssuerName><ds:X509SerialNumber>1</ds:X509SerialNumber></ds:X509IssuerSerial></ds:X509Data>"
    "</wsse:SecurityTokenReference>",
)
on_recipe(
    "KeyInfo: a RetrievalMethod",
    SignatureInvalid,
    key_info='<ds:RetrievalMethod URI="http://localhost:1/key"/>',
)
on_recipe(
    "KeyInfo: an embedded token",
    SignatureInvalid,
    key_info="<wsse:SecurityTokenReference><wsse:Embedded/></wsse:SecurityTokenReference>",
)
on_recipe("KeyInfo: empty", SignatureInvalid, key_info="")
on_recipe("KeyInfo: a KeyName", SignatureInvalid, key_info="<ds:KeyName>partner</ds:KeyName>")
on_recipe(
    "KeyInfo: two references",
    SignatureInvalid,
    key_info=TOKEN_REFERENCE.replace("</wsse:S", '<wsse:Reference URI="#Body"/></wsse:S'),
)
on_recipe(
    "KeyInfo: a reference to elsewhere",
    SignatureInvalid,
    key_info=TOKEN_REFERENCE.replace("#Token", "http://x/#Token"),
)
on_recipe(
    "KeyInfo: a reference to the Body", SignatureInvalid, key_info=TOKEN_REFERENCE.replace("#Token", "#Body")
)
on_recipe(
    "KeyInfo: a key identifier",
    SignatureInvalid,
    key_info="<wsse:SecurityTokenReference><wsse:KeyIdentifier>AA==</wsse:KeyIdentifier>"
    "</wsse:SecurityTokenReference>",
)


@on_tree("KeyInfo: none", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.signature.remove(tree.at(".//ds:KeyInfo"))
