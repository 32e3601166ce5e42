"""Plain signed SOAP 1.1 with WS-Addressing, the profile of a direct interface.

The mapping tables write the request and read the answer; the contract's schema judges both. An answer is read from its
verified bytes alone.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import errors
from adapters import Adapter, Operation
from adapters.profiles import Message, one_message
from adapters.profiles.answers import Trust, recorded, refusal, written
from adapters.profiles.posting import Posting
from config import System
from exchange import utc_now
from security import wsse
from security.engines import Engine
from security.envelope import ANONYMOUS, Draft, write
from security.keys import Identity
from security.xml import Element, canonical
from wsdl import Contract, contract

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"


class SoapProfile:
    """One external system over plain signed SOAP, with a pool of connections of its own."""

    converse = one_message

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
        self._address = system.url
        self._identity = identity
        self._clock = clock
        self._engine = engine
        self._contract: Contract = contract(adapter.name, adapter.version)
        self._trust = Trust(system.trust, authority, clock=clock, engine=engine)
        self._posting = Posting(system)

    def compose(self, operation: Operation, request: object, message_id: str) -> Message:
        """Build the request by its table, address it with `message_id`, sign it with a fresh Timestamp.

        Raises: GatewayFailure where it breaks the contract.
        """
        payload, action = written(operation, self._contract, request), self._contract.actions[operation.name]
        headers = {"Action": action, "MessageID": message_id, "To": self._address, "ReplyTo": ANONYMOUS}
        content = write(
            Draft(SOAP, headers, canonical(payload)), self._identity, now=self._clock(), engine=self._engine
        )
        return Message(message_id, action, content)

    def send(self, message: Message, deadline: float) -> bytes:
        """Post the message; see `Posting.post`.

        What else the answer may be than SOAP is seen when it is read, so that it is kept as evidence first.
        """
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{message.action}"'}
        return self._posting.post(message.content, headers, deadline)

    def read(self, operation: Operation, message: Message, answer: bytes) -> object:
        """Verify, match, check and map an answer; a fault becomes an error of ours."""
        payload = self._trust.payload(message, answer, self._fault)
        return recorded(operation, self._contract, payload)

    def _fault(self, fault: Element) -> errors.GatewayError:
        ours = "Client" in (fault.findtext("faultcode") or "")
        return refusal(self._contract, fault.find("detail"), ours=ours)


open_profile = SoapProfile
