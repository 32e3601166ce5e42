"""Every error of the gateway: one tree, and one table that turns it into a SOAP Fault, problem+json and audit code.

    GatewayError
    ├── CallerError                     the caller must change something
    │   ├── InvalidRequest ── InvalidPersonCode, SchemaViolation, MalformedMessage, DoctypeRefused,
    │   │                     TooLarge, UnknownOperation, WrongEnvironment, NotFound, MessageIdReused
    │   ├── NotAuthenticated ── Unsigned, SignatureInvalid, UnknownPartner, Stale, UntrustedCertificate
    │   │                       (ExpiredCertificate, RevokedCertificate, RevocationUnknown)
    │   └── AccessDenied ── PurposeNotAllowed, NoOpenStay, NotOwnData, QuotaExceeded
    ├── PartnerError                    the external system misbehaves
    │   ├── SystemUnavailable ── SystemTimeout, SystemUnreachable
    │   ├── SystemFault, RequestRefused
    │   ├── AnswerRefused ── UnexpectedElement, UnknownCode, AnswerUnsigned (AnswerUnreadable), AnswerMismatch
    │   └── OutcomeUnknown
    └── GatewayFailure                  we cannot do it now
        ├── LogUnavailable, LogDamaged, Busy
        └── ConfigurationError

The class docstring is the default message and says what to do next. `detail` is for the exchange's own record and
for messages that hold no personal data: element paths, code-list names, limits. It never holds a value.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from enum import StrEnum
from typing import ClassVar

from exchange import Outcome

_LIKE_A_CODE = re.compile(r"[0-9]{6}[-_.]?[0-9]{5}")


class Side(StrEnum):
    """Whose fault an error is."""

    CALLER = "caller"
    SYSTEM = "system"
    GATEWAY = "gateway"


class GatewayError(Exception):
    """The gateway could not complete the exchange. Report the exchange id to its operator."""

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    side: ClassVar[Side] = Side.GATEWAY
    retryable: ClassVar[bool] = False
    outcome: ClassVar[Outcome] = Outcome.FAILED
    exit_code: ClassVar[int] = 1
    later: ClassVar[int | None] = None  # the seconds to wait where nobody knows better

    def __init__(self, detail: str = "", *, retry_after: int | None = None) -> None:
        # A path may repeat a name that the sender made up: what looks like a personal code goes no further.
        self.detail = _LIKE_A_CODE.sub("…", detail)
        super().__init__(self.detail)
        self.retry_after = self.later if retry_after is None else retry_after
        self.exchange_id: uuid.UUID | None = None

    @property
    def message(self) -> str:
        """The sentence for people: what happened and what to do, then the detail where there is one."""
        text = " ".join((type(self).__doc__ or "").split())
        return f"{text} ({self.detail})" if self.detail else text

    @property
    def fault_code(self) -> str:
        """The SOAP 1.1 fault code: `Client` where the caller must change something, else `Server`."""
        return "Client" if self.side is Side.CALLER else "Server"

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class CallerError(GatewayError):
    """The request cannot be served as it is. Correct it and send it again."""

    code = "invalid_request"
    status = 400
    side = Side.CALLER
    outcome = Outcome.INVALID
    exit_code = 2


class InvalidRequest(CallerError):
    """The request is not understood. Compare it with the published contract."""


class InvalidPersonCode(InvalidRequest):
    """The personal code is not valid. Give 11 digits, with or without the dash after the sixth."""

    code = "invalid_person_code"


class SchemaViolation(InvalidRequest):
    """The message breaks the published schema. Validate it against the XSD of the contract."""

    code = "schema_violation"


class MalformedMessage(InvalidRequest):
    """The message is not well-formed. Send UTF-8 XML or JSON as the contract says."""

    code = "malformed_message"


class DoctypeRefused(InvalidRequest):
    """The message has a document type declaration. Remove the DOCTYPE."""

    code = "doctype_refused"


class TooLarge(InvalidRequest):
    """The message is over the size limit. Split it."""

    code = "too_large"
    status = 413


class UnknownOperation(InvalidRequest):
    """No such system or operation. See the list in the OpenAPI document or the WSDL."""

    code = "unknown_operation"
    status = 404


class WrongEnvironment(InvalidRequest):
    """The message is of the other environment. Call the address of the environment that the context names."""

    code = "wrong_environment"


class NotFound(InvalidRequest):
    """Nothing is held under that key. Check the key."""

    code = "not_found"
    status = 404


class MessageIdReused(InvalidRequest):
    """This MessageID was used before with other content. Give each new message an id of its own."""

    code = "message_id_reused"
    status = 409


class NotAuthenticated(CallerError):
    """The caller is not known. Send the key in Authorization: Bearer, or ask the operator for one."""

    code = "not_authenticated"
    status = 401
    outcome = Outcome.DENIED
    exit_code = 4


class Unsigned(NotAuthenticated):
    """The message is not signed as the signature profile asks. Sign Timestamp, Body and the addressing headers."""

    code = "unsigned"


class SignatureInvalid(NotAuthenticated):
    """The signature does not hold. Sign the exact bytes sent, with the algorithms of the signature profile."""

    code = "signature_invalid"


class UntrustedCertificate(NotAuthenticated):
    """The certificate is not trusted here. Use one issued by an authority in the trust list and within its dates."""

    code = "untrusted_certificate"


class ExpiredCertificate(UntrustedCertificate):
    """The certificate has ended. Sign with the new one, and have it registered first."""

    code = "expired_certificate"


class RevokedCertificate(UntrustedCertificate):
    """The certificate was revoked by its issuer. Obtain a new one and have it registered."""

    code = "revoked_certificate"


class RevocationUnknown(UntrustedCertificate):
    """Whether the certificate is revoked is not known: its issuer's list or answer is out of date. Try again later."""

    code = "revocation_unknown"
    retryable = True


class UnknownPartner(NotAuthenticated):
    """The certificate belongs to no active partner. Ask the operator to register it."""

    code = "unknown_partner"


class Stale(NotAuthenticated):
    """The message is outside its freshness window. Check the clock and sign again with a new Timestamp."""

    code = "stale"


class AccessDenied(CallerError):
    """No right covers this request. Ask the operator which operations, purposes and rules are granted."""

    code = "access_denied"
    status = 403
    outcome = Outcome.DENIED
    exit_code = 4


class PurposeNotAllowed(AccessDenied):
    """The purpose or the rule is not granted for this operation. Use one that is granted, or ask for it."""

    code = "purpose_not_allowed"


class NoOpenStay(AccessDenied):
    """The person has no open stay in a care institution, so payments may not be asked. Register the stay first."""

    code = "no_open_stay"


class NotOwnData(AccessDenied):
    """Not the data of who asks, nor of a person in his guardianship or trusteeship today. Ask about one of these."""

    code = "not_own_data"


class QuotaExceeded(AccessDenied):
    """The quota of this recipient is used up. Try again after the time given."""

    code = "quota_exceeded"
    status = 429
    retryable = True


class PartnerError(GatewayError):
    """The external system did not serve the request. Try again later; the operator has been told."""

    code = "system_unavailable"
    status = 503
    side = Side.SYSTEM
    retryable = True
    exit_code = 5


class SystemUnavailable(PartnerError):
    """The external system cannot be reached. Try again later; nothing was changed."""


class SystemUnreachable(SystemUnavailable):
    """The external system cannot be reached. Try again later; nothing was changed."""


class SystemTimeout(SystemUnavailable):
    """The external system did not answer in time. Try again later."""

    code = "system_timeout"
    status = 504


class SystemFault(PartnerError):
    """The external system failed on the request and said so. Try again later."""

    code = "system_fault"
    status = 502


class RequestRefused(PartnerError):
    """The external system refused the request with a fault. Check the arguments, or ask the operator."""

    code = "system_refused"
    status = 502
    retryable = False


class AnswerRefused(PartnerError):
    """The answer of the external system cannot be trusted or read. It is kept as evidence and feeds nothing."""

    code = "answer_invalid"
    status = 502
    retryable = False


class UnexpectedElement(AnswerRefused):
    """The answer of the external system holds something that the contract does not. It feeds nothing."""

    code = "unexpected_element"


class UnknownCode(AnswerRefused):
    """The answer of the external system holds a code that is not in its code list. It feeds nothing."""

    code = "unknown_code"


class AnswerUnsigned(AnswerRefused):
    """The answer of the external system is not signed as agreed. It feeds nothing."""

    code = "answer_signature_invalid"


class AnswerUnreadable(AnswerUnsigned):
    """The external system sent something that is no SOAP message. It is kept as evidence and feeds nothing."""

    code = "answer_unreadable"
    retryable = True


class AnswerMismatch(AnswerRefused):
    """The answer belongs to another message. It feeds nothing."""

    code = "answer_mismatch"


class OutcomeUnknown(PartnerError):
    """What became of the request is not known. Ask with the same message id before sending a new one."""

    code = "outcome_unknown"
    status = 502
    retryable = False
    outcome = Outcome.UNKNOWN


class GatewayFailure(GatewayError):
    """The gateway cannot do this now. Try again later."""

    code = "internal_error"


class LogUnavailable(GatewayFailure):
    """The exchange log cannot be written, so nothing is done. Try again later."""

    code = "log_unavailable"
    status = 503
    retryable = True
    later = 5


class LogDamaged(GatewayFailure):
    """The exchange log in the database is damaged. Run `gateway audit verify`, which says what to look at."""

    code = "log_damaged"


class Busy(GatewayFailure):
    """The gateway has more work than it can take. Try again after the time given."""

    code = "busy"
    status = 503
    retryable = True
    later = 1


class ConfigurationError(GatewayFailure):
    """The configuration is wrong. Correct it and start again."""

    code = "configuration_error"
    exit_code = 78


def every_error() -> Iterator[type[GatewayError]]:
    """The closed table of errors, the tree top to bottom."""

    def walk(cls: type[GatewayError]) -> Iterator[type[GatewayError]]:
        yield cls
        for child in cls.__subclasses__():
            yield from walk(child)

    yield from walk(GatewayError)


def by_code() -> dict[str, type[GatewayError]]:
    """The error that stands for each code: the most special of those that share one."""
    return {error.code: error for error in every_error()}
