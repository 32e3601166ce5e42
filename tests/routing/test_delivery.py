"""Delivery: repeated only where safe, told before each sending, never past the deadline; systems kept apart."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import Engine, event, select

import config
import errors
from adapters import Operation, Repeat
from adapters.profiles import Conversation, Message, one_message
from exchange import utc_now
from routing.breakers import MOST_FAILURES, Breakers, Pass, State, breakers
from routing.delivery import MOST_ATTEMPTS, Called, Line, Pool, call, lines


class Wire:
    """A transport by argument: each answer is bytes or an error."""

    converse = one_message

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
        match answer:
            case b"refused":
                raise errors.AnswerUnsigned
            case b"page":
                raise errors.AnswerUnreadable
            case b"nobody":
                raise errors.NotFound
            case b"fault":
                raise errors.SystemFault
        return answer.decode()


class Noted:
    """Stands in for breakers: admits everybody and notes what it is told."""

    def __init__(self, leave: Pass | None = None) -> None:
        self.leave = leave or Pass("pmlp")
        self.told: list[str] = []

    def check(self, system: str) -> None: ...

    def admit(self, system: str, seconds: float) -> Pass:
        return self.leave

    def succeeded(self, leave: Pass) -> None:
        self.told.append("succeeded")

    def failed(self, leave: Pass) -> None:
        self.told.append("failed")

    def dropped(self, leave: Pass) -> None:
        self.told.append("dropped")


def line(
    wire: Wire, *, size: int = 8, noted: Noted | Breakers | None = None, most: Repeat = Repeat.DEDUPES
) -> Line:
    return Line("pmlp", lambda: wire, Pool(size), cast("Breakers", noted or Noted()), 10.0, most)


def operation(repeat: Repeat = Repeat.DEDUPES) -> Operation:
    unused = cast("object", None)
    return Operation("Get", request=unused, answer=unused, repeat=repeat)  # type: ignore[arg-type] # the wire needs no tables


def delivered(
    way: Wire | Line,
    repeat: Repeat = Repeat.DEDUPES,
    told: Callable[[int, bytes], None] | None = None,
    *,
    seconds: float = 5.0,
    tries: int = MOST_ATTEMPTS,
) -> Called:
    return call(
        line(way) if isinstance(way, Wire) else way,
        operation(repeat),
        "request",
        message_id="urn:uuid:1",
        deadline=time.monotonic() + seconds,
        before_send=told or (lambda _number, _content: None),
        tries=tries,
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


@pytest.mark.parametrize("tries", [1, 2, MOST_ATTEMPTS])
def test_attempts_end(tries: int) -> None:
    called = delivered(Wire(*[errors.SystemTimeout() for _ in range(9)]), tries=tries)
    assert isinstance(called.error, errors.SystemTimeout)
    assert len(called.attempts) == tries


@pytest.mark.parametrize("answer", [b"refused", errors.RequestRefused()])
def test_what_a_repeat_cannot_mend_is_not_repeated(answer: bytes | errors.GatewayError) -> None:
    wire = Wire(answer, b"answer")
    assert delivered(wire).error is not None
    assert len(wire.sent) == 1


@pytest.mark.parametrize("repeat", [Repeat.QUERYABLE, Repeat.NEITHER])
@pytest.mark.parametrize("answer", [errors.SystemTimeout(), errors.SystemUnavailable(), b"page"])
def test_an_unclear_outcome_is_never_sent_again_by_itself(
    repeat: Repeat, answer: bytes | errors.GatewayError
) -> None:
    wire = Wire(answer, b"answer")
    assert isinstance(delivered(wire, repeat).error, errors.OutcomeUnknown)
    assert len(wire.sent) == 1


@pytest.mark.parametrize("repeat", list(Repeat))
def test_what_never_left_is_sent_again_whatever_the_operation(repeat: Repeat) -> None:
    called = delivered(Wire(errors.SystemUnreachable(), b"answer"), repeat)
    assert called.record == "answer"
    assert [attempt.left for attempt in called.attempts] == [False, True]


def test_what_never_left_is_not_an_unknown_outcome() -> None:
    called = delivered(Wire(*[errors.SystemUnreachable() for _ in range(9)]), Repeat.NEITHER)
    assert type(called.error) is errors.SystemUnreachable
    assert len(called.attempts) == MOST_ATTEMPTS


def test_what_left_after_what_did_not_is_an_unknown_outcome() -> None:
    called = delivered(Wire(errors.SystemUnreachable(), errors.SystemTimeout()), Repeat.NEITHER)
    assert isinstance(called.error, errors.OutcomeUnknown)


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
        line(wire),
        operation(),
        "request",
        message_id="urn:uuid:1",
        deadline=time.monotonic() + 0.05,
        before_send=lambda _number, _content: None,
        wait=lambda _seconds: time.sleep(0.1),
    )
    assert len(wire.sent) == 1


def test_no_pause_between_attempts_goes_past_the_deadline() -> None:
    slept: list[float] = []
    called = call(
        line(Wire(*[errors.SystemUnavailable() for _ in range(99)])),
        operation(),
        "request",
        message_id="urn:uuid:1",
        deadline=time.monotonic() + 0.2,
        before_send=lambda _number, _content: None,
        tries=99,
        wait=lambda seconds: (slept.append(seconds), time.sleep(seconds))[1],  # type: ignore[func-returns-value] # — the list is what counts
    )
    assert isinstance(called.error, errors.SystemUnavailable)
    assert sum(slept) <= 0.2


def test_a_call_that_is_over_before_it_began_has_no_unknown_outcome() -> None:
    called = delivered(Wire(), Repeat.NEITHER, seconds=0.0)
    assert isinstance(called.error, errors.SystemTimeout)
    assert called.attempts == ()


# What the breaker hears


@pytest.mark.parametrize(
    ("answer", "heard"),
    [
        (b"answer", "succeeded"),
        (b"refused", "succeeded"),
        (b"nobody", "succeeded"),
        (b"fault", "succeeded"),
        (b"page", "failed"),
        (errors.SystemUnavailable(), "failed"),
        (errors.SystemUnreachable(), "failed"),
        (errors.AnswerRefused("over the size limit"), "succeeded"),
        # Hardly sent and the caller's time was over: the system was given no chance.
        (errors.SystemTimeout(), "dropped"),
    ],
)
@pytest.mark.parametrize("repeat", [Repeat.DEDUPES, Repeat.NEITHER])
def test_the_breaker_hears_of_each_attempt_that_failed_and_once_how_a_call_went_well(
    answer: bytes | errors.GatewayError, heard: str, repeat: Repeat
) -> None:
    noted, wire = Noted(), Wire(*[answer] * MOST_ATTEMPTS)
    delivered(line(wire, noted=noted), repeat)
    assert noted.told == [heard] * (len(wire.sent) if heard == "failed" else 1)


def test_the_attempt_that_opens_the_breaker_is_the_last() -> None:
    class Opens(Noted):
        """Breakers that open at the second failure."""

        def check(self, system: str) -> None:
            if self.told.count("failed") > 1:
                raise errors.SystemUnreachable("it failed repeatedly", retry_after=2)

    noted, wire = Opens(), Wire(*[errors.SystemUnavailable()] * 9)
    called = delivered(line(wire, noted=noted), tries=9)
    assert (len(wire.sent), noted.told.count("failed")) == (2, 2)
    assert type(called.error) is errors.SystemUnavailable, "what it met, not what the breaker says"


def test_a_system_that_was_silent_for_long_enough_has_failed() -> None:
    noted = Noted()
    way = dataclasses.replace(line(Wire(errors.SystemTimeout()), noted=noted), timeout_s=0.0)
    delivered(way, tries=1)
    assert noted.told == ["failed"]


@pytest.mark.parametrize("error", [errors.LogUnavailable(), errors.Busy(), RuntimeError()])
def test_what_is_our_own_fault_says_nothing_of_the_system(error: Exception) -> None:
    noted = Noted()

    def refuse(_number: int, _content: bytes) -> None:
        raise error

    with ExitStack() as stack:
        if not isinstance(error, errors.GatewayError):
            stack.enter_context(pytest.raises(RuntimeError))
        delivered(line(Wire(), noted=noted), told=refuse)
    assert noted.told == ["dropped"]


def test_a_probe_asks_once() -> None:
    wire = Wire(errors.SystemUnavailable(), b"answer")
    delivered(line(wire, noted=Noted(Pass("pmlp", utc_now()))))
    assert len(wire.sent) == 1


# Kept apart: places and breaker


class Silent(Wire):
    """A transport that answers when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.let = threading.Event()
        self.lock = threading.Lock()
        self.now = self.most = 0

    def send(self, message: Message, deadline: float) -> bytes:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            self.let.wait(20)
        finally:
            with self.lock:
                self.now -= 1
        return b"answer"


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(32) as pool:
        yield pool


def until(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.005)


def test_a_silent_system_holds_so_many_threads_and_no_more(threads: ThreadPoolExecutor) -> None:
    silent = Silent()
    way = dataclasses.replace(line(silent), pool=Pool(3, still=0.0))
    calls = [threads.submit(delivered, way, seconds=30.0) for _ in range(3)]
    until(lambda: silent.now == 3)
    more = [threads.submit(delivered, way, seconds=30.0) for _ in range(12)]
    try:
        refused = [call.result(10) for call in more]
    finally:
        silent.let.set()
    for called in refused:
        assert isinstance(called.error, errors.Busy)
        assert called.error.retry_after == 1
        assert called.attempts == ()
    assert all(call.result(10).record == "answer" for call in calls)
    assert silent.most == 3


def test_of_those_who_find_no_place_as_many_as_there_are_places_wait(threads: ThreadPoolExecutor) -> None:
    silent = Silent()
    way = dataclasses.replace(line(silent), pool=Pool(2, seconds=20.0, still=0.0))
    calls = [threads.submit(delivered, way, seconds=30.0) for _ in range(2)]
    until(lambda: silent.now == 2)
    waiting = [threads.submit(delivered, way, seconds=30.0) for _ in range(2)]
    until(lambda: way.pool._waiting == 2)
    assert isinstance(delivered(way, seconds=30.0).error, errors.Busy)
    silent.let.set()
    assert [call.result(10).record for call in calls + waiting] == ["answer"] * 4
    assert silent.most == 2


def test_where_calls_end_all_who_come_wait_their_turn(threads: ThreadPoolExecutor) -> None:
    class Quick(Wire):
        def send(self, message: Message, deadline: float) -> bytes:
            time.sleep(0.01)
            return b"answer"

    way = dataclasses.replace(line(Quick()), pool=Pool(2, seconds=20.0, still=20.0))
    calls = [threads.submit(delivered, way, seconds=30.0) for _ in range(32)]
    assert [call.result(30).record for call in calls] == ["answer"] * 32


def test_nobody_waits_for_a_place_past_his_deadline(threads: ThreadPoolExecutor) -> None:
    silent = Silent()
    way = dataclasses.replace(line(silent), pool=Pool(1, seconds=20.0))
    threads.submit(delivered, way, seconds=30.0)
    until(lambda: silent.now == 1)
    began = time.monotonic()
    try:
        assert isinstance(delivered(way, seconds=0.05).error, errors.Busy)
        assert time.monotonic() - began < 10
    finally:
        silent.let.set()


def test_a_place_is_given_back_whatever_happens() -> None:
    way = line(Wire(errors.RequestRefused(), b"answer"), size=1)
    for error in (errors.LogUnavailable(), errors.Busy()):

        def refuse(_number: int, _content: bytes, error: errors.GatewayError = error) -> None:
            raise error

        assert delivered(way, told=refuse).error is error
    assert isinstance(delivered(way).error, errors.RequestRefused)
    assert delivered(way).record == "answer"


def test_a_system_that_fails_call_after_call_is_left_alone(engine: Engine) -> None:
    wire = Wire(*[errors.SystemTimeout() for _ in range(MOST_FAILURES)])
    way = dataclasses.replace(line(wire, noted=Breakers(engine)), timeout_s=0.0)
    for _ in range(MOST_FAILURES):
        assert isinstance(delivered(way, Repeat.NEITHER).error, errors.OutcomeUnknown)
    for repeat in Repeat:
        called = delivered(way, repeat)
        assert isinstance(called.error, errors.SystemUnavailable)
        assert called.error.retry_after == 2
        assert called.attempts == ()
    assert len(wire.sent) == MOST_FAILURES
    other = dataclasses.replace(line(Wire(b"answer"), noted=way.breakers), system="vzd")
    assert delivered(other).record == "answer"


def test_calls_that_are_answered_write_nothing_and_hardly_read(engine: Engine) -> None:
    statements: list[str] = []
    event.listen(
        engine,
        "before_cursor_execute",
        lambda _c, _cursor, statement, *_: statements.append(statement.split()[0]),
    )
    way = line(Wire(*[b"answer"] * 50), noted=Breakers(engine))
    began = time.monotonic()
    for _ in range(50):
        assert delivered(way).record == "answer"
    quarters = (time.monotonic() - began) / 0.25
    assert set(statements) - {"BEGIN"} == {"SELECT"}
    assert statements.count("SELECT") <= 1 + quarters


def test_a_database_that_is_away_is_the_logs_to_tell(engine: Engine) -> None:
    known = Breakers(engine)
    with engine.begin() as connection:
        breakers.drop(connection)
    way = line(Wire(b"answer", *[errors.SystemUnavailable()] * 9), noted=known)
    assert delivered(way).record == "answer"
    for _ in range(2):
        called = delivered(way)
        assert isinstance(called.error, errors.SystemUnavailable)
        assert len(called.attempts) == MOST_ATTEMPTS


# What the settings say


def system(**values: object) -> config.System:
    known = config.System("http://127.0.0.1:1/", "soap", 3.0, Path("none.pem"))
    return dataclasses.replace(known, **values)  # type: ignore[arg-type] # — each test names what it sets


def opened(engine: Engine, **values: object) -> Line:
    settings = dataclasses.replace(config.load({}), systems={"pmlp": system(**values)})
    return lines(settings, ["pmlp", "vzd"], lambda _name: Wire(b"answer"), Breakers(engine))("pmlp")


@pytest.mark.parametrize("declared", list(Repeat))
@pytest.mark.parametrize("most", ["", *Repeat])
def test_settings_make_a_repeat_stricter_and_never_looser(
    engine: Engine, declared: Repeat, most: str
) -> None:
    order = [Repeat.DEDUPES, Repeat.QUERYABLE, Repeat.NEITHER]
    stricter = max(order.index(declared), order.index(Repeat(most or "dedupes")))
    assert opened(engine, repeat=most).repeat(operation(declared)) is order[stricter]


def test_a_stricter_repeat_is_what_a_call_goes_by() -> None:
    wire = Wire(errors.SystemTimeout(), b"answer")
    called = delivered(line(wire, most=Repeat.NEITHER), Repeat.DEDUPES)
    assert isinstance(called.error, errors.OutcomeUnknown)
    assert len(wire.sent) == 1


@pytest.mark.parametrize("values", [{"repeat": "always"}, {"pool": 0}])
def test_settings_that_cannot_be_stop_the_start(engine: Engine, values: dict[str, object]) -> None:
    with pytest.raises(errors.ConfigurationError, match=r"systems\.pmlp"):
        opened(engine, **values)


def test_calls_to_one_system_share_its_places(engine: Engine) -> None:
    settings = dataclasses.replace(config.load({}), systems={"pmlp": system(pool=2)})
    line = lines(settings, ["pmlp"], lambda _name: Wire(), Breakers(engine))
    assert line("pmlp").pool is line("pmlp").pool
    with pytest.raises(errors.ConfigurationError):
        line("vzd")


def test_a_dropped_probe_leaves_the_next_one_to_another(engine: Engine) -> None:
    known = Breakers(engine, vary=lambda _low, _high: 0.0)
    for _ in range(MOST_FAILURES):
        known.failed(Pass("pmlp"))
    assert [status.state for status in known.states()] == [State.HALF_OPEN]

    def refuse(_number: int, _content: bytes) -> None:
        raise errors.LogUnavailable

    assert isinstance(delivered(line(Wire(), noted=known), told=refuse).error, errors.LogUnavailable)
    with engine.begin() as connection:
        assert connection.execute(select(breakers.c.probe_until)).scalar() is None
    assert delivered(line(Wire(b"answer"), noted=known)).record == "answer"
    assert [status.state for status in known.states()] == [State.CLOSED]


class Opened(Wire):
    """A transport where another message makes the way free for the request."""

    def converse(self, operation: Operation, request: object, message_id: str) -> Conversation:
        answer = yield Message("urn:uuid:0", "Open", b"opening", opening=True)
        self.read(operation, Message("urn:uuid:0", "Open", b"opening", opening=True), answer)
        message = self.compose(operation, request, message_id)
        return self.read(operation, message, (yield message))


def test_a_message_that_opens_the_way_is_an_attempt_of_its_own_on_record_before_it_leaves() -> None:
    wire, told = Opened(b"opened", b"answer"), list[tuple[int, bytes, int]]()
    called = delivered(wire, told=lambda number, content: told.append((number, content, len(wire.sent))))
    assert called.record == "answer"
    assert told == [(1, b"opening", 0), (2, b"request", 1)]
    assert [(one.sent, one.received, one.left) for one in called.attempts] == [
        (b"opening", b"opened", False),
        (b"request", b"answer", True),
    ]


@pytest.mark.parametrize("repeat", list(Repeat))
@pytest.mark.parametrize("silence", [errors.SystemTimeout(), errors.SystemUnavailable(), b"refused"])
def test_where_opening_fails_the_request_has_not_left_and_nothing_is_unclear(
    repeat: Repeat, silence: errors.GatewayError | bytes
) -> None:
    called = delivered(Opened(silence), repeat, tries=1)
    unclear = errors.AnswerUnsigned if silence == b"refused" else errors.SystemUnreachable
    assert type(called.error) is unclear
    assert [one.left for one in called.attempts] == [False]


@pytest.mark.parametrize("repeat", [Repeat.QUERYABLE, Repeat.NEITHER])
def test_opening_is_tried_again_and_a_request_that_left_is_not(repeat: Repeat) -> None:
    wire = Opened(errors.SystemTimeout(), b"opened", errors.SystemTimeout(), b"opened", b"answer")
    called = delivered(wire, repeat)
    assert isinstance(called.error, errors.OutcomeUnknown)
    assert [one.sent for one in called.attempts] == [b"opening", b"opening", b"request"]


def test_what_cannot_be_put_on_record_does_not_leave_after_the_opening() -> None:
    def refuse(number: int, _content: bytes) -> None:
        if number == 2:
            raise errors.LogUnavailable

    wire = Opened(b"opened", b"answer")
    called = delivered(wire, told=refuse)
    assert isinstance(called.error, errors.LogUnavailable)
    assert [message.content for message in wire.sent] == [b"opening"]


def test_all_messages_of_an_attempt_share_the_time_of_one_call() -> None:
    class Slow(Opened):
        def send(self, message: Message, deadline: float) -> bytes:
            time.sleep(0.06)
            return super().send(message, deadline)

    wire = Slow(b"opened", b"answer")
    called = delivered(dataclasses.replace(line(wire), timeout_s=0.05), tries=1)
    assert isinstance(called.error, errors.SystemUnreachable)
    assert [message.content for message in wire.sent] == [b"opening"]
