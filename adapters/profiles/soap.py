"""Plain signed SOAP 1.1 with WS-Addressing, the profile of a direct interface.

The mapping tables write the request and read the answer; the contract's schema judges both. An answer is read from its
verified bytes alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from cryptography import x509
from lxml import etree

import errors
from adapters import Adapter, Operation
from adapters.profiles import Message
from adapters.profiles.posting import MAX_ANSWER, Posting
from config import System
from exchange import utc_now
from security import wsse
from security.engines import Engine
from security.envelope import ANONYMOUS, Draft, write
from security.keys import Identity
from security.xml import Element, canonical, parse
from wsdl import Contract, contract

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
_FAULT_CODE = re.compile(r"[A-Z][A-Z_]{0,40}")
_NOT_FOUND = "NAV_ATRASTS"


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
        self._address = system.url
        self._identity = identity
        self._clock = clock
        self._contract: Contract = contract(adapter.name, adapter.version)
        self._policy, self._pinned = _trust(system.trust, authority, engine)
        self._posting = Posting(system)

    def compose(self, operation: Operation, request: object, message_id: str) -> Message:
        """Build the request by its table, address it with `message_id`, sign it with a fresh Timestamp.

        Raises: GatewayFailure where it breaks the contract.
        """
        payload, action = operation.request.write(request), self._contract.actions[operation.name]
        try:
            self._contract.validate(payload)
        except errors.SchemaViolation as error:
            raise errors.GatewayFailure(f"our request breaks the contract: {error.detail}") from error
        headers = {"Action": action, "MessageID": message_id, "To": self._address, "ReplyTo": ANONYMOUS}
        content = write(
            Draft(SOAP, headers, canonical(payload)),
            self._identity,
            now=self._clock(),
            engine=self._policy.engine,
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
        try:
            envelope = parse(answer, max_bytes=MAX_ANSWER)
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
