"""What somebody between partner and gateway does to an answer; no stack may believe any of it.

Each takes the bytes of a signed answer and returns other bytes in which the person is called FORGED.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric import rsa
from lxml import etree

from security.keys import Identity
from tests.endpoints.soap.messages import ID, SOAP, Message

FORGED = "Viltots"

Forgery = Callable[[bytes, Identity], bytes]

_DS = "http://www.w3.org/2000/09/xmldsig#"


def _body(answer: bytes) -> bytes:
    found = re.search(rb"<soap:Body.*</soap:Body>", answer, re.DOTALL)
    assert found is not None
    return found[0]


def _renamed(body: bytes) -> bytes:
    renamed = re.sub(rb"(<([a-z0-9]+:)?Uzvards>)[^<]+", rb"\g<1>" + FORGED.encode(), body)
    assert renamed != body
    return renamed


def changed(answer: bytes, _stranger: Identity) -> bytes:
    """One value is another one."""
    body = _body(answer)
    return answer.replace(body, _renamed(body))


def doubled(answer: bytes, _stranger: Identity) -> bytes:
    """Another Body before the signed one."""
    body = _body(answer)
    return answer.replace(body, re.sub(rb' wsu:Id="[^"]*"', b"", _renamed(body), count=1) + body)


def moved(answer: bytes, _stranger: Identity) -> bytes:
    """Another Body in place of the signed one, which is in the Header now."""
    body = _body(answer)
    other = re.sub(rb' wsu:Id="[^"]*"', b"", _renamed(body), count=1)
    return answer.replace(body, other).replace(b"</soap:Header>", b"<x>" + body + b"</x></soap:Header>")


def moved_before(answer: bytes, _stranger: Identity) -> bytes:
    """The signed Body at the start of the Header, another one with the same Id in its place."""
    body = _body(answer)
    return answer.replace(body, _renamed(body)).replace(
        b"<soap:Header>", b"<soap:Header><x>" + body + b"</x>"
    )


def unsigned(answer: bytes, _stranger: Identity) -> bytes:
    """No Security header at all."""
    return re.sub(rb"<wsse:Security .*</wsse:Security>", b"", changed(answer, _stranger), flags=re.DOTALL)


def signed_by_another(answer: bytes, stranger: Identity) -> bytes:
    """Signed rightly, by somebody else with a certificate of the same authority."""
    related = re.search(rb"<wsa:RelatesTo[^>]*>([^<]+)<", answer)
    content = re.search(rb"<soap:Body[^>]*>(.*)</soap:Body>", _renamed(_body(answer)), re.DOTALL)
    assert related is not None
    assert content is not None
    version = next(name for name, space in SOAP.items() if space.encode() in answer)
    body = content[1].decode()
    return Message(stranger, version, body, {"RelatesTo": related[1].decode()}).signed()


def key_of_its_own(answer: bytes, stranger: Identity) -> bytes:
    """The same, but with the key itself in KeyInfo, where some libraries look for it first."""
    assert isinstance(stranger.key, rsa.RSAPrivateKey)
    numbers = stranger.key.public_key().public_numbers()
    modulus, exponent = (
        base64.b64encode(number.to_bytes((number.bit_length() + 7) // 8, "big"))
        for number in (numbers.n, numbers.e)
    )
    value = (
        b"<ds:KeyInfo><ds:KeyValue><ds:RSAKeyValue><ds:Modulus>%s</ds:Modulus><ds:Exponent>%s</ds:Exponent>"
    )
    end = b"</ds:RSAKeyValue></ds:KeyValue></ds:KeyInfo>"
    signed = signed_by_another(answer, stranger)
    return re.sub(rb"<ds:KeyInfo>.*</ds:KeyInfo>", value % (modulus, exponent) + end, signed, flags=re.DOTALL)


def another_signed_info(answer: bytes, stranger: Identity) -> bytes:
    """The signed SignedInfo stands first in the document; the one in the Signature has the digest of another Body."""
    envelope = etree.fromstring(changed(answer, stranger))
    body = envelope.find("{*}Body")
    info = envelope.find(f".//{{{_DS}}}SignedInfo")
    header = envelope.find("{*}Header")
    header.insert(0, etree.fromstring(etree.tostring(info)))
    reference = info.find(f"{{{_DS}}}Reference[@URI='#{body.get(ID)}']")
    canonical = etree.tostring(body, method="c14n", exclusive=True)
    reference.find(f"{{{_DS}}}DigestValue").text = base64.b64encode(
        hashlib.sha256(canonical).digest()
    ).decode()
    return bytes(etree.tostring(envelope))


FORGERIES: dict[str, Forgery] = {
    "changed": changed,
    "doubled": doubled,
    "moved": moved,
    "moved before": moved_before,
    "unsigned": unsigned,
    "signed by another": signed_by_another,
    "a key of its own": key_of_its_own,
    "another SignedInfo": another_signed_info,
}
