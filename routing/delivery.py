"""How a request gets to its system: attempts, each told before its bytes leave, within the caller's deadline.

Systems are kept apart: each has places for so many calls at a time, and a circuit breaker. One that is dead or silent
takes threads up to its places and no more, and soon none at all.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import tenacity

import errors
from adapters import Operation, Repeat
from adapters.profiles import Message, Profile
from config import Settings
from routing.breakers import Breakers, Pass

MOST_ATTEMPTS = 3
# For a place at a busy system somebody waits so long; then it is later that he should try.
MOST_WAIT = 1.0
# A system that was given less time than this before it was cut off has not been found silent.
_FAIR_SECONDS = 1.0

# From what may be done most freely to what may not be done at all.
_STRICTER = (Repeat.DEDUPES, Repeat.QUERYABLE, Repeat.NEITHER)


@dataclass(frozen=True, slots=True)
class Exchanged:
    """One attempt: the exact bytes sent and received (None where no answer came).

    `left` is False where no connection came about, so that nothing was sent.
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
    """Places for calls of this process to one system; as many more may wait for one."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._places = threading.Semaphore(size)
        self._lock = threading.Lock()
        self._waiting = 0

    @contextmanager
    def place(self, deadline: float) -> Iterator[None]:
        """Hold a place; wait for it up to a second, and not past `deadline`.

        Raises: Busy.
        """
        if not self._places.acquire(blocking=False):
            self._wait(deadline)
        try:
            yield
        finally:
            self._places.release()

    def _wait(self, deadline: float) -> None:
        with self._lock:
            if self._waiting >= self._size:
                raise _busy()
            self._waiting += 1
        try:
            left = max(0.0, min(MOST_WAIT, deadline - time.monotonic()))
            if not self._places.acquire(timeout=left):
                raise _busy()
        finally:
            with self._lock:
                self._waiting -= 1


@dataclass(frozen=True, slots=True)
class Line:
    """The way to one system: its transport, the places for calls, its breaker.

    `timeout_s` is the most for one attempt. `most` is how far a repeat may be relied on, whatever an operation says.
    """

    system: str
    profile: Profile
    pool: Pool
    breakers: Breakers
    timeout_s: float
    most: Repeat = Repeat.DEDUPES

    def repeat(self, operation: Operation) -> Repeat:
        """What may be done when the outcome of a call is unclear: the stricter of what operation and settings say."""
        return max(operation.repeat, self.most, key=_STRICTER.index)

    @contextmanager
    def seized(self, deadline: float) -> Iterator[Pass]:
        """Leave for one call and a place for it. Raises: SystemUnreachable, Busy."""
        # First, so that nobody waits for a place at a system that is known to be away.
        self.breakers.check(self.system)
        with self.pool.place(deadline):
            leave = self.breakers.admit(self.system, min(self.timeout_s, max(0.0, deadline - time.monotonic())))
            yield leave


def lines(
    settings: Settings, systems: Iterable[str], transport: Callable[[str], Profile], breakers: Breakers
) -> Callable[[str], Line]:
    """The line to each system; its transport is opened when it is first needed.

    Raises: ConfigurationError for settings of a system that cannot be; later, for a system without settings.
    """
    made: dict[str, Line] = {}
    parts = _parts(settings, systems)
    lock = threading.Lock()

    def line(name: str) -> Line:
        profile, system = transport(name), settings.system(name)
        with lock:
            if name not in made:
                most, pool = parts[name]
                made[name] = Line(name, profile, pool, breakers, system.timeout_s, most)
            return made[name]

    return line


def _parts(settings: Settings, systems: Iterable[str]) -> Mapping[str, tuple[Repeat, Pool]]:
    parts = {}
    for name in systems:
        if (system := settings.systems.get(name)) is None:
            continue
        if system.pool < 1:
            raise errors.ConfigurationError(f"[systems.{name}] pool must be 1 or more")
        try:
            most = Repeat(system.repeat) if system.repeat else Repeat.DEDUPES
        except ValueError as error:
            raise errors.ConfigurationError(
                f"[systems.{name}] repeat must be dedupes, queryable or neither"
            ) from error
        parts[name] = (most, Pool(system.pool))
    return parts


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
    where nothing was sent; an unclear outcome of an operation that does not dedupe becomes OutcomeUnknown. Without an
    attempt nothing has left: the system is left alone by its breaker, or has no place free.
    """
    attempts: list[Exchanged] = []
    try:
        with line.seized(deadline) as leave:
            # A probe asks once: whether the system is back, not whether it could be had by trying.
            tried = _Try(line, operation, request, message_id, deadline, before_send, attempts)
            error, record = _ended(leave, tried, 1 if leave.probe is not None else tries, wait)
    except (errors.SystemUnreachable, errors.Busy) as refused:
        return Called(None, refused, ())
    unclear = isinstance(error, (errors.SystemUnavailable, errors.AnswerUnreadable)) and any(
        attempt.left for attempt in attempts
    )
    if unclear and line.repeat(operation) is not Repeat.DEDUPES:
        error = errors.OutcomeUnknown()
    return Called(record, error, tuple(attempts))
