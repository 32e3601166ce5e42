"""What every way in does before an exchange begins: who is at the other end, how fast he asks, how much he sends."""

from __future__ import annotations

import io
import logging
import re
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from gunicorn.http.errors import ParseException

from errors import Busy, MalformedMessage, TooLarge
from exchange import Peer

# What WSGI hands over: strings by the names of CGI, and objects by dotted names.
Environ = Mapping[str, Any]

diagnostics = logging.getLogger("gateway.endpoints")

# Where `endpoints.proxied` puts the certificate (DER) that a proxy has verified; no header gets such a name.
PEER_CERTIFICATE = "gateway.peer_certificate"

# A host and a port, as they may stand in a Host header.
_HOST = re.compile(r"(?:[A-Za-z0-9._~-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_MEDIA_TYPE = re.compile(rf"{_WORD}/{_WORD}")
_PARAMETER = re.compile(
    rf'[ \t]*;[ \t]*(?:(?P<name>{_WORD})=(?:(?P<token>{_WORD})|"(?P<quoted>(?:[^"\\]|\\.)*)"))?'
)
_ESCAPED = re.compile(r"\\(.)")
_PIECE = 65_536
_MOST_PEERS = 10_000


def peer(environ: Environ) -> Peer:
    """The other end of the connection, with its certificate where the listener or the proxy before it asked for one."""
    connection = environ.get("gunicorn.socket")
    certificate = (
        connection.getpeercert(True)
        if isinstance(connection, ssl.SSLSocket)
        else environ.get(PEER_CERTIFICATE)
    )
    return Peer(str(environ.get("REMOTE_ADDR", "")), certificate)


def check_target(environ: Environ) -> None:
    """What names the resource must be one host and one path.

    Raises: MalformedMessage.
    Source: RFC 9112, 3.2.
    """
    host = environ.get("HTTP_HOST")
    if host is None and environ.get("SERVER_PROTOCOL") == "HTTP/1.1":
        raise MalformedMessage("the Host header is missing")
    if host is not None and not _HOST.fullmatch(host):
        raise MalformedMessage("the Host header is no host")
    if "#" in str(environ.get("RAW_URI") or ""):
        raise MalformedMessage("a fragment in the address")


def media_type(text: str) -> tuple[str, Mapping[str, str]]:
    """A Content-Type as media type and parameters, names in lower case; an empty one where it is none.

    Strict, since two readers must not take different charsets from it: a parameter that is given twice is refused.
    Source: RFC 9110, 5.6.6 and 8.3.1.
    """
    found = _MEDIA_TYPE.match(text)
    if found is None:
        return "", {}
    parameters: dict[str, str] = {}
    at = found.end()
    while (parameter := _PARAMETER.match(text, at)) is not None:
        at = parameter.end()
        if parameter["name"] is None:
            continue
        name = parameter["name"].lower()
        if name in parameters:
            return "", {}
        parameters[name] = parameter["token"] or _ESCAPED.sub(r"\1", parameter["quoted"] or "")
    return (found[0].lower(), parameters) if not text[at:].strip(" \t") else ("", {})


def read_body(environ: Environ, limit: int) -> bytes:
    """The body of a request, whole, with or without Content-Length.

    Raises: TooLarge over `limit` bytes, MalformedMessage when it did not arrive whole or in time.
    """
    expected = _length(environ)
    # gunicorn passes other codings on without undoing them.
    if str(environ.get("HTTP_TRANSFER_ENCODING") or "chunked").strip().lower() != "chunked":
        raise MalformedMessage("Transfer-Encoding: only chunked is taken")
    if expected is not None and expected > limit:
        raise TooLarge(f"{limit} bytes at most")
    if expected is None and not environ.get("HTTP_TRANSFER_ENCODING"):
        return b""
    # Gives its bytes without a copy of them.
    received, size = io.BytesIO(), 0
    stream = environ["wsgi.input"]
    try:
        while expected is None or size < expected:
            piece = stream.read(_PIECE if expected is None else min(_PIECE, expected - size))
            if not piece:
                break
            size += received.write(piece)
            if size > limit:
                raise TooLarge(f"{limit} bytes at most")
    except (OSError, ParseException) as error:  # the peer fell silent, went away, or broke the chunks
        raise MalformedMessage("the body did not arrive whole and in time") from error
    if expected is not None and size < expected:
        raise MalformedMessage("the body did not arrive whole and in time")
    return received.getvalue()


def _length(environ: Environ) -> int | None:
    text = str(environ.get("CONTENT_LENGTH") or "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise MalformedMessage("Content-Length")
    return int(text)


class Limiter:
    """A token bucket for each peer address: `rate` requests a second, as many at once; kept per process.

    `clock` gives seconds that never run backwards.
    """

    def __init__(self, rate: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = float(rate)
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[str, tuple[float, float]] = {}

    def check(self, address: str) -> None:
        """Take one token.

        Raises: Busy with the seconds to wait when the bucket is empty.
        """
        with self._lock:
            now = self._clock()
            tokens, since = self._buckets.pop(address, (self._rate, now))
            tokens = min(self._rate, tokens + (now - since) * self._rate)
            empty = tokens < 1
            # Put back at the end: the dictionary stays in order of last use.
            self._buckets[address] = (tokens if empty else tokens - 1, now)
            while len(self._buckets) > _MOST_PEERS:
                del self._buckets[next(iter(self._buckets))]
        if empty:
            raise Busy("too many requests of one address", retry_after=1)
