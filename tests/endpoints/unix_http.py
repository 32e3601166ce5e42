"""HTTP over a Unix socket, as a proxy on the same host speaks it."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from cryptography.hazmat.primitives.serialization import Encoding

from security.keys import Identity


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("gateway.test", timeout=30)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(30)
        self.sock.connect(str(self._path))


def path_of(url: str) -> Path:
    """The socket of a http+unix URL."""
    parts = urlsplit(url)
    assert parts.scheme == "http+unix"
    return Path(unquote(parts.netloc))


def ask(
    url: str, target: str, headers: Mapping[str, str], body: bytes | None = None, method: str = ""
) -> Answer:
    """One request; a POST when there is a body."""
    connection = _Connection(path_of(url))
    try:
        connection.request(method or ("GET" if body is None else "POST"), target, body, dict(headers))
        answer = connection.getresponse()
        return Answer(answer.status, dict(answer.getheaders()), answer.read())
    finally:
        connection.close()


def said_of(identity: Identity, address: str = "192.0.2.7") -> dict[str, str]:
    """What the proxy says of a client whose certificate it has verified."""
    return {
        "X-Client-Certificate": quote(identity.certificate.public_bytes(Encoding.PEM).decode(), safe=""),
        "X-Client-Verify": "SUCCESS",
        "X-Real-IP": address,
        "X-Forwarded-Proto": "https",
    }
