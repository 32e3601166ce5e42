"""What of an external system's answer is believed, whatever the profile: its signature, the message that it answers,
its contract. And what a request must be before it may leave.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from cryptography import x509
from lxml import etree

import errors
from adapters import Operation
from adapters.profiles import Message
from adapters.profiles.posting import MAX_ANSWER
from security import wsse
from security.engines import Engine
from security.xml import Element, parse
from wsdl import Contract

_FAULT_CODE = re.compile(r"[A-Z][A-Z_]{0,40}")
_NOT_FOUND = "NAV_ATRASTS"


class Trust:
    """Whose answers count: those of the authorities in a file. Certificates in it that are no authorities are pinned.

    Without an authority of its own in the file, `authority` is the one.
    Raises: ConfigurationError where no certificates can be read.
    """

    def __init__(
        self, path: Path, authority: Path, *, clock: Callable[[], datetime], engine: Engine = wsse.NARROW
    ) -> None:
        try:
            found = x509.load_pem_x509_certificates(path.read_bytes())
            roots = tuple(certificate for certificate in found if _is_authority(certificate))
            self._pinned = tuple(certificate for certificate in found if not _is_authority(certificate))
            if not roots:
                roots = tuple(x509.load_pem_x509_certificates(authority.read_bytes()))
        except (OSError, ValueError) as error:
            raise errors.ConfigurationError(
                f"no certificates can be read from {path.name}: gateway keys new"
            ) from error
        self._policy = wsse.Policy(authorities=roots, engine=engine)
        self._clock = clock

    def payload(
        self, message: Message, answer: bytes, fault: Callable[[Element], errors.GatewayError]
    ) -> Element:
        """The one element of the Body of a verified answer to `message`; a Fault is raised as what `fault` makes of it.

        Raises: AnswerUnreadable, AnswerUnsigned, AnswerMismatch.
        """
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
            raise fault(payload)
        if verified.action != f"{message.action}Response":
            raise errors.AnswerMismatch("Action")
        return payload


def written(operation: Operation, contract: Contract, request: object) -> Element:
    """The element of a request, by its table and as the contract wants it.

    Raises: GatewayFailure where it breaks the contract.
    """
    payload = operation.request.write(request)
    try:
        contract.validate(payload)
    except errors.SchemaViolation as error:
        raise errors.GatewayFailure(f"our request breaks the contract: {error.detail}") from error
    return payload


def recorded(operation: Operation, contract: Contract, payload: Element) -> object:
    """The canonical record of a verified answer, by the contract and then by the operation's table.

    Raises: AnswerRefused, UnexpectedElement, UnknownCode.
    """
    try:
        contract.validate(payload)
    except errors.SchemaViolation as error:
        raise errors.AnswerRefused(error.detail) from error
    return operation.answer.read(payload)


def refusal(contract: Contract, detail: Element | None, *, ours: bool) -> errors.GatewayError:
    """What a system's Fault means, by the Kluda/Kods in its detail; `ours`: it says that the request is at fault."""
    path = f"{{{contract.namespace}}}Kluda/{{{contract.namespace}}}Kods"
    code = "" if detail is None else detail.findtext(path) or ""
    if code == _NOT_FOUND:
        return errors.NotFound("the external system does not know it")
    known = code if _FAULT_CODE.fullmatch(code) else ""
    return errors.RequestRefused(known) if ours else errors.SystemFault(known)


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False
