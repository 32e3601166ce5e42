"""Other implementations agree: xmlsec verifies what we sign, and signs what we verify; so does zeep."""

from __future__ import annotations

import base64
import importlib
from pathlib import Path
from typing import Any

import pytest
import xmlsec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from lxml import etree

from errors import SignatureInvalid
from security import wsse
from security.keys import Identity
from tests.security.conftest import World
from tests.security.messages import ADDRESSING, NAMES, NOW, SOAP11, SOAP12, Recipe, envelope, skeleton
from tests.security.verdicts import signed_by_xmlsec, xmlsec_believes

# Without types: bound as Any, so that its calls need no ignores.
zeep_utils: Any = importlib.import_module("zeep.wsse.utils")
zeep_signature: Any = importlib.import_module("zeep.wsse.signature")

CASES = [(kind, soap) for kind in ("rsa", "p256") for soap in (SOAP11, SOAP12)]


@pytest.mark.parametrize(("kind", "soap"), CASES)
def test_xmlsec_verifies_what_we_sign(world: World, kind: str, soap: str) -> None:
    identity: Identity = getattr(world, kind)
    signed = wsse.sign(envelope(soap), identity, now=NOW)
    assert xmlsec_believes(signed, identity.certificate)
    assert not xmlsec_believes(signed.replace(b">A1<", b">A2<"), identity.certificate)


@pytest.mark.parametrize(("kind", "soap"), CASES)
def test_we_verify_what_xmlsec_signs(world: World, kind: str, soap: str) -> None:
    identity: Identity = getattr(world, kind)
    signed = signed_by_xmlsec(skeleton(Recipe(identity, soap=soap)), identity)
    verified = wsse.verify(signed, world.policy, now=NOW)
    assert verified.message_id == ADDRESSING["MessageID"]
    assert verified.certificate == identity.certificate
    with pytest.raises(SignatureInvalid):
        wsse.verify(signed.replace(b">A1<", b">A2<"), world.policy, now=NOW)


def test_xmlsec_breaks_lines_in_values(world: World) -> None:
    """Base64 in lines, as most stacks write it."""
    signed = signed_by_xmlsec(skeleton(world.recipe), world.rsa)
    value = etree.fromstring(signed).find(".//ds:SignatureValue", NAMES).text
    assert len(base64.b64decode(value)) == 256
    wsse.verify(signed, world.policy, now=NOW)


def test_we_verify_what_zeep_signs(world: World, tmp_path: Path) -> None:
    """zeep's own signature, told to use SHA-256, with a Timestamp as zeep writes instants."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate.write_bytes(world.rsa.certificate.public_bytes(Encoding.PEM))
    key.write_bytes(world.rsa.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    message = envelope(addressing={})
    timestamp = etree.SubElement(zeep_utils.get_security_header(message), f"{{{NAMES['wsu']}}}Timestamp")
    created = zeep_utils.get_timestamp(NOW)
    etree.SubElement(timestamp, f"{{{NAMES['wsu']}}}Created").text = created
    signature = zeep_signature.BinarySignature(
        str(key),
        str(certificate),
        signature_method=xmlsec.constants.TransformRsaSha256,
        digest_method=xmlsec.constants.TransformSha256,
    )
    message, _ = signature.apply(message, {})
    verified = wsse.verify(bytes(etree.tostring(message)), world.policy, now=NOW)
    assert verified.created == NOW
    assert created.endswith("+00:00")
    again, _ = signature.apply(envelope(addressing={}), {})
    assert again.find("s:Body", NAMES).attrib != message.find("s:Body", NAMES).attrib
