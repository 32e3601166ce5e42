"""Questions to an OCSP responder, and when its answer is believed.

An answer is believed when the issuer of the certificate signed it, or a responder to whom the issuer gave a
certificate for that (extended key usage OCSPSigning); when it speaks of the certificate that was asked about; and
when it is up to date. Who is asked is never read from a certificate or a message.
Source: RFC 6960 (3.2, 4.2.2.2), RFC 9654 (nonce).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.oid import SignatureAlgorithmOID as Algorithm

from errors import UntrustedCertificate
from security import certificates
from security.revocation import SKEW, Status

_NONCE_BYTES = 16
# An answer without nextUpdate says that there may be a newer one at any time.
_UNDATED = timedelta(hours=1)
# No answer holds for longer than this, whatever it says: a key that is stolen must not buy a year.
_LONGEST = timedelta(days=10)
_HASHES = {
    Algorithm.RSA_WITH_SHA256: hashes.SHA256(),
    Algorithm.RSA_WITH_SHA384: hashes.SHA384(),
    Algorithm.RSA_WITH_SHA512: hashes.SHA512(),
    Algorithm.ECDSA_WITH_SHA256: hashes.SHA256(),
    Algorithm.ECDSA_WITH_SHA384: hashes.SHA384(),
    Algorithm.ECDSA_WITH_SHA512: hashes.SHA512(),
}
_STATUSES = {
    ocsp.OCSPCertStatus.GOOD: Status.GOOD,
    ocsp.OCSPCertStatus.REVOKED: Status.REVOKED,
    ocsp.OCSPCertStatus.UNKNOWN: Status.UNKNOWN,
}
# What the library raises for an answer that it cannot read; not all of it is a ValueError.
_UNREADABLE = (ValueError, TypeError, x509.DuplicateExtension, x509.InvalidVersion, UnsupportedAlgorithm)


class AnswerNotBelieved(Exception):
    """An answer that says nothing; the text says why, in words of ours only."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question about one certificate, and the bytes that ask it."""

    certificate: x509.Certificate
    issuer: x509.Certificate
    request: ocsp.OCSPRequest
    nonce: bytes

    @property
    def content(self) -> bytes:
        """The request in DER."""
        return self.request.public_bytes(Encoding.DER)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a responder said, verified. `held`: revoked for a time only; `signer_ends`: of a delegated responder."""

    status: Status
    held: bool
    this_update: datetime
    ends: datetime
    signer_ends: datetime | None


def ask(certificate: x509.Certificate, issuer: x509.Certificate) -> Question:
    """A question with a nonce."""
    nonce = os.urandom(_NONCE_BYTES)
    # SHA-1 only names the certificate, as every responder understands it; what counts is signed by other digests.
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA1())  # noqa: S303 — see above
    return Question(
        certificate, issuer, builder.add_extension(x509.OCSPNonce(nonce), critical=False).build(), nonce
    )


def read(
    content: bytes,
    question: Question,
    now: datetime,
    revocations: Sequence[x509.CertificateRevocationList] = (),
) -> Answer:
    """Believe an answer, or say why not. `revocations`: a responder named in one of the issuer's is not believed.

    Raises: AnswerNotBelieved.
    """
    try:
        response = ocsp.load_der_ocsp_response(content)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            raise AnswerNotBelieved(f"the responder refuses: {response.response_status.name.lower()}")
        signer = _signer(response, question.issuer, revocations, now)
        _refuse_forged(response, signer or question.issuer)
        _refuse_other_nonce(response, question)
        single = _single(response, question)
        this_update, end = single.this_update_utc, single.next_update_utc
        status = _STATUSES[single.certificate_status]
        held = single.revocation_reason in (
            x509.ReasonFlags.certificate_hold,
            x509.ReasonFlags.remove_from_crl,
        )
    except _UNREADABLE as error:
        raise AnswerNotBelieved("it cannot be read") from error
    if this_update > now + SKEW:
        raise AnswerNotBelieved("it is of a time to come")
    if end is not None and end <= this_update:
        raise AnswerNotBelieved("it ends before it begins")
    end = min(this_update + _UNDATED if end is None else end, this_update + _LONGEST)
    if end < now - SKEW:
        raise AnswerNotBelieved("it is out of date")
    return Answer(status, held, this_update, end, signer.not_valid_after_utc if signer is not None else None)


def _signer(
    response: ocsp.OCSPResponse,
    issuer: x509.Certificate,
    revocations: Sequence[x509.CertificateRevocationList],
    now: datetime,
) -> x509.Certificate | None:
    """The delegated responder that an answer names, checked; None when it names the issuer itself.

    Raises: AnswerNotBelieved.
    """
    if _names(response, issuer):
        return None
    for certificate in response.certificates:
        if not _names(response, certificate):
            continue
        try:
            certificates.check(certificate, (issuer,), revocations, now, certificates.ONLY_NAMED)
            purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        except UntrustedCertificate as error:
            raise AnswerNotBelieved("its signer has no certificate of the issuer that holds") from error
        except x509.ExtensionNotFound as error:
            raise AnswerNotBelieved("its signer is not one for answers (OCSPSigning)") from error
        if ExtendedKeyUsageOID.OCSP_SIGNING not in purposes:
            raise AnswerNotBelieved("its signer is not one for answers (OCSPSigning)")
        return certificate
    raise AnswerNotBelieved("its signer is neither the issuer nor a responder whose certificate it holds")


def _names(response: ocsp.OCSPResponse, certificate: x509.Certificate) -> bool:
    if response.responder_name is not None:
        return response.responder_name == certificate.subject
    # The digest is the one that RFC 6960 (4.2.1) demands for this; it decides nothing.
    return (
        response.responder_key_hash
        == x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest
    )


def _refuse_forged(response: ocsp.OCSPResponse, signer: x509.Certificate) -> None:
    algorithm = _HASHES.get(response.signature_algorithm_oid)
    key = signer.public_key()
    if algorithm is None:
        raise AnswerNotBelieved("it is signed by an algorithm that does not count")
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(response.signature, response.tbs_response_bytes, padding.PKCS1v15(), algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(response.signature, response.tbs_response_bytes, ec.ECDSA(algorithm))
        else:
            raise AnswerNotBelieved("it is signed by a key that does not count")
    except InvalidSignature as error:
        raise AnswerNotBelieved("its signature does not hold") from error


def _refuse_other_nonce(response: ocsp.OCSPResponse, question: Question) -> None:
    """Responders that prepare their answers leave the nonce out; the dates bound those."""
    for extension in response.extensions:
        if isinstance(extension.value, x509.OCSPNonce):
            if extension.value.nonce != question.nonce:
                raise AnswerNotBelieved("it answers another question (nonce)")
        elif extension.critical:
            raise AnswerNotBelieved("it has a critical extension that is not known")


def _single(response: ocsp.OCSPResponse, question: Question) -> ocsp.OCSPSingleResponse:
    """The part of an answer that is about the certificate."""
    asked = question.request
    for single in response.responses:
        if (
            single.serial_number == asked.serial_number
            and single.hash_algorithm.name == asked.hash_algorithm.name
            and single.issuer_name_hash == asked.issuer_name_hash
            and single.issuer_key_hash == asked.issuer_key_hash
        ):
            return single
    raise AnswerNotBelieved("it is about another certificate")
