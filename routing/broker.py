"""RabbitMQ tells workers which rows of the outbox to look at: ids, never data.

The outbox is the truth. What the broker loses, doubles or brings in another order does no harm: a row is delivered by
whoever holds its lease, and the outbox gives ids out again. So nothing here is repeated beyond what a connection
needs, and every wait ends: a broker that is stopped, stands still or has vanished is `BrokerUnavailable`.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Self

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import AMQPError, AMQPHeartbeatTimeout

import errors

QUEUE = "gateway.outbox"
ANSWER_SECONDS = 10.0
# The broker gives up a connection after two heartbeats without a sign, and a worker gives none while it delivers: a
# ticket may be held for a minute at least. RabbitMQ's own limit on that (consumer_timeout) is half an hour.
HEARTBEAT_SECONDS = 60
DELIVERY_LIMIT = 5
MOST_WAITING = 1_000_000
MOST_DEAD = 100_000
_CLOSE_SECONDS = 2.0
_FAILURES = (AMQPError, AMQPConnectorException, OSError)

# What pika says, at length and as errors, its callers hear as BrokerUnavailable.
logging.getLogger("pika").setLevel(logging.CRITICAL)


class BrokerUnavailable(Exception):
    """The broker did not do what was asked in the time given; its text names the kind of failure only."""


class Publisher:
    """Gives row ids to the broker over one connection, which belongs to one thread."""

    def __init__(self, url: str, *, queue: str = QUEUE, seconds: float = ANSWER_SECONDS) -> None:
        self._url = url
        self._queue = queue
        self._seconds = seconds
        self._channel: BlockingChannel | None = None

    def publish(self, row_ids: Sequence[uuid.UUID]) -> None:
        """Return when a majority of the queue's members have every id on disk.

        A connection that was closed meanwhile, or a queue that is gone, is made anew once; an id may then arrive
        twice. Raises: BrokerUnavailable when it is not all confirmed in `seconds`: any of the ids may have arrived.
        """
        until = time.monotonic() + self._seconds
        kept = self._channel is not None
        try:
            self._send(row_ids, until)
        except BrokerUnavailable:
            if not kept or time.monotonic() >= until:
                raise
            self._send(row_ids, until)

    def waiting(self) -> int:
        """How many ids no worker has taken yet.

        Raises: BrokerUnavailable.
        """
        until = time.monotonic() + self._seconds
        try:
            channel = self._ready(until)
            with _bounded(channel.connection, until):
                return int(channel.queue_declare(self._queue, passive=True).method.message_count)
        except BrokerUnavailable:
            self.close()
            raise

    def close(self) -> None:
        """Leave the broker; the next `publish` connects again."""
        channel, self._channel = self._channel, None
        if channel is not None:
            _leave(channel.connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self, row_ids: Sequence[uuid.UUID], until: float) -> None:
        try:
            channel = self._ready(until)
            with _bounded(channel.connection, until):
                for row_id in row_ids:
                    channel.basic_publish(
                        "",
                        self._queue,
                        str(row_id).encode(),
                        pika.BasicProperties(delivery_mode=pika.DeliveryMode.Persistent.value),
                        mandatory=True,
                    )
        except BrokerUnavailable:
            self.close()
            raise

    def _ready(self, until: float) -> BlockingChannel:
        if self._channel is None:
            self._channel = _open(self._url, until, HEARTBEAT_SECONDS)
            with _bounded(self._channel.connection, until):
                _declare(self._channel, self._queue)
                self._channel.confirm_delivery()
        return self._channel


@dataclass(frozen=True, slots=True)
class Ticket:
    """One row id in work. Until it is answered the broker keeps it, and gives it to another when we vanish."""

    row_id: uuid.UUID
    _channel: BlockingChannel
    _tag: int

    def ack(self) -> None:
        """The row has been looked after, however that went: the outbox has it."""
        self._answer("basic_ack", delivery_tag=self._tag)

    def reject(self) -> None:
        """Put it to the dead letters."""
        self._answer("basic_reject", delivery_tag=self._tag, requeue=False)

    def requeue(self) -> None:
        """Let another have it at once; each time counts towards the delivery limit, so this is no way to wait."""
        self._answer("basic_reject", delivery_tag=self._tag, requeue=True)

    def _answer(self, method: str, **arguments: object) -> None:
        with _bounded(self._channel.connection, time.monotonic() + ANSWER_SECONDS):
            getattr(self._channel, method)(**arguments)


class Subscription:
    """Takes row ids from the broker, for one thread; after BrokerUnavailable it is of no more use."""

    def __init__(
        self,
        url: str,
        prefetch: int = 1,
        *,
        queue: str = QUEUE,
        seconds: float = ANSWER_SECONDS,
        heartbeat: int = HEARTBEAT_SECONDS,
    ) -> None:
        self.poison = 0
        self._url = url
        self._prefetch = prefetch
        self._queue = queue
        self._seconds = seconds
        self._heartbeat = heartbeat
        self._arrived: deque[tuple[int, bytes]] = deque()

    def __enter__(self) -> Self:
        until = time.monotonic() + self._seconds
        self._channel = _open(self._url, until, self._heartbeat)
        try:
            with _bounded(self._channel.connection, until):
                _declare(self._channel, self._queue)
                self._channel.basic_qos(prefetch_count=self._prefetch)
                self._channel.basic_consume(self._queue, self._take)
        except BrokerUnavailable:
            _leave(self._channel.connection)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        _leave(self._channel.connection)

    def next(self, seconds: float) -> Ticket | None:
        """Wait for a row id; None when none came.

        What is no row id goes to the dead letters and is counted in `poison`. Raises: BrokerUnavailable, at the
        latest when the broker has had the seconds of this subscription to answer after that.
        """
        until = time.monotonic() + seconds
        while True:
            self._listen(max(until - time.monotonic(), 0.0))
            while self._arrived:
                tag, body = self._arrived.popleft()
                ticket = self._ticket(tag, body)
                if ticket is not None:
                    return ticket
            if time.monotonic() >= until:
                self._ask()
                return None

    def _take(self, _channel: BlockingChannel, method: Any, _properties: object, body: bytes) -> None:
        self._arrived.append((method.delivery_tag, body))

    def _listen(self, seconds: float) -> None:
        with _bounded(self._channel.connection, time.monotonic() + seconds + self._seconds):
            self._channel.connection.process_data_events(0 if self._arrived else seconds)
        if not self._channel.is_open or not self._channel.consumer_tags:
            raise BrokerUnavailable("the queue ended the subscription")

    def _ticket(self, tag: int, body: bytes) -> Ticket | None:
        row_id = _row_id(body)
        if row_id is not None:
            return Ticket(row_id, self._channel, tag)
        with _bounded(self._channel.connection, time.monotonic() + self._seconds):
            self._channel.basic_reject(tag, requeue=False)
        self.poison += 1
        return None

    def _ask(self) -> None:
        # A broker that stands still is as quiet as one that has nothing for us.
        with _bounded(self._channel.connection, time.monotonic() + self._seconds):
            self._channel.queue_declare(self._queue, passive=True)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What no worker could finish with; `row_id` is None where the body held none."""

    row_id: uuid.UUID | None
    reason: str


def state(url: str, seconds: float, *, queue: str = QUEUE) -> dict[str, bool | int]:
    """Whether the broker answers in that time, and how many ids wait and are dead letters.

    The queues are made where they are missing, so that a broker just installed or wiped is ready.
    """
    try:
        with _visit(url, seconds) as channel:
            waiting, dead = _declare(channel, queue)
    except BrokerUnavailable:
        return {"ok": False, "waiting": 0, "dead": 0}
    return {"ok": True, "waiting": waiting, "dead": dead}


def dead_letters(
    url: str, limit: int, *, queue: str = QUEUE, seconds: float = ANSWER_SECONDS
) -> tuple[DeadLetter, ...]:
    """Look at the oldest dead letters; they stay where they are. Raises: BrokerUnavailable."""
    found: list[DeadLetter] = []
    with _visit(url, seconds) as channel:
        _declare(channel, queue)
        while len(found) < limit:
            method, properties, body = channel.basic_get(_dead(queue))
            if method is None:
                break
            reason = str((properties.headers or {}).get("x-first-death-reason", ""))
            found.append(DeadLetter(_row_id(body), reason))
    return tuple(found)  # what was not acknowledged went back as the connection closed


def _parameters(url: str) -> pika.URLParameters:
    try:
        if url.startswith(("amqp://", "amqps://")):
            return pika.URLParameters(url)
    except (ValueError, TypeError, KeyError):  # their text repeats the address
        pass
    raise errors.ConfigurationError("the broker's address is no amqp or amqps URL")


def _open(url: str, until: float, heartbeat: int) -> BlockingChannel:
    parameters = _parameters(url)
    left = max(until - time.monotonic(), 0.1)
    parameters.connection_attempts = 1
    parameters.socket_timeout = left
    parameters.stack_timeout = left
    parameters.blocked_connection_timeout = None  # every call is bounded here
    parameters.heartbeat = heartbeat
    try:
        connection = pika.BlockingConnection(parameters)
    except _FAILURES as error:
        raise BrokerUnavailable(_kind(error)) from error
    try:
        with _bounded(connection, until):
            return connection.channel()
    except BrokerUnavailable:
        _leave(connection)
        raise


@contextmanager
def _visit(url: str, seconds: float) -> Iterator[BlockingChannel]:
    until = time.monotonic() + seconds
    channel = _open(url, until, HEARTBEAT_SECONDS)
    try:
        with _bounded(channel.connection, until):
            yield channel
    finally:
        _leave(channel.connection)


def _leave(connection: pika.BlockingConnection) -> None:
    with suppress(BrokerUnavailable), _bounded(connection, time.monotonic() + _CLOSE_SECONDS):
        connection.close()


@contextmanager
def _bounded(connection: pika.BlockingConnection, until: float) -> Iterator[None]:
    """Break the connection off at `until`, and say in our own terms that it broke."""
    if not connection.is_open:
        raise BrokerUnavailable("the connection is closed")
    # pika's calls wait for their answer without end: this is how its own heartbeat gives up.
    dialogue = connection._impl
    overdue = AMQPHeartbeatTimeout("no answer in time")
    timer = dialogue.ioloop.call_later(
        max(until - time.monotonic(), 0.0), lambda: dialogue._terminate_stream(overdue)
    )
    try:
        yield
    except _FAILURES as error:
        raise BrokerUnavailable(_kind(error)) from error
    finally:
        dialogue.ioloop.remove_timeout(timer)


def _kind(error: BaseException) -> str:
    # A library's text may repeat addresses and names.
    code = getattr(error, "reply_code", None)
    return type(error).__name__ if code is None else f"{type(error).__name__} {code}"


def _declare(channel: BlockingChannel, queue: str) -> tuple[int, int]:
    """Make the queues where they are missing; how many wait, how many are dead letters."""
    dead = _dead(queue)
    channel.exchange_declare(dead, "fanout", durable=True)
    letters = channel.queue_declare(
        dead,
        durable=True,
        arguments={"x-queue-type": "quorum", "x-max-length": MOST_DEAD, "x-overflow": "drop-head"},
    )
    channel.queue_bind(dead, dead)
    waiting = channel.queue_declare(
        queue,
        durable=True,
        arguments={
            "x-queue-type": "quorum",
            "x-delivery-limit": DELIVERY_LIMIT,
            "x-max-length": MOST_WAITING,
            "x-overflow": "reject-publish",
            "x-dead-letter-exchange": dead,
            "x-dead-letter-strategy": "at-least-once",
        },
    )
    return waiting.method.message_count, letters.method.message_count


def _dead(queue: str) -> str:
    return f"{queue}.dead"


def _row_id(body: bytes) -> uuid.UUID | None:
    try:
        return uuid.UUID(body.decode("ascii"))
    except ValueError:
        return None
