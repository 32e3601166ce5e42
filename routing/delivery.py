"""How a request gets to its system: attempts, each told before its bytes leave, within the caller's deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import tenacity

import errors
from adapters import Operation, Repeat
from adapters.profiles import Message, Profile

MOST_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Exchanged:
    """One attempt: the exact bytes sent and received (None where no answer came)."""

    sent: bytes
    received: bytes | None


@dataclass(frozen=True, slots=True)
class Called:
    """How a call ended: the canonical record, or the error, and every attempt on the way."""

    record: object
    error: errors.GatewayError | None
    attempts: tuple[Exchanged, ...]

    @property
    def verified(self) -> bool:
        """Whether the last attempt was answered and the signature of that answer held."""
        answered = bool(self.attempts) and self.attempts[-1].received is not None
        return answered and not isinstance(self.error, errors.AnswerUnsigned)


def call(
    profile: Profile,
    operation: Operation,
    request: object,
    *,
    message_id: str,
    deadline: float,
    before_send: Callable[[int, bytes], None],
    wait: Callable[[float], None] = time.sleep,
) -> Called:
    """Send a request and read its answer, again where that is safe, with jitter, until `deadline`.

    `before_send(attempt, bytes)` must return only when the attempt is durably on record; what it raises ends the call
    before anything leaves. Repeated are retryable errors of operations that declare `dedupes`; an unclear outcome of
    any other becomes OutcomeUnknown.
    """
    attempts: list[Exchanged] = []

    def attempt() -> object:
        if time.monotonic() >= deadline:
            raise errors.SystemTimeout
        message = profile.compose(operation, request, message_id)
        before_send(len(attempts) + 1, message.content)
        answer = _send(profile, message, deadline, attempts)
        return profile.read(operation, message, answer)

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(lambda error: _repeatable(error, operation)),
        stop=lambda state: state.attempt_number >= MOST_ATTEMPTS or time.monotonic() >= deadline,
        wait=tenacity.wait_random_exponential(multiplier=0.1, max=2.0),
        sleep=lambda seconds: wait(max(0.0, min(seconds, deadline - time.monotonic()))),
        reraise=True,
    )
    try:
        return Called(retrying(attempt), None, tuple(attempts))
    except errors.SystemUnavailable as error:
        unclear = operation.repeat is not Repeat.DEDUPES
        return Called(None, errors.OutcomeUnknown() if unclear else error, tuple(attempts))
    except errors.GatewayError as error:
        return Called(None, error, tuple(attempts))


def _send(profile: Profile, message: Message, deadline: float, attempts: list[Exchanged]) -> bytes:
    try:
        answer = profile.send(message, deadline)
    except errors.GatewayError:
        attempts.append(Exchanged(message.content, None))
        raise
    attempts.append(Exchanged(message.content, answer))
    return answer


def _repeatable(error: BaseException, operation: Operation) -> bool:
    return isinstance(error, errors.PartnerError) and error.retryable and operation.repeat is Repeat.DEDUPES
