"""The plain profile: SOAP 1.1 with WS-Addressing, signed both ways.

zeep reads the contract and builds the request; the answer is read from its verified bytes by the mapping tables.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import requests
import zeep
from cryptography import x509
from lxml import etree
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError, MaxRetryError, NewConnectionError

import errors
from adapters import Adapter, Operation
from adapters.profiles import Message
from config import System
from exchange import utc_now
from security import wsse
from security.engines import Engine
from security.keys import Identity
from security.xml import Element, parse
from wsdl import Contract, contract

WSA = "http://www.w3.org/2005/08/addressing"
ANONYMOUS = f"{WSA}/anonymous"
_MAX_ANSWER = 16 * 1024 * 1024
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
        return path.read_bytes()


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


class _TlsConnection(HTTPSConnection):
    """Tells a failed handshake as what it is, no connection: later such errors look the same, but bytes have left."""

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
        self.poolmanager.pool_classes_by_scheme = {"http": HTTPConnectionPool, "https": _TlsPool}


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
        self._client = zeep.Client(  # type: ignore[no-untyped-call] # as above
            str(self._contract.wsdl),
            transport=_LocalOnly(self._contract.wsdl.parent),
            plugins=[_Addressing()],
        )
        self._binding = (
            self._client.service._binding
        )  # no public call builds envelope and action; zeep is pinned
        self._session = requests.Session()
        self._session.trust_env = False
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
        """Post the message; redirects are not followed, the answer is read within the deadline and 16 MB.

        What else it may be than SOAP is seen when it is read, so that it is kept as evidence first.
        Raises: SystemUnreachable when no connection came about, SystemUnavailable, SystemTimeout, AnswerRefused
        (over the size).
        """
        left = min(deadline - time.monotonic(), self._system.timeout_s)
        if left <= 0:
            raise errors.SystemTimeout
        until = time.monotonic() + left
        try:
            with self._session.post(
                self._system.url,
                data=message.content,
                headers={"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{message.action}"'},
                timeout=(min(left, _CONNECT_SECONDS), left),
                stream=True,
                allow_redirects=False,
            ) as response:
                return _read_body(response, until)
        except requests.RequestException as error:
            if _not_connected(error):
                raise errors.SystemUnreachable("no connection") from error
            if isinstance(error, requests.Timeout):
                raise errors.SystemTimeout from error
            if time.monotonic() >= until:
                raise errors.SystemTimeout from error
            raise errors.SystemUnavailable from error

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


def _read_body(response: requests.Response, until: float) -> bytes:
    if response.status_code in (502, 503, 504):
        raise errors.SystemUnavailable(f"HTTP {response.status_code}")
    parts, size = [], 0
    for part in response.iter_content(65536):
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
