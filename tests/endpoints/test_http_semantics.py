"""HTTP on the wire, byte by byte: what each listener makes of a request that is unusual, ambiguous or wrong.

The last word of an accepted SOAP message is `unsigned`, of an accepted JSON message `invalid_request`: so far it came.
Source: RFC 9110, RFC 9112; SOAP 1.1, 6; SOAP 1.2 part 2, 7; WS-I Basic Profile 1.1, 3.
"""

from __future__ import annotations

import gzip
import json
import re
import socket
import ssl
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from exchange import utc_now
from routing.parties import add_caller
from security.keys import issue, new_keys
from storage import open_engine
from tests.endpoints.serving import Served, configure, serving
from tests.endpoints.soap.messages import ACTION, SOAP, get_person

pytestmark = pytest.mark.long

READ_SECONDS = 3.0
BODY_BYTES = 100_000
SERVICE = "/soap/persons/v1-0"
OPERATION = "/api/v1/pmlp/get-person"


def envelope(version: str = "1.1") -> bytes:
    soap = SOAP[version]
    return f'<s:Envelope xmlns:s="{soap}"><s:Header/><s:Body>{get_person()}</s:Body></s:Envelope>'.encode()


@dataclass(frozen=True)
class World:
    """A server whose partners' listener speaks TLS, and who may call it."""

    served: Served
    keys: Path
    key: str

    def connect(self, listener: str) -> socket.socket:
        plain = self.served.connect(listener)
        plain.settimeout(20)
        if listener == "internal":
            return plain
        client = ssl.create_default_context(cafile=self.keys / "authority.pem")
        client.load_cert_chain(self.keys / "partner.pem", self.keys / "partner.key")
        return client.wrap_socket(plain, server_hostname="localhost")

    def say(self, listener: str, request: bytes) -> list[Answer]:
        """Send this and hear all, until the server hangs up."""
        with self.connect(listener) as connection:
            connection.sendall(request)
            received = b""
            try:
                while piece := connection.recv(65536):
                    received += piece
            except (ConnectionError, ssl.SSLError):
                pass
        return answers(received)


@dataclass(frozen=True)
class Answer:
    """A status, the headers, and the error's code, of a fault or of problem+json."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        if found := re.search(rb"Kods>([a-z_]+)<", self.body):
            return found[1].decode()
        try:
            return str(json.loads(self.body)["code"])
        except ValueError:
            return ""


def answers(received: bytes) -> list[Answer]:
    """Every answer in what a server has said, 100 Continue among them."""
    found = []
    while received:
        head, _, received = received.partition(b"\r\n\r\n")
        line, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in lines)}
        size = int(headers.get("content-length", 0))
        found.append(Answer(int(line.split(" ")[1]), headers, received[:size]))
        received = received[size:]
    return found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("http")
    keys = folder / "state" / "keys"
    new_keys(keys, ["pmlp", "vdeavk", "sais", "npais", "vzd"])
    issue(keys, "partner")
    sections: dict[str, dict[str, object]] = {
        "listen.partners": {
            "port": 0,
            "certificate": str(keys / "tls.pem"),
            "key": str(keys / "tls.key"),
            "client_ca": str(keys / "authority.pem"),
        },
        "limits": {"body_bytes": BODY_BYTES, "requests_per_s": 100_000},
    }
    config = configure(folder, **sections)
    with serving(config, "--embedded", "--threads", "4", "--read-seconds", str(READ_SECONDS)) as served:
        engine = open_engine(f"sqlite:///{folder / 'state' / 'gateway.db'}")
        with engine.begin() as connection:
            key = add_caller(connection, "core", "spolis-core", utc_now())
        engine.dispose()
        yield World(served, keys, key)


def request(
    *headers: str,
    line: str = f"POST {SERVICE} HTTP/1.1",
    host: str | None = "localhost",
    kind: str | None = "text/xml; charset=utf-8",
    body: bytes | None = None,
    length: bool = True,
    close: bool = True,
) -> bytes:
    """A right request with a SOAP message, with something changed."""
    content = envelope() if body is None else body
    lines = [line]
    lines += [f"Host: {host}"] if host is not None else []
    lines += [f"Content-Type: {kind}"] if kind is not None else []
    lines += headers
    lines += [f"Content-Length: {len(content)}"] if length else []
    lines += ["Connection: close"] if close else []
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + content


def chunks(content: bytes, end: bytes = b"0\r\n\r\n", extension: bytes = b"") -> bytes:
    half = len(content) // 2
    parts = (content[:half], content[half:])
    return b"".join(b"%x%s\r\n%s\r\n" % (len(part), extension, part) for part in parts) + end


def chunked(body: bytes, *headers: str, line: str = f"POST {SERVICE} HTTP/1.1") -> bytes:
    return request("Transfer-Encoding: chunked", *headers, line=line, body=body, length=False)


def target(path: str, method: str = "POST", version: str = "1.1") -> bytes:
    return request(line=f"{method} {path} HTTP/{version}")


LONG_NUMBER = "9" * 30
WHOLE = envelope()
TAKEN = (500, "unsigned")
UNREAD = (400, "malformed_message")
CASES: dict[str, tuple[bytes, int, str]] = {
    # What is sent rightly, if not often.
    "as usual": (request(), *TAKEN),
    "HTTP/1.0": (request(line=f"POST {SERVICE} HTTP/1.0"), *TAKEN),
    "HTTP/1.0 without a host": (request(line=f"POST {SERVICE} HTTP/1.0", host=None), *TAKEN),
    "an absolute address": (target(f"http://localhost{SERVICE}"), *TAKEN),
    "an escape in the path": (target("/soap/%70ersons/v1-0"), *TAKEN),
    "an empty line first": (b"\r\n" + request(), *TAKEN),
    "chunks": (chunked(chunks(WHOLE)), *TAKEN),
    "chunks with extensions": (chunked(chunks(WHOLE, extension=b';a=b;c="d"')), *TAKEN),
    "chunks with a trailer": (chunked(chunks(WHOLE, end=b"0\r\nX: y\r\n\r\n")), *TAKEN),
    "CHUNKED": (
        request("Transfer-Encoding: CHUNKED", body=chunks(WHOLE), length=False),
        *TAKEN,
    ),
    "identity": (request("Content-Encoding: identity"), *TAKEN),
    "a header of Latin letters": (request("X-Name: \xe9"), *TAKEN),
    "an offer to speak HTTP/2": (
        request("Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__", "Connection: Upgrade, HTTP2-Settings"),
        *TAKEN,
    ),
    "an offer of a web socket": (request("Upgrade: websocket", "Connection: Upgrade"), *TAKEN),
    "a header with an underscore is nobody's": (
        request("Content_Length: 5", "Transfer_Encoding: chunked"),
        *TAKEN,
    ),
    "UTF-16": (
        request(kind="text/xml; charset=utf-16", body=WHOLE.decode().encode("utf-16")),
        *TAKEN,
    ),
    # SOAP 1.1 with SOAPAction, right, without, wrong: it is compared with the Body when that is believed.
    "an action": (request(f'SOAPAction: "{ACTION}"'), *TAKEN),
    "no action in it": (request("SOAPAction:"), *TAKEN),
    "an empty action": (request('SOAPAction: ""'), *TAKEN),
    "SOAP 1.2": (
        request(kind=f'application/soap+xml; charset=utf-8; action="{ACTION}"', body=envelope("1.2")),
        400,
        "unsigned",
    ),
    "SOAP 1.2 without an action": (
        request(kind="application/soap+xml", body=envelope("1.2")),
        400,
        "unsigned",
    ),
    "SOAP 1.1 as 1.2": (request(kind="application/soap+xml"), 500, "malformed_message"),
    "SOAP 1.2 as 1.1": (request(body=envelope("1.2")), 400, "malformed_message"),
    # Content that is not taken.
    "no type": (request(kind=None), 415, "invalid_request"),
    "multipart": (request(kind='multipart/related; type="text/xml"; boundary=x'), 415, "invalid_request"),
    "XOP": (request(kind="application/xop+xml"), 415, "invalid_request"),
    "JSON": (request(kind="application/json"), 415, "invalid_request"),
    "two charsets": (request(kind="text/xml; charset=utf-8; charset=utf-16"), 415, "invalid_request"),
    "a charset of its own": (request(kind="text/xml; charset=windows-1257"), 500, "malformed_message"),
    "gzip": (request("Content-Encoding: gzip", body=gzip.compress(WHOLE)), 415, "invalid_request"),
    "deflate": (request("Content-Encoding: deflate", body=zlib.compress(WHOLE)), 415, "invalid_request"),
    "a bomb": (
        request("Content-Encoding: gzip", body=gzip.compress(b" " * 50_000_000)),
        415,
        "invalid_request",
    ),
    "identity and gzip": (
        request("Content-Encoding: identity", "Content-Encoding: gzip"),
        415,
        "invalid_request",
    ),
    "gzip below the chunks": (
        request("Transfer-Encoding: gzip, chunked", body=chunks(gzip.compress(WHOLE)), length=False),
        *UNREAD,
    ),
    "nothing": (request(body=b""), *UNREAD),
    "nothing of a length": (request(body=b"", length=False), *UNREAD),
    "too large": (request(body=b" " * (BODY_BYTES + 1)), 413, "too_large"),
    "too large in chunks": (chunked(chunks(b" " * (BODY_BYTES + 1))), 413, "too_large"),
    "said to be too large": (request("Content-Length: 99999999", body=b"", length=False), 413, "too_large"),
    # Where does it end? What two readers could answer differently is refused.
    "two lengths": (request(f"Content-Length: {len(WHOLE)}"), *UNREAD),
    "two different lengths": (request("Content-Length: 5"), *UNREAD),
    "a list of lengths": (request(f"Content-Length: {len(WHOLE)}, {len(WHOLE)}", length=False), *UNREAD),
    "a length with a sign": (request("Content-Length: +5", length=False), *UNREAD),
    "a negative length": (request("Content-Length: -1", length=False), *UNREAD),
    "a length in hex": (request("Content-Length: 0x5", length=False), *UNREAD),
    "a length of another script": (request("Content-Length: \xb2", length=False), *UNREAD),
    "an empty length": (request("Content-Length:", length=False), *UNREAD),
    "an endless length": (request(f"Content-Length: {LONG_NUMBER}", length=False), *UNREAD),
    "a length and chunks": (request("Transfer-Encoding: chunked", body=chunks(WHOLE)), *UNREAD),
    "chunks in HTTP/1.0": (chunked(chunks(WHOLE), line=f"POST {SERVICE} HTTP/1.0"), *UNREAD),
    "chunks of chunks": (chunked(chunks(chunks(WHOLE)), "Transfer-Encoding: chunked"), *UNREAD),
    "chunks, then not": (
        request("Transfer-Encoding: chunked, identity", body=chunks(WHOLE), length=False),
        *UNREAD,
    ),
    "not, then": (request("Transfer-Encoding: identity", length=False), *UNREAD),
    "unknown": (request("Transfer-Encoding: xchunked", length=False), 501, "malformed_message"),
    "hidden by a control character": (
        request("Transfer-Encoding: \x0bchunked", body=chunks(WHOLE), length=False),
        *UNREAD,
    ),
    "hidden by a space": (request("Transfer-Encoding : chunked", body=chunks(WHOLE), length=False), *UNREAD),
    "a chunk without a size": (chunked(b"\r\n" + WHOLE), *UNREAD),
    "a size of a chunk that is none": (chunked(b"zz\r\n" + WHOLE), *UNREAD),
    "a size of a chunk in C": (chunked(b"0x5\r\n<a/>\r\n0\r\n\r\n"), *UNREAD),
    "a negative chunk": (chunked(b"-5\r\n<a/>\r\n0\r\n\r\n"), *UNREAD),
    "a chunk beyond all": (chunked(b"ffffffffffffffffff\r\n<a/>\r\n0\r\n\r\n"), *UNREAD),
    "a chunk with another end": (chunked(b"4\r\n<a/>XX0\r\n\r\n"), *UNREAD),
    "chunks with bare LF": (chunked(b"4\n<a/>\n0\n\n"), *UNREAD),
    "a length as a trailer": (chunked(chunks(WHOLE, end=b"0\r\nContent-Length: 5\r\n\r\n")), *UNREAD),
    # Headers.
    "no host": (request(host=None), *UNREAD),
    "two hosts": (request("Host: localhost"), *UNREAD),
    "two different hosts": (request("Host: another"), *UNREAD),
    "an empty host": (request(host=""), *UNREAD),
    "a host that is none": (request(host="local host"), *UNREAD),
    "a host with a path": (request(host="localhost/x"), *UNREAD),
    "a host with a name": (request(host="user@localhost"), *UNREAD),
    "two types": (request("Content-Type: text/xml"), *UNREAD),
    "a folded header": (request("X: a\r\n b"), *UNREAD),
    "a folded first header": (request().replace(b"Host", b" Host", 1), *UNREAD),
    "bare LF": (request().replace(b"\r\n", b"\n"), *UNREAD),
    "bare LF in a header": (request("X: a\nY: b"), *UNREAD),
    "bare CR in a header": (request("X: a\rY: b"), *UNREAD),
    "NUL in a header": (request("X: a\x00b"), *UNREAD),
    "a space before the colon": (request("X : a"), *UNREAD),
    "no name": (request(": a"), *UNREAD),
    "no colon": (request("X"), *UNREAD),
    "a name that is none": (request("X(y): a"), *UNREAD),
    "a large header": (request(f"X: {'a' * 20_000}"), 431, "malformed_message"),
    "many headers": (request(*[f"X{n}: y" for n in range(60)]), 431, "malformed_message"),
    # The request line.
    "a long address": (target(f"{SERVICE}?{'a' * 3000}"), 414, "malformed_message"),
    "a control character in the address": (target(f"{SERVICE}\x01"), *UNREAD),
    "a letter in the address": (target(f"{SERVICE}\xe9"), *UNREAD),
    "a fragment": (target(f"{SERVICE}#x"), *UNREAD),
    "a method in small letters": (target(SERVICE, "post"), *UNREAD),
    "HTTP/2.0": (target(SERVICE, version="2.0"), *UNREAD),
    "HTTP/0.9": (b"GET /healthz\r\n\r\n", *UNREAD),
    "HTTP/11": (target(SERVICE, version="11"), *UNREAD),
    "two spaces": (request(line=f"POST  {SERVICE} HTTP/1.1"), *UNREAD),
    "a host alone": (target("localhost:80"), *UNREAD),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", *UNREAD),
    "a proxy's preface": (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + request(), *UNREAD),
    "a way out": (target("/soap/../api/v1/pmlp/get-person"), 404, ""),
    "two slashes": (target(f"/{SERVICE}"), 404, "unknown_operation"),
    "CONNECT": (target("localhost:80", "CONNECT"), 404, "unknown_operation"),
    "OPTIONS for all": (target("*", "OPTIONS"), 404, "unknown_operation"),
    "OPTIONS": (target(SERVICE, "OPTIONS"), 405, ""),
    "TRACE": (target(SERVICE, "TRACE"), 405, ""),
    "HEAD": (target(SERVICE, "HEAD"), 405, ""),
    # Expectations.
    "another expectation": (request("Expect: 200-ok"), 417, "malformed_message"),
    "go on, in HTTP/1.0": (request("Expect: 100-continue", line=f"POST {SERVICE} HTTP/1.0"), *TAKEN),
    "may a large one come": (
        request("Expect: 100-continue", "Content-Length: 99999999", body=b"", length=False),
        413,
        "too_large",
    ),
    "may a bomb come": (request("Expect: 100-continue", "Content-Encoding: gzip"), 415, "invalid_request"),
}


@pytest.mark.parametrize("listener", ["internal", "partners"])
@pytest.mark.parametrize(("sent", "status", "code"), CASES.values(), ids=CASES)
def test_a_soap_request(world: World, listener: str, sent: bytes, status: int, code: str) -> None:
    heard = world.say(listener, sent)
    # One request, one answer: nothing in it was taken for a second one.
    assert [(each.status, each.code) for each in heard] == [(status, code)]
    assert heard[0].headers["x-exchange-id"]
    if status == 405:
        assert heard[0].headers["allow"] == "GET, POST"
    assert b"TRACE" not in heard[0].body


@pytest.mark.parametrize("listener", ["internal", "partners"])
def test_who_asks_first_is_told_to_go_on(world: World, listener: str) -> None:
    """Before a byte of the body is sent."""
    for expectation in ("100-continue", "100-CONTINUE"):
        sent = request(f"Expect: {expectation}")
        head, _, body = sent.partition(b"\r\n\r\n")
        with world.connect(listener) as connection:
            connection.sendall(head + b"\r\n\r\n")
            assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
            connection.sendall(body)
            received = b""
            while piece := connection.recv(65536):
                received += piece
        assert [(each.status, each.code) for each in answers(received)] == [TAKEN]


def test_who_is_refused_unheard_sends_nothing_more(world: World) -> None:
    sent = request("Expect: 100-continue", "Content-Encoding: gzip", close=False)
    head, _, _ = sent.partition(b"\r\n\r\n")
    with world.connect("internal") as connection:
        connection.sendall(head + b"\r\n\r\n")
        received = b""
        while piece := connection.recv(65536):
            received += piece
    (heard,) = answers(received)
    assert (heard.status, heard.headers["connection"]) == (415, "close")


HIDDEN = b"POST /soap/nobody HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
SMUGGLED: dict[str, tuple[bytes, list[int]]] = {
    "in a body that is taken": (request(body=HIDDEN, close=False), [500, 404]),
    "in a body that is refused by its type": (
        request(body=HIDDEN, kind="text/plain", close=False),
        [415, 404],
    ),
    "in a body for nobody": (
        request(body=HIDDEN, line="POST /soap/nobody HTTP/1.1", close=False),
        [404, 404],
    ),
    "in a body of GET": (request(body=HIDDEN, line=f"GET {SERVICE}?wsdl HTTP/1.1", close=False), [200, 404]),
    "in a chunk": (
        request("Transfer-Encoding: chunked", body=chunks(HIDDEN), length=False, close=False),
        [500, 404],
    ),
    "behind a length and chunks": (
        request("Transfer-Encoding: chunked", body=b"0\r\n\r\n" + HIDDEN, close=False),
        [400],
    ),
    "behind chunks and a length": (
        request("Content-Length: 5", "Transfer-Encoding: chunked", body=b"0\r\n\r\n" + HIDDEN, length=False),
        [400],
    ),
    "behind a broken chunk": (
        request("Transfer-Encoding: chunked", body=b"zz\r\n" + HIDDEN, length=False, close=False),
        [400],
    ),
    "behind a broken chunk that was waited for": (
        request(
            "Expect: 100-continue",
            "Transfer-Encoding: chunked",
            body=b"zz\r\n" + HIDDEN,
            length=False,
            close=False,
        ),
        [100, 400],
    ),
    "behind two lengths": (request("Content-Length: 0", body=HIDDEN, close=False), [400]),
    "behind a folded header": (request("X: y\r\n Content-Length: 0", body=HIDDEN, close=False), [400]),
    "behind a length by underscore": (request("Content_Length: 0", body=HIDDEN, close=False), [500, 404]),
    "behind a body that is not wanted": (
        request("Expect: 100-continue", body=HIDDEN, kind="text/plain", close=False),
        [415],
    ),
}


@pytest.mark.parametrize("listener", ["internal", "partners"])
@pytest.mark.parametrize(("sent", "statuses"), SMUGGLED.values(), ids=SMUGGLED)
def test_what_is_hidden_in_a_request_is_no_request(
    world: World, listener: str, sent: bytes, statuses: list[int]
) -> None:
    """The hidden one would be answered by 404, and so is the one that follows where the connection goes on."""
    following = request(line="POST /soap/nobody HTTP/1.1")
    heard = world.say(listener, sent + following)
    assert [each.status for each in heard] == statuses


def test_an_address_of_another_host_is_not_where_the_contract_says_it_is(world: World) -> None:
    (heard,) = world.say("internal", request(line=f"GET {SERVICE}?wsdl HTTP/1.1", host="a_b", body=b""))
    assert heard.status == 400


def api(
    *headers: str, body: bytes = b"{}", method: str = "POST", kind: str | None = "application/json"
) -> bytes:
    return request(*headers, line=f"{method} {OPERATION} HTTP/1.1", kind=kind, body=body)


INVALID = (400, "invalid_request")
JSON_CASES: dict[str, tuple[bytes, int, str]] = {
    "as usual": (api(), *INVALID),
    "in UTF-8": (api(kind="application/json; charset=UTF-8"), *INVALID),
    "in capitals": (api(kind='Application/JSON;charset="utf-8"'), *INVALID),
    "in Latin": (api(kind="application/json; charset=iso-8859-1"), 415, "invalid_request"),
    "in UTF-16": (
        api(kind="application/json; charset=utf-16", body="{}".encode("utf-16")),
        415,
        "invalid_request",
    ),
    "two charsets": (api(kind="application/json; charset=utf-8; charset=utf-8"), 415, "invalid_request"),
    "of no type": (api(kind=None), 415, "invalid_request"),
    "as text": (api(kind="text/json"), 415, "invalid_request"),
    "as a form": (api(kind="application/x-www-form-urlencoded"), 415, "invalid_request"),
    "as multipart": (api(kind="multipart/form-data; boundary=x"), 415, "invalid_request"),
    "as something like it": (api(kind="application/problem+json"), 415, "invalid_request"),
    "compressed": (api("Content-Encoding: gzip", body=gzip.compress(b"{}")), 415, "invalid_request"),
    "two types": (api("Content-Type: application/json"), *UNREAD),
    "nothing": (api(body=b""), *UNREAD),
    "UTF-16 under another name": (api(body="{}".encode("utf-16")), *UNREAD),
    "a byte order mark": (api(body=b"\xef\xbb\xbf{}"), *UNREAD),
    "no UTF-8": (api(body=b'{"a": "\xff"}'), *UNREAD),
    "UTF-8 longer than it need be": (api(body=b'{"a": "\xc0\xaf"}'), *UNREAD),
    "half a character in bytes": (api(body=b'{"a": "\xed\xa0\x80"}'), *UNREAD),
    "half a character": (api(body=b'{"a": "\\ud800"}'), *INVALID),
    "NUL": (api(body=b'{"a": "\\u0000"}'), *INVALID),
    "NaN": (api(body=b'{"a": NaN}'), *INVALID),
    "infinity": (api(body=b'{"a": -Infinity}'), *INVALID),
    "a large number": (api(body=b'{"a": 1%s}' % (b"0" * 20_000)), *INVALID),
    "a large exponent": (api(body=b'{"a": 1e999999999}'), *INVALID),
    "a key twice": (api(body=b'{"context": {}, "context": {}}'), *INVALID),
    "a key twice, escaped": (api(body=b'{"context": {}, "\\u0063ontext": {}}'), *INVALID),
    "deep lists": (api(body=b"[" * 50_000 + b"]" * 50_000), *INVALID),
    "deep objects": (api(body=b'{"a":' * 15_000 + b"1" + b"}" * 15_000), *INVALID),
    "deep and unfinished": (api(body=b"[" * 99_000), *INVALID),
    "two values": (api(body=b"{}{}"), *UNREAD),
    "a comment": (api(body=b"{} // x"), *UNREAD),
    "a comma too many": (api(body=b'{"a": 1,}'), *UNREAD),
    "XML": (api(body=b"<a/>"), *UNREAD),
    "too large": (api(body=b" " * (BODY_BYTES + 1)), 413, "too_large"),
    "GET": (api(method="GET"), 405, "invalid_request"),
    "HEAD": (api(method="HEAD"), 405, ""),
    "TRACE": (api(method="TRACE"), 405, "invalid_request"),
    "OPTIONS": (api(method="OPTIONS"), 405, "invalid_request"),
    "PUT": (api(method="PUT"), 405, "invalid_request"),
}


@pytest.mark.parametrize(("sent", "status", "code"), JSON_CASES.values(), ids=JSON_CASES)
def test_a_json_request(world: World, sent: bytes, status: int, code: str) -> None:
    sent = sent.replace(b"Host:", f"Authorization: Bearer {world.key}\r\nHost:".encode(), 1)
    heard = world.say("internal", sent)
    assert [(each.status, each.code) for each in heard] == [(status, code)]
    assert status != 405 or heard[0].headers["allow"] == "POST"
    assert world.key.encode() not in heard[0].body


@pytest.mark.parametrize("headers", [["Authorization: Bearer KEY"] * 2, ["Authorization: Basic KEY"], []])
def test_a_key_is_sent_once_and_as_such(world: World, headers: list[str]) -> None:
    (heard,) = world.say("internal", api(*(header.replace("KEY", world.key) for header in headers)))
    assert (heard.status, heard.code) == (401, "not_authenticated")


HEAD = request(length=False, close=False, body=b"")[:-2]
HALVES = {
    "a request line": b"POST /so",
    "a header": HEAD + b"X: ",
    "a body": HEAD + b"Content-Length: 50000\r\n\r\n<",
    "a chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nc350\r\n<",
    "the size of a chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n0",
    "a trailer": HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: ",
    "a body that was asked for": HEAD + b"Content-Length: 50000\r\nExpect: 100-continue\r\n\r\n<",
}


@pytest.mark.parametrize("listener", ["internal", "partners"])
@pytest.mark.parametrize("pause", [None, 0.1], ids=["silent", "dripping"])
def test_what_is_half_sent_ends_in_time_and_others_are_served_meanwhile(
    world: World, listener: str, pause: float | None
) -> None:
    """Three of four threads wait; who sends his request whole is served by the fourth."""
    halves = list(HALVES.values())
    for some in (halves[:3], halves[3:6], halves[6:]):
        began = time.monotonic()
        held = [world.connect(listener) for _ in some]
        for connection, half in zip(held, some, strict=True):
            connection.sendall(half)
        time.sleep(0.2)
        (heard,) = world.say(listener, request())
        assert (heard.status, heard.code) == TAKEN
        still = list(held)
        while still and time.monotonic() - began < 30:
            for connection in list(still):
                try:
                    if pause is not None:
                        connection.sendall(b"0")
                    connection.settimeout(pause or 20)
                    if not connection.recv(65536):
                        still.remove(connection)
                except TimeoutError:
                    continue
                except OSError:
                    still.remove(connection)
        for connection in held:
            connection.close()
        assert not still
        assert READ_SECONDS * 0.9 < time.monotonic() - began < READ_SECONDS + 10


@pytest.mark.parametrize(
    "hello", [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 100]
)
@pytest.mark.parametrize("drips", [False, True])
def test_a_handshake_that_does_not_end_ends_in_time(world: World, hello: bytes, drips: bool) -> None:
    began = time.monotonic()
    held = [world.served.connect("partners") for _ in range(3)]
    for connection in held:
        connection.sendall(hello)
    time.sleep(0.2)
    (heard,) = world.say("partners", request())
    assert (heard.status, heard.code) == TAKEN
    for connection in held:
        connection.settimeout(0.1)
        while time.monotonic() - began < 30:
            try:
                if drips:
                    connection.sendall(b"\x00")
                if not connection.recv(1000):
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        connection.close()
    assert time.monotonic() - began < READ_SECONDS + 10
