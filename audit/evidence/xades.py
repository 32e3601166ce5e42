"""The signature of a container: XAdES over the exact bytes of its files, in the form that ASiC-E asks for.

signxml takes every reference for an Id within one document. Here each names a file, whose bytes are digested as they
are; the references to the signature's own parts say their canonicalisation. Source: ETSI EN 319 132-1, EN 319 162-1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric import rsa
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, SignatureConstructionMethod, SignatureMethod
from signxml.signer import SignatureReference
from signxml.xades.xades import XAdESSigner

from security.keys import Identity

_DS = "http://www.w3.org/2000/09/xmldsig#"
_XADES = "http://uri.etsi.org/01903/v1.3.2#"
_CONTAINER = "http://uri.etsi.org/02918/v1.2.1#"


class _FilesSigner(XAdESSigner):
    """Signs files by name; `kinds` are their media types."""

    def __init__(self, kinds: Mapping[str, str], algorithm: SignatureMethod) -> None:
        super().__init__(
            method=SignatureConstructionMethod.detached,
            signature_algorithm=algorithm,
            c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
        )
        self._kinds = kinds

    def _unpack(self, data: Mapping[str, bytes], references: Any) -> Any:
        root = etree.Element(f"{{{_DS}}}Signature", nsmap=self.namespaces)
        return root, root, list(data.values()), [SignatureReference(URI=quote(name)) for name in data]

    def _c14n(self, nodes: Any, *arguments: Any, **named: Any) -> Any:
        return nodes if isinstance(nodes, bytes) else super()._c14n(nodes, *arguments, **named)

    def _build_transforms_for_reference(self, *, transforms_node: Any, **_named: Any) -> None:
        transforms_node.getparent().remove(transforms_node)

    def _add_reference_to_signed_info(self, sig_root: Any, node_to_reference: Any, **attributes: Any) -> None:
        super()._add_reference_to_signed_info(  # type: ignore[no-untyped-call] # — signxml types it in part
            sig_root, node_to_reference, **attributes
        )
        reference = sig_root.find(f"{{{_DS}}}SignedInfo")[-1]
        transforms = etree.Element(f"{{{_DS}}}Transforms")
        etree.SubElement(transforms, f"{{{_DS}}}Transform", Algorithm=self.c14n_alg.value)
        reference.insert(0, transforms)

    def add_data_object_format(self, properties: Any, sig_root: Any, signing_settings: Any) -> None:
        """Say of every file what it is."""
        references = sig_root.find(f"{{{_DS}}}SignedInfo").findall(f"{{{_DS}}}Reference")
        for number, (reference, kind) in enumerate(zip(references, self._kinds.values(), strict=True)):
            reference.set("Id", f"file-{number}")
            about = etree.SubElement(
                properties, f"{{{_XADES}}}DataObjectFormat", ObjectReference=f"#file-{number}"
            )
            etree.SubElement(about, f"{{{_XADES}}}MimeType").text = kind


def signature(files: Mapping[str, bytes], kinds: Mapping[str, str], signer: Identity) -> bytes:
    """`META-INF/signatures0.xml` of a container: the files' names as references, signed by this certificate.

    Shape: asic:XAdESSignatures/ds:Signature, XAdES baseline B. RSA or ECDSA with SHA-256.
    """
    rsa_key = isinstance(signer.key, rsa.RSAPrivateKey)
    algorithm = SignatureMethod.RSA_SHA256 if rsa_key else SignatureMethod.ECDSA_SHA256
    signed = _FilesSigner({name: kinds[name] for name in files}, algorithm).sign(
        files, key=signer.key, cert=[signer.certificate, *signer.chain], always_add_key_value=False
    )
    root = etree.Element(f"{{{_CONTAINER}}}XAdESSignatures", nsmap={"asic": _CONTAINER})
    root.append(signed)
    content: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return content
