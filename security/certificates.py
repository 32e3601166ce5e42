"""Whether a certificate may sign here: its chain, its dates, its key and its usage, and the revocation lists."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import verification

from errors import ConfigurationError, ExpiredCertificate, UntrustedCertificate
from security import revocation
from security.revocation import Rules

MIN_RSA_BITS = 2048
CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)

NO_RULES = Rules()
# What a list revokes is refused, and nobody is held to be up to date.
ONLY_NAMED = Rules(refuse_stale=False)
# As many partners' certificates as there may be, and more.
_MOST_CHAINS = 1024
# What the library raises for a certificate that it cannot read; not all of it is a ValueError.
_UNREADABLE = (
    ValueError,
    TypeError,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
    UnsupportedAlgorithm,
)


def load_authorities(path: Path) -> tuple[x509.Certificate, ...]:
    """Read the certificates of a PEM file, or of all `*.pem` in a directory (`trust/`).

    Raises: ConfigurationError naming the file.
    """
    certificates: list[x509.Certificate] = []
    for file in sorted(path.glob("*.pem")) if path.is_dir() else [path]:
        try:
            certificates += x509.load_pem_x509_certificates(file.read_bytes())
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"{file}: no certificates in PEM") from error
    return tuple(certificates)


def load_revocations(path: Path) -> tuple[x509.CertificateRevocationList, ...]:
    """Read the revocation lists of a file, or of all `*.pem` in a directory (`crl/`), one or more in each.

    Raises: ConfigurationError naming the file: it cannot be read, or is of a kind that is not understood.
    """
    lists: list[x509.CertificateRevocationList] = []
    for file in [path] if path.is_file() else sorted(path.glob("*.pem")):
        try:
            lists += revocation.read_lists(file.read_bytes())
        except OSError as error:
            raise ConfigurationError(f"{file}: cannot be read") from error
        except ConfigurationError as error:
            raise ConfigurationError(f"{file}: {error.detail}") from error
    return tuple(lists)


def read(der: bytes) -> x509.Certificate:
    """Read a certificate that came in a message.

    Raises: UntrustedCertificate when it is none.
    """
    try:
        certificate = x509.load_der_x509_certificate(der)
        # These are parsed only when asked for; what is broken must be found here.
        _ = certificate.extensions, certificate.subject, certificate.issuer
        _ = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        _ = certificate.public_key()
    except _UNREADABLE as error:
        raise UntrustedCertificate("the token is no X.509 certificate that can be read") from error
    return certificate


class Chains:
    """The chains that were found for the certificates of one set of authorities, so that each is looked for once.

    Whether a chain holds does not change, but for the dates of its certificates, which are looked at every time.
    """

    def __init__(self) -> None:
        self._found: dict[x509.Certificate, tuple[x509.Certificate, ...]] = {}

    def find(
        self, certificate: x509.Certificate, authorities: Sequence[x509.Certificate], now: datetime
    ) -> tuple[x509.Certificate, ...]:
        """The certificate, and up to an authority whoever issued the one before. Raises: UntrustedCertificate."""
        chain = self._found.get(certificate)
        if chain is None or not all(
            one.not_valid_before_utc <= now <= one.not_valid_after_utc for one in chain
        ):
            chain = _chain(certificate, authorities, now)
            if len(self._found) >= _MOST_CHAINS:
                self._found.clear()
            self._found[certificate] = chain
        return chain


def check(
    certificate: x509.Certificate,
    authorities: Sequence[x509.Certificate],
    revocations: Sequence[x509.CertificateRevocationList],
    now: datetime,
    rules: Rules = NO_RULES,
    chains: Chains | None = None,
) -> None:
    """Check that a certificate may sign messages at an instant.

    Shape: issued by one of the authorities (an intermediate may be one of them); within its dates; RSA of 2048 bits
    or more, or P-256, P-384, P-521; digitalSignature where it has a key usage; not itself an authority; not revoked,
    and that known as `rules` ask. `chains` belong to these authorities.
    A subject alternative name is not asked for: partners sign with seals, which have none.
    Raises: UntrustedCertificate; beneath it ExpiredCertificate, RevokedCertificate, RevocationUnknown.
    """
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < MIN_RSA_BITS:
            raise UntrustedCertificate(f"RSA key under {MIN_RSA_BITS} bits")
    elif not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, CURVES):
        raise UntrustedCertificate("neither an RSA key nor one on P-256, P-384 or P-521")
    if now > certificate.not_valid_after_utc:
        raise ExpiredCertificate("outside its dates")
    if now < certificate.not_valid_before_utc:
        raise UntrustedCertificate("outside its dates: not valid yet")
    if certificate.version is not x509.Version.v3:
        raise UntrustedCertificate("X.509 version 1; version 3 is needed")
    if not authorities:
        raise UntrustedCertificate("no authority is trusted")
    chain = (chains or Chains()).find(certificate, authorities, now)
    for issued, issuer in pairwise(chain):
        revocation.check(issued, issuer, revocations, authorities, rules, now)


def _chain(
    certificate: x509.Certificate, authorities: Sequence[x509.Certificate], now: datetime
) -> tuple[x509.Certificate, ...]:
    verifier = (
        verification.PolicyBuilder()
        .store(verification.Store(list(authorities)))
        .time(now)
        .extension_policies(
            # An authority says that it is one. What the web asks of its own besides, agencies' authorities often lack.
            ca_policy=verification.ExtensionPolicy.permit_all()
            .require_present(x509.BasicConstraints, verification.Criticality.AGNOSTIC, _is_authority)
            .may_be_present(x509.KeyUsage, verification.Criticality.AGNOSTIC, _certifies),
            ee_policy=verification.ExtensionPolicy.permit_all()
            .may_be_present(x509.KeyUsage, verification.Criticality.AGNOSTIC, _signs)
            .may_be_present(x509.BasicConstraints, verification.Criticality.AGNOSTIC, _is_leaf),
        )
        .build_client_verifier()
    )
    try:
        return tuple(verifier.verify(certificate, []).chain)
    except (verification.VerificationError, ValueError) as error:
        # The library's message names subjects: it stays in the chained error.
        raise UntrustedCertificate(
            "no chain to a trusted authority, or not a certificate for signatures"
        ) from error


def _signs(_policy: object, _certificate: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    if usage is not None and not usage.digital_signature:
        raise ValueError("the key usage has no digitalSignature")


def _certifies(_policy: object, _certificate: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    if usage is not None and not usage.key_cert_sign:
        raise ValueError("the key usage of an authority has no keyCertSign")


def _is_authority(
    _policy: object, _certificate: x509.Certificate, constraints: x509.BasicConstraints
) -> None:
    if not constraints.ca:
        raise ValueError("not an authority")


def _is_leaf(
    _policy: object, _certificate: x509.Certificate, constraints: x509.BasicConstraints | None
) -> None:
    if constraints is not None and constraints.ca:
        raise ValueError("an authority signs no messages")
