"""deploy/nginx.conf against clients that dawdle: who sends a request whole is served as if they were not there."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.deploy.conftest import SERVICE, Site, fault_code
from tests.deploy.proxy import Nginx, client, running

pytestmark = pytest.mark.long

SLOW = 200
CALLS = 30
HEAD = f"POST {SERVICE} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\n".encode()
HALVES = {
    "a header": HEAD + b"X: ",
    "a body": HEAD + b"Content-Length: 4000000\r\n\r\n<",
    "a chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n3d0900\r\n<",
    "a body that was asked for": HEAD + b"Content-Length: 4000000\r\nExpect: 100-continue\r\n\r\n<",
}


@contextmanager
def dawdling(nginx: Nginx, keys: Path) -> Iterator[list[socket.socket]]:
    """So many partners at once, each with a request begun; one byte of it each half second, until the end.

    A fifth of them do not even finish the handshake of TLS.
    """
    context = client(keys, "partner")
    ended = threading.Event()
    with ExitStack() as stack:
        held: list[socket.socket] = []
        for number in range(SLOW):
            # From addresses of their own: nginx allows each only so many.
            plain = stack.enter_context(
                socket.create_connection(
                    ("127.0.0.1", nginx.partners_port), 20, source_address=(f"127.0.0.{2 + number % 4}", 0)
                )
            )
            if number % 5 == 4:
                plain.sendall(b"\x16\x03\x01\x02\x00\x01")
                held.append(plain)
                continue
            connection = stack.enter_context(context.wrap_socket(plain, server_hostname="localhost"))
            connection.sendall(list(HALVES.values())[number % 5 % len(HALVES)])
            held.append(connection)

        def drip() -> None:
            while not ended.wait(0.5):
                for connection in held:
                    with suppress(OSError):
                        connection.sendall(b"y")

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            yield held
        finally:
            ended.set()
            thread.join()


def served(site: Site) -> list[float]:
    """How long each of some right calls takes, every second one over a new connection; all are served."""
    taken = []
    with site.session() as kept:
        for number in range(CALLS):
            content = site.message()
            with site.session() as new:
                began = time.monotonic()
                answer = site.call(kept if number % 2 else new, content)
                taken.append(time.monotonic() - began)
            assert answer.status_code == 200, answer.text
            assert fault_code(answer) is None
    return sorted(taken)


def test_two_hundred_slow_clients_delay_nobody(site: Site) -> None:
    passed_on = len(site.nginx.upstreams())
    without = served(site)
    with dawdling(site.nginx, site.keys) as held:
        within = served(site)
        still = [connection for connection in held if _open(connection)]
        with site.session(None) as core:
            assert core.get(f"{site.nginx.internal}/healthz", timeout=20).status_code == 200
    assert len(held) == SLOW
    # They were there all the time: only headers and handshakes have a time for all of it.
    assert len(still) >= SLOW * 2 // 5
    most = int(CALLS * 0.95)
    assert within[most] < 5 * without[most] + 1.0, (without, within)
    # None of the half requests was passed on.
    assert len(site.nginx.upstreams()) - passed_on == 2 * CALLS + 1


def _open(connection: socket.socket) -> bool:
    connection.settimeout(0.0)
    try:
        return connection.recv(1000) != b""
    except (BlockingIOError, ssl.SSLWantReadError):
        return True
    except OSError:
        return False


@pytest.fixture(scope="module")
def hasty(folder: Path) -> Iterator[Nginx]:
    """nginx with nobody behind it, and little patience."""
    with running(folder / "hasty", folder / "state" / "keys", seconds=2) as nginx:
        yield nginx


def test_what_is_half_sent_ends_in_time(hasty: Nginx, folder: Path) -> None:
    context = client(folder / "state" / "keys", "partner")
    began = time.monotonic()
    with ExitStack() as stack:
        held: list[socket.socket] = []
        for half in (b"", b"POST /so", *HALVES.values()):
            plain = stack.enter_context(socket.create_connection(("127.0.0.1", hasty.partners_port), 20))
            connection = stack.enter_context(context.wrap_socket(plain, server_hostname="localhost"))
            connection.sendall(half)
            held.append(connection)
        for hello in (b"", b"\x16\x03\x01\x02\x00\x01"):
            plain = stack.enter_context(socket.create_connection(("127.0.0.1", hasty.partners_port), 20))
            plain.sendall(hello)
            held.append(plain)
        for each in held:
            with suppress(OSError):
                while each.recv(1000):
                    continue
    assert time.monotonic() - began < 15


def test_a_header_that_drips_ends_in_time(hasty: Nginx, folder: Path) -> None:
    began = time.monotonic()
    with (
        socket.create_connection(("127.0.0.1", hasty.partners_port), 20) as plain,
        client(folder / "state" / "keys", "partner").wrap_socket(
            plain, server_hostname="localhost"
        ) as connection,
    ):
        connection.sendall(HALVES["a header"])
        with pytest.raises(OSError):  # noqa: PT011, PT012 — the drip is what is tested; reset or ended, as the system likes
            while time.monotonic() - began < 15:
                connection.sendall(b"y")
                time.sleep(0.1)
    assert time.monotonic() - began < 15


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", 400),
        ("Content-Length: 5\r\nContent-Length: 5\r\n", 400),
        ("Content-Length: 5\r\nContent-Length: 6\r\n", 400),
        ("Content-Length: -5\r\n", 400),
        ("Transfer-Encoding: gzip, chunked\r\n", 501),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400),
        ("Transfer-Encoding : chunked\r\n", 400),
        ("Host: another\r\n", 400),
        ("Content-Length: 4194305\r\n", 413),
        ("X: " + "y" * 20_000 + "\r\n", 400),
        ("Content-Length: 5\r\nExpect: another\r\n", 502),
    ],
)
def test_what_is_ambiguous_does_not_get_past_nginx(
    hasty: Nginx, folder: Path, headers: str, status: int
) -> None:
    """502 is what is passed on: there is nobody."""
    before = len(hasty.upstreams())
    with (
        socket.create_connection(("127.0.0.1", hasty.partners_port), 20) as plain,
        client(folder / "state" / "keys", "partner").wrap_socket(
            plain, server_hostname="localhost"
        ) as connection,
    ):
        connection.sendall(HEAD + headers.encode() + b"Connection: close\r\n\r\n<a/> ")
        received = b""
        with suppress(OSError):
            while piece := connection.recv(1000):
                received += piece
    assert received.startswith(f"HTTP/1.1 {status} ".encode()), received
    if status != 502:
        assert len(hasty.upstreams()) == before
