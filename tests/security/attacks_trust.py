"""Attacks on what is trusted: algorithms, keys and certificates."""

from __future__ import annotations

import base64
from datetime import timedelta

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from errors import (
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
    NOW,
    OASIS,
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


# Algorithms. Each message is signed rightly by the algorithm it names.

on_recipe("algorithm: RSA with SHA-1", SignatureInvalid, signature_method=f"{DS}rsa-sha1")
on_recipe("algorithm: RSA with MD5", SignatureInvalid, signature_method=f"{MORE}rsa-md5")
on_recipe("algorithm: RSA with SHA-224", SignatureInvalid, signature_method=f"{MORE}rsa-sha224")
on_recipe(
    "algorithm: RSA-PSS",
    SignatureInvalid,
    signature_method="http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1",
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


@on_tree("changed: ECDSA named, RSA used", SignatureInvalid)
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
