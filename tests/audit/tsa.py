"""An authority of time stamps on a socket, whose work OpenSSL does: a stack that is not ours."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from tests.instances import unavailable

_CONFIGURATION = """
[req]
distinguished_name = name
[name]
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
subjectKeyIdentifier = hash
[stamps]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[tsa]
default_tsa = one
[one]
serial = serial
signer_cert = tsa.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_alg = sha256
"""


def openssl(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run OpenSSL in a folder."""
    program = shutil.which("openssl") or unavailable("openssl is not installed")
    return subprocess.run(  # noqa: S603 — arguments of the tests
        [program, *arguments], cwd=folder, capture_output=True, check=False
    )


@contextmanager
def authority(folder: Path) -> Iterator[str]:
    """Keys in a folder (`ca.pem` is the authority above), and the address where stamps are given while this lasts."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tsa.cnf").write_text(_CONFIGURATION)
    (folder / "serial").write_text("01\n")
    new = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-config", "tsa.cnf")
    above = ("-CA", "ca.pem", "-CAkey", "ca.key")
    for done in (
        openssl(
            folder, *new, "-subj", "/CN=Above", "-extensions", "ca", "-keyout", "ca.key", "-out", "ca.pem"
        ),
        openssl(
            folder,
            *new,
            *above,
            "-subj",
            "/CN=TSA",
            "-extensions",
            "stamps",
            "-keyout",
            "tsa.key",
            "-out",
            "tsa.pem",
        ),
    ):
        assert done.returncode == 0, done.stderr

    class Stamping(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            (folder / "query.tsq").write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
            reply = ("ts", "-reply", "-config", "tsa.cnf", "-section", "one")
            done = openssl(folder, *reply, "-queryfile", "query.tsq", "-out", "reply.tsr")
            assert done.returncode == 0, done.stderr
            content = (folder / "reply.tsr").read_bytes()
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Stamping)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
