"""Counters outside of the gateway: a proxy before it and one behind it, and a relay to its database that can fail."""

from __future__ import annotations

import hashlib
import http.client
import re
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_SECONDS = 60.0
# What only an answer about a person has: the code with its dash, which no other part of an answer is written in.
_PERSONAL = re.compile(rb"(?<![\dA-Fa-f-])[0-9]{6}-[0-9]{5}(?![\dA-Fa-f-])")
_MESSAGE_ID = re.compile(rb":MessageID[^>]*>urn:uuid:([0-9a-f-]{36})<")
_CODE = re.compile(rb'"code":"([a-z_]+)"|Kods>([a-z_]+)<')
_HOP = frozenset({"connection", "keep-alive", "host", "content-length", "transfer-encoding"})


@dataclass(frozen=True, slots=True)
class Message:
    """What went by: the id of its exchange, the digest of its exact bytes, and of an answer its status and receipt."""

    exchange_id: uuid.UUID | None
    sha256: str
    personal: bool
    status: int = 0
    receipt: str = ""
    retryable: bool = False
    code: str = ""


@dataclass
class Counted:
    """What a proxy has counted; `url` is where it listens."""

    url: str
    messages: list[Message] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, message: Message) -> None:
        with self.lock:
            self.messages.append(message)


@contextmanager
def before(upstream: str) -> Iterator[Counted]:
    """A proxy between callers and the gateway: it counts what the gateway answers, before it is passed on."""
    with _proxy(upstream, _no_request, _answer) as counted:
        yield counted


@contextmanager
def behind(upstream: str) -> Iterator[Counted]:
    """A proxy between the gateway and a system: it counts what the gateway sends, before it is passed on."""
    with _proxy(upstream, _request, _no_answer) as counted:
        yield counted


def _request(body: bytes) -> Message | None:
    found = _MESSAGE_ID.search(body)
    return Message(uuid.UUID(found[1].decode()) if found else None, _digest(body), personal=True)


def _answer(response: http.client.HTTPResponse, body: bytes) -> Message | None:
    given = response.headers.get("X-Exchange-Id")
    return Message(
        None if given is None else uuid.UUID(given),
        _digest(body),
        personal=_PERSONAL.search(body) is not None,
        status=response.status,
        receipt=response.headers.get("X-Receipt", ""),
        code=b"".join(_CODE.findall(body)[0]).decode() if _CODE.search(body) else "",
        retryable=b'"retryable":true' in body or b"AtkartotVar>true<" in body,
    )


def _no_request(_body: bytes) -> Message | None:
    return None


def _no_answer(_response: http.client.HTTPResponse, _body: bytes) -> Message | None:
    return None


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


@contextmanager
def _proxy(
    upstream: str,
    of_request: Callable[[bytes], Message | None],
    of_answer: Callable[[http.client.HTTPResponse, bytes], Message | None],
) -> Iterator[Counted]:
    parts = urlsplit(upstream)

    def ask(path: str, body: bytes, headers: dict[str, str]) -> tuple[http.client.HTTPResponse, bytes]:
        # A connection each: one that was kept could be closed by the other side just when it is used again.
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=_SECONDS)
        try:
            connection.request("POST", path, body, headers)
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if (message := of_request(body)) is not None:
                counted.add(message)
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
            try:
                response, answered = ask(self.path, body, headers)
            except (OSError, http.client.HTTPException):
                self.close_connection = True
                return
            if (message := of_answer(response, answered)) is not None:
                counted.add(message)
            self.send_response(response.status)
            for name, value in response.headers.items():
                if name.lower() not in _HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answered)))
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(answered)

        def log_message(self, *_arguments: object) -> None:
            """Not to the terminal."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

    with Server(("127.0.0.1", 0), Handler) as server:
        counted = Counted(f"http://127.0.0.1:{server.server_address[1]}{parts.path}")
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield counted
        finally:
            server.shutdown()
            thread.join()


class Relay:
    """TCP between the gateway and its database: it passes on at once, late, not at all, or hangs up."""

    def __init__(self, host: str, port: int) -> None:
        self._to = host, port
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = int(self._listening.getsockname()[1])
        self.delay = 0.0
        self._open: set[socket.socket] = set()
        self._flows = threading.Event()
        self._flows.set()
        self._cut = False
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def stall(self) -> None:
        """Every connection stays open, and no byte goes through."""
        self._flows.clear()

    def cut(self) -> None:
        """Every connection is reset, in whatever it was, and new ones are hung up on."""
        self._cut = True
        self._hang_up()

    def mend(self) -> None:
        """Pass everything on again."""
        self.delay, self._cut = 0.0, False
        self._flows.set()

    def close(self) -> None:
        """Hang up for good."""
        self._listening.close()
        self._flows.set()
        self._hang_up()

    def _hang_up(self) -> None:
        with self._lock:
            for each in self._open:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                ours, _ = self._listening.accept()
            except OSError:
                return
            if self._cut:
                ours.close()
                continue
            try:
                theirs = socket.create_connection(self._to)
            except OSError:
                ours.close()
                continue
            for each in (ours, theirs):  # else small packets wait for the other side's acknowledgement
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._open |= {ours, theirs}
            for pair in ((ours, theirs), (theirs, ours)):
                threading.Thread(target=self._pass, args=pair, daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        pause = threading.Event()
        try:
            while data := source.recv(65536):
                self._flows.wait()
                if self.delay:
                    pause.wait(self.delay)
                if self._cut:
                    break
                sink.sendall(data)
        except OSError:
            pass
        with self._lock:
            self._open -= {source, sink}
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
