"""HTTP to one external system: a pool of connections, one message out, one answer in, within a time and a size.

No redirect is followed, nothing is decompressed, nothing comes from the environment.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import certifi
from urllib3 import BaseHTTPResponse
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationParseError,
    NewConnectionError,
    ReadTimeoutError,
)
from urllib3.util import Timeout, parse_url

import errors
from config import System
from security.certificates import load_authorities

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_ANSWER = 16 * 1024 * 1024
# What stands around a body: status, headers, sizes of chunks.
_MAX_AROUND = 1024 * 1024
# Whoever is there at all takes a connection within this time; a place in the pool is not held for longer.
_CONNECT_SECONDS = 5.0


class _Bounded(io.RawIOBase):
    """What a socket still has to say, within a time and a size in all, however slowly the bytes drip.

    A time-out of the socket itself begins anew with every byte.
    Raises: TimeoutError, AnswerRefused.
    """

    def __init__(self, source: io.RawIOBase, connection: socket.socket) -> None:
        super().__init__()
        self._source = source
        self._connection = connection
        self._until = time.monotonic() + (connection.gettimeout() or 0.0)
        self._left = MAX_ANSWER + _MAX_AROUND

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int | None:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        size = self._source.readinto(buffer)
        self._left -= size or 0
        if self._left < 0:
            raise errors.AnswerRefused("over the size limit")
        return size

    def close(self) -> None:
        self._source.close()
        super().close()


class _BoundedResponse(http.client.HTTPResponse):
    """An answer from its status line on: the time that the socket has when it begins is the time for all of it."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Bounded(self.fp.detach(), sock))


class _PlainConnection(HTTPConnection):
    response_class = _BoundedResponse


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TlsConnection(HTTPSConnection):
    """Tells a failed handshake as what it is, no connection: later such errors look the same, but bytes have left."""

    response_class = _BoundedResponse

    def connect(self) -> None:
        try:
            super().connect()
        except (OSError, HTTPError) as error:
            self.close()
            raise NewConnectionError(self, type(error).__name__) from error


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class Posting:
    """The connections to one system, kept open between messages; what is over its pool is opened for one message.

    Raises: ConfigurationError for an address that is none, or authorities that cannot be read.
    """

    def __init__(self, system: System) -> None:
        self._timeout_s = system.timeout_s
        try:
            url = parse_url(system.url)
        except LocationParseError as error:
            raise errors.ConfigurationError(f"{system.url} is no address") from error
        if url.scheme not in ("http", "https") or url.host is None:
            raise errors.ConfigurationError(
                f"{system.url} is no address that begins with http:// or https://"
            )
        self._target = url.request_uri
        if system.tls_trust is not None:
            load_authorities(system.tls_trust)
        self._pool: HTTPConnectionPool
        if url.scheme == "http":
            self._pool = _PlainPool(url.host, url.port, maxsize=system.pool)
        else:
            # The certificate must be one for the address.
            self._pool = _TlsPool(
                url.host,
                url.port,
                maxsize=system.pool,
                cert_reqs="CERT_REQUIRED",
                ca_certs=str(system.tls_trust or certifi.where()),
            )

    def post(self, content: bytes, headers: Mapping[str, str], deadline: float) -> bytes:
        """The exact bytes of the answer; deadline (`time.monotonic()`) and 16 MB hold for all of it.

        Raises: SystemUnreachable when no connection came about, SystemUnavailable, SystemTimeout, AnswerRefused
        (over the size, or compressed).
        """
        left = min(deadline - time.monotonic(), self._timeout_s)
        if left <= 0:
            raise errors.SystemTimeout
        until = time.monotonic() + left
        try:
            response = self._pool.urlopen(
                "POST",
                self._target,
                body=content,
                headers={**headers, "Accept-Encoding": "identity", "User-Agent": "spolis-gateway"},
                retries=False,
                redirect=False,
                timeout=Timeout(connect=min(left, _CONNECT_SECONDS), total=left),
                preload_content=False,
                decode_content=False,
            )
            try:
                answer = _read_body(response, until)
            except BaseException:
                response.close()
                raise
            finally:
                response.release_conn()
        except (NewConnectionError, ConnectTimeoutError) as error:
            raise errors.SystemUnreachable("no connection") from error
        except ReadTimeoutError as error:
            raise errors.SystemTimeout from error
        except HTTPError as error:
            raise _broken(until) from error
        return answer


def _broken(until: float) -> errors.SystemUnavailable:
    """What an exchange is that ended half-way."""
    return errors.SystemTimeout() if time.monotonic() >= until else errors.SystemUnavailable()


def _read_body(response: BaseHTTPResponse, until: float) -> bytes:
    if response.status in (502, 503, 504):
        raise errors.SystemUnavailable(f"HTTP {response.status}")
    # Not asked for, so it is not undone: a small answer would become one without end.
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise errors.AnswerRefused("Content-Encoding")
    parts, size = [], 0
    for part in response.stream(65536, decode_content=False):
        size += len(part)
        if size > MAX_ANSWER:
            raise errors.AnswerRefused("over the size limit")
        if time.monotonic() > until:
            raise errors.SystemTimeout
        parts.append(part)
    return b"".join(parts)
