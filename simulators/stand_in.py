"""One external system's side of an exchange: check the request's signature, let Spyne serve it, sign the answer.

In the modes that lie, this is where the answer is spoilt.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from lxml import etree

from errors import GatewayError, InvalidRequest, NotAuthenticated, SchemaViolation
from exchange import utc_now
from security import wsse
from security.keys import Identity
from security.xml import Element, canonical, parse, serialise
from simulators.control import Mode
from simulators.journal import NOTHING, Seen
from simulators.service import INTERNAL, NO_RIGHT, WRONG_REQUEST, Model, error_detail
from simulators.serving import SOAP, Serving
from wsdl import Contract

WSA = "http://www.w3.org/2005/08/addressing"
ANONYMOUS = f"{WSA}/anonymous"
_LONGEST_ID = 200
_LONG_NUMBER = re.compile(r"\d{9,}")

# The answers of these modes have nothing to do with the request.
NOT_PROCESSED = frozenset({Mode.REFUSE, Mode.FAULT, Mode.HTML, Mode.HANG})


def at_once() -> None:
    """No wait before an effect."""


class Seals(Protocol):
    """How messages are verified and signed; the seam at which tests without keys put their own."""

    def verify(self, envelope: Element) -> wsse.Verified:
        """Believe a request, or raise an error of `errors`."""

    def sign(self, envelope: Element) -> bytes:
        """Sign an answer and write it out."""


@dataclass(frozen=True, slots=True)
class WsSecurity:
    """The signature profile, with the test authority as trust and the system's own identity."""

    policy: wsse.Policy
    identity: Identity
    clock: Callable[[], datetime] = utc_now

    def verify(self, envelope: Element) -> wsse.Verified:
        """See `security.wsse.verify`."""
        return wsse.verify(envelope, self.policy, now=self.clock())

    def sign(self, envelope: Element) -> bytes:
        """See `security.wsse.sign`."""
        return wsse.sign(envelope, self.identity, now=self.clock())


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes out, and what was seen and done: `effect` is `read:<operation>`, `write:<operation>` or `none`.

    A message whose effect an earlier one had has none.
    """

    status: int
    content: bytes
    seen: Seen
    effect: str
    fault: bool


@dataclass(frozen=True, slots=True)
class _Request:
    """A request that may be served: verified, valid by the contract, for this environment."""

    operation: str
    envelope: Element


class Answering(Protocol):
    """What the server asks of a stand-in, whatever it speaks."""

    contract: Contract
    content_type: str
    # Of a longer message nothing is read.
    most_bytes: int

    def see(self, content: bytes) -> Seen:
        """What a request says of itself, believed or not."""

    def answer(self, content: bytes, mode: Mode, before_effect: Callable[[], None] = at_once) -> Answer:
        """Serve a request in a mode."""


class StandIn:
    """A system behind its contract, in the test environment."""

    content_type = "text/xml; charset=utf-8"
    most_bytes = 4_194_304

    def __init__(self, contract: Contract, application: Model, seals: Seals) -> None:
        self.contract = contract
        self._serving = Serving(contract, application)
        self._seals = seals

    def answer(self, content: bytes, mode: Mode, before_effect: Callable[[], None] = at_once) -> Answer:
        """Serve a request in a mode. A request that is not signed as agreed gets a fault and has no effect.

        `before_effect` is called just before an operation takes effect; one that only reads has none to wait for.
        """
        seen = self.see(content)
        if mode is Mode.FAULT:
            fault = self._fault("Server", INTERNAL, "Sistēmas iekšēja kļūda")
            return Answer(500, self._seal(fault, seen, mode), seen, NOTHING, fault=True)
        try:
            request = self._accept(content)
        except GatewayError as error:
            fault = self._fault("Client", *_reason(error))
            return Answer(500, self._seal(fault, seen, mode), seen, NOTHING, fault=True)
        status, envelope, effect = self._serving.serve(
            request.envelope, request.operation, seen.message_id, mode, before_effect
        )
        sealed = self._seal(envelope, seen, mode)
        return Answer(status, sealed, seen, effect, fault=status != 200)

    def see(self, content: bytes) -> Seen:
        """What a request says of itself, believed or not."""
        return seen_in(content, SOAP, self.contract.operations)

    def _accept(self, content: bytes) -> _Request:
        """Raises: NotAuthenticated, InvalidRequest."""
        verified = self._seals.verify(parse(content))
        if verified.soap_version != "1.1":
            raise InvalidRequest("SOAP 1.1 is spoken here")
        if len(verified.body) != 1:
            raise InvalidRequest("the Body has one element")
        operation = self._serving.operation(verified.body[0])
        if verified.action not in (None, self.contract.actions[operation]):
            raise InvalidRequest("the action is not that of the operation")
        return _Request(operation, verified.envelope)

    def _fault(self, side: str, code: str, text: str) -> Element:
        envelope = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"soap": SOAP})
        fault = etree.SubElement(etree.SubElement(envelope, f"{{{SOAP}}}Body"), f"{{{SOAP}}}Fault")
        etree.SubElement(fault, "faultcode").text = f"soap:{side}"
        etree.SubElement(fault, "faultstring").text = text
        etree.SubElement(fault, "detail").append(error_detail(self.contract.namespace, code, text))
        return envelope

    def _seal(self, envelope: Element, seen: Seen, mode: Mode) -> bytes:
        action = self.contract.actions.get(seen.operation or "", f"{self.contract.namespace}/")
        payload = envelope.find(f"{{{SOAP}}}Body")[0]
        if mode is Mode.INVALID:
            add_unknown(payload, self.contract.namespace)
        return sealed(envelope, f"{action}Response", seen, mode, self._seals)


def seen_in(
    content: bytes,
    soap: str,
    operations: Collection[str],
    within: Callable[[Element], Element | None] = lambda payload: payload,
    most_bytes: int = StandIn.most_bytes,
) -> Seen:
    """What a message says of itself, believed or not; `within` finds the operation's element in the Body's."""
    try:
        envelope = parse(content, max_bytes=most_bytes)
        body = envelope.find(f"{{{soap}}}Body")
        if body is None:
            return Seen()
        digest = hashlib.sha256(canonical(body)).hexdigest()
    except InvalidRequest:
        return Seen()
    payload = within(body[0]) if len(body) else None
    operation = None if payload is None else str(etree.QName(payload).localname)
    request_id = None if payload is None else payload.findtext("{*}Konteksts/{*}PieprasijumaId")
    message_id = envelope.findtext(f"{{{soap}}}Header/{{{WSA}}}MessageID")
    return Seen(operation if operation in operations else None, message_id, request_id, digest)


def add_unknown(payload: Element, namespace: str) -> None:
    """What mode invalid adds: an element that the contract does not know."""
    etree.SubElement(payload, f"{{{namespace}}}NavLiguma").text = "1"


def sealed(envelope: Element, action: str, seen: Seen, mode: Mode, seals: Seals) -> bytes:
    """Address, sign and, in the modes that lie, spoil an answer."""
    soap = etree.QName(envelope).namespace
    header = etree.Element(f"{{{soap}}}Header", nsmap={"wsa": WSA})
    envelope.insert(0, header)
    related = f"urn:uuid:{uuid.uuid4()}" if mode is Mode.OTHER_ANSWER else seen.message_id
    values = {
        "Action": action,
        "MessageID": f"urn:uuid:{uuid.uuid4()}",
        "To": ANONYMOUS,
        # Only the beginning of what an unsigned message says of itself goes into an answer of ours.
        "RelatesTo": related and related[:_LONGEST_ID],
    }
    for name, value in values.items():
        if value:
            etree.SubElement(header, f"{{{WSA}}}{name}").text = value
    if mode is Mode.UNSIGNED:
        return serialise(envelope)
    signed = seals.sign(envelope)
    return _altered(signed, soap) if mode is Mode.WRONG_SIGNATURE else signed


def _reason(error: GatewayError) -> tuple[str, str]:
    """Code and text of the fault for a request that is not served."""
    if isinstance(error, NotAuthenticated):
        return NO_RIGHT, f"Ziņas paraksts netiek pieņemts ({error.code})"
    if isinstance(error, SchemaViolation):
        return WRONG_REQUEST, f"Ziņa neatbilst līguma shēmai ({error.detail})"[:1000]
    return WRONG_REQUEST, f"Ziņa neatbilst līgumam ({error.code})"


def _altered(signed: bytes, soap: str) -> bytes:
    """A signed message with one character of its Body changed: of a code where there is one."""
    envelope = parse(signed, max_bytes=64 * 1024 * 1024)
    leaves = [leaf for leaf in envelope.find(f"{{{soap}}}Body").iter("{*}*") if not len(leaf) and leaf.text]
    leaf = next((leaf for leaf in leaves if _LONG_NUMBER.fullmatch(leaf.text)), leaves[-1])
    last = leaf.text[-1]
    leaf.text = leaf.text[:-1] + (str((int(last) + 1) % 10) if last.isdigit() else f"{last}a")
    return serialise(envelope)
