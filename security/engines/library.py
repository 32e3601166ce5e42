"""The engine by signxml: right and slow, it writes and parses the whole message again for each reference.

It finds elements by their Ids, we by their place: what it verified must be what stands there.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from lxml import etree
from signxml.algorithms import (
    CanonicalizationMethod,
    DigestAlgorithm,
    SignatureConstructionMethod,
    SignatureMethod,
)
from signxml.exceptions import InvalidDigest, SignXMLException
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, XMLVerifier

from errors import MalformedMessage, SignatureInvalid
from security import profile
from security.keys import PrivateKey
from security.profile import DS, EXCLUSIVE, WSSE, X509_V3, Parts, Signable
from security.xml import Element, canonical, reread

_SIGNATURES = frozenset(SignatureMethod(uri) for uri in profile.SIGNATURES)
_DIGESTS = frozenset(DigestAlgorithm(uri) for uri in profile.DIGESTS)


class _Mended:
    """What signxml 5.2 does otherwise than the standards and xmlsec."""

    def _tostring(self, xml_node: Element, **options: Any) -> bytes:
        """In UTF-8: in ASCII an element name such as `Vārds` is written as character references, which is no XML."""
        written: bytes = etree.tostring(xml_node, encoding="UTF-8", **options)
        return written

    def _get_inclusive_ns_prefixes(self, transform_node: Element) -> list[str] | None:
        """An empty PrefixList, as WSS4J writes it, names no prefix; there it is taken for the default namespace."""
        inclusive = transform_node.find(f"{{{EXCLUSIVE}}}InclusiveNamespaces")
        return None if inclusive is None else inclusive.get("PrefixList", "").split() or None


class _Verifier(_Mended, XMLVerifier):
    """XMLVerifier, mended."""


class _Signer(_Mended, XMLSigner):
    """XMLSigner, mended."""


def verify(root: Element, parts: Parts, certificate: x509.Certificate, now: datetime) -> tuple[bytes, ...]:
    """See `security.engines.Engine`."""
    try:
        results = _Verifier().verify(
            root,
            x509_cert=certificate,
            # The structure is checked already, and stricter than by the schema.
            validate_schema=False,
            expect_config=SignatureConfiguration(
                require_x509=True,
                location=f"./{{{parts.soap}}}Header/{{{WSSE}}}Security/",
                expect_references=len(parts.references),
                verification_time=now,
                signature_methods=_SIGNATURES,
                digest_algorithms=_DIGESTS,
            ),
        )
        expected = tuple(canonical(reference.element, reference.prefixes) for reference in parts.references)
    except InvalidDigest as error:
        raise SignatureInvalid(
            "SignedInfo/Reference: a digest is not the one of the part it names"
        ) from error
    except (
        SignXMLException,
        InvalidSignature,
        UnsupportedAlgorithm,
        ValueError,
        etree.LxmlError,
        MalformedMessage,
    ) as error:
        raise SignatureInvalid from error
    if not isinstance(results, list) or tuple(result.signed_data for result in results) != expected:
        raise SignatureInvalid("a reference was resolved to another element")
    return expected


def sign(signable: Signable, key: PrivateKey, method: str) -> bytes:
    """See `security.engines.Engine`."""
    signer = _Signer(
        method=SignatureConstructionMethod.detached,
        signature_algorithm=SignatureMethod(method),
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    signature = signer.sign(
        reread(signable.head + signable.tail),
        key=key,
        key_info=_key_info(signable.token_id),
        reference_uri=[f"#{name}" for name in signable.covered],
    )
    return b"".join((signable.head, etree.tostring(signature), signable.tail))


def _key_info(token_id: str) -> Element:
    key_info = etree.Element(f"{{{DS}}}KeyInfo", nsmap={"ds": DS, "wsse": WSSE})
    holder = etree.SubElement(key_info, f"{{{WSSE}}}SecurityTokenReference")
    etree.SubElement(holder, f"{{{WSSE}}}Reference", {"URI": f"#{token_id}", "ValueType": X509_V3})
    return key_info
