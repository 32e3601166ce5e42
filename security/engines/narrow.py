"""The engine for exactly our profile: lxml writes the canonical forms, `cryptography` has the keys.

The structure is checked already (`security.profile`) on a tree without comments, entities and processing instructions:
what stands in its SignedInfo is what stands in the canonical form of it.
Source: XML Signature 1.1; Exclusive XML Canonicalization 1.0; RFC 4050 and XML Signature 1.1, 6.4.3 for ECDSA values.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

from errors import MalformedMessage, SignatureInvalid
from security.keys import PrivateKey
from security.profile import DS, EXCLUSIVE, WSSE, X509_V3, Parts, Signable
from security.xml import Element, canonical

# Canonical by the way they are written: one attribute each, end tags, no white space, the namespace at the top.
_SIGNED_INFO = (
    f'<ds:SignedInfo xmlns:ds="{DS}"><ds:CanonicalizationMethod Algorithm="{EXCLUSIVE}"></ds:CanonicalizationMethod>'
    '<ds:SignatureMethod Algorithm="{method}"></ds:SignatureMethod>{references}</ds:SignedInfo>'
)
_REFERENCE = (
    f'<ds:Reference URI="#{{name}}"><ds:Transforms><ds:Transform Algorithm="{EXCLUSIVE}"></ds:Transform>'
    '</ds:Transforms><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"></ds:DigestMethod>'
    "<ds:DigestValue>{digest}</ds:DigestValue></ds:Reference>"
)
_SIGNATURE = (
    f'<ds:Signature xmlns:ds="{DS}" xmlns:wsse="{WSSE}">{{signed_info}}<ds:SignatureValue>{{value}}</ds:SignatureValue>'
    f'<ds:KeyInfo><wsse:SecurityTokenReference><wsse:Reference URI="#{{token}}" ValueType="{X509_V3}"/>'
    "</wsse:SecurityTokenReference></ds:KeyInfo></ds:Signature>"
)
# By the last part of the algorithm's name, which has no other spelling in the profile.
_HASHES: Mapping[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}


def verify(_root: Element, parts: Parts, certificate: x509.Certificate, _now: datetime) -> tuple[bytes, ...]:
    """See `security.engines.Engine`: the signature first, so that nobody without a key makes us hash a large Body."""
    try:
        signed_info = canonical(parts.signed_info, parts.prefixes)
        _check_value(certificate.public_key(), parts.method, parts.value, signed_info)
        covered = []
        for reference in parts.references:
            data = canonical(reference.element, reference.prefixes)
            digest = hashlib.new(_name(reference.method), data).digest()
            if not hmac.compare_digest(digest, reference.digest):
                raise SignatureInvalid("SignedInfo/Reference: a digest is not the one of the part it names")
            covered.append(data)
    except MalformedMessage as error:
        raise SignatureInvalid(error.detail) from error
    return tuple(covered)


def sign(signable: Signable, key: PrivateKey, method: str) -> bytes:
    """See `security.engines.Engine`."""
    references = "".join(
        _REFERENCE.format(name=name, digest=_base64(hashlib.sha256(content).digest()))
        for name, content in signable.covered.items()
    )
    signed_info = _SIGNED_INFO.format(method=method, references=references)
    value = _base64(_sign_value(key, _HASHES[_name(method)], signed_info.encode()))
    signature = _SIGNATURE.format(signed_info=signed_info, value=value, token=signable.token_id)
    return b"".join((signable.head, signature.encode(), signable.tail))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _name(algorithm: str) -> str:
    """`sha256` of `…#rsa-sha256` and of `…#sha256`."""
    return algorithm.rpartition("#")[2].rpartition("-")[2]


def _check_value(key: CertificatePublicKeyTypes, method: str, value: bytes, data: bytes) -> None:
    """Raises: SignatureInvalid where the value is not the key's over the data by this method."""
    kind = method.rpartition("#")[2].partition("-")[0]
    algorithm = _HASHES[_name(method)]
    try:
        if kind == "rsa" and isinstance(key, rsa.RSAPublicKey):
            key.verify(value, data, padding.PKCS1v15(), algorithm)
        elif kind == "ecdsa" and isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(_der(value, key.curve), data, ec.ECDSA(algorithm))
        else:
            raise SignatureInvalid("SignedInfo/SignatureMethod: not one of the certificate's key")
    except (InvalidSignature, UnsupportedAlgorithm, ValueError) as error:
        raise SignatureInvalid("Signature/SignatureValue: not of the certificate's key") from error


def _der(value: bytes, curve: ec.EllipticCurve) -> bytes:
    """r and s, each as long as the curve's field, as the library has them.

    Raises: SignatureInvalid when the length is another, or one of them is not between 0 and the group's order.
    """
    width, order = (curve.key_size + 7) // 8, curve.group_order
    if len(value) != 2 * width:
        raise SignatureInvalid("Signature/SignatureValue: not as long as r and s of the key's curve")
    r, s = int.from_bytes(value[:width], "big"), int.from_bytes(value[width:], "big")
    if not (0 < r < order and 0 < s < order):
        raise SignatureInvalid("Signature/SignatureValue: r or s out of range")
    return utils.encode_dss_signature(r, s)


def _sign_value(key: PrivateKey, algorithm: hashes.HashAlgorithm, data: bytes) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), algorithm)
    r, s = utils.decode_dss_signature(key.sign(data, ec.ECDSA(algorithm)))
    width = (key.curve.key_size + 7) // 8
    return r.to_bytes(width, "big") + s.to_bytes(width, "big")
