"""An issuer of certificates that revokes: its lists, and its answers, right and wrong ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from security.keys import Identity, PrivateKey

HOUR = timedelta(hours=1)
POINT = "http://crl.example/agency.crl"


def issued(
    name: str,
    issuer: Identity | None,
    now: datetime,
    *,
    ca: bool = False,
    key: PrivateKey | None = None,
    days: float = 30,
    purposes: Sequence[x509.ObjectIdentifier] = (),
    point: str = "",
    serial: int | None = None,
) -> Identity:
    """An identity; without an issuer its own."""
    own = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    above = own if issuer is None else issuer.key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.certificate.subject)
        .public_key(own.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(above.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(not ca, not ca, False, False, False, ca, ca, False, False), critical=True
        )
    )
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(list(purposes)), critical=False)
    if point:
        builder = builder.add_extension(x509.CRLDistributionPoints([_point(point)]), critical=False)
    return Identity(builder.sign(above, hashes.SHA256()), own)


def revoking(
    issuer: Identity,
    begin: datetime,
    *serials: int,
    end: datetime | None = None,
    number: int | None = None,
    reason: x509.ReasonFlags | None = None,
    more: Sequence[tuple[x509.ExtensionType, bool]] = (),
    more_of_entry: Sequence[tuple[x509.ExtensionType, bool]] = (),
    signer: PrivateKey | None = None,
) -> x509.CertificateRevocationList:
    """A list of an issuer, for a day unless said otherwise."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(begin)
        .next_update(end or begin + timedelta(days=1))
    )
    if number is not None:
        builder = builder.add_extension(x509.CRLNumber(number), critical=False)
    for extension, critical in more:
        builder = builder.add_extension(extension, critical)
    for serial in serials:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(begin)
        if reason is not None:
            entry = entry.add_extension(x509.CRLReason(reason), critical=False)
        for extension, critical in more_of_entry:
            entry = entry.add_extension(extension, critical)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(signer or issuer.key, hashes.SHA256())


def part(point: str = "", **what: bool) -> x509.IssuingDistributionPoint:
    """The extension by which a list says of which certificates it is."""
    known = dict.fromkeys(
        (
            "only_contains_user_certs",
            "only_contains_ca_certs",
            "indirect_crl",
            "only_contains_attribute_certs",
        ),
        False,
    )
    names = [x509.UniformResourceIdentifier(point)] if point else None
    return x509.IssuingDistributionPoint(names, None, only_some_reasons=None, **known | what)


def pem(*lists: x509.CertificateRevocationList) -> bytes:
    return b"".join(one.public_bytes(Encoding.PEM) for one in lists)


@dataclass(frozen=True)
class Saying:
    """How a responder answers, right in everything unless said otherwise."""

    status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD
    begin: timedelta = timedelta(0)
    end: timedelta | None = HOUR
    reason: x509.ReasonFlags | None = None
    signer: Identity | None = None
    enclosed: Sequence[x509.Certificate] | None = None
    about: x509.Certificate | None = None
    nonce: bytes | None = None
    by_hash: bool = False
    digest: type[hashes.HashAlgorithm] = hashes.SHA256

    def answer(self, request: bytes, certificate: x509.Certificate, issuer: Identity, now: datetime) -> bytes:
        """The bytes that answer a request about a certificate."""
        asked = ocsp.load_der_ocsp_request(request)
        signer = self.signer or issuer
        revoked = self.status is ocsp.OCSPCertStatus.REVOKED
        encoding = ocsp.OCSPResponderEncoding.HASH if self.by_hash else ocsp.OCSPResponderEncoding.NAME
        builder = (
            ocsp.OCSPResponseBuilder()
            .add_response(
                self.about or certificate,
                issuer.certificate,
                asked.hash_algorithm,
                self.status,
                now + self.begin,
                None if self.end is None else now + self.end,
                now - HOUR if revoked else None,
                self.reason if revoked else None,
            )
            .responder_id(encoding, signer.certificate)
        )
        enclosed = [signer.certificate] if self.enclosed is None else list(self.enclosed)
        if self.signer is not None and enclosed:
            builder = builder.certificates(enclosed)
        given = self.nonce
        if given is None:
            given = asked.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce
        if given:
            builder = builder.add_extension(x509.OCSPNonce(given), critical=False)
        return builder.sign(signer.key, self.digest()).public_bytes(Encoding.DER)


def delegated(
    issuer: Identity, now: datetime, *purposes: x509.ObjectIdentifier, days: float = 30
) -> Identity:
    """A responder to whom an issuer gave a certificate, for answers unless said otherwise."""
    return issued(
        "responder", issuer, now, days=days, purposes=purposes or (ExtendedKeyUsageOID.OCSP_SIGNING,)
    )


def _point(url: str) -> x509.DistributionPoint:
    return x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None)
