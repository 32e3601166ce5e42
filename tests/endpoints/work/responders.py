"""Issuers as they are met on the network: OpenSSL's responder as a process, and a server that answers as told."""

from __future__ import annotations

import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from security.keys import Identity
from tests.instances import Tree, free_port, unavailable

START_SECONDS = 30.0


@dataclass
class Told:
    """One answer: status, body and headers; `drops` sends the body byte by byte, so many seconds apart."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    drops: float = 0.0


@dataclass
class Server:
    """Answers as `answer` says, which gets the body of the request; None: it says nothing until the end."""

    url: str
    answer: Callable[[bytes], Told | None]
    asked: list[tuple[str, str]] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)


@contextmanager
def server(answer: Callable[[bytes], Told | None]) -> Iterator[Server]:
    """A server on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append((self.command, self.path))
            told = found.answer(self.rfile.read(int(self.headers.get("Content-Length", "0"))))
            if told is None:
                found.ended.wait(60)
                return
            self.send_response(told.status)
            for name, value in ({"Content-Length": str(len(told.body))} | told.headers).items():
                self.send_header(name, value)
            self.end_headers()
            try:
                for part in (
                    [told.body[n : n + 1] for n in range(len(told.body))] if told.drops else [told.body]
                ):
                    self.wfile.write(part)
                    self.wfile.flush()
                    if told.drops and found.ended.wait(told.drops):
                        return
            except OSError:
                return  # whoever asked has had enough

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Server(f"http://127.0.0.1:{http.server_port}/ask", answer)
    thread = threading.Thread(target=http.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield found
    finally:
        found.ended.set()
        http.shutdown()
        thread.join()
        http.server_close()


class OpenSsl:
    """`openssl ocsp` as a responder: what is revoked is read when it starts."""

    def __init__(self, folder: Path, issuer: Identity, signer: Identity) -> None:
        program = shutil.which("openssl")
        if program is None:
            unavailable("no openssl is installed")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self._index = folder / "index.txt"
        for name, identity in (("issuer", issuer), ("signer", signer)):
            (folder / f"{name}.pem").write_bytes(identity.certificate.public_bytes(Encoding.PEM))
        (folder / "signer.key").write_bytes(
            signer.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
        command = f"{program} ocsp -index index.txt -port {self.port} -CA issuer.pem -rsigner signer.pem"
        command += " -rkey signer.key -nmin 60 -rmd sha256"
        self._starts = 0
        self._tree = Tree(command.split(), folder, {"PATH": "/usr/bin:/bin"})

    def start(self, *certificates: tuple[x509.Certificate, bool]) -> None:
        """Answer about certificates, each with whether it is revoked."""
        self._index.write_text("".join(_line(certificate, revoked) for certificate, revoked in certificates))
        self._starts += 1
        self._tree.start(self._answers, START_SECONDS)

    def stop(self) -> None:
        self._tree.stop(signal.SIGTERM)

    def _answers(self) -> bool:
        # By what it says: a connection that asks nothing would keep it from answering the next one.
        return self._tree.log.read_text(errors="replace").count("waiting for OCSP client") == self._starts


def _line(certificate: x509.Certificate, revoked: bool) -> str:
    """A line of an authority's index: state, end, instant of revocation, serial number, file, subject."""
    end = f"{certificate.not_valid_after_utc:%y%m%d%H%M%SZ}"
    state, when = ("R", "260101000000Z") if revoked else ("V", "")
    return f"{state}\t{end}\t{when}\t{certificate.serial_number:040X}\tunknown\t/CN=partner\n"
