"""How a request gets to its system: attempts, each told before its bytes leave, within the caller's deadline.

Systems are kept apart: each has places for so many calls at a time, and a circuit breaker. One that is dead or silent
takes threads up to its places and no more, and soon none at all.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial

import tenacity

import errors
from adapters import Operation, Repeat
from adapters.profiles import Message, Profile
from config import Settings
from routing.breakers import Breakers, Pass
from telemetry import span

MOST_ATTEMPTS = 3
# For a place at a busy system somebody waits so long; then it is later that he should try.
MOST_WAIT = 1.0
# A system none of whose calls has ended for so long is slow, or hangs.
_STILL_SECONDS = 0.25
# A system that was given less time than this before it was cut off has not been found silent.
_FAIR_SECONDS = 1.0

# How a system that is silent, or says nothing that can be read, looks from here.
_SILENT = (errors.SystemUnavailable, errors.AnswerUnreadable)

# From what may be done most freely to what may not be done at all.
_STRICTER = (Repeat.DEDUPES, Repeat.QUERYABLE, Repeat.NEITHER)


@dataclass(frozen=True, slots=True)
class Exchanged:
    """One attempt: the exact bytes sent and received (None where no answer came).

    `left` is False where nothing of the request left: no connection came about, or the message only opened the way.
    """

    sent: bytes
    received: bytes | None
    left: bool = True


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


class Pool:
    """Places for calls of this process to one system.

    Who finds none waits for one `seconds` at most; and where no call has ended for `still` seconds, only as many wait
    as there are places, so that a system that hangs does not take every thread.
    """

    def __init__(self, size: int, seconds: float = MOST_WAIT, still: float = _STILL_SECONDS) -> None:
        self._size = size
        self._seconds = seconds
        self._still = still
        self._places = threading.Semaphore(size)
        self._lock = threading.Lock()
        self._waiting = 0
        self._under_way = 0
        self._moved = time.monotonic()

    @contextmanager
    def place(self, deadline: float) -> Iterator[None]:
        """Hold a place; nobody waits for one past his `deadline`.

        Raises: Busy.
        """
        if not self._places.acquire(blocking=False):
            self._wait(deadline)
        with self._lock:
            if not self._under_way:
                self._moved = time.monotonic()
            self._under_way += 1
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1
                self._moved = time.monotonic()
            self._places.release()

    def _wait(self, deadline: float) -> None:
        with self._lock:
            stands_still = time.monotonic() - self._moved > self._still
            if self._waiting >= self._size and stands_still:
                raise errors.Busy("this system is slow", retry_after=1)
            self._waiting += 1
        try:
            left = max(0.0, min(self._seconds, deadline - time.monotonic()))
            if not self._places.acquire(timeout=left):
                raise errors.Busy("this system is slow", retry_after=1)
        finally:
            with self._lock:
                self._waiting -= 1


@dataclass(frozen=True, slots=True)
class Line:
    """The way to one system: its transport (opened when asked for), the places for calls, its breaker.

    `timeout_s` is the most for one attempt. `most` is how far a repeat may be relied on, whatever an operation says.
    """

    system: str
    profile: Callable[[], Profile]
    pool: Pool
    breakers: Breakers
    timeout_s: float
    most: Repeat = Repeat.DEDUPES

    def repeat(self, operation: Operation) -> Repeat:
        """What may be done when the outcome of a call is unclear: the stricter of what operation and settings say."""
        return stricter(operation.repeat, self.most)

    @contextmanager
    def seized(self, deadline: float) -> Iterator[Pass]:
        """Leave for one call and a place for it. Raises: SystemUnreachable, Busy."""
        # First, so that nobody waits for a place at a system that is known to be away.
        self.breakers.check(self.system)
        with self.pool.place(deadline):
            left = max(0.0, deadline - time.monotonic())
            leave = self.breakers.admit(self.system, min(self.timeout_s, left))
            try:
                yield leave
            except BaseException:
                self.breakers.dropped(leave)
                raise


def lines(
    settings: Settings, systems: Iterable[str], transport: Callable[[str], Profile], breakers: Breakers
) -> Callable[[str], Line]:
    """The line to each system; its transport is opened when it is first needed.

    Raises: ConfigurationError for settings of a system that cannot be; later, for a system without settings.
    """
    known = {name: settings.systems[name] for name in systems if name in settings.systems}
    most = {name: repeat_of(name, system.repeat) for name, system in known.items()}
    for name, system in known.items():
        if system.pool < 1:
            raise errors.ConfigurationError(f"[systems.{name}] pool must be 1 or more")
    pools = {name: Pool(system.pool) for name, system in known.items()}

    def line(name: str) -> Line:
        system = settings.system(name)
        return Line(name, partial(transport, name), pools[name], breakers, system.timeout_s, most[name])

    return line


def call(
    line: Line,
    operation: Operation,
    request: object,
    *,
    message_id: str,
    deadline: float,
    before_send: Callable[[int, bytes], None],
    tries: int = MOST_ATTEMPTS,
    wait: Callable[[float], None] = time.sleep,
) -> Called:
    """Send a request and read its answer, again where that is safe, with jitter, until `deadline`.

    `before_send(attempt, bytes)` must return only when the attempt is durably on record; what it raises ends the call
    before anything leaves. Repeated are retryable errors of operations that declare `dedupes`, and of any operation
    where nothing was sent; an unclear outcome of one that does not dedupe becomes OutcomeUnknown. Without attempts
    nothing has left: the system is left alone by its breaker, or has no place free.
    Raises: ConfigurationError where the transport cannot be opened.
    """
    profile, repeat = line.profile(), line.repeat(operation)
    attempts: list[Exchanged] = []
    record: object = None
    error: errors.GatewayError | None = None
    fair, counted = False, 0

    def attempt() -> object:
        """All messages of it together take no longer than one call may."""
        if time.monotonic() >= deadline:
            raise errors.SystemTimeout
        until, ends = deadline, time.monotonic() + line.timeout_s
        with closing(profile.converse(operation, request, message_id)) as conversation:
            message = next(conversation)
            while True:
                try:
                    message = conversation.send(exchange(message, until))
                except StopIteration as done:
                    return done.value
                except _SILENT as error:
                    if not message.opening:
                        raise
                    # Whatever became of it, the request has not left.
                    raise errors.SystemUnreachable(error.code) from error
                until = min(deadline, ends)
                if time.monotonic() >= until:
                    raise errors.SystemUnreachable("no time left for the request")

    def exchange(message: Message, until: float) -> bytes:
        nonlocal fair
        before_send(len(attempts) + 1, message.content)
        began = time.monotonic()
        try:
            answer = _send(profile, message, until, attempts)
        except errors.SystemTimeout:
            fair = fair or time.monotonic() - began >= 0.9 * min(line.timeout_s, _FAIR_SECONDS)
            raise
        except errors.GatewayError:
            fair = True
            raise
        fair = True
        return answer

    def in_span() -> object:
        with span("attempt", system=line.system, operation=operation.name, attempt=len(attempts) + 1):
            return attempt()

    try:
        with line.seized(deadline) as leave:

            def before_again(failed: BaseException) -> None:
                """Each attempt counts, and one that opens the breaker is the last."""
                nonlocal counted
                if fair and isinstance(failed, _SILENT):
                    line.breakers.failed(leave)
                    counted = len(attempts)
                    try:
                        line.breakers.check(line.system)
                    except errors.SystemUnreachable:
                        raise failed from None

            # A probe asks once: whether the system is back, not whether it could be had by trying.
            once = 1 if leave.probe is not None else tries
            try:
                record = _retrying(repeat, deadline, once, wait, before_again)(in_span)
            except errors.GatewayError as failed:
                error = failed
            _tell(line.breakers, leave, error, attempts[counted:] if fair else [])
    except (errors.SystemUnreachable, errors.Busy) as refused:
        return Called(None, refused, ())
    if (
        isinstance(error, _SILENT)
        and repeat is not Repeat.DEDUPES
        and any(attempt.left for attempt in attempts)
    ):
        error = errors.OutcomeUnknown()
    return Called(record, error, tuple(attempts))


def _send(profile: Profile, message: Message, deadline: float, attempts: list[Exchanged]) -> bytes:
    try:
        answer = profile.send(message, deadline)
    except errors.GatewayError as error:
        left = not message.opening and not isinstance(error, errors.SystemUnreachable)
        attempts.append(Exchanged(message.content, None, left))
        raise
    attempts.append(Exchanged(message.content, answer, not message.opening))
    return answer


def _retrying(
    repeat: Repeat,
    deadline: float,
    tries: int,
    wait: Callable[[float], None],
    before_again: Callable[[BaseException], None],
) -> tenacity.Retrying:
    def failed(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        if error is not None:
            before_again(error)

    return tenacity.Retrying(
        before_sleep=failed,
        retry=tenacity.retry_if_exception(lambda error: _repeatable(error, repeat)),
        stop=lambda state: state.attempt_number >= tries or time.monotonic() >= deadline,
        wait=tenacity.wait_random_exponential(multiplier=0.1, max=2.0),
        sleep=lambda seconds: wait(max(0.0, min(seconds, deadline - time.monotonic()))),
        reraise=True,
    )


def _repeatable(error: BaseException, repeat: Repeat) -> bool:
    if isinstance(error, errors.SystemUnreachable):
        return True
    return isinstance(error, errors.PartnerError) and error.retryable and repeat is Repeat.DEDUPES


def _tell(
    breakers: Breakers, leave: Pass, error: errors.GatewayError | None, attempts: Sequence[Exchanged]
) -> None:
    """What the call has shown of the system; nothing where it had no fair chance to answer."""
    if attempts and isinstance(error, _SILENT):
        breakers.failed(leave)
    elif attempts and (attempts[-1].received is not None or isinstance(error, errors.AnswerRefused)):
        breakers.succeeded(leave)
    else:
        breakers.dropped(leave)


def stricter(one: Repeat, other: Repeat) -> Repeat:
    """Of two words on repeating, the one that allows less."""
    return max(one, other, key=_STRICTER.index)


def repeat_of(system: str, repeat: str) -> Repeat:
    """The word of `[systems.<name>] repeat`; left out, whatever the operations say.

    Raises: ConfigurationError.
    """
    try:
        return Repeat(repeat) if repeat else Repeat.DEDUPES
    except ValueError as error:
        raise errors.ConfigurationError(
            f"[systems.{system}] repeat must be dedupes, queryable or neither"
        ) from error
