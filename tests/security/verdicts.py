"""What each engine says of a message, side by side, and what xmlsec says of its signature."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from lxml import etree

from errors import GatewayError
from security import wsse
from security.engines import ENGINES, Engine
from security.keys import Identity, PrivateKey
from security.profile import Parts, Signable
from security.wsse import Policy
from security.xml import Element, canonical, parse
from tests.security.messages import NAMES, NOW


class Recorded:
    """An engine that keeps the bytes that it vouched for, and counts what it signed."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.covered: tuple[bytes, ...] = ()
        self.signed = 0

    def verify(
        self, root: Element, parts: Parts, certificate: x509.Certificate, now: datetime
    ) -> tuple[bytes, ...]:
        self.covered = self.engine.verify(root, parts, certificate, now)
        return self.covered

    def sign(self, signable: Signable, key: PrivateKey, method: str) -> bytes:
        self.signed += 1
        return self.engine.sign(signable, key, method)


@dataclass(frozen=True)
class Verdict:
    """What came of one message: the class of the refusal, or what was believed and the exact bytes it rests on."""

    refused: type[GatewayError] | None
    covered: tuple[bytes, ...] = ()
    believed: tuple[object, ...] = ()


def verdict(data: bytes, policy: Policy, now: datetime, engine: Engine) -> Verdict:
    """What one engine makes of a message, under the whole policy."""
    recorded = Recorded(engine)
    try:
        verified = wsse.verify(data, replace(policy, engine=recorded), now=now)
    except GatewayError as error:
        return Verdict(type(error), recorded.covered)
    facts = (
        canonical(verified.envelope),
        verified.certificate,
        verified.created,
        verified.message_id,
        verified.relates_to,
        verified.action,
        verified.to,
        verified.soap_version,
        verified.body_digest,
        verified.weaker,
    )
    return Verdict(None, recorded.covered, facts)


def agreed(data: bytes, policy: Policy, now: datetime = NOW) -> Verdict:
    """The one verdict of both engines. The bytes are compared also where a rule behind the engine refuses."""
    narrow, library = (verdict(data, policy, now, ENGINES[name]) for name in ("narrow", "signxml"))
    assert narrow == library, (narrow.refused, library.refused, data)
    return narrow


def xmlsec_believes(data: bytes, certificate: x509.Certificate) -> bool:
    """Whether xmlsec finds the signature good by the certificate's key."""
    root = parse(data)
    xmlsec.tree.add_ids(root, ["Id", "ID", "id"])
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(
        certificate.public_bytes(Encoding.PEM), xmlsec.constants.KeyDataFormatCertPem
    )
    try:
        context.verify(root.find(".//ds:Signature", NAMES))
    except xmlsec.Error:
        return False
    return True


def signed_by_xmlsec(text: str, identity: Identity) -> bytes:
    """A skeleton with digests and value filled in by xmlsec."""
    root = etree.fromstring(text.encode())
    xmlsec.tree.add_ids(root, ["Id"])
    context = xmlsec.SignatureContext()
    private = identity.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    context.key = xmlsec.Key.from_memory(private, xmlsec.constants.KeyDataFormatPem)
    context.sign(root.find(".//ds:Signature", NAMES))
    return bytes(etree.tostring(root, encoding="UTF-8"))
