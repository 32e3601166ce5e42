"""A gunicorn thread worker in which no peer can hold a thread for longer than a request may take to arrive.

As it comes, gunicorn waits for ever for the rest of a half-sent header or body, and `timeout` does not help: as many
such peers as there are threads stop a worker. Here a connection gets a thread only when its first bytes are there, and
its handshake, its headers and its body must arrive within `READ_SECONDS` of that. An answer must be taken within the
same time.
"""

from __future__ import annotations

import errno
import gc
import socket
import ssl
import time
from contextlib import suppress
from functools import partial
from selectors import EVENT_READ
from typing import Any

from gunicorn import http
from gunicorn.http import errors as http_errors
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.gthread import TConn, ThreadWorker

import errors
from endpoints import refusals
from endpoints.arrivals import diagnostics
from endpoints.problems import problem
from endpoints.processes import give_back_memory
from exchange import new_id
from security.xml import forget_names

READ_SECONDS = 20.0

# What gunicorn says of a request that it cannot read, as HTTP says it; every other one is 400.
_STATUS = {
    http_errors.LimitRequestLine: 414,
    http_errors.LimitRequestHeaders: 431,
    http_errors.UnsupportedTransferCoding: 501,
    http_errors.ExpectationFailed: 417,
}


class TooSlow(http_errors.NoMoreData, TimeoutError):  # type: ignore[misc] # — gunicorn publishes no types
    """The peer did not send the rest in time; gunicorn takes it for one that went away."""


class _TimelyReader(SocketUnreader):  # type: ignore[misc] # — gunicorn publishes no types
    """Reads from a socket until an instant, however slowly the bytes drip."""

    def __init__(self, connection: socket.socket, seconds: float) -> None:
        super().__init__(connection)
        self.seconds = seconds
        self.until = time.monotonic() + seconds
        self.late = False

    def chunk(self, size_hint: int | None = None) -> bytes:
        """The next bytes. Raises: TooSlow."""
        left = self.until - time.monotonic()
        if left <= 0:
            self.late = True
            raise TooSlow
        self.sock.settimeout(left)
        try:
            data: bytes = super().chunk(size_hint)
        except TimeoutError as error:
            self.late = True
            raise TooSlow from error
        finally:
            # What is sent next has its own time.
            with suppress(OSError):
                self.sock.settimeout(self.seconds)
        return data


class _Awaited:
    """The body of a request whose sender waits to hear that it is wanted: he hears it when it is first read, or never.

    Who is refused unheard must not send his body any more, so the connection ends with the refusal.
    Source: RFC 9110, 10.1.1.
    """

    def __init__(self, request: Any, connection: socket.socket) -> None:
        self._request = request
        self._body = request.body
        self._connection = connection
        self._ends = request.must_close
        self._wanted = False
        request.must_close = True

    @property
    def failed(self) -> bool:
        """Whether it broke; gunicorn asks, since nobody knows then where the next request begins."""
        return bool(self._body.failed)

    def read(self, size: int | None = None) -> bytes:
        """The next bytes of the body."""
        if not self._wanted:
            self._wanted = True
            self._request.must_close = self._ends
            self._connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        data: bytes = self._body.read(size)
        return data


class _Connection(TConn):  # type: ignore[misc] # — gunicorn publishes no types
    """A connection that is read against the clock."""

    def __init__(self, worker: TimelyWorker, connection: socket.socket, client: Any, server: Any) -> None:
        super().__init__(worker.cfg, connection, client, server)
        self.worker = worker
        self.sock: socket.socket = connection
        self.initialized = False
        self.parser: Any = None

    def init(self) -> None:
        """Shake hands where TLS is spoken, and get ready to read; HTTP/1.1 only. Raises: TooSlow, NoMoreData."""
        if self.initialized:
            self.parser.unreader.until = time.monotonic() + self.worker.read_seconds
            return
        self.initialized = True
        began = time.monotonic()
        self.sock.settimeout(self.worker.read_seconds)
        if self.worker.tls is not None:
            try:
                self.sock = self.worker.tls.wrap_socket(self.sock, server_side=True)
            except OSError as error:  # also ssl.SSLError: no certificate, none that is trusted, no TLS at all
                diagnostics.info("TLS handshake failed: %s", getattr(error, "reason", type(error).__name__))
                raise http_errors.NoMoreData from error
        self.parser = http.get_parser(self.cfg, self.sock, self.client)
        self.parser.unreader = _TimelyReader(self.sock, self.worker.read_seconds)
        self.parser.unreader.until = began + self.worker.read_seconds

    def close(self, graceful: bool = False) -> None:
        """Close, once; a connection that is closed already must not disturb gunicorn's count of connections."""
        if self.sock.fileno() >= 0:
            with suppress(OSError):
                super().close(graceful)


class TimelyWorker(ThreadWorker):  # type: ignore[misc] # — gunicorn publishes no types
    """See the module. `tls` and `read_seconds` are set by the application object that the worker is given."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.tls: ssl.SSLContext | None = self.app.tls
        self.read_seconds: float = self.app.read_seconds

    def accept(self, listener: socket.socket) -> bool:
        """Take a connection and let it wait for its first bytes without a thread; whether there was one."""
        try:
            accepted, client = listener.accept()
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
                return False
            raise
        self.nr_conns += 1
        connection = _Connection(self, accepted, client, listener.getsockname())
        connection.timeout = time.monotonic() + self.read_seconds
        self.pending_conns.append(connection)
        self.poller.register(
            connection.sock, EVENT_READ, partial(self.on_pending_socket_readable, connection)
        )
        return True

    def set_accept_enabled(self, enabled: bool) -> None:
        """A worker that stops still serves who has connected, and closes its door: others are refused at once."""
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive:
            for listener in self.sockets:
                while self.accept(listener):
                    pass
                listener.close()

    def _cap_keepalive(self, deadline: float) -> None:
        """A worker that stops waits for nobody who has not sent a byte."""
        super()._cap_keepalive(deadline)
        for connection in self.pending_conns:
            connection.timeout = min(connection.timeout, deadline)

    def handle(self, conn: _Connection) -> Any:
        """Serve one request; what lingers at the end of a connection lingers here, not in the loop that accepts."""
        kept = super().handle(conn)
        if forget_names():
            # A refusal holds on to its message until it is collected: an error, its trace and its frame form a ring.
            gc.collect(1)
            give_back_memory()
        if kept is False:
            # Who was too slow has sent nothing that is still unread, and gets no more of anybody's time.
            conn.close(graceful=not (conn.parser and conn.parser.unreader.late))
        return kept

    def handle_request(self, req: Any, conn: _Connection) -> Any:
        """Serve a request that was read as far as its body. gunicorn would ask for every body before it is judged."""
        if req._expected_100_continue:
            req._expected_100_continue = False
            req.body = _Awaited(req, conn.sock)
        return super().handle_request(req, conn)

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:
        """Answer what cannot be read, or what failed beyond every step, without repeating any of it."""
        ours = not isinstance(exc, http_errors.ParseException)
        status = 500 if ours else _STATUS.get(type(exc), 400)
        number = new_id()
        diagnostics.warning("refused unread: %s, %d, %s", type(exc).__name__, status, number)
        error = (
            errors.GatewayError()
            if ours
            else errors.MalformedMessage("the request is no HTTP/1.1 as taken here")
        )
        refusals.count(error.code)
        reply = problem(error, number, status=status)
        head = [f"HTTP/1.1 {status} Refused", "Connection: close", f"Content-Length: {len(reply.body)}"]
        head += [f"{name}: {value}" for name, value in reply.headers.items()]
        with suppress(OSError):
            client.settimeout(self.read_seconds)
            client.sendall("\r\n".join([*head, "", ""]).encode("ascii") + reply.body)
