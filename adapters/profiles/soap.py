"""The plain profile: SOAP 1.1 with WS-Addressing, signed both ways.

zeep reads the contract and builds the request; the answer is read from its verified bytes by the mapping tables.
"""

from __future__ import annotations

import http.client
import io
import re
import socket
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
import zeep
from cryptography import x509
from lxml import etree
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    MaxRetryError,
    NewConnectionError,
    ReadTimeoutError,
)
from urllib3.util import Timeout

import errors
from adapters import Adapter, Operation
from adapters.profiles import Message
from config import System
from exchange import utc_now
from security import wsse
from security.certificates import load_authorities
from security.engines import Engine
from security.keys import Identity
from security.xml import Element, parse, serialise
from wsdl import Contract, contract

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

WSA = "http://www.w3.org/2005/08/addressing"
ANONYMOUS = f"{WSA}/anonymous"
_MAX_ANSWER = 16 * 1024 * 1024
# What stands around a body: status, headers, sizes of chunks.
_MAX_AROUND = 1024 * 1024
# Whoever is there at all takes a connection within this time; a place in the pool is not held for longer.
_CONNECT_SECONDS = 5.0
_FAULT_CODE = re.compile(r"[A-Z][A-Z_]{0,40}")
_NOT_FOUND = "NAV_ATRASTS"


class _LocalOnly(zeep.Transport):
    """Loads contracts from our own folder and nothing else: a contract never makes us call out."""

    def __init__(self, folder: Path) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # zeep types only a part of itself
        self._folder = folder

    def load(self, url: str) -> bytes:
        path = Path(url).resolve()
        if not path.is_relative_to(self._folder):
            raise errors.ConfigurationError(f"the contract refers to {path.name} outside its folder")
        try:
            return serialise(parse(path.read_bytes()))
        except (OSError, errors.InvalidRequest) as error:
            raise errors.ConfigurationError(f"{path.name} of the contract cannot be read") from error


def _client(wsdl: Path) -> zeep.Client:
    """zeep's reading of a contract; nothing outside its folder is looked at.

    Raises: ConfigurationError, or an error of zeep's, for a contract that is not as ours are.
    """
    return zeep.Client(  # type: ignore[no-untyped-call] # as above
        str(wsdl),
        transport=_LocalOnly(wsdl.parent),
        plugins=[_Addressing()],
        settings=zeep.Settings(forbid_dtd=True, forbid_entities=True, forbid_external=True),
    )


class _Addressing(zeep.Plugin):
    """Sets the addressing headers, with the message id of the exchange rather than one of zeep's own."""

    def egress(
        self, envelope: Element, http_headers: dict[str, str], operation: Any, binding_options: dict[str, str]
    ) -> tuple[Element, dict[str, str]]:
        header = zeep.wsdl.utils.get_or_create_header(envelope)  # type: ignore[no-untyped-call] # as above
        for name, value in (
            ("Action", operation.soapaction),
            ("MessageID", binding_options["message_id"]),
            ("To", binding_options["address"]),
        ):
            etree.SubElement(header, f"{{{WSA}}}{name}", nsmap={"wsa": WSA}).text = value
        reply_to = etree.SubElement(header, f"{{{WSA}}}ReplyTo", nsmap={"wsa": WSA})
        etree.SubElement(reply_to, f"{{{WSA}}}Address").text = ANONYMOUS
        return envelope, http_headers


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
        self._left = _MAX_ANSWER + _MAX_AROUND

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


class _Connections(HTTPAdapter):
    """A pool of connections to one system."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}


class _Session(requests.Session):
    """No redirect is looked at: to find where one leads, requests would read the body whole and decompressed."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


class SoapProfile:
    """One external system over plain signed SOAP, with a pool of connections of its own."""

    def __init__(
        self,
        adapter: Adapter,
        system: System,
        identity: Identity,
        authority: Path,
        *,
        clock: Callable[[], datetime] = utc_now,
        engine: Engine = wsse.NARROW,
    ) -> None:
        self._system = system
        self._identity = identity
        self._clock = clock
        self._contract: Contract = contract(adapter.name, adapter.version)
        self._policy, self._pinned = _trust(system.trust, authority, engine)
        self._client = _client(self._contract.wsdl)
        self._binding = (
            self._client.service._binding
        )  # no public call builds envelope and action; zeep is pinned
        self._session = _Session()
        # No proxy, no authority and no password from the environment; the certificate must be one for the address.
        self._session.trust_env = False
        if system.tls_trust is not None:
            load_authorities(system.tls_trust)
            self._session.verify = str(system.tls_trust)
        for scheme in ("http://", "https://"):
            kept = _Connections(pool_connections=1, pool_maxsize=system.pool, max_retries=0)
            self._session.mount(scheme, kept)

    def compose(self, operation: Operation, request: object, message_id: str) -> Message:
        """Build the request by the contract, address it with `message_id`, sign it with a fresh Timestamp."""
        body = operation.request.write(request)
        envelope, headers = self._binding._create(
            operation.name,
            (),
            _values(body),
            client=self._client,
            options={"address": self._system.url, "message_id": message_id},
        )
        content = wsse.sign(envelope, self._identity, now=self._clock(), engine=self._policy.engine)
        return Message(message_id, headers["SOAPAction"].strip('"'), content)

    def send(self, message: Message, deadline: float) -> bytes:
        """Post the message; no redirect is followed, nothing decompressed; deadline and 16 MB hold for all of it.

        What else it may be than SOAP is seen when it is read, so that it is kept as evidence first.
        Raises: SystemUnreachable when no connection came about, SystemUnavailable, SystemTimeout, AnswerRefused
        (over the size, or compressed).
        """
        left = min(deadline - time.monotonic(), self._system.timeout_s)
        if left <= 0:
            raise errors.SystemTimeout
        until = time.monotonic() + left
        try:
            with self._session.post(
                self._system.url,
                data=message.content,
                headers={
                    "Content-Type": "text/xml; charset=utf-8",
                    "SOAPAction": f'"{message.action}"',
                    "Accept-Encoding": "identity",
                },
                # requests takes one of urllib3's, which can count the time of connecting in.
                timeout=Timeout(connect=min(left, _CONNECT_SECONDS), total=left),  # type: ignore[arg-type] # as above
                stream=True,
                allow_redirects=False,
            ) as response:
                return _read_body(response, until)
        except requests.RequestException as error:
            if _not_connected(error):
                raise errors.SystemUnreachable("no connection") from error
            if isinstance(error, requests.Timeout):
                raise errors.SystemTimeout from error
            raise _broken(until) from error
        except HTTPError as error:  # while the body was read
            raise errors.SystemTimeout if isinstance(error, ReadTimeoutError) else _broken(until) from error

    def read(self, operation: Operation, message: Message, answer: bytes) -> object:
        """Verify, match, check and map an answer; a fault becomes an error of ours."""
        try:
            envelope = parse(answer, max_bytes=_MAX_ANSWER)
        except errors.InvalidRequest as error:
            raise errors.AnswerUnreadable(error.code) from error
        try:
            verified = wsse.verify_parsed(envelope, self._policy, now=self._clock())
        except (errors.NotAuthenticated, errors.InvalidRequest) as error:
            unreadable = isinstance(error, errors.MalformedMessage)
            refused = errors.AnswerUnreadable if unreadable else errors.AnswerUnsigned
            raise refused(error.code) from error
        if self._pinned and verified.certificate not in self._pinned:
            raise errors.AnswerUnsigned("certificate of another system")
        if verified.relates_to != message.message_id:
            raise errors.AnswerMismatch("RelatesTo")
        payload = verified.body[0]
        if etree.QName(payload).localname == "Fault":
            raise self._fault(payload)
        if verified.action != f"{message.action}Response":
            raise errors.AnswerMismatch("Action")
        try:
            self._contract.validate(payload)
        except errors.SchemaViolation as error:
            raise errors.AnswerRefused(error.detail) from error
        return operation.answer.read(payload)

    def _fault(self, fault: Element) -> errors.GatewayError:
        code = (
            fault.findtext(f"detail/{{{self._contract.namespace}}}Kluda/{{{self._contract.namespace}}}Kods")
            or ""
        )
        if code == _NOT_FOUND:
            return errors.NotFound("the external system does not know it")
        known = code if _FAULT_CODE.fullmatch(code) else ""
        ours = "Client" in (fault.findtext("faultcode") or "")
        return errors.RequestRefused(known) if ours else errors.SystemFault(known)


open_profile = SoapProfile


def _not_connected(error: requests.RequestException) -> bool:
    """Whether it failed before any byte of the message left: no address, no connection, no TLS."""
    cause = error.args[0] if error.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else cause
    return isinstance(reason, (NewConnectionError, ConnectTimeoutError))


def _broken(until: float) -> errors.SystemUnavailable:
    """What an exchange is that ended half-way."""
    return errors.SystemTimeout() if time.monotonic() >= until else errors.SystemUnavailable()


def _read_body(response: requests.Response, until: float) -> bytes:
    if response.status_code in (502, 503, 504):
        raise errors.SystemUnavailable(f"HTTP {response.status_code}")
    # Not asked for, so it is not undone: a small answer would become one without end.
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise errors.AnswerRefused("Content-Encoding")
    parts, size = [], 0
    for part in response.raw.stream(65536, decode_content=False):
        size += len(part)
        if size > _MAX_ANSWER:
            raise errors.AnswerRefused("over the size limit")
        if time.monotonic() > until:
            raise errors.SystemTimeout
        parts.append(part)
    return b"".join(parts)


def _trust(path: Path, authority: Path, engine: Engine) -> tuple[wsse.Policy, tuple[x509.Certificate, ...]]:
    """The policy for a system's answers. Certificates in its trust file that are no authorities are pinned."""
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
        roots = tuple(certificate for certificate in found if _is_authority(certificate))
        pinned = tuple(certificate for certificate in found if not _is_authority(certificate))
        if not roots:
            roots = tuple(x509.load_pem_x509_certificates(authority.read_bytes()))
    except (OSError, ValueError) as error:
        raise errors.ConfigurationError(
            f"no certificates can be read from {path.name}: gateway keys new"
        ) from error
    return wsse.Policy(authorities=roots, engine=engine), pinned


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _values(element: Element) -> dict[str, Any]:
    """An element's children as the arguments that zeep builds the same element from."""
    values: dict[str, Any] = {}
    for child in element:
        name = etree.QName(child).localname
        value = _values(child) if len(child) else child.text or ""
        if name in values:
            known = values[name]
            values[name] = [*known, value] if isinstance(known, list) else [known, value]
        else:
            values[name] = value
    return values
