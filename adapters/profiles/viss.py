"""By way of the state integrator (VISS): the same operations in IVISRequest and IVISResponse, signed SOAP 1.2.

A transaction stands for a purpose. It is started by a message of its own when there is none, kept by this process, and
started anew, once, when the integrator does not know it any more.
Source: wsdl/viss/v1-0; docs/viss.md.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from lxml import etree

import errors
from adapters import Adapter, Operation
from adapters.profiles import Conversation, Message
from adapters.profiles.answers import Trust, recorded, refusal, written
from adapters.profiles.posting import Posting
from adapters.profiles.viss_errors import REFUSALS
from config import System, Viss
from exchange import Context, Official, new_id, utc_now
from security import wsse
from security.engines import Engine
from security.envelope import ANONYMOUS, Draft, write
from security.keys import Identity
from security.xml import Element, canonical
from wsdl import Contract, contract
from wsdl.ivis import MAX_BYTES, message_type

SOAP = "http://www.w3.org/2003/05/soap-envelope"
START, SUBMIT = "StartTransaction", "SubmitSync"
_SUCCESS = "success"
_ID = "urn:uuid:"
_PERSON = re.compile(r"(?:PK:)?(?P<code>[0-9]{6}-?[0-9]{5})", re.ASCII)
# As long as any other: how large a message will be is known before there is a transaction for it.
_NO_TRANSACTION = str(uuid.UUID(int=0))


@dataclass(frozen=True, slots=True)
class _Transaction:
    """A transaction that was started, and until when it is used."""

    id: str
    until: datetime


class VissProfile:
    """One external system by way of the integrator, with a pool of connections of its own."""

    def __init__(
        self,
        adapter: Adapter,
        system: System,
        identity: Identity,
        authority: Path,
        *,
        clock: Callable[[], datetime] = utc_now,
        engine: Engine = wsse.NARROW,
        ids: Callable[[], uuid.UUID] = new_id,
        limit: int = MAX_BYTES,
    ) -> None:
        """`limit`: the bytes of the longest message. Raises: ConfigurationError without settings of the integrator."""
        if system.viss is None:
            raise errors.ConfigurationError(f"[systems.{adapter.name}] has no settings of [viss]")
        self._viss: Viss = system.viss
        self._destination = system.destination
        self._identity = identity
        self._clock = clock
        self._engine = engine
        self._ids = ids
        self._limit = limit
        self._contract: Contract = contract(adapter.name, adapter.version)
        self._envelope: Contract = contract("viss")
        self._name = f"{{{self._envelope.namespace}}}"
        self._trust = Trust(self._viss.trust, authority, clock=clock, engine=engine)
        self._posting = Posting(replace(system, url=self._viss.url, tls_trust=self._viss.tls_trust))
        self._transactions: dict[str, _Transaction] = {}

    def converse(self, operation: Operation, request: object, message_id: str) -> Conversation:
        """The request in a transaction of its purpose, which is started first where there is none.

        What cannot leave is found out before a transaction is started for it.
        """
        context = _context(request)
        transaction = self._known(context.purpose)
        message = self._submit(operation, request, message_id, transaction or _NO_TRANSACTION)
        if transaction is not None:
            answer = yield message
            try:
                return self.read(operation, message, answer)
            except errors.SystemUnreachable:
                self._forget(context.purpose, transaction)
        opening = self._start(context)
        answer = yield opening
        transaction = self._started(context.purpose, opening, answer)
        message = self._submit(operation, request, message_id, transaction)
        answer = yield message
        try:
            return self.read(operation, message, answer)
        except errors.SystemUnreachable:
            self._forget(context.purpose, transaction)
            raise

    def compose(self, operation: Operation, request: object, message_id: str) -> Message:
        """SubmitSync in the transaction that is kept for the request's purpose.

        Raises: GatewayFailure where there is none, or the request breaks a contract; TooLarge.
        """
        transaction = self._known(_context(request).purpose)
        if transaction is None:
            raise errors.GatewayFailure("no transaction was started for this purpose")
        return self._submit(operation, request, message_id, transaction)

    def send(self, message: Message, deadline: float) -> bytes:
        """Post the message; see `Posting.post`."""
        headers = {"Content-Type": f'application/soap+xml; charset=utf-8; action="{message.action}"'}
        return self._posting.post(message.content, headers, deadline)

    def read(self, operation: Operation, message: Message, answer: bytes) -> object:
        """Verify, match, check and map the answer to SubmitSync; errors of the integrator become errors of ours.

        Raises: as `Profile.read`; SystemUnreachable where the integrator does not know the transaction any more.
        """
        response = self._response(message, answer)
        name = f"{operation.name}Response"
        if response.findtext(f"{self._name}MessageType") != message_type(self._contract, name):
            raise errors.AnswerMismatch("MessageType")
        body = response.find(f"{self._name}Body")
        if body is None:
            raise errors.AnswerRefused("/IVISResponse/Body is missing")
        return recorded(operation, self._contract, body[0])

    def _submit(self, operation: Operation, request: object, message_id: str, transaction: str) -> Message:
        payload = written(operation, self._contract, request)
        header = {
            "MessageType": message_type(self._contract, operation.name),
            "TransactionID": transaction,
            "Destination": self._destination,
        }
        return self._message(SUBMIT, message_id, header, _context(request), payload)

    def _start(self, context: Context) -> Message:
        payload = etree.Element(f"{self._name}{START}")
        etree.SubElement(payload, f"{self._name}Purpose").text = context.purpose
        header = {"MessageType": message_type(self._envelope, START)}
        message = self._message(START, f"{_ID}{self._ids()}", header, context, payload)
        return replace(message, opening=True)

    def _message(
        self,
        operation: str,
        message_id: str,
        header: Mapping[str, str],
        context: Context,
        payload: Element,
    ) -> Message:
        """Raises: GatewayFailure where it breaks the contract of the integrator; TooLarge."""
        identifier, action = message_id.removeprefix(_ID), self._envelope.actions[operation]
        request = etree.Element(f"{self._name}IVISRequest", nsmap={None: self._envelope.namespace})
        fields = {"MessageID": identifier, "CorrelationID": identifier, **header}
        for name in ("MessageID", "MessageType", "TransactionID", "CorrelationID"):
            if name in fields:
                etree.SubElement(request, f"{self._name}{name}").text = fields[name]
        self._add_sender(request, context.official)
        if "Destination" in fields:
            etree.SubElement(request, f"{self._name}Destination").text = fields["Destination"]
        etree.SubElement(request, f"{self._name}Body").append(payload)
        try:
            self._envelope.validate(request)
        except errors.SchemaViolation as error:
            raise errors.GatewayFailure(f"our message breaks the contract of VISS: {error.detail}") from error
        headers = {"Action": action, "MessageID": message_id, "To": self._viss.url, "ReplyTo": ANONYMOUS}
        content = write(
            Draft(SOAP, headers, canonical(request)), self._identity, now=self._clock(), engine=self._engine
        )
        if len(content) > self._limit:
            raise errors.TooLarge(f"VISS takes {self._limit} bytes (19 BodyToBig); ask for less at a time")
        return Message(message_id, action, content)

    def _add_sender(self, request: Element, official: Official) -> None:
        """An official with a personal code is an employee; whoever has none is a process of the institution."""
        sender = etree.SubElement(request, f"{self._name}Sender")
        etree.SubElement(sender, f"{self._name}SystemID").text = self._viss.system_id
        identifier = etree.SubElement(sender, f"{self._name}NameIdentifier")
        person = _PERSON.fullmatch(official.id)
        if person is None:
            identifier.text = f"AU:{self._viss.agency}"
            process = etree.SubElement(sender, f"{self._name}Process")
            etree.SubElement(process, f"{self._name}Name").text = official.id
            return
        identifier.text = f"AU:{self._viss.agency}-PK:{person['code']}"
        employee = etree.SubElement(sender, f"{self._name}Employee")
        etree.SubElement(employee, f"{self._name}Institution").text = official.institution
        etree.SubElement(employee, f"{self._name}Position").text = official.role

    def _response(self, message: Message, answer: bytes) -> Element:
        """The IVISResponse of a verified answer that says that it succeeded.

        Raises: what the integrator's errors stand for, AnswerUnsigned, AnswerMismatch, AnswerRefused.
        """
        response = self._trust.payload(message, answer, self._fault)
        try:
            self._envelope.validate(response)
        except errors.SchemaViolation as error:
            raise errors.AnswerRefused(error.detail) from error
        if response.tag != f"{self._name}IVISResponse":
            raise errors.AnswerMismatch("no IVISResponse")
        correlation = response.findtext(f"{self._name}CorrelationID")
        if correlation not in (None, message.message_id.removeprefix(_ID)):
            raise errors.AnswerMismatch("CorrelationID")
        if response.findtext(f"{self._name}Result") != _SUCCESS:
            raise self._refused(response)
        return response

    def _refused(self, response: Element) -> errors.GatewayError:
        """By its first error; the rest is kept with the answer."""
        path = "/".join(f"{self._name}{step}" for step in ("Errors", "Error", "ErrorCode"))
        found = REFUSALS.get(int(response.findtext(path) or "0"))
        if found is None:
            return errors.UnknownCode("/IVISResponse/Errors/Error/ErrorCode")
        return found.raised()

    def _fault(self, fault: Element) -> errors.GatewayError:
        """A Fault of the destination with its own detail, or one of the integrator without."""
        code = fault.findtext(f"{{{SOAP}}}Code/{{{SOAP}}}Value") or ""
        return refusal(self._contract, fault.find(f"{{{SOAP}}}Detail"), ours="Sender" in code)

    def _started(self, purpose: str, opening: Message, answer: bytes) -> str:
        response = self._response(opening, answer)
        transaction: str | None = response.findtext(f"{self._name}TransactionID")
        if transaction is None:
            raise errors.AnswerRefused("/IVISResponse/TransactionID is missing")
        until = self._clock() + timedelta(minutes=self._viss.transaction_minutes)
        self._transactions[purpose] = _Transaction(transaction, until)
        return transaction

    def _known(self, purpose: str) -> str | None:
        kept = self._transactions.get(purpose)
        return kept.id if kept is not None and self._clock() < kept.until else None

    def _forget(self, purpose: str, transaction: str) -> None:
        """Unless another thread has started a new one meanwhile."""
        kept = self._transactions.get(purpose)
        if kept is not None and kept.id == transaction:
            self._transactions.pop(purpose, None)


open_profile = VissProfile


def _context(request: object) -> Context:
    context = getattr(request, "context", None)
    if not isinstance(context, Context):
        raise errors.GatewayFailure(
            "a request without context has no purpose, so it belongs to no transaction"
        )
    return context
