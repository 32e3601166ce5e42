"""Outgoing calls over TLS: nothing of a message leaves for a server that is not the one meant."""

from __future__ import annotations

import gzip
import ipaddress
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

import config
import errors
from adapters import discover
from adapters.profiles import Message
from adapters.profiles.soap import SoapProfile
from exchange import utc_now
from mappings.pmlp import GetPersonRequest
from security.keys import Identity, new_keys
from tests.calls import Calls
from tests.exchanges.test_golden import CONTEXT

PMLP = discover()["pmlp"]
DAY = timedelta(days=1)
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 4\r\n\r\n<a/>"


@dataclass
class Authority:
    """An authority of a test, and the server certificates that it gives."""

    folder: Path
    name: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def __post_init__(self) -> None:
        self.subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])
        self.file = self._written(self.name, self._certificate(self.subject, self.key, authority=True))

    def server(
        self, name: str, host: str = "localhost", begins: timedelta = -DAY, ends: timedelta = DAY
    ) -> tuple[Path, Path]:
        """Certificate and key of a server: the host it is for, and from when to when, seen from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        certificate = self._certificate(subject, key, host=host, begins=begins, ends=ends)
        path = self.folder / f"{name}.key"
        path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return self._written(name, certificate), path

    def _certificate(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        host: str | None = None,
        begins: timedelta = -DAY,
        ends: timedelta = DAY,
        authority: bool = False,
    ) -> x509.Certificate:
        now = utc_now()
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + begins)
            .not_valid_after(now + ends)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False
            )
        )
        if authority:
            usage = x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=True,
                crl_sign=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            )
            builder = builder.add_extension(usage, critical=True)
        if host is not None:
            try:
                names: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
            except ValueError:
                names = x509.DNSName(host)
            builder = builder.add_extension(x509.SubjectAlternativeName([names]), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def _written(self, name: str, certificate: x509.Certificate) -> Path:
        path = self.folder / f"{name}.pem"
        path.write_bytes(certificate.public_bytes(Encoding.PEM))
        return path


@dataclass(frozen=True)
class World:
    """Our keys, the authority that a system's address is trusted by, and another one."""

    keys: Path
    authority: Authority
    stranger: Authority

    def profile(self, url: str, seconds: float = 5.0, *, trusted: bool = True) -> SoapProfile:
        tls_trust = self.authority.file if trusted else None
        system = config.System(url, "soap", seconds, self.keys / "pmlp.pem", tls_trust=tls_trust)
        identity = Identity.load(self.keys / "gateway.pem", self.keys / "gateway.key")
        return SoapProfile(PMLP, system, identity, self.keys / "authority.pem")

    def send(self, url: str, seconds: float = 5.0, *, trusted: bool = True) -> bytes:
        profile = self.profile(url, seconds, trusted=trusted)
        return profile.send(composed(profile), time.monotonic() + seconds)


def composed(profile: SoapProfile) -> Message:
    request = GetPersonRequest(context=CONTEXT, person_code="320000-00017", data_sets=("NAME_AND_CODE",))
    return profile.compose(PMLP.operations[0], request, "urn:uuid:018f0000-0000-7000-8000-000000000003")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("tls")
    new_keys(folder / "keys", ["pmlp"])
    return World(folder / "keys", Authority(folder, "trusted"), Authority(folder, "stranger"))


@dataclass
class Server:
    """A listening server: its port, and all bytes that it was told, after TLS where there is any."""

    port: int
    told: bytearray = field(default_factory=bytearray)
    connections: int = 0


def say(answer: bytes) -> Callable[[socket.socket], None]:
    """Take a message whole, then say this."""

    def serve(connection: socket.socket) -> None:
        connection.sendall(answer)

    return serve


@contextmanager
def server(serve: Callable[[socket.socket], None], context: ssl.SSLContext | None = None) -> Iterator[Server]:
    """A server of one connection at a time, over TLS where a context is given."""
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.05)
        running = Server(listening.getsockname()[1])

        def one(connection: socket.socket) -> None:
            connection.settimeout(5)
            if context is not None:
                connection = context.wrap_socket(connection, server_side=True)
            with connection:
                while b"Envelope>" not in running.told[-40:]:
                    piece = connection.recv(65536)
                    if not piece:
                        return
                    running.told += piece
                serve(connection)

        def listen() -> None:
            while not ended.is_set():
                with suppress(OSError):
                    connection, _ = listening.accept()
                    running.connections += 1
                    with connection:
                        one(connection)

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield running
        finally:
            ended.set()
            thread.join(20)


def serving(pair: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    return context


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_the_server_that_is_meant_is_spoken_to(world: World, host: str) -> None:
    with server(say(OK), serving(world.authority.server("right", host))) as running:
        assert world.send(f"https://{host}:{running.port}/") == b"<a/>"
    assert b"Envelope>" in running.told
    assert b"accept-encoding: identity" in bytes(running.told).lower()


WRONG: dict[str, Callable[[World], tuple[Path, Path]]] = {
    "another name": lambda world: world.authority.server("name", "pmlp.example"),
    "a name below": lambda world: world.authority.server("below", "a.localhost"),
    "the name as an address": lambda world: world.authority.server("address", "127.0.0.1"),
    "another authority": lambda world: world.stranger.server("chain"),
    "its own authority": lambda world: (world.stranger.file, key_of(world.stranger)),
    "expired": lambda world: world.authority.server("expired", begins=-3 * DAY, ends=-DAY),
    "expired a minute ago": lambda world: world.authority.server("late", ends=-timedelta(minutes=1)),
    "not yet valid": lambda world: world.authority.server("early", begins=DAY, ends=2 * DAY),
}


def key_of(authority: Authority) -> Path:
    path = authority.folder / f"{authority.name}.key"
    path.write_bytes(authority.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


@pytest.mark.parametrize("pair", WRONG.values(), ids=WRONG)
def test_a_certificate_that_is_not_right_gets_nothing_of_the_message(
    world: World, pair: Callable[[World], tuple[Path, Path]]
) -> None:
    with server(say(OK), serving(pair(world))) as running, pytest.raises(errors.SystemUnreachable):
        world.send(f"https://localhost:{running.port}/")
    assert running.told == b""
    assert running.connections == 1, "no second try"


def test_without_an_authority_of_its_own_only_public_ones_count(world: World) -> None:
    with (
        server(say(OK), serving(world.authority.server("public"))) as running,
        pytest.raises(errors.SystemUnreachable),
    ):
        world.send(f"https://localhost:{running.port}/", trusted=False)
    assert running.told == b""


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")  # an old server is what is tested
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_tls_is_not_spoken(world: World, version: ssl.TLSVersion) -> None:
    context = serving(world.authority.server("old"))
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.maximum_version = version
    with server(say(OK), context) as running, pytest.raises(errors.SystemUnreachable):
        world.send(f"https://localhost:{running.port}/")
    assert running.told == b""


def test_plain_http_where_tls_should_be_is_no_server(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        heard: list[bytes] = []

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                heard.append(connection.recv(65536))
                connection.sendall(OK)

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(errors.SystemUnreachable):
            world.send(f"https://localhost:{listening.getsockname()[1]}/")
        thread.join(10)
    assert heard[0][:1] == b"\x16", "a handshake"
    assert b"Envelope" not in heard[0]


def test_an_authority_that_cannot_be_read_is_told_before_any_call(world: World, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    for path in (tmp_path / "empty.pem", tmp_path / "missing.pem"):
        system = config.System("https://localhost:1/", "soap", 1.0, world.keys / "pmlp.pem", tls_trust=path)
        identity = Identity.load(world.keys / "gateway.pem", world.keys / "gateway.key")
        with pytest.raises(errors.ConfigurationError):
            SoapProfile(PMLP, system, identity, world.keys / "authority.pem")


@pytest.mark.parametrize("status", [301, 302, 303, 305, 307, 308])
def test_no_redirect_is_followed(world: World, status: int, calls: Calls) -> None:
    head = f"HTTP/1.1 {status} Moved\r\nLocation: {calls.url}\r\nRefresh: 0; url={calls.url}\r\n"
    with server(say(head.encode() + b"Content-Length: 5\r\n\r\nmoved")) as running:
        profile = world.profile(f"http://127.0.0.1:{running.port}/")
        message = composed(profile)
        answer = profile.send(message, time.monotonic() + 5)
        assert answer == b"moved"
        with pytest.raises(errors.AnswerUnreadable):
            profile.read(PMLP.operations[0], message, answer)
    assert (calls.heard, running.connections) == ([], 1)


def test_a_proxy_of_the_environment_is_not_asked(
    world: World, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, calls.url)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(world.stranger.file))
    with server(say(OK), serving(world.authority.server("direct"))) as running:
        assert world.send(f"https://localhost:{running.port}/") == b"<a/>"
    with server(say(OK)) as running:
        assert world.send(f"http://127.0.0.1:{running.port}/") == b"<a/>"
    stranger = serving(world.stranger.server("theirs"))
    with server(say(OK), stranger) as running, pytest.raises(errors.SystemUnreachable):
        world.send(f"https://localhost:{running.port}/")
    assert calls.heard == []


BOMB = b"<a>" + b" " * 20_000_000 + b"</a>"


@pytest.mark.parametrize("coding", ["gzip", "deflate", "x-gzip", "br", "gzip, gzip", "GZIP"])
def test_a_compressed_answer_is_not_undone(world: World, coding: str) -> None:
    content = zlib.compress(BOMB) if coding == "deflate" else gzip.compress(BOMB, 6)
    lines = [f"Content-Encoding: {coding}", f"Content-Length: {len(content)}", "Location: /bomb", "", ""]
    for status in (200, 302, 500):
        head = "\r\n".join([f"HTTP/1.1 {status} Bomb", *lines]).encode()
        with (
            server(say(head + content)) as running,
            pytest.raises(errors.AnswerRefused, match="Content-Encoding") as refused,
        ):
            world.send(f"http://127.0.0.1:{running.port}/")
        assert not refused.value.retryable


def for_ever(connection: socket.socket, head: bytes, piece: bytes, pause: float) -> None:
    """Go on until the other side has had enough."""
    until = time.monotonic() + 30
    try:
        connection.sendall(head)
        if not piece:
            connection.recv(1)
            return
        while time.monotonic() < until:
            connection.sendall(piece)
            time.sleep(pause)
    except OSError:
        return


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
MEBIBYTE = b" " * 1_048_576
ENDLESS: dict[str, tuple[bytes, bytes]] = {
    "a body": (b"HTTP/1.1 200 OK\r\n\r\n", MEBIBYTE),
    "a body that says its size": (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", MEBIBYTE),
    "chunks": (CHUNKED, b"100000\r\n" + MEBIBYTE + b"\r\n"),
    "chunks with much around": (CHUNKED, (b"1;x=" + b"y" * 10_000 + b"\r\n \r\n") * 100),
    "the size of a chunk": (CHUNKED, b"0" * 1_048_576),
    "what follows the chunks": (CHUNKED + b"0\r\n", b"X: y\r\n" * 100_000),
}


@pytest.mark.parametrize(("head", "piece"), ENDLESS.values(), ids=ENDLESS)
def test_an_answer_without_end_is_cut_off_by_its_size(world: World, head: bytes, piece: bytes) -> None:
    with (
        server(lambda connection: for_ever(connection, head, piece, 0.0)) as running,
        pytest.raises((errors.AnswerRefused, errors.SystemUnavailable)) as refused,
    ):
        world.send(f"http://127.0.0.1:{running.port}/", seconds=60.0)
    assert not isinstance(refused.value, errors.SystemTimeout)


DRIPPING: dict[str, tuple[bytes, bytes]] = {
    "nothing": (b"", b""),
    "a status line": (b"HTTP/1.1 2", b"0"),
    "a header": (b"HTTP/1.1 200 OK\r\nX: ", b"y"),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
    "go on, go on": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a body": (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b" "),
    "a body without a size": (b"HTTP/1.1 200 OK\r\n\r\n", b" "),
    "chunks": (CHUNKED, b"1\r\n \r\n"),
    "the size of a chunk": (CHUNKED, b"0"),
}


@pytest.mark.parametrize(("head", "piece"), DRIPPING.values(), ids=DRIPPING)
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_an_answer_that_drips_ends_with_the_deadline(
    world: World, head: bytes, piece: bytes, secure: bool
) -> None:
    context = serving(world.authority.server("slow")) if secure else None
    began = time.monotonic()
    with server(lambda connection: for_ever(connection, head, piece, 0.02), context) as running:
        with pytest.raises(errors.SystemTimeout):
            world.send(f"{'https' if secure else 'http'}://localhost:{running.port}/", seconds=1.0)
        assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    "content",
    [
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "URL">]><a>&x;</a>',
        b'<!DOCTYPE a SYSTEM "URL"><a/>',
        b'<?xml-stylesheet href="URL"?><a/>',
        b"<a>" * 1_000_000,
        b"<a " + b" ".join(b"a%d=''" % n for n in range(10_000)) + b"/>",
    ],
)
def test_an_answer_is_parsed_by_the_same_door(world: World, content: bytes, calls: Calls) -> None:
    content = content.replace(b"URL", calls.url.encode())
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content)
    with server(say(head + content)) as running:
        profile = world.profile(f"http://127.0.0.1:{running.port}/")
        message = composed(profile)
        answer = profile.send(message, time.monotonic() + 5)
        with pytest.raises(errors.AnswerUnreadable):
            profile.read(PMLP.operations[0], message, answer)
    assert calls.heard == []


def test_two_answers_in_one_are_one_and_the_connection_is_not_used_again(world: World) -> None:
    with server(say(OK + OK.replace(b"<a/>", b"<b/>"))) as running:
        profile = world.profile(f"http://127.0.0.1:{running.port}/")
        for _ in range(2):
            assert profile.send(composed(profile), time.monotonic() + 5) == b"<a/>"
            running.told.clear()
    assert running.connections == 2
