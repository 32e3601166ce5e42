"""A partner's request: a signed SOAP envelope in, a signed one out; what fails leaves as a signed Fault.

Source: docs/interfaces.md (HTTP, signature profile, exactly one effect), wsdl/spolis.
"""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from lxml import etree
from sqlalchemy import Engine

import errors
from endpoints import spyne_protocol
from endpoints.arrivals import media_type
from endpoints.partner_trust import PartnerTrust
from endpoints.spyne_protocol import FAULT, ONLY_ANONYMOUS, SOAP, Dispatched, Letter
from exchange import Addressing, Caller, Disclosed, Received, Reply, Request, Sealed
from mappings.services import Service, ServiceOperation
from routing.parties import find_partner
from security import wsse
from security.envelope import ANONYMOUS
from security.keys import fingerprint
from security.profile import ADDRESSING, DS, SOAP_VERSIONS, WSA, WSSE
from security.xml import Element, canonical, parse
from wsdl import Contract
from wsdl.spyne_compat import Fault, ServerBase

CONTENT_TYPES = {"text/xml": "1.1", "application/soap+xml": "1.2"}

_MEDIA_TYPES = {version: f"{kind}; charset=utf-8" for kind, version in CONTENT_TYPES.items()}
# Quoted, as SOAP 1.1 and the WS-I Basic Profile ask; unquoted, as some stacks write it.
_SOAP_ACTION = re.compile(r'"(?P<quoted>[^"]*)"|(?P<plain>[^",\s]*)')
# The column that remembers answered messages holds no more.
_LONGEST_ID = 200
_MOST_SECONDS = 604_800
# A large message takes many times its size while it is verified: in each process they take turns, one at a time.
_LARGE_BYTES = 65_536
_turn = threading.Lock()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One service of ours at one address: its contract, its tables and Spyne's server for each SOAP version."""

    service: Service
    contract: Contract
    servers: Mapping[str, ServerBase]
    engine: Engine
    trust: PartnerTrust
    body_bytes: int
    clock: Callable[[], datetime]
    explains: bool

    def operation(self, name: str) -> ServiceOperation:
        """The operation of that name.

        Raises: UnknownOperation when the contract has it and no table does.
        """
        operation = self.service.operation(name)
        if operation is None:
            raise errors.UnknownOperation
        return operation


class SoapInlet:
    """The way in of one message. It remembers SOAP version and MessageID, so that its answer fits."""

    def __init__(self, endpoint: Endpoint, content_type: str) -> None:
        self._endpoint = endpoint
        self._media_type, self._parameters = media_type(content_type)
        # Until the envelope is read, the version is the one that the content type stands for.
        self._version = CONTENT_TYPES.get(self._media_type, "1.1")
        self._fault_code = ""
        self._addressing_fault = ""
        self._relates_to: str | None = None
        self._dispatched: Dispatched | None = None

    def read(self, received: Received) -> Request:
        """Hardened parse, signature, partner; then the verified body by contract and tables.

        Raises: MalformedMessage, DoctypeRefused, TooLarge, Unsigned, SignatureInvalid, UntrustedCertificate, Stale,
        UnknownPartner, UnknownOperation, SchemaViolation, InvalidPersonCode, InvalidRequest.
        """
        endpoint = self._endpoint
        with _its_turn(received.arrival.body):
            root = parse(
                received.arrival.body,
                max_bytes=endpoint.body_bytes,
                encoding=self._parameters.get("charset"),
            )
            self._negotiate(root)
            now = endpoint.clock()
            verified = wsse.verify_parsed(root, endpoint.trust.policy(), now=now)
        caller = self._partner(verified.certificate)
        self._relates_to = verified.message_id
        self._understand(root)
        self._answer_here(verified.envelope[0])
        self._dispatched = dispatched = self._dispatch(verified.envelope)
        self._agree(dispatched.operation, verified, received.arrival.headers.get("soapaction", ""))
        operation = endpoint.operation(dispatched.operation)
        record = operation.request.read(dispatched.payload)
        message_id = verified.message_id or str(record.context.request_id)
        if len(message_id) > _LONGEST_ID:
            raise errors.InvalidRequest(f"Header/MessageID: more than {_LONGEST_ID} characters")
        return Request(
            caller=caller,
            context=record.context,
            system=endpoint.service.name,
            operation=operation.name,
            arguments=operation.request.arguments(record),
            message_id=message_id,
            content=verified.body_digest,
            effect_once=operation.once,
            sealed=_sealed(root, verified, now),
        )

    def compose(self, request: Request, exchange_id: uuid.UUID, disclosed: Disclosed) -> bytes:
        """The answer's element in exclusive canonical XML, checked by the contract.

        Raises: SchemaViolation, which is ours here.
        """
        operation = self._endpoint.operation(request.operation)
        element = operation.write(exchange_id, disclosed)
        try:
            self._endpoint.contract.validate(element)
        except errors.SchemaViolation as error:
            raise errors.GatewayFailure(f"our answer breaks our contract: {error.detail}") from error
        return canonical(element)

    def seal(self, received: Received, request: Request, answer: bytes) -> Reply:
        """The answer in an envelope of the request's SOAP version, addressed and signed now."""
        if self._dispatched is None:
            raise errors.GatewayFailure("an answer without a request")
        action = f"{self._endpoint.contract.actions[self._dispatched.operation]}Response"
        written = spyne_protocol.write_answer(
            self._dispatched, Letter(action, self._relates_to, payload=answer)
        )
        return self._reply(200, received.exchange_id, written)

    def refuse(self, received: Received, error: errors.GatewayError) -> Reply:
        """The error as a signed Fault of the request's SOAP version."""
        return self.fault(error, received.exchange_id)

    def fault(
        self, error: errors.GatewayError, exchange_id: uuid.UUID, *, status: int | None = None
    ) -> Reply:
        """A signed Fault. `status` is set where HTTP itself has a better one than SOAP."""
        # What is our own fault stays without detail, which could name files and tables.
        told = error.message if self._explains(error) else type(error)().message
        fault = Fault(self._fault_code or error.fault_code, told, detail=_detail(error))
        letter = Letter(
            f"{WSA}/fault" if self._addressing_fault else spyne_protocol.FAULT_ACTION,
            self._relates_to,
            subcode=error.code,
            addressing_fault=self._addressing_fault,
        )
        usual, written = spyne_protocol.write_fault(self._endpoint.servers[self._version], fault, letter)
        return self._reply(status or usual, exchange_id, written)

    def _explains(self, error: errors.GatewayError) -> bool:
        """Whether the detail is told: in production not what was wrong with a signature, which would help to forge."""
        if error.side is errors.Side.GATEWAY:
            return False
        return self._endpoint.explains or not isinstance(error, errors.NotAuthenticated)

    def _reply(self, status: int, exchange_id: uuid.UUID, content: bytes) -> Reply:
        headers = {
            "Content-Type": _MEDIA_TYPES[self._version],
            "X-Exchange-Id": str(exchange_id),
            "Cache-Control": "no-store",
        }
        return Reply(status, headers, content)

    def _negotiate(self, root: Element) -> None:
        """The SOAP version is the envelope's; the content type must say the same.

        Raises: MalformedMessage.
        """
        name = etree.QName(root)
        version = SOAP_VERSIONS.get(name.namespace or "")
        if version is None or name.localname != "Envelope":
            if name.localname == "Envelope":
                self._fault_code = "VersionMismatch"
            raise errors.MalformedMessage("no envelope of SOAP 1.1 or 1.2")
        self._version = version
        if CONTENT_TYPES.get(self._media_type) != version:
            raise errors.MalformedMessage(f"Content-Type: not the one of SOAP {version}")

    def _partner(self, certificate: x509.Certificate) -> Caller:
        """Asked of the database at every call: a partner that is disabled is refused at once."""
        with self._endpoint.engine.connect() as connection:
            caller = find_partner(connection, certificate)
        if caller is None:
            raise errors.UnknownPartner
        return caller

    def _understand(self, root: Element) -> None:
        """Refuse a header that asks to be understood and is not; also one that is not signed.

        Raises: InvalidRequest, as a fault with the code MustUnderstand.
        """
        soap = SOAP[self._version]
        for header in root.find(f"{{{soap}}}Header"):
            name = etree.QName(header)
            known = name.namespace in ADDRESSING or header.tag == f"{{{WSSE}}}Security"
            if known or header.get(f"{{{soap}}}mustUnderstand", "0").strip() not in ("1", "true"):
                continue
            if _addressed_to_us(header, soap):
                self._fault_code = "MustUnderstand"
                raise errors.InvalidRequest(f"Header/{name.localname[:64]} is not understood")

    def _answer_here(self, header: Element) -> None:
        """The answer goes back on the connection that the request came by: no address in a message makes us call.

        Raises: InvalidRequest, as the fault of WS-Addressing, for a ReplyTo or FaultTo with another address.
        """
        for part in header:
            name = etree.QName(part)
            if name.localname not in ("ReplyTo", "FaultTo"):
                continue
            addresses = [child.text or "" for child in part if child.tag == f"{{{name.namespace}}}Address"]
            if [address.strip() for address in addresses] != [_anonymous(str(name.namespace))]:
                self._addressing_fault = ONLY_ANONYMOUS
                raise errors.InvalidRequest(f"Header/{name.localname}: only the anonymous address is served")

    def _dispatch(self, envelope: Element) -> Dispatched:
        """By Spyne. A personal code that breaks the schema is told as what it is.

        Raises: UnknownOperation, InvalidPersonCode, SchemaViolation.
        """
        try:
            return spyne_protocol.dispatch(self._endpoint.servers[self._version], envelope)
        except errors.SchemaViolation as error:
            path, _, rule = error.detail.partition(": ")
            # Not where it only stands in the place of another element, or a second time.
            if path.endswith("/PersonasKods") and rule != "element-content":
                raise errors.InvalidPersonCode from error
            raise

    def _agree(self, operation: str, verified: wsse.Verified, soap_action: str) -> None:
        """What names the operation besides the Body must name the same one.

        An empty action says nothing, so it contradicts nothing: only the signed Body decides what is done.
        Raises: InvalidRequest.
        """
        action = self._endpoint.contract.actions[operation]
        given = self._parameters.get("action", "")
        if self._version == "1.1":
            found = _SOAP_ACTION.fullmatch(soap_action.strip(" \t"))
            if found is None:
                raise errors.InvalidRequest("SOAPAction: not one address, quoted")
            given = found["quoted"] or found["plain"] or ""
        if given not in ("", action):
            raise errors.InvalidRequest("SOAPAction: not the one of the operation in the Body")
        if verified.action not in (None, action):
            raise errors.InvalidRequest("Header/Action: not the one of the operation in the Body")


def _sealed(root: Element, verified: wsse.Verified, now: datetime) -> Sealed:
    """What is known of the signature. Which algorithm and headers there were is read from the message as it came."""
    soap = etree.QName(root).namespace
    header = root.find(f"{{{soap}}}Header")
    method = header.find(f"{{{WSSE}}}Security/{{{DS}}}Signature/{{{DS}}}SignedInfo/{{{DS}}}SignatureMethod")
    sent = sum(etree.QName(child).namespace in ADDRESSING for child in header.iterchildren("*"))
    signed = len(verified.envelope[0])
    return Sealed(
        fingerprint=fingerprint(verified.certificate),
        valid_until=verified.certificate.not_valid_after_utc,
        algorithm=None if method is None else method.get("Algorithm"),
        addressing=_addressing(sent, signed),
        soap_version=verified.soap_version,
        created=verified.created,
        verified_at=now,
    )


def _addressing(sent: int, signed: int) -> Addressing:
    if not sent:
        return Addressing.NONE
    return Addressing.SIGNED if sent == signed else Addressing.UNSIGNED


def _anonymous(edition: str) -> str:
    """The address that stands for the connection itself, in an edition of WS-Addressing."""
    return ANONYMOUS if edition == WSA else f"{edition}/role/anonymous"


def _its_turn(body: bytes) -> AbstractContextManager[object]:
    return _turn if len(body) > _LARGE_BYTES else nullcontext()


def _addressed_to_us(header: Element, soap: str) -> bool:
    """Whether a header is for the one who answers; others are for nodes on the way, and we are none."""
    if soap == SOAP["1.1"]:
        actor = header.get(f"{{{soap}}}actor", "").strip()
        return actor in ("", "http://schemas.xmlsoap.org/soap/actor/next")
    role = header.get(f"{{{soap}}}role", "").strip()
    return role in ("", f"{soap}/role/next", f"{soap}/role/ultimateReceiver")


def _detail(error: errors.GatewayError) -> Element:
    """Kluda: Kods, ApmainasId where there is an exchange, AtkartotVar, AtkartotPec in seconds.

    Source: wsdl/spolis/fault/v1-0.
    """
    element = etree.Element(f"{{{FAULT}}}Kluda", nsmap={None: FAULT})
    values = {
        "Kods": error.code,
        "ApmainasId": str(error.exchange_id) if error.exchange_id is not None else None,
        "AtkartotVar": "true" if error.retryable else "false",
        "AtkartotPec": str(min(error.retry_after, _MOST_SECONDS)) if error.retry_after is not None else None,
    }
    for name, value in values.items():
        if value is not None:
            etree.SubElement(element, f"{{{FAULT}}}{name}").text = value
    return element
