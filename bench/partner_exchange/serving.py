"""HTTP/1.1 by hand: a thread for each connection, kept open; and a client that keeps its own."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable

_ANSWER = "HTTP/1.1 %d .\r\nContent-Type: text/xml; charset=utf-8\r\nContent-Length: %d\r\n\r\n"

Answer = Callable[[bytes], tuple[int, bytes]]


def serve(answer: Answer) -> None:
    """Serve on a free port until the process is ended; the port is printed as one line of JSON."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=128)
    print(json.dumps({"ready": True, "port": listening.getsockname()[1]}), flush=True)
    while True:
        connection, _ = listening.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_connection, args=(connection, answer), daemon=True).start()


def _connection(connection: socket.socket, answer: Answer) -> None:
    with connection:
        while (request := receive(connection)) is not None:
            status, body = answer(request[1])
            connection.sendall((_ANSWER % (status, len(body))).encode() + body)


def receive(connection: socket.socket) -> tuple[bytes, bytes] | None:
    """The first line of a message and its body; None where the other side has closed."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    first, *headers = head.split(b"\r\n")
    length = next(int(line[15:]) for line in headers if line[:15].lower() == b"content-length:")
    while len(body) < length:
        more = connection.recv(65536)
        if not more:
            return None
        body += more
    return first, body


class Client:
    """One connection to one path, opened again where the server has closed it."""

    def __init__(self, port: int, path: str, action: str) -> None:
        self._port = port
        self._head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: text/xml; charset=utf-8\r\n"
            f'SOAPAction: "{action}"\r\nContent-Length: %d\r\n\r\n'
        )
        self._connection: socket.socket | None = None

    def post(self, body: bytes) -> tuple[int, bytes]:
        """Status and body of the answer. Raises: OSError."""
        if self._connection is None:
            self._connection = socket.create_connection(("127.0.0.1", self._port), timeout=30)
            self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection.sendall((self._head % len(body)).encode() + body)
        answer = receive(self._connection)
        if answer is None:
            self.close()
            raise ConnectionError("closed before the answer")
        return int(answer[0].split(b" ")[1]), answer[1]

    def close(self) -> None:
        """Close it."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
