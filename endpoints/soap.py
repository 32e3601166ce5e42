"""The way in of partner agencies: signed SOAP at /soap/<service>/<version>, the contract at ?wsdl.

Before an exchange begins only HTTP itself is judged: rate, method, content type, size. Everything with a body of
allowed size is an exchange.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from cryptography import x509

import errors
from endpoints import metered, refusals, spyne_protocol
from endpoints.arrivals import Environ, Limiter, diagnostics, media_type, peer, read_body
from endpoints.partner_trust import PartnerTrust
from endpoints.published_contracts import PublishedContract
from endpoints.soap_inlet import CONTENT_TYPES, Endpoint, SoapInlet
from exchange import Arrival, Environment, Reply, Way, new_id, utc_now
from gateway import Gateway
from routing.parties import may_sign_less
from security.engines import ENGINES
from security.envelope import Draft, write
from security.keys import Identity
from storage import reading
from wsdl import contract

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ROOT = "/soap"

# A host as it may stand in an address that we write: a name, an IPv4 or a bracketed IPv6 address, and a port.
_HOST = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?"
)
_XML = "text/xml; charset=utf-8"


@dataclass(frozen=True, slots=True)
class _Mounted:
    """An endpoint and what is served of its contract."""

    endpoint: Endpoint
    published: PublishedContract


def application(
    gateway: Gateway,
    *,
    clock: Callable[[], datetime] = utc_now,
) -> WSGIApplication:
    """The WSGI application of all our services; it may be mounted at the root or under /soap.

    Raises: ConfigurationError without the gateway's own key, or for a service without a contract.
    """
    mounted = _mount(gateway, clock)
    limits = gateway.settings.limits
    limiter = Limiter(limits.requests_per_s)

    def exchange(environ: Environ, path: str, endpoint: Endpoint) -> Reply:
        content_type = str(environ.get("CONTENT_TYPE") or "")
        inlet = SoapInlet(endpoint, content_type)
        try:
            _expect_xml(environ, content_type)
            body = read_body(environ, limits.body_bytes)
            if not body:
                raise errors.MalformedMessage("no body")
        except _UnsupportedContent as error:
            return _refused(inlet, errors.InvalidRequest(str(error)), 415)
        except errors.GatewayError as error:
            return _refused(inlet, error, error.status)
        arrival = Arrival(
            way=Way.SOAP,
            peer=peer(environ),
            target=path,
            body=body,
            headers={
                "content-type": content_type,
                "soapaction": str(environ.get("HTTP_SOAPACTION") or ""),
            },
            deadline=time.monotonic() + limits.exchange_seconds,
        )
        return metered.run(gateway, arrival, inlet)

    def respond(environ: Environ) -> Reply:
        path = f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}"
        found = mounted.get(path)
        if found is None:
            refusals.count(errors.UnknownOperation.code)
            return _plain(404, "no such service")
        try:
            limiter.check(str(environ.get("REMOTE_ADDR", "")))
        except errors.Busy as error:
            return _refused(SoapInlet(found.endpoint, str(environ.get("CONTENT_TYPE") or "")), error, 429)
        match environ.get("REQUEST_METHOD"):
            case "POST":
                return exchange(environ, path, found.endpoint)
            case "GET":
                return _served(environ, path, found.published)
        refusals.count(errors.InvalidRequest.code)
        return _plain(405, "send a SOAP message with POST, or GET ?wsdl", {"Allow": "GET, POST"})

    def serve(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            reply = respond(environ)
        except (
            Exception
        ) as error:  # the last boundary: no stack trace leaves, its message may hold personal data
            diagnostics.error("unforeseen %s on the way in for partners", type(error).__name__)
            reply = _plain(500, "the gateway could not serve the request")
        headers = [*reply.headers.items(), ("Content-Length", str(len(reply.body)))]
        start_response(f"{reply.status} {HTTPStatus(reply.status).phrase}", headers)
        return [] if environ.get("REQUEST_METHOD") == "HEAD" else [reply.body]

    return serve


def _mount(gateway: Gateway, clock: Callable[[], datetime]) -> dict[str, _Mounted]:
    """Every service by the path that it is reached at."""
    settings = gateway.settings
    identity = Identity.load(settings.keys / "gateway.pem", settings.keys / "gateway.key")

    def may_leave_unsigned(certificate: x509.Certificate) -> bool:
        with reading(gateway.engine).begin() as connection:
            return may_sign_less(connection, certificate)

    trust = PartnerTrust(settings, gateway.engine, may_leave_unsigned=may_leave_unsigned)
    engine = ENGINES[settings.signature.engine]

    def sign(draft: Draft) -> bytes:
        return write(draft, identity, now=clock(), engine=engine)

    mounted = {}
    for service in gateway.services.values():
        ours = contract(f"spolis/{service.name}", service.version)
        endpoint = Endpoint(
            service=service,
            contract=ours,
            servers=spyne_protocol.servers(ours, sign),
            engine=gateway.engine,
            trust=trust,
            body_bytes=settings.limits.body_bytes,
            clock=clock,
            explains=settings.environment is Environment.TEST,
        )
        mounted[f"{ROOT}/{service.name}/{service.version}"] = _Mounted(endpoint, PublishedContract(ours))
    return mounted


class _UnsupportedContent(Exception):
    """The body is in a form that is not taken."""


def _expect_xml(environ: Environ, content_type: str) -> None:
    if str(environ.get("HTTP_CONTENT_ENCODING") or "identity").lower() != "identity":
        raise _UnsupportedContent("send the body without Content-Encoding")
    if media_type(content_type)[0] not in CONTENT_TYPES:
        raise _UnsupportedContent("Content-Type: send text/xml (SOAP 1.1) or application/soap+xml (SOAP 1.2)")


def _refused(inlet: SoapInlet, error: errors.GatewayError, status: int) -> Reply:
    """Refuse before an exchange begins: the id is in the diagnostics, not in the log."""
    number = new_id()
    diagnostics.warning("refused before an exchange: %s, %d, %s", error.code, status, number)
    refusals.count(error.code)
    return inlet.fault(error, number, status=status)


def _served(environ: Environ, path: str, published: PublishedContract) -> Reply:
    """The contract, or one of its schemas, for the address in use."""
    asked = parse_qsl(str(environ.get("QUERY_STRING") or ""), keep_blank_values=True)
    if len(asked) != 1 or asked[0][0].lower() not in ("wsdl", "xsd"):
        return _plain(405, "send a SOAP message with POST; the contract is at ?wsdl", {"Allow": "POST"})
    host = str(environ.get("HTTP_HOST") or f"{environ.get('SERVER_NAME')}:{environ.get('SERVER_PORT')}")
    if not _HOST.fullmatch(host):
        return _plain(400, "the Host header is no host")
    scheme = "https" if environ.get("wsgi.url_scheme") == "https" else "http"
    address = f"{scheme}://{host}{path}"
    kind, name = asked[0]
    content = published.wsdl(address) if kind.lower() == "wsdl" else published.schema(name, address)
    if content is None:
        return _plain(404, "no such schema")
    return Reply(200, {"Content-Type": _XML, "X-Exchange-Id": str(new_id())}, content)


def _plain(status: int, text: str, headers: Mapping[str, str] | None = None) -> Reply:
    content_type = {"Content-Type": "text/plain; charset=utf-8", "X-Exchange-Id": str(new_id())}
    return Reply(status, {**content_type, **(headers or {})}, f"{text}\n".encode())
