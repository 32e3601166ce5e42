"""Whether a certificate may sign here: its chain, its dates, its key and its usage, and the revocation lists."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import verification

from errors import ConfigurationError, UntrustedCertificate

MIN_RSA_BITS = 2048
CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)


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


def load_revocations(directory: Path) -> tuple[x509.CertificateRevocationList, ...]:
    """Read the revocation lists `*.pem` in a directory (`crl/`).

    Raises: ConfigurationError naming the file.
    """
    lists: list[x509.CertificateRevocationList] = []
    for file in sorted(directory.glob("*.pem")):
        try:
            lists.append(x509.load_pem_x509_crl(file.read_bytes()))
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"{file}: no revocation list in PEM") from error
    return tuple(lists)


def read(der: bytes) -> x509.Certificate:
    """Read a certificate that came in a message.

    Raises: UntrustedCertificate when it is none.
    """
    try:
        certificate = x509.load_der_x509_certificate(der)
        # Both are parsed only when asked for; a broken one must be found here.
        certificate.extensions  # noqa: B018 — asked for its error
        certificate.public_key()
    except (ValueError, TypeError, x509.DuplicateExtension, *_UNSUPPORTED) as error:
        raise UntrustedCertificate("the token is no X.509 certificate that can be read") from error
    return certificate
