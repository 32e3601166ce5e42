"""Transport profiles: how a canonical request becomes bytes on the wire and an answer becomes a canonical record.

The same adapter can speak through any profile; `[systems.<name>] profile` chooses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from adapters import Operation


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it will leave, signed: its id and the exact bytes."""

    message_id: str
    action: str
    content: bytes


class Profile(Protocol):
    """What the delivery needs of a transport. Each call does one thing once; repeating is the delivery's business."""

    def compose(self, operation: Operation, request: object, message_id: str) -> Message:
        """Build and sign the request."""

    def send(self, message: Message, deadline: float) -> bytes:
        """Send it and return the exact bytes of the answer, before `deadline` (`time.monotonic()`).

        Raises: SystemUnavailable, SystemTimeout, AnswerRefused.
        """

    def read(self, operation: Operation, message: Message, answer: bytes) -> object:
        """Verify the answer, match it to the message, check it by the contract and map it to its canonical record.

        Raises: AnswerUnsigned, AnswerMismatch, AnswerRefused, UnexpectedElement, UnknownCode, NotFound, SystemFault,
        RequestRefused.
        """
