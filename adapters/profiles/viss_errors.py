"""Error codes of the state integrator (VISS), with their published names (spelling as published), as errors of ours.

Whatever it refuses it has not passed on, so nothing took effect.
Source: the public guidelines of VISS; wsdl/viss/v1-0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import errors


@dataclass(frozen=True, slots=True)
class Refusal:
    """One code: its published name, what it is here, and where to look."""

    code: int
    name: str
    error: type[errors.PartnerError]
    see: str

    @property
    def retryable(self) -> bool:
        """Whether the same message may be sent again."""
        return self.error.retryable

    def raised(self) -> errors.PartnerError:
        """The error, with the published name and where to look."""
        return self.error(f"VISS {self.code} {self.name}: {self.see}")


_OURS = "the message is not as VISS wants it"
_SENDER = "see [viss] system_id and agency"
_DESTINATION = "see destination of the system"
_TYPE = "see the version of the system's contract"

REFUSALS: Mapping[int, Refusal] = {
    refusal.code: refusal
    for refusal in (
        Refusal(1, "MessageIdNotSpecified", errors.RequestRefused, _OURS),
        # The two after which a new transaction is started and the message sent again: as if the system were away.
        Refusal(4, "TransactionIdIncorrect", errors.SystemUnreachable, "try again later"),
        Refusal(5, "TransactionNotStarted", errors.SystemUnreachable, "try again later"),
        Refusal(6, "SenderIncorrect", errors.RequestRefused, _SENDER),
        Refusal(8, "DestinationIsNull", errors.RequestRefused, _DESTINATION),
        Refusal(10, "DestinationNotFound", errors.RequestRefused, _DESTINATION),
        Refusal(13, "DestinationUserRightToLow", errors.RequestRefused, "ask the system for the right"),
        Refusal(16, "MessageTypeNotSet", errors.RequestRefused, _TYPE),
        Refusal(17, "BodyNotSet", errors.RequestRefused, _OURS),
        Refusal(18, "BodyIncorrect", errors.RequestRefused, _TYPE),
        Refusal(19, "BodyToBig", errors.RequestRefused, "ask for less at a time"),
        Refusal(20, "URNTypeIsIncorect", errors.RequestRefused, _TYPE),
        Refusal(22, "BodyWrongFormat", errors.RequestRefused, _TYPE),
        Refusal(23, "MessageTypeNotFound", errors.RequestRefused, _TYPE),
    )
}
