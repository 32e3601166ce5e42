"""Keys and certificates as files: made once, whole, private, and fit for their use."""

from __future__ import annotations

import base64
import ssl
import stat
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st

from errors import ConfigurationError, UntrustedCertificate
from exchange import utc_now
from security import certificates, keys, wsse
from security.keys import Identity
from tests.security.messages import envelope

MADE = {
    f"{name}.{end}" for name in ("authority", "gateway", "tls", "pmlp", "vzd") for end in ("pem", "key")
} | {
    "log.key",
    "log.pub",
    "master.key",
    "subject.key",
    ".lock",
}


def _contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def _make(directory: Path) -> dict[str, bytes]:
    """What one of several processes does."""
    keys.new_keys(directory, ["pmlp"])
    return _contents(directory)


def _damaged(key: rsa.RSAPrivateKey, flips: dict[str, int]) -> bytes:
    """The key in PEM with bits of its numbers turned, by the number's name."""
    form = serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    found, numbers = key.private_bytes(*form), key.private_numbers()
    for name, mask in flips.items():
        number = getattr(numbers, name)
        size = (number.bit_length() + 7) // 8
        assert found.count(number.to_bytes(size)) == 1
        found = found.replace(number.to_bytes(size), (number ^ mask).to_bytes(size))
    return b"-----BEGIN PRIVATE KEY-----\n" + base64.encodebytes(found) + b"-----END PRIVATE KEY-----\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("state") / "keys"
    keys.new_keys(directory, ["pmlp", "vzd"])
    return directory


def test_all_are_made_and_private(made: Path) -> None:
    assert _contents(made).keys() == MADE
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in made.iterdir()} == {0o600}


def test_a_second_time_changes_nothing(made: Path) -> None:
    before = _contents(made)
    keys.new_keys(made, ["pmlp", "vzd"])
    assert _contents(made) == before


def test_only_what_is_missing_is_made(keys_directory: Path) -> None:
    keys.new_keys(keys_directory, [])
    before = _contents(keys_directory)
    (keys_directory / "gateway.pem").unlink()
    (keys_directory / "log.pub").unlink()
    keys.new_keys(keys_directory, ["sais"])
    after = _contents(keys_directory)
    assert after.keys() - before.keys() == {"sais.pem", "sais.key"}
    assert {name for name in before if before[name] != after[name]} == {"gateway.pem"}
    Identity.load(keys_directory / "gateway.pem", keys_directory / "gateway.key")


@pytest.mark.parametrize("missing", ["log.key", "gateway.key", "authority.key"])
def test_a_lost_key_is_not_made_up(keys_directory: Path, missing: str) -> None:
    keys.new_keys(keys_directory, [])
    (keys_directory / missing).unlink()
    with pytest.raises(ConfigurationError, match=missing.replace(".", r"\.")):
        keys.new_keys(keys_directory, ["pmlp"])


def test_without_the_authoritys_key_all_goes_on_while_nothing_is_missing(keys_directory: Path) -> None:
    keys.new_keys(keys_directory, ["pmlp"])
    (keys_directory / "authority.key").unlink()
    keys.new_keys(keys_directory, ["pmlp"])


def test_processes_that_start_at_once_see_the_same_keys(keys_directory: Path) -> None:
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        seen = list(pool.map(_make, [keys_directory] * 3))
    assert seen[0] == seen[1] == seen[2] == _contents(keys_directory)
    Identity.load(keys_directory / "pmlp.pem", keys_directory / "pmlp.key")


def test_certificates_are_fit_for_their_use(made: Path) -> None:
    authority = Identity.load(made / "authority.pem", made / "authority.key").certificate
    usage = authority.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.key_cert_sign
    assert not usage.digital_signature
    for name in ("gateway", "pmlp", "tls"):
        leaf = Identity.load(made / f"{name}.pem", made / f"{name}.key").certificate
        assert leaf.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature
        certificates.check(leaf, (authority,), (), utc_now())
    tls = Identity.load(made / "tls.pem", made / "tls.key").certificate
    names = tls.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    purposes = tls.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(purposes) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_tls_is_believed_by_openssl(made: Path, host: str) -> None:
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(made / "tls.pem", made / "tls.key")
    client_side = ssl.create_default_context(cafile=made / "authority.pem")
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_side.wrap_bio(to_client, to_server, server_hostname=host)
    server = server_side.wrap_bio(to_server, to_client, server_side=True)
    waiting = [client, server]
    for _ in range(10):
        for side in list(waiting):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(side)
    assert not waiting


def test_two_installations_have_two_authorities(made: Path, keys_directory: Path) -> None:
    keys.new_keys(keys_directory, [])
    names = {
        certificates.load_authorities(directory / "authority.pem")[0].subject
        for directory in (made, keys_directory)
    }
    assert len(names) == 2


@pytest.mark.parametrize("key_type", ["rsa", "p256"])
def test_an_issued_identity_signs(keys_directory: Path, made: Path, key_type: str) -> None:
    for name in ("authority.pem", "authority.key"):
        keys_directory.mkdir(exist_ok=True)
        (keys_directory / name).write_bytes((made / name).read_bytes())
    identity = keys.issue(keys_directory, "riga", key_type=key_type)
    assert isinstance(identity.key, ec.EllipticCurvePrivateKey) is (key_type == "p256")
    loaded = Identity.load(keys_directory / "riga.pem", keys_directory / "riga.key")
    assert loaded.certificate == identity.certificate
    policy = wsse.Policy(certificates.load_authorities(keys_directory / "authority.pem"))
    verified = wsse.verify(wsse.sign(envelope(), loaded, now=utc_now()), policy, now=utc_now())
    assert keys.fingerprint(verified.certificate) == keys.fingerprint(identity.certificate)
    assert keys.issue(keys_directory, "riga", key_type=key_type).certificate != identity.certificate
    short = keys.issue(keys_directory, "short", key_type="p256", days=1).certificate
    assert short.not_valid_after_utc - utc_now() < timedelta(days=1)


@pytest.mark.parametrize("name", ["", "..", "a/b", "Upper", "authority", "log", "a" * 64])
def test_a_bad_name_is_refused(keys_directory: Path, name: str) -> None:
    with pytest.raises(ConfigurationError):
        keys.new_keys(keys_directory, [name])
    with pytest.raises(ConfigurationError):
        keys.issue(keys_directory, name)


def test_a_bad_key_type_is_refused(made: Path) -> None:
    with pytest.raises(ConfigurationError):
        keys.issue(made, "riga", key_type="rsa1024")


def test_what_does_not_belong_together_is_refused(made: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_bytes(b"")
    for pair in (
        ("pmlp.pem", "vzd.key"),
        ("pmlp.pem", "log.key"),
        ("pmlp.key", "pmlp.key"),
        ("none.pem", "pmlp.key"),
    ):
        with pytest.raises(ConfigurationError):
            Identity.load(made / pair[0], made / pair[1])
    for read in (keys.load_secret, keys.load_log_key):
        for path in (empty, tmp_path / "none"):
            with pytest.raises(ConfigurationError):
                read(path)
    with pytest.raises(ConfigurationError):
        keys.load_log_key(made / "pmlp.key")


@pytest.mark.parametrize("number", ["p", "q", "d", "dmp1", "dmq1", "iqmp"])
@pytest.mark.parametrize("bit", [1, 700])
def test_a_damaged_key_signs_nothing_false(made: Path, tmp_path: Path, number: str, bit: int) -> None:
    """It is refused, or OpenSSL gets round the damage and its signatures hold."""
    known = Identity.load(made / "pmlp.pem", made / "pmlp.key").key
    assert isinstance(known, rsa.RSAPrivateKey)
    path = tmp_path / "pmlp.key"
    path.write_bytes(_damaged(known, {number: 1 << bit}))
    with suppress(ConfigurationError):
        key = Identity.load(made / "pmlp.pem", path).key
        assert isinstance(key, rsa.RSAPrivateKey)
        for message in (b"one", b"another"):
            signature = key.sign(message, padding.PKCS1v15(), hashes.SHA256())
            known.public_key().verify(signature, message, padding.PKCS1v15(), hashes.SHA256())


def test_a_key_without_its_exponent_is_refused(made: Path, tmp_path: Path) -> None:
    known = Identity.load(made / "pmlp.pem", made / "pmlp.key").key
    assert isinstance(known, rsa.RSAPrivateKey)
    path = tmp_path / "pmlp.key"
    path.write_bytes(_damaged(known, {"d": 8, "dmp1": 8, "dmq1": 8}))
    with pytest.raises(ConfigurationError, match=r"pmlp\.key: the key is damaged"):
        Identity.load(made / "pmlp.pem", path)


def test_secrets_and_the_log_key_are_read(made: Path) -> None:
    assert len(keys.load_secret(made / "master.key")) == 32
    assert keys.load_secret(made / "master.key") != keys.load_secret(made / "subject.key")
    public = keys.load_log_key(made / "log.key").public_key()
    assert public == serialization.load_pem_public_key((made / "log.pub").read_bytes())


def test_a_key_is_not_in_its_text(made: Path) -> None:
    identity = Identity.load(made / "pmlp.pem", made / "pmlp.key")
    assert repr(identity) == f"Identity({keys.fingerprint(identity.certificate)})"


def test_trust_and_revocation_directories(made: Path, tmp_path: Path) -> None:
    trust = tmp_path / "trust"
    trust.mkdir()
    assert certificates.load_authorities(trust) == ()
    assert certificates.load_revocations(tmp_path / "none") == ()
    (trust / "one.pem").write_bytes((made / "authority.pem").read_bytes())
    (trust / "notes.txt").write_text("not read")
    assert len(certificates.load_authorities(trust)) == 1
    with pytest.raises(ConfigurationError, match=r"one\.pem"):
        certificates.load_revocations(trust)
    (trust / "two.pem").write_text("no certificate")
    with pytest.raises(ConfigurationError, match=r"two\.pem"):
        certificates.load_authorities(trust)


def test_every_list_of_a_file_revokes(made: Path, tmp_path: Path) -> None:
    authority = Identity.load(made / "authority.pem", made / "authority.key")
    now = utc_now()

    def revoking(serial: int) -> bytes:
        one = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now).build()
        lists = x509.CertificateRevocationListBuilder().issuer_name(authority.certificate.subject)
        lists = lists.last_update(now).next_update(now + timedelta(days=1)).add_revoked_certificate(one)
        return lists.sign(authority.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    partner = Identity.load(made / "pmlp.pem", made / "pmlp.key").certificate
    file = tmp_path / "lists.pem"
    file.write_bytes(b"Of the year before last:\n" + revoking(1) + revoking(partner.serial_number))
    lists = certificates.load_revocations(tmp_path)
    assert len(lists) == 2
    with pytest.raises(UntrustedCertificate, match="revoked"):
        certificates.check(partner, (authority.certificate,), lists, now)


@pytest.mark.parametrize(
    "changed",
    [
        # X.509 has no version 4.
        (b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x03"),
        # A general name of a kind that the library does not read (x400Address).
        (b"\x82\x09localhost", b"\xa3\x09localhost"),
        # A name that is no UTF-8.
        (b"gateway", b"\xff\xff\xff\xff\xff\xff\xff"),
    ],
)
def test_a_certificate_that_cannot_be_read_is_not_trusted(made: Path, changed: tuple[bytes, bytes]) -> None:
    broken = 0
    for name in ("tls", "gateway"):
        der = Identity.load(made / f"{name}.pem", made / f"{name}.key").certificate.public_bytes(
            serialization.Encoding.DER
        )
        if changed[0] in der:
            broken += 1
            with pytest.raises(UntrustedCertificate):
                certificates.read(der.replace(*changed))
    assert broken


@given(data=st.data())
@settings(deadline=None)
def test_a_certificate_with_bytes_changed_is_read_or_refused(made: Path, data: st.DataObject) -> None:
    authorities = certificates.load_authorities(made / "authority.pem")
    certificate = Identity.load(made / "tls.pem", made / "tls.key").certificate
    der = bytearray(certificate.public_bytes(serialization.Encoding.DER))
    for _ in range(data.draw(st.integers(1, 3))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    with suppress(UntrustedCertificate):
        certificates.check(certificates.read(bytes(der)), authorities, (), utc_now())
