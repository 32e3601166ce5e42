"""Private keys and the certificates that belong to them, as files: made once, read at start-up, never logged.

`new_keys` makes what an installation needs to begin, with a test authority of its own. Where a real authority issues
the certificates, the operator puts them in place of the test ones and takes `authority.key` away.
"""

from __future__ import annotations

import fcntl
import hashlib
import ipaddress
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeAlias

from cryptography import x509
from cryptography.exceptions import InternalError, InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from errors import ConfigurationError
from exchange import Environment, utc_now

PrivateKey: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

AUTHORITY_DAYS = 3650
LEAF_DAYS = 825
SECRET_BYTES = 32

# In the directory of the keys: whose they are.
MARK = "environment"
_TEST_AUTHORITY = "Test authority "

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_RESERVED = frozenset(
    {"authority", "gateway", "tls", "log", "master", "master-next", "master-previous", "subject"}
)
_TRIAL = b"a key on trial"
# Clocks differ a little: a certificate made now must hold on a machine that is behind.
_BACKDATED = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Identity:
    """A private key, its certificate, and the certificates above it that came in the same file (without the root)."""

    certificate: x509.Certificate
    key: PrivateKey
    chain: tuple[x509.Certificate, ...] = ()

    def __repr__(self) -> str:
        return f"Identity({fingerprint(self.certificate)})"

    @classmethod
    def load(cls, cert_path: Path, key_path: Path) -> Identity:
        """Read an identity from two PEM files; the first certificate is the one of the key.

        A key that is damaged is found by a signature on trial: the look at its primes that OpenSSL would take costs as
        much as fifty signatures, for each of our systems and each process.
        Raises: ConfigurationError naming the file: unreadable, of another kind, damaged, or the two do not belong
        together.
        """
        try:
            certificates = x509.load_pem_x509_certificates(cert_path.read_bytes())
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"{cert_path}: no certificate in PEM") from error
        key = _load_key(key_path)
        if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
            raise ConfigurationError(f"{key_path}: neither an RSA nor an EC key")
        if certificates[0].public_key() != key.public_key():
            raise ConfigurationError(f"{key_path}: not the key of {cert_path.name}")
        if not _signs(key):
            raise ConfigurationError(f"{key_path}: the key is damaged")
        return cls(certificates[0], key, tuple(certificates[1:]))


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the certificate's DER bytes, lower-case hex."""
    return hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).hexdigest()


def load_secret(path: Path) -> bytes:
    """Read a secret of 32 bytes (`master.key`, `subject.key`).

    Raises: ConfigurationError naming the file.
    """
    try:
        secret = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read") from error
    if len(secret) != SECRET_BYTES:
        raise ConfigurationError(f"{path}: not {SECRET_BYTES} bytes")
    return secret


def load_log_key(path: Path) -> ed25519.Ed25519PrivateKey:
    """Read the key that signs checkpoints and receipts (`log.key`).

    Raises: ConfigurationError naming the file.
    """
    key = _load_key(path)
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise ConfigurationError(f"{path}: not an Ed25519 key")
    return key


def new_keys(directory: Path, names: Iterable[str]) -> None:
    """Make the keys that are missing: the test authority, gateway, tls, log, master, subject, and one per name.

    Shape: `<name>.pem` and `<name>.key`, `log.key` and `log.pub` (Ed25519), `master.key` and `subject.key` (32 bytes).
    Nothing that exists is changed; processes that start at once wait for each other. Files 0600, directory 0700.
    Raises: ConfigurationError for a bad name, or when half of a pair is missing that cannot be made again.
    """
    wanted = tuple(_checked(name) for name in names)
    with locked(directory):
        for name in ("master", "subject"):
            if not (path := directory / f"{name}.key").exists():
                write_file(path, os.urandom(SECRET_BYTES))
        _log_pair(directory)
        authority = directory / "authority.pem"
        if not authority.exists():
            key = _missing_key(directory, "authority", "rsa")
            write_file(authority, _pem(_authority_certificate(key)))
        for name in ("gateway", "tls", *wanted):
            if not (path := directory / f"{name}.pem").exists():
                key = _missing_key(directory, name, "rsa")
                write_file(path, _pem(_leaf_certificate(directory, name, key, LEAF_DAYS)))
            elif not (directory / f"{name}.key").exists():
                raise ConfigurationError(f"{directory / name}.key is missing while {name}.pem exists")


def claim(directory: Path, environment: Environment) -> None:
    """Mark the keys as those of an environment, once: from then on the other one does not start with them.

    Raises: ConfigurationError when they are the other one's.
    """
    with locked(directory):
        mark = directory / MARK
        if not mark.exists():
            write_file(mark, f"{environment.value}\n".encode())
        elif (said := mark.read_text(encoding="utf-8", errors="replace").strip()) != environment.value:
            raise ConfigurationError(f"{directory} holds the keys of another environment: {said[:20]}")


def of_test_authority(certificate: x509.Certificate) -> bool:
    """Whether it is the certificate of an authority that `new_keys` made, here or elsewhere."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return any(str(name.value).startswith(_TEST_AUTHORITY) for name in names)


def issue(directory: Path, name: str, *, key_type: str = "rsa", days: int = LEAF_DAYS) -> Identity:
    """Issue a new key and certificate from the test authority, for partners in demonstrations and tests.

    Shape: `key_type` is `rsa` (2048) or `p256`; `<name>.pem` and `<name>.key` are replaced.
    Raises: ConfigurationError for a bad name or key type, or without the test authority's key.
    """
    _checked(name)
    with locked(directory):
        key = _new_key(key_type)
        certificate = _leaf_certificate(directory, name, key, days)
        write_file(directory / f"{name}.key", _private_pem(key))
        write_file(directory / f"{name}.pem", _pem(certificate))
    return Identity(certificate, key)


def read_files(directory: Path) -> dict[str, bytes]:
    """Every key and certificate file of the directory and its mark, by name: what a bundle for custodians holds.

    Raises: ConfigurationError when one that cannot be made again is missing.
    """
    files = {
        path.name: path.read_bytes()
        for pattern in ("*.key", "*.pem", "log.pub", "*.vkey", MARK)
        for path in sorted(directory.glob(pattern))
        if not path.name.startswith(".")
    }
    for name in ("master.key", "subject.key", "log.key", "log.pub", "gateway.key", "gateway.pem"):
        if name not in files:
            raise ConfigurationError(
                f"{directory / name} is missing: gateway keys new, or gateway keys unescrow"
            )
    return files


def put_files(directory: Path, files: Mapping[str, bytes]) -> list[str]:
    """Put key files in place, 0600 in a directory 0700, and name those that were not there.

    Raises: ConfigurationError when one is there with other content: nothing is changed then.
    """
    with locked(directory):
        there = {name for name in files if (directory / name).exists()}
        for name in sorted(there):
            if (directory / name).read_bytes() != files[name]:
                raise ConfigurationError(
                    f"{directory / name} is there and is another one; move it away if the bundle's is wanted"
                )
        missing = sorted(files.keys() - there)
        for name in missing:
            write_file(directory / name, files[name])
    return missing


def replace_file(directory: Path, name: str, data: bytes) -> None:
    """Put one file of the directory in place whole, 0600, whatever was there before."""
    with locked(directory):
        write_file(directory / name, data)


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise ConfigurationError(f"not a name for a key: {name}")
    return name


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the directory's lock: the process that comes second finds the files of the first."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    directory.chmod(0o700)
    descriptor = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write_file(path: Path, data: bytes) -> None:
    """Put a file in place whole: written beside, synced, renamed; the directory synced too."""
    # mkstemp makes the file 0600, so the key is never readable for others, not even for a moment.
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)


def _log_pair(directory: Path) -> None:
    private, public = directory / "log.key", directory / "log.pub"
    if not private.exists():
        if public.exists():
            # A new key under the old name would make the log look forged.
            raise ConfigurationError(f"{private} is missing while log.pub exists")
        write_file(private, _private_pem(ed25519.Ed25519PrivateKey.generate()))
    if not public.exists():
        write_file(
            public,
            load_log_key(private)
            .public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
        )


def _missing_key(directory: Path, name: str, key_type: str) -> PrivateKey:
    """The key for a certificate to be made: the one an interrupted run left, or a new one, in its file."""
    path = directory / f"{name}.key"
    if not path.exists():
        write_file(path, _private_pem(_new_key(key_type)))
    key = _load_key(path)
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise ConfigurationError(f"{path}: neither an RSA nor an EC key")
    return key


def _new_key(key_type: str) -> PrivateKey:
    if key_type == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    if key_type == "p256":
        return ec.generate_private_key(ec.SECP256R1())
    raise ConfigurationError(f"not a key type: {key_type}")


def _signs(key: PrivateKey) -> bool:
    """Whether a signature of it holds."""
    digest = hashes.SHA256()
    try:
        if isinstance(key, rsa.RSAPrivateKey):
            scheme = padding.PKCS1v15()
            key.public_key().verify(key.sign(_TRIAL, scheme, digest), _TRIAL, scheme, digest)
        else:
            ecdsa = ec.ECDSA(digest)
            key.public_key().verify(key.sign(_TRIAL, ecdsa), _TRIAL, ecdsa)
    except (ValueError, InvalidSignature, InternalError):
        return False
    return True


def _load_key(path: Path) -> object:
    try:
        return serialization.load_pem_private_key(
            path.read_bytes(), password=None, unsafe_skip_rsa_key_validation=True
        )
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationError(f"{path}: no private key in PEM, or one with a password") from error


def _private_pem(key: PrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _subject(name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "LV"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Test"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _certificate(
    subject: str, key: PrivateKey, issuer: str, issuer_key: PrivateKey, days: int
) -> x509.CertificateBuilder:
    now = utc_now()
    return (
        x509.CertificateBuilder()
        .subject_name(_subject(subject))
        .issuer_name(_subject(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
    )


def _authority_certificate(key: PrivateKey) -> x509.Certificate:
    # Two installations have two authorities: without a part of the key in the name they would pass for one.
    name = f"{_TEST_AUTHORITY}{x509.SubjectKeyIdentifier.from_public_key(key.public_key()).digest.hex()[:8]}"
    return (
        _certificate(name, key, name, key, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(authority=True), critical=True)
        .sign(key, hashes.SHA256())
    )


def _leaf_certificate(directory: Path, name: str, key: PrivateKey, days: int) -> x509.Certificate:
    authority = Identity.load(directory / "authority.pem", directory / "authority.key")
    issuer = str(authority.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
    builder = (
        _certificate(name, key, issuer, authority.key, days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(authority=False), critical=True)
    )
    if name == "tls":
        builder = builder.add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            ),
            critical=False,
        ).add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
            critical=False,
        )
    return builder.sign(authority.key, hashes.SHA256())
