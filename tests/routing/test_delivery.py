"""Delivery: repeated only where safe, told before each sending, never past the deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import cast

import pytest

import errors
from adapters import Operation, Repeat
from adapters.profiles import Message
from routing.delivery import MOST_ATTEMPTS, Called, call


class Wire:
    """A transport by argument: each answer is bytes or an error."""

    def __init__(self, *answers: bytes | errors.GatewayError) -> None:
        self.answers = list(answers)
        self.sent: list[Message] = []

    def compose(self, operation: Operation, request: object, message_id: str) -> Message:
        return Message(message_id, operation.name, str(request).encode())

    def send(self, message: Message, deadline: float) -> bytes:
        assert deadline > time.monotonic()
        self.sent.append(message)
        answer = self.answers.pop(0)
        if isinstance(answer, errors.GatewayError):
            raise answer
        return answer

    def read(self, operation: Operation, message: Message, answer: bytes) -> object:
        if answer == b"refused":
            raise errors.AnswerUnsigned
        return answer.decode()


def operation(repeat: Repeat = Repeat.DEDUPES) -> Operation:
    unused = cast("object", None)
    return Operation("Get", request=unused, answer=unused, repeat=repeat)  # type: ignore[arg-type] # the wire needs no tables


def delivered(
    wire: Wire, repeat: Repeat = Repeat.DEDUPES, told: Callable[[int, bytes], None] | None = None
) -> Called:
    return call(
        wire,
        operation(repeat),
        "request",
        message_id="urn:uuid:1",
        deadline=time.monotonic() + 5,
        before_send=told or (lambda _number, _content: None),
        wait=lambda _seconds: None,
    )


def test_the_record_comes_back_with_its_attempt() -> None:
    called = delivered(Wire(b"answer"))
    assert (called.record, called.error, len(called.attempts)) == ("answer", None, 1)
    assert called.attempts[0].received == b"answer"


def test_a_dead_system_is_tried_again_with_the_same_message_id() -> None:
    wire = Wire(errors.SystemUnavailable(), b"answer")
    called = delivered(wire)
    assert called.record == "answer"
    assert [message.message_id for message in wire.sent] == ["urn:uuid:1"] * 2
    assert [attempt.received for attempt in called.attempts] == [None, b"answer"]


def test_attempts_end() -> None:
    called = delivered(Wire(*[errors.SystemTimeout() for _ in range(9)]))
    assert isinstance(called.error, errors.SystemTimeout)
    assert len(called.attempts) == MOST_ATTEMPTS


@pytest.mark.parametrize("answer", [b"refused", errors.RequestRefused()])
def test_what_a_repeat_cannot_mend_is_not_repeated(answer: bytes | errors.GatewayError) -> None:
    wire = Wire(answer, b"answer")
    assert delivered(wire).error is not None
    assert len(wire.sent) == 1


@pytest.mark.parametrize("repeat", [Repeat.QUERYABLE, Repeat.NEITHER])
def test_an_unclear_outcome_is_never_sent_again_by_itself(repeat: Repeat) -> None:
    wire = Wire(errors.SystemTimeout(), b"answer")
    assert isinstance(delivered(wire, repeat).error, errors.OutcomeUnknown)
    assert len(wire.sent) == 1


def test_nothing_leaves_before_the_attempt_is_on_record() -> None:
    wire = Wire(b"answer")

    def refuse(_number: int, _content: bytes) -> None:
        raise errors.LogUnavailable

    called = delivered(wire, told=refuse)
    assert isinstance(called.error, errors.LogUnavailable)
    assert wire.sent == []


def test_each_attempt_is_told_with_its_number_and_bytes() -> None:
    told: list[tuple[int, bytes]] = []
    delivered(
        Wire(errors.SystemUnavailable(), b"answer"),
        told=lambda number, content: told.append((number, content)),
    )
    assert told == [(1, b"request"), (2, b"request")]


def test_no_attempt_begins_after_the_deadline() -> None:
    wire = Wire(errors.SystemUnavailable(), b"answer")
    call(
        wire,
        operation(),
        "request",
        message_id="urn:uuid:1",
        deadline=time.monotonic() + 0.05,
        before_send=lambda _number, _content: None,
        wait=lambda _seconds: time.sleep(0.1),
    )
    assert len(wire.sent) == 1
