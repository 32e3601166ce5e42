"""The client of external systems: what of an answer is believed, and what the wire may do to it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from lxml import etree

import config
import errors
from adapters import discover
from adapters.profiles import Message
from adapters.profiles.soap import SoapProfile
from endpoints.partner_trust import PartnerTrust
from exchange import utc_now
from mappings.pmlp import GetPersonRequest, Person
from mappings.vdeavk import GetDisabilityRequest
from security import wsse
from security.certificates import load_authorities
from security.engines import ENGINES
from security.keys import Identity, new_keys
from security.profile import WSA
from security.xml import Element, parse
from storage import open_engine
from tests.exchanges.test_golden import CONTEXT, HERE, SOAP, envelope
from tests.security.verdicts import Recorded

PMLP, VDEAVK = discover()["pmlp"], discover()["vdeavk"]
GET_PERSON = PMLP.operations[0]
MESSAGE_ID = "urn:uuid:018f0000-0000-7000-8000-000000000002"
ANSWER = HERE / "pmlp" / "name-and-code-only" / "answer.xml"
Serve = Callable[[BaseHTTPRequestHandler], None]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    new_keys(folder, ["pmlp", "vdeavk"])
    return folder


def identity(keys: Path, name: str) -> Identity:
    return Identity.load(keys / f"{name}.pem", keys / f"{name}.key")


def open_profile(keys: Path, url: str = "http://127.0.0.1:1/", timeout_s: float = 5.0) -> SoapProfile:
    system = config.System(url, "soap", timeout_s, keys / "pmlp.pem")
    return SoapProfile(PMLP, system, identity(keys, "gateway"), keys / "authority.pem")


@pytest.fixture(scope="module")
def profile(keys: Path) -> SoapProfile:
    return open_profile(keys)


def compose(profile: SoapProfile) -> Message:
    request = GetPersonRequest(context=CONTEXT, person_code="320000-00017", data_sets=("NAME_AND_CODE",))
    return profile.compose(GET_PERSON, request, MESSAGE_ID)


def answer(action: str, relates_to: str = MESSAGE_ID) -> Element:
    return envelope(parse(ANSWER.read_bytes()), relates_to, action)


def test_an_answer_to_our_message_is_read(profile: SoapProfile, keys: Path) -> None:
    message = compose(profile)
    signed = wsse.sign(answer(f"{message.action}Response"), identity(keys, "pmlp"), now=utc_now())
    assert isinstance(profile.read(GET_PERSON, message, signed), Person)


def test_a_request_is_addressed_and_signed_whole(profile: SoapProfile, keys: Path) -> None:
    message = compose(profile)
    policy = wsse.Policy(authorities=load_authorities(keys / "authority.pem"))
    verified = wsse.verify(message.content, policy, now=utc_now())
    assert (verified.message_id, verified.action) == (MESSAGE_ID, message.action)
    sent = parse(message.content).find(f"{{{SOAP}}}Header")
    addressing = [child.tag for child in sent if etree.QName(child).namespace == WSA]
    assert [child.tag for child in verified.envelope[0]] == addressing
    assert len(addressing) == 4


@pytest.mark.parametrize("name", config.SIGNATURE_ENGINES)
def test_the_engine_of_the_settings_signs_and_verifies(keys: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "gateway.toml").write_text(f'[signature]\nengine = "{name}"\n')
    settings = config.load({"GATEWAY_CONFIG": str(tmp_path)})
    told = Recorded(ENGINES[settings.signature.engine])
    system = config.System("http://127.0.0.1:1/", "soap", 5.0, keys / "pmlp.pem")
    profile = SoapProfile(PMLP, system, identity(keys, "gateway"), keys / "authority.pem", engine=told)
    message = compose(profile)
    assert told.signed == 1
    signed = wsse.sign(answer(f"{message.action}Response"), identity(keys, "pmlp"), now=utc_now())
    assert isinstance(profile.read(GET_PERSON, message, signed), Person)
    assert told.covered
    assert (
        PartnerTrust(settings, open_engine(f"sqlite:///{tmp_path}/gateway.db")).policy().engine
        is ENGINES[name]
    )


def test_an_engine_that_there_is_not_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text('[signature]\nengine = "xmlsec"\n')
    with pytest.raises(errors.ConfigurationError, match="narrow or signxml"):
        config.load({"GATEWAY_CONFIG": str(tmp_path)})


@pytest.mark.parametrize("relates_to", ["urn:uuid:018f0000-0000-7000-8000-00000000ffff", ""])
def test_an_answer_to_another_message_is_refused(profile: SoapProfile, keys: Path, relates_to: str) -> None:
    message = compose(profile)
    other = answer(f"{message.action}Response", relates_to)
    with pytest.raises(errors.AnswerMismatch, match="RelatesTo"):
        profile.read(GET_PERSON, message, wsse.sign(other, identity(keys, "pmlp"), now=utc_now()))


def test_an_answer_of_another_operation_is_refused(profile: SoapProfile, keys: Path) -> None:
    other = answer("urn:other/GetChangesResponse")
    with pytest.raises(errors.AnswerMismatch, match="Action"):
        profile.read(GET_PERSON, compose(profile), wsse.sign(other, identity(keys, "pmlp"), now=utc_now()))


@pytest.mark.parametrize("signer", ["vdeavk", "gateway"])
def test_an_answer_signed_by_somebody_else_of_the_same_authority_is_refused(
    profile: SoapProfile, keys: Path, signer: str
) -> None:
    message = compose(profile)
    signed = wsse.sign(answer(f"{message.action}Response"), identity(keys, signer), now=utc_now())
    with pytest.raises(errors.AnswerUnsigned, match="another system"):
        profile.read(GET_PERSON, message, signed)


def test_an_unsigned_answer_is_refused_and_not_asked_for_again(profile: SoapProfile) -> None:
    message = compose(profile)
    with pytest.raises(errors.AnswerUnsigned) as refused:
        profile.read(GET_PERSON, message, etree.tostring(answer(f"{message.action}Response")))
    assert type(refused.value) is errors.AnswerUnsigned
    assert not refused.value.retryable


@pytest.mark.parametrize("page", [b"<html><body>Try later</body></html>", b"<html><br>", b"", b"{}"])
def test_what_is_no_soap_message_is_told_as_such_and_may_be_asked_for_again(
    profile: SoapProfile, page: bytes
) -> None:
    with pytest.raises(errors.AnswerUnreadable) as refused:
        profile.read(GET_PERSON, compose(profile), page)
    assert refused.value.retryable


@contextmanager
def server(serve: Serve) -> Iterator[tuple[str, list[str]]]:
    """A server whose every POST is answered by `serve`; its URL and the paths that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            self.rfile.read(int(self.headers["Content-Length"]))
            serve(self)

        do_GET = do_POST

        def log_message(self, format: str, *args: object) -> None: ...

    listening = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.server_port}/pmlp", asked
    finally:
        listening.shutdown()
        listening.server_close()


def send(keys: Path, url: str, seconds: float = 5.0) -> bytes:
    profile = open_profile(keys, url, timeout_s=seconds)
    return profile.send(compose(profile), time.monotonic() + seconds)


def test_a_redirect_is_not_followed(keys: Path) -> None:
    def serve(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(307)
        handler.send_header("Location", "/elsewhere")
        handler.send_header("Content-Length", "5")
        handler.end_headers()
        handler.wfile.write(b"moved")

    with server(serve) as (url, asked):
        assert send(keys, url) == b"moved"
    assert asked == ["/pmlp"]


def test_an_answer_without_end_is_cut_off(keys: Path) -> None:
    def serve(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            for _ in range(40):
                handler.wfile.write(b" " * 1_048_576)
        except OSError:  # cut off, as it should be
            return

    with server(serve) as (url, _), pytest.raises(errors.AnswerRefused, match="size"):
        send(keys, url)


def test_an_answer_that_drips_ends_with_the_deadline(keys: Path) -> None:
    def serve(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            for _ in range(40):
                handler.wfile.write(b" " * 70_000)
                time.sleep(0.05)
        except OSError:  # the client went away, as it should
            return

    with server(serve) as (url, _), pytest.raises(errors.SystemTimeout):
        send(keys, url, seconds=0.4)


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_gateway_in_between_that_finds_nobody_is_an_unreachable_system(keys: Path, status: int) -> None:
    def serve(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    with server(serve) as (url, _), pytest.raises(errors.SystemUnavailable):
        send(keys, url)


def test_a_half_answer_is_an_unreachable_system(keys: Path) -> None:
    def serve(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b"half")

    with server(serve) as (url, _), pytest.raises(errors.SystemUnavailable) as failed:
        send(keys, url)
    assert type(failed.value) is errors.SystemUnavailable, "the message had left"


def test_nobody_listening_is_an_unreachable_system(keys: Path) -> None:
    with pytest.raises(errors.SystemUnreachable):
        send(keys, "http://127.0.0.1:1/")


def test_an_address_that_does_not_exist_is_an_unreachable_system(keys: Path) -> None:
    with pytest.raises(errors.SystemUnreachable):
        send(keys, "http://nowhere.invalid/")


def test_a_host_that_takes_no_connection_is_an_unreachable_system(keys: Path) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with ExitStack() as stack:
            for _ in range(3):  # until its queue is full: more are not taken, nor refused
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(full.getsockname())
            with pytest.raises(errors.SystemUnreachable):
                send(keys, f"http://127.0.0.1:{full.getsockname()[1]}/", seconds=1.0)


@pytest.mark.parametrize("said", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", b"\x15\x03\x03\x00\x02\x02\x28"])
def test_a_handshake_that_fails_is_an_unreachable_system(keys: Path, said: bytes) -> None:
    def answer_hello(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(said)

    with listening(answer_hello) as port, pytest.raises(errors.SystemUnreachable):
        send(keys, f"https://127.0.0.1:{port}/")


def test_a_handshake_without_end_is_an_unreachable_system(keys: Path) -> None:
    over = threading.Event()
    with listening(lambda _connection: over.wait(10)) as port:
        try:
            with pytest.raises(errors.SystemUnreachable):
                send(keys, f"https://127.0.0.1:{port}/", seconds=0.5)
        finally:
            over.set()


@pytest.mark.parametrize("last", ["header", "body"])
def test_a_connection_that_ends_after_the_message_left_is_no_unreachable_system(
    keys: Path, last: str
) -> None:
    def cut(connection: socket.socket) -> None:
        received = b""
        while (b"Envelope>" if last == "body" else b"\r\n\r\n") not in received:
            received += connection.recv(65536)

    with listening(cut) as port, pytest.raises(errors.SystemUnavailable) as failed:
        send(keys, f"http://127.0.0.1:{port}/")
    assert type(failed.value) is errors.SystemUnavailable


@contextmanager
def listening(serve: Callable[[socket.socket], object]) -> Iterator[int]:
    """A server that takes one connection, deals with it and closes it; its port."""
    with socket.create_server(("127.0.0.1", 0)) as bound:

        def once() -> None:
            connection, _ = bound.accept()
            with connection:
                serve(connection)

        thread = threading.Thread(target=once, daemon=True)
        thread.start()
        yield bound.getsockname()[1]
        thread.join(10)


def test_a_request_that_breaks_the_contract_does_not_leave(profile: SoapProfile) -> None:
    other = replace(GET_PERSON, request=VDEAVK.operations[0].request)
    request = GetDisabilityRequest(context=CONTEXT, person_code="320000-00017", on_date=date(2026, 1, 1))
    with pytest.raises(errors.GatewayFailure, match="/GetDisability"):
        profile.compose(other, request, MESSAGE_ID)


@pytest.mark.parametrize("url", ["", "nowhere", "ftp://127.0.0.1/", "http://", "http://[::1/"])
def test_an_address_that_is_none_stops_the_start(keys: Path, url: str) -> None:
    with pytest.raises(errors.ConfigurationError):
        open_profile(keys, url)
