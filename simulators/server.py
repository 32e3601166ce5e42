"""One simulator as a process: HTTP/1.1 on a socket that it is given, with the socket itself in reach.

    python -m simulators.server '{"system": "pmlp", …}'

The listening socket is descriptor `fd`; it says `ready` on standard output when it answers, and ends when its standard
input ends, so that no simulator outlives the process that started it, however that one ends.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import sys
import threading
import time
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from errors import InvalidRequest
from exchange import utc_now
from security import wsse
from security.certificates import load_authorities
from security.keys import Identity
from simulators.control import Control, Mode, Turn, read_setting
from simulators.discovery import discover
from simulators.journal import NOTHING, Journal, Seen
from simulators.population import Population
from simulators.stand_in import NOT_PROCESSED, Answer, Answering, WsSecurity, at_once
from wsdl import contract

IDLE_S = 120.0
HTML = (
    "<!DOCTYPE html><html><head><title>503</title></head>"
    "<body><h1>Serviss īslaicīgi nav pieejams</h1></body></html>"
).encode()


@dataclass(frozen=True, slots=True)
class Task:
    """What one process is to do; it travels as JSON. `journal` "" keeps none."""

    system: str
    fd: int
    persons: int
    seed: int
    journal: str
    keys: str
    forgetful: bool = False

    @property
    def known(self) -> Path | None:
        """The journal of those that ran before."""
        return Path(self.journal) if self.journal else None

    def json(self) -> str:
        """The task as the one argument of the process."""
        return json.dumps(asdict(self))


# How each system's application is made, by the system's name.
APPLICATIONS = discover()


class SimulatorServer(ThreadingHTTPServer):
    """A thread for each connection, on a listening socket made by somebody else."""

    daemon_threads = True

    def __init__(self, listening: socket.socket, stand_in: Answering, journal: Journal) -> None:
        super().__init__(listening.getsockname(), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.stand_in = stand_in
        self.journal = journal
        self.control = Control()
        self.path = path_of(stand_in.contract.system)

    def handle_error(self, *_: object) -> None:
        """A client that goes away is no news; anything else is told in one line, without what was sent."""
        error = sys.exception()
        if not isinstance(error, ConnectionError | TimeoutError):
            print(f"{self.stand_in.contract.system}: {type(error).__name__} in a request", file=sys.stderr)


class Handler(BaseHTTPRequestHandler):
    """Requests of one connection: the service at its path, its contract at `?wsdl`, its mode at `/_control`."""

    server: SimulatorServer
    protocol_version = "HTTP/1.1"
    server_version = "spolis-simulator"
    sys_version = ""
    timeout = IDLE_S
    disable_nagle_algorithm = True
    wbufsize = -1  # header and body leave in one piece
    turn: Turn | None = None
    raw_requestline: bytes

    def parse_request(self) -> bool:
        """Take the turn as soon as the request line is there: a refused connection is reset before anything is read."""
        self.turn = None
        words = self.raw_requestline.split()
        if words[:1] == [b"POST"] and words[1:2] == [self.server.path.encode()]:
            self.turn = self.server.control.take()
            if self.turn.mode is Mode.REFUSE:
                self._note(Seen(), NOTHING, Mode.REFUSE)
                self._wait()
                self._reset()
                return False
        return super().parse_request()

    def do_GET(self) -> None:
        """The contract, or the mode."""
        parts = urlsplit(self.path)
        query = parse_qs(parts.query.lower(), keep_blank_values=True)
        if parts.path == f"{self.server.path}/_control":
            self._send(200, "application/json", self.server.control.setting.json())
        elif parts.path == self.server.path and "wsdl" in query:
            self._send(200, "text/xml; charset=utf-8", self._wsdl())
        elif parts.path == self.server.path and "xsd" in query:
            self._send(200, "text/xml; charset=utf-8", self.server.stand_in.contract.xsd.read_bytes())
        else:
            self._send(404, "text/plain; charset=utf-8", b"no such page\n")

    def do_POST(self) -> None:
        """A request to the service, or a new mode."""
        content = self._content()
        if content is None:
            return
        if self.path == f"{self.server.path}/_control":
            try:
                self.server.control.put(read_setting(content))
            except InvalidRequest as error:
                self._send(400, "application/json", json.dumps({"error": error.detail}).encode())
                return
            self._send(200, "application/json", self.server.control.setting.json())
        elif self.turn is None:
            self._send(404, "text/plain; charset=utf-8", b"no such service\n")
        else:
            self._exchange(content, self.turn.mode)

    def _exchange(self, content: bytes, mode: Mode) -> None:
        """Do what the mode says, write the journal, then let the answer go."""
        if mode in NOT_PROCESSED and mode is not Mode.FAULT:
            self._note(self.server.stand_in.see(content), NOTHING, mode)
            self._wait()
            if mode is Mode.HTML:
                self._send(200, "text/html; charset=utf-8", HTML)
            else:
                self._hang()
            return
        late = mode is Mode.LATE_EFFECT
        answer = self.server.stand_in.answer(content, mode, self._wait if late else at_once)
        self._note(answer.seen, answer.effect, _word(answer, mode))
        if not late:
            self._wait()
        if mode is Mode.RESET:
            self._reset()
        elif mode is Mode.HALF:
            self._half(answer)
        else:
            self._send(answer.status, self.server.stand_in.content_type, answer.content)

    def _content(self) -> bytes | None:
        """The body of a request; None when the connection has been answered or has ended already."""
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit():
            self._send(411, "text/plain; charset=utf-8", b"a Content-Length is needed\n", last=True)
            return None
        if int(length) > self.server.stand_in.most_bytes:
            self._send(413, "text/plain; charset=utf-8", b"too large\n", last=True)
            return None
        content = self.rfile.read(int(length))
        if len(content) < int(length):
            self.close_connection = True
            return None
        return content

    def _send(self, status: int, kind: str, content: bytes, *, last: bool = False) -> None:
        self._head(status, kind, len(content), last=last)
        self.wfile.write(content)

    def _head(self, status: int, kind: str, length: int, *, last: bool) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        if last:
            self.send_header("Connection", "close")
        self.end_headers()

    def _half(self, answer: Answer) -> None:
        self._head(answer.status, self.server.stand_in.content_type, len(answer.content), last=True)
        self.wfile.write(answer.content[: len(answer.content) // 2])

    def _reset(self) -> None:
        """Close with a reset: no linger, and the descriptor itself, as file objects still hold the socket."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())

    def _hang(self) -> None:
        """Keep the connection without an answer until the client goes."""
        self.close_connection = True
        self.connection.settimeout(None)
        while self.connection.recv(65_536):
            continue

    def _wait(self) -> None:
        if self.turn is not None and self.turn.delay_ms:
            time.sleep(self.turn.delay_ms / 1000)

    def _note(self, seen: Seen, effect: str, answered: str) -> None:
        self.server.journal.write(utc_now(), self.server.stand_in.contract.system, seen, effect, answered)

    def _wsdl(self) -> bytes:
        """The published file with only the addresses set."""
        host, port = self.server.socket.getsockname()[:2]
        url = f"http://{host}:{port}{self.server.path}"
        published = self.server.stand_in.contract
        name = published.wsdl.parent.parent.name
        text = published.wsdl.read_text(encoding="utf-8")
        text = text.replace(f'location="https://localhost/{name}/{published.version}"', f'location="{url}"')
        text = text.replace(f'schemaLocation="{published.xsd.name}"', f'schemaLocation="{url}?xsd"')
        return text.encode()

    def log_message(self, format: str, *args: object) -> None:
        """No access log: the journal is one."""


def path_of(system: str) -> str:
    """The path of a system's service."""
    return f"/{system}/{APPLICATIONS[system].version}"


def serve(task: Task) -> SimulatorServer:
    """Make the server of a task; its socket is listening already."""
    keys, simulator = Path(task.keys), APPLICATIONS[task.system]
    authorities = load_authorities(keys / "authority.pem")
    identity = Identity.load(keys / f"{task.system}.pem", keys / f"{task.system}.key")
    stand_in = simulator.stand_in(
        contract(task.system, simulator.version),
        simulator.application(Population(task.persons, task.seed), task),
        WsSecurity(wsse.Policy(authorities), identity),
    )
    journal = Journal(task.known)
    return SimulatorServer(socket.socket(fileno=task.fd), stand_in, journal)


def _word(answer: Answer, mode: Mode) -> str:
    """What the journal says was answered: a fault is a fault in every mode that would have answered."""
    plain = mode in (Mode.OK, Mode.SLOW, Mode.LATE_EFFECT)
    return Mode.FAULT if plain and answer.fault else mode


def _end_with_parent() -> None:
    """Wait for the end of standard input, which the parent holds and never writes to."""
    while os.read(0, 1024):
        continue
    os._exit(0)


def main() -> None:
    """Serve the task that the only argument describes until the parent is gone or SIGTERM comes."""
    # Ctrl-C goes to the whole group; the parent decides in which order things end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server = serve(Task(**json.loads(sys.argv[1])))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    print("ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
