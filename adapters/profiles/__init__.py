"""Transport profiles: how a canonical request becomes bytes on the wire and an answer becomes a canonical record.

The same adapter can speak through any profile; `[systems.<name>] profile` chooses.
"""

from __future__ import annotations

import importlib
import uuid
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from adapters import Adapter, Operation
from config import Settings
from errors import ConfigurationError
from security.engines import ENGINES
from security.keys import Identity


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it will leave, signed: its id and the exact bytes.

    `opening`: it makes the way free for the request and is not the request; nothing takes effect by it.
    """

    message_id: str
    action: str
    content: bytes
    opening: bool = False


# The messages of one attempt, each to be answered with the exact bytes of its answer; it returns the canonical record.
Conversation = Generator[Message, bytes, object]


class Composed(Protocol):
    """A transport where the request is the only message."""

    def compose(self, operation: Operation, request: object, message_id: str) -> Message:
        """Build and sign the request."""

    def read(self, operation: Operation, message: Message, answer: bytes) -> object:
        """Verify the answer, match it to the message, check it by the contract and map it to its canonical record.

        Raises: AnswerUnsigned, AnswerMismatch, AnswerRefused, UnexpectedElement, UnknownCode, NotFound, SystemFault,
        RequestRefused.
        """


class Profile(Composed, Protocol):
    """What the delivery needs of a transport. Each call does one thing once; repeating is the delivery's business."""

    def converse(self, operation: Operation, request: object, message_id: str) -> Conversation:
        """The messages of one attempt in their order, so that each can be put on record before it is sent.

        `message_id` is the request's. What `read` raises, the conversation raises when it is given the answer.
        """

    def send(self, message: Message, deadline: float) -> bytes:
        """Send it and return the exact bytes of the answer, before `deadline` (`time.monotonic()`).

        Raises: SystemUnreachable (nothing of it left), SystemUnavailable, SystemTimeout, AnswerRefused.
        """


def one_message(profile: Composed, operation: Operation, request: object, message_id: str) -> Conversation:
    """The conversation of a profile that needs no other message than the request."""
    message = profile.compose(operation, request, message_id)
    answer = yield message
    return profile.read(operation, message, answer)


def outgoing_id(exchange_id: uuid.UUID) -> str:
    """The MessageID of an exchange's outgoing message, the same for every attempt and replay."""
    return f"urn:uuid:{exchange_id}"


def transports(settings: Settings, adapters: Mapping[str, Adapter]) -> Callable[[str], Profile]:
    """The transport of each system, opened when it is first needed and kept.

    A profile is a module of this package with `open_profile`.
    Raises: ConfigurationError when a system names a profile that there is not.
    """

    @cache
    def transport(name: str) -> Profile:
        system = settings.system(name)
        try:
            open_profile = importlib.import_module(f"{__name__}.{system.profile}").open_profile
        except (ModuleNotFoundError, AttributeError) as error:
            raise ConfigurationError(f"[systems.{name}] profile {system.profile} is not known") from error
        identity = Identity.load(settings.keys / "gateway.pem", settings.keys / "gateway.key")
        profile: Profile = open_profile(
            adapters[name],
            system,
            identity,
            settings.keys / "authority.pem",
            engine=ENGINES[settings.signature.engine],
        )
        return profile

    return transport
