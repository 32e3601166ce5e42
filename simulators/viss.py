"""VISS, the state integrator: StartTransaction and SubmitSync, passed on to the simulators of the systems.

Every system is there, over the same population as by itself. Transactions live as long as the process: after a restart
none is known. Errors of its own stand in IVISResponse, faults of a system pass with that system's detail.
Source: wsdl/viss/v1-0; the public guidelines of VISS.
"""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lxml import etree

from errors import GatewayError, InvalidRequest, NotAuthenticated, SchemaViolation
from exchange import instant_text, utc_now
from security.xml import Element, canonical, parse, reread
from simulators.control import Mode
from simulators.discovery import Past, Simulator, discover
from simulators.journal import NOTHING, Seen
from simulators.population import Population
from simulators.serving import SOAP as SOAP11
from simulators.serving import Serving
from simulators.stand_in import Answer, Seals, add_unknown, at_once, sealed, seen_in
from wsdl import Contract, contract
from wsdl.ivis import MAX_BYTES, is_urn, message_type

SOAP = "http://www.w3.org/2003/05/soap-envelope"
NAME = "viss"
START, SUBMIT = "StartTransaction", "SubmitSync"
_ID = "urn:uuid:"
# Spelling as published.
ERRORS: Mapping[int, str] = {
    1: "MessageIdNotSpecified",
    4: "TransactionIdIncorrect",
    5: "TransactionNotStarted",
    6: "SenderIncorrect",
    8: "DestinationIsNull",
    10: "DestinationNotFound",
    13: "DestinationUserRightToLow",
    16: "MessageTypeNotSet",
    17: "BodyNotSet",
    18: "BodyIncorrect",
    19: "BodyToBig",
    20: "URNTypeIsIncorect",
    22: "BodyWrongFormat",
    23: "MessageTypeNotFound",
}
_SENDER = re.compile(r"PK:[0-9]{6}-?[0-9]{5}|AU:[0-9]{6}(-PK:[0-9]{6}-?[0-9]{5})?")


class Refused(Exception):
    """A request that is not passed on, by its published code."""

    def __init__(self, code: int) -> None:
        super().__init__(ERRORS[code])
        self.code = code


@dataclass(slots=True)
class Transactions:
    """Sender and purpose of every transaction that was started; asked from many threads."""

    _started: dict[str, tuple[str, str]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self, sender: str, purpose: str) -> str:
        """A new transaction."""
        new = str(uuid.uuid4())
        with self._lock:
            self._started[new] = (sender, purpose)
        return new

    def purpose(self, transaction: str, sender: str) -> str:
        """What a transaction of this sender was started for.

        Raises: Refused.
        """
        with self._lock:
            started = self._started.get(transaction)
        if started is None:
            raise Refused(5)
        if started[0] != sender:
            raise Refused(4)
        return started[1]

    def forget(self) -> None:
        """What a restart does."""
        with self._lock:
            self._started.clear()


@dataclass(frozen=True, slots=True)
class _Passed:
    """What goes back: HTTP status, the Body's element, effect, and where mode invalid adds something."""

    status: int
    payload: Element
    effect: str
    within: Element
    namespace: str
    fault: bool = False


class Integrator:
    """The integrator before the systems that it passes messages on to."""

    content_type = "application/soap+xml; charset=utf-8"
    # What is over the limit of the integrator is read, to be refused by its code.
    most_bytes = 2 * MAX_BYTES

    def __init__(
        self, contract: Contract, systems: Mapping[str, Serving], seals: Seals, *, limit: int = MAX_BYTES
    ) -> None:
        """`systems`: what serves each destination, by the name of its system."""
        self.contract = contract
        self.transactions = Transactions()
        self._name = f"{{{contract.namespace}}}"
        self._seals = seals
        self._limit = limit
        self._destinations = {destination(name): serving for name, serving in systems.items()}
        self._types = {
            message_type(serving.contract, operation): (serving, operation)
            for serving in systems.values()
            for operation in serving.contract.operations
        }
        self._operations = {START, *(operation for _, operation in self._types.values())}

    def see(self, content: bytes) -> Seen:
        """What a request says of itself, believed or not; its operation is that of the system."""
        return seen_in(content, SOAP, self._operations, self._content, self.most_bytes)

    def answer(self, content: bytes, mode: Mode, before_effect: Callable[[], None] = at_once) -> Answer:
        """Serve a request in a mode. What is not signed as agreed, or no IVISRequest, gets a fault."""
        seen = self.see(content)
        action = START if seen.operation == START else SUBMIT
        if mode is Mode.FAULT:
            passed = self._fault("Receiver", "Sistēmas iekšēja kļūda")
        else:
            passed, action = self._passed(content, seen, mode, before_effect, action)
        envelope = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"soap": SOAP})
        etree.SubElement(envelope, f"{{{SOAP}}}Body").append(passed.payload)
        if mode is Mode.INVALID:
            add_unknown(passed.within, passed.namespace)
        signed = sealed(envelope, f"{self.contract.actions[action]}Response", seen, mode, self._seals)
        return Answer(passed.status, signed, seen, passed.effect, passed.fault)

    def _passed(
        self, content: bytes, seen: Seen, mode: Mode, before_effect: Callable[[], None], action: str
    ) -> tuple[_Passed, str]:
        """What becomes of a request, and the operation of the integrator that it asks for."""
        try:
            verified = self._seals.verify(parse(content, max_bytes=self.most_bytes))
            asked = {name: operation for operation, name in self.contract.actions.items()}
            action = asked.get(verified.action or "", "")
            if verified.soap_version != "1.2" or not action:
                raise InvalidRequest("SOAP 1.2 with an action of the integrator is spoken here")
            request = verified.body[0]
            if request.tag != f"{self._name}IVISRequest":
                raise InvalidRequest("the Body has one IVISRequest")
        except GatewayError as error:
            return self._fault("Sender", _reason(error)), action or SUBMIT
        try:
            if len(content) > self._limit:
                raise Refused(19)
            if action == START:
                return self._start(request), action
            return self._submit(request, seen, mode, before_effect), action
        except Refused as refused:
            return self._errors(request, refused.code), action

    def _start(self, request: Element) -> _Passed:
        header = self._header(request)
        payload = self._content(request)
        if header["MessageType"] != message_type(self.contract, START):
            raise Refused(23)
        if payload is None:
            raise Refused(17)
        if payload.tag != f"{self._name}{START}":
            raise Refused(18)
        self._valid(request)
        purpose = payload.findtext(f"{self._name}Purpose")
        transaction = self.transactions.start(header["SystemID"], purpose)
        response = self._response(request, {"TransactionID": transaction})
        return _Passed(200, response, NOTHING, response, self.contract.namespace)

    def _submit(self, request: Element, seen: Seen, mode: Mode, before_effect: Callable[[], None]) -> _Passed:
        header = self._header(request)
        serving, operation, payload = self._destined(request, header)
        self._valid(request)
        purpose = self.transactions.purpose(header["TransactionID"], header["SystemID"])
        if payload.findtext("{*}Konteksts/{*}Merkis") != purpose:
            raise Refused(13)
        try:
            serving.operation(payload)
        except SchemaViolation as error:
            raise Refused(22) from error
        except InvalidRequest as error:
            raise Refused(18) from error
        envelope = etree.Element(f"{{{SOAP11}}}Envelope", nsmap={"soap": SOAP11})
        etree.SubElement(envelope, f"{{{SOAP11}}}Body").append(reread(canonical(payload)))
        message_id = f"{_ID}{header['MessageID']}"
        _, answered, effect = serving.serve(envelope, operation, message_id, mode, before_effect)
        said = answered.find(f"{{{SOAP11}}}Body")[0]
        if etree.QName(said).localname == "Fault":
            return self._fault_of(serving, said, effect)
        answer_type = message_type(serving.contract, f"{operation}Response")
        response = self._response(
            request, {"TransactionID": header["TransactionID"], "MessageType": answer_type}, said
        )
        return _Passed(200, response, effect, said, serving.contract.namespace)

    def _header(self, request: Element) -> dict[str, str]:
        """The fields that every request must have.

        Raises: Refused.
        """
        texts = {
            name: request.findtext(f"{self._name}{name}") or ""
            for name in ("MessageID", "MessageType", "TransactionID", "Destination")
        }
        for name in ("SystemID", "NameIdentifier"):
            texts[name] = request.findtext(f"{self._name}Sender/{self._name}{name}") or ""
        if not texts["MessageID"]:
            raise Refused(1)
        if not is_urn(texts["SystemID"]) or not _SENDER.fullmatch(texts["NameIdentifier"]):
            raise Refused(6)
        if not texts["MessageType"]:
            raise Refused(16)
        if not is_urn(texts["MessageType"]):
            raise Refused(20)
        return texts

    def _destined(self, request: Element, header: Mapping[str, str]) -> tuple[Serving, str, Element]:
        """Who serves a request, its operation and its element. Raises: Refused."""
        try:
            uuid.UUID(header["TransactionID"])
        except ValueError as error:
            raise Refused(4) from error
        if not header["Destination"]:
            raise Refused(8)
        if not is_urn(header["Destination"]):
            raise Refused(20)
        serving = self._destinations.get(header["Destination"])
        if serving is None:
            raise Refused(10)
        offered, operation = self._types.get(header["MessageType"], (None, ""))
        if offered is not serving:
            raise Refused(23)
        payload = self._content(request)
        if payload is None:
            raise Refused(17)
        if payload.tag != f"{{{serving.contract.namespace}}}{operation}":
            raise Refused(18)
        return serving, operation, payload

    def _valid(self, request: Element) -> None:
        try:
            self.contract.validate(request)
        except SchemaViolation as error:
            raise Refused(22) from error

    def _content(self, request: Element) -> Element | None:
        body = request.find(f"{self._name}Body")
        return None if body is None or not len(body) else body[0]

    def _response(
        self,
        request: Element,
        header: Mapping[str, str],
        content: Element | None = None,
        code: int | None = None,
    ) -> Element:
        response = etree.Element(f"{self._name}IVISResponse", nsmap={None: self.contract.namespace})
        correlation = request.findtext(f"{self._name}CorrelationID")
        fields = {
            "MessageID": str(uuid.uuid4()),
            "MessageType": header.get("MessageType"),
            "TransactionID": header.get("TransactionID"),
            "CorrelationID": correlation,
            "TimeStamp": instant_text(utc_now()),
        }
        for name, value in fields.items():
            if value:
                etree.SubElement(response, f"{self._name}{name}").text = value
        if code is None:
            etree.SubElement(response, f"{self._name}Result").text = "success"
        else:
            errors = etree.SubElement(response, f"{self._name}Errors")
            error = etree.SubElement(errors, f"{self._name}Error")
            etree.SubElement(error, f"{self._name}ErrorCode").text = str(code)
            etree.SubElement(error, f"{self._name}ErrorDescription").text = ERRORS[code]
        if content is not None:
            etree.SubElement(response, f"{self._name}Body").append(content)
        return response

    def _errors(self, request: Element, code: int) -> _Passed:
        response = self._response(request, {}, code=code)
        return _Passed(200, response, NOTHING, response, self.contract.namespace, fault=True)

    def _fault(self, side: str, text: str, detail: Element | None = None, effect: str = NOTHING) -> _Passed:
        fault = etree.Element(f"{{{SOAP}}}Fault", nsmap={"soap": SOAP})
        code = etree.SubElement(fault, f"{{{SOAP}}}Code")
        etree.SubElement(code, f"{{{SOAP}}}Value").text = f"soap:{side}"
        reason = etree.SubElement(etree.SubElement(fault, f"{{{SOAP}}}Reason"), f"{{{SOAP}}}Text")
        reason.set("{http://www.w3.org/XML/1998/namespace}lang", "lv")
        reason.text = text
        if detail is not None:
            etree.SubElement(fault, f"{{{SOAP}}}Detail").append(detail)
        status = 400 if side == "Sender" else 500
        return _Passed(status, fault, effect, fault, self.contract.namespace, fault=True)

    def _fault_of(self, serving: Serving, fault: Element, effect: str) -> _Passed:
        """A system's SOAP 1.1 Fault as one of SOAP 1.2, with its own detail."""
        side = "Sender" if "Client" in (fault.findtext("faultcode") or "") else "Receiver"
        detail = fault.find(f"detail/{{{serving.contract.namespace}}}Kluda")
        return self._fault(side, fault.findtext("faultstring") or "", detail, effect)


def destination(system: str) -> str:
    """The URN under which a system is registered here."""
    return f"URN:IVIS:100001:ISS-{system.upper()}"


def served(population: Population, past: Past) -> Mapping[str, Serving]:
    """Every system that can be reached by way of the integrator."""
    return {
        name: Serving(contract(name, simulator.version), simulator.application(population, past))
        for name, simulator in discover().items()
        if name != NAME
    }


def _reason(error: GatewayError) -> str:
    if isinstance(error, NotAuthenticated):
        return f"Ziņas paraksts netiek pieņemts ({error.code})"
    return f"Ziņa neatbilst līgumam ({error.code})"


SIMULATOR = Simulator(served, stand_in=Integrator)
