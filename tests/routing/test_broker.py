"""The broker carries row ids, each at least once, and says within a bounded time when it does not."""

from __future__ import annotations

import os
import re
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress

import pika
import pytest
from pika.exceptions import AMQPError

import errors
from routing import broker
from routing.broker import BrokerUnavailable, DeadLetter, Publisher, Subscription, Ticket
from tests.instances import PrivateRabbit, unavailable

pytestmark = pytest.mark.long

SHARED = os.environ.get("GATEWAY_TEST_AMQP", "amqp://guest:guest@127.0.0.1:5672")
ROWS = [uuid.UUID(int=number) for number in range(1, 4)]
# How long the broker may take to answer where it is expected not to, and by when that must have been noticed.
SHORT = 2.0
BOUND = 30.0


@pytest.fixture
def url() -> str:
    """The shared broker."""
    try:
        pika.BlockingConnection(pika.URLParameters(SHARED)).close()
    except (AMQPError, OSError):
        unavailable("no RabbitMQ server is reachable")
    return SHARED


@pytest.fixture
def queue(url: str) -> Iterator[str]:
    name = f"test.{uuid.uuid4()}"
    yield name
    remove(url, name)


@pytest.fixture(scope="module")
def rabbit() -> Iterator[PrivateRabbit]:
    with PrivateRabbit() as server:
        broker.state(server.url, 10)
        # RabbitMQ may find no leader for a quorum queue that was killed in its first second: let it settle.
        server.stop()
        server.start()
        yield server


def remove(url: str, queue: str) -> None:
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        channel.queue_delete(queue)
        channel.queue_delete(f"{queue}.dead")
        channel.exchange_delete(f"{queue}.dead")


def eventually(condition: Callable[[], bool], seconds: float = BOUND) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


def take(subscription: Subscription) -> Ticket:
    ticket = subscription.next(BOUND)
    assert ticket is not None
    return ticket


def refused(action: Callable[[], object]) -> str:
    """The action ends in BrokerUnavailable, within the bound; what that says."""
    begun = time.monotonic()
    with pytest.raises(BrokerUnavailable) as caught:
        action()
    assert time.monotonic() - begun < BOUND
    return str(caught.value)


def test_what_is_confirmed_waits_and_is_taken_once(url: str, queue: str) -> None:
    with Publisher(url, queue=queue) as publisher:
        publisher.publish(ROWS)
        assert publisher.waiting() == 3
    assert broker.state(url, 10, queue=queue) == {"ok": True, "waiting": 3, "dead": 0}
    with Subscription(url, queue=queue) as subscription:
        taken = []
        while ticket := subscription.next(0.5):
            taken.append(ticket.row_id)
            ticket.ack()
    assert taken == ROWS
    assert broker.state(url, 10, queue=queue) == {"ok": True, "waiting": 0, "dead": 0}


def test_the_queue_survives_the_broker(rabbit: PrivateRabbit) -> None:
    with Publisher(rabbit.url) as publisher:
        publisher.publish(ROWS)
    rabbit.kill()
    rabbit.start()
    with Subscription(rabbit.url) as subscription:
        for row in ROWS:
            ticket = take(subscription)
            assert ticket.row_id == row
            ticket.ack()


def test_a_ticket_whose_worker_vanished_comes_to_another(url: str, queue: str) -> None:
    with Publisher(url, queue=queue) as publisher:
        publisher.publish(ROWS[:1])
    with Subscription(url, queue=queue) as vanishing:
        take(vanishing)
    with Subscription(url, queue=queue) as other:
        ticket = take(other)
        assert ticket.row_id == ROWS[0]
        ticket.ack()
        assert other.next(0.2) is None


def test_no_more_than_the_prefetch_is_held(url: str, queue: str) -> None:
    with Publisher(url, queue=queue) as publisher:
        publisher.publish(ROWS)
    with Subscription(url, queue=queue) as one, Subscription(url, queue=queue) as other:
        assert {take(one).row_id, take(other).row_id} == set(ROWS[:2])
        assert one.next(0.2) is None


def test_what_is_requeued_too_often_is_a_dead_letter(url: str, queue: str) -> None:
    with Publisher(url, queue=queue) as publisher:
        publisher.publish(ROWS[:1])
    times = 0
    with Subscription(url, queue=queue) as subscription:
        while times < 20 and (ticket := subscription.next(1)):
            ticket.requeue()
            times += 1
    assert times == broker.DELIVERY_LIMIT + 1
    assert eventually(lambda: broker.state(url, 10, queue=queue)["dead"] == 1)
    letters = broker.dead_letters(url, 10, queue=queue)
    assert letters == (DeadLetter(ROWS[0], "delivery_limit"),)


def test_what_is_rejected_is_a_dead_letter_and_looking_takes_none_away(url: str, queue: str) -> None:
    with Publisher(url, queue=queue) as publisher:
        publisher.publish(ROWS)
    with Subscription(url, queue=queue) as subscription:
        for _ in ROWS:
            take(subscription).reject()
        assert subscription.next(0.2) is None
    for _ in range(2 * broker.DELIVERY_LIMIT):
        assert eventually(lambda: broker.state(url, 10, queue=queue)["dead"] == len(ROWS))
        letters = broker.dead_letters(url, 2, queue=queue)
        assert letters == tuple(DeadLetter(row, "rejected") for row in ROWS[:2])


def test_a_body_that_is_no_row_id_goes_to_the_dead_letters(url: str, queue: str) -> None:
    with Subscription(url, queue=queue) as subscription:
        with pika.BlockingConnection(pika.URLParameters(url)) as connection:
            for body in (b"", b"not an id", b"\xff\xfe"):
                connection.channel().basic_publish("", queue, body)
        with Publisher(url, queue=queue) as publisher:
            publisher.publish(ROWS[:1])
        assert take(subscription).row_id == ROWS[0]
        assert subscription.poison == 3
    assert eventually(lambda: broker.state(url, 10, queue=queue)["dead"] == 3)
    assert broker.dead_letters(url, 10, queue=queue) == (DeadLetter(None, "rejected"),) * 3


def test_what_cannot_be_routed_is_noticed_and_the_queue_made_anew(url: str, queue: str) -> None:
    with Publisher(url, queue=queue) as publisher:
        publisher.publish(ROWS[:1])
        remove(url, queue)
        publisher.publish(ROWS[1:2])
    assert broker.state(url, 10, queue=queue) == {"ok": True, "waiting": 1, "dead": 0}


def test_a_queue_declared_otherwise_is_refused(url: str, queue: str) -> None:
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        connection.channel().queue_declare(queue, durable=True, arguments={"x-queue-type": "classic"})
    assert "406" in refused(lambda: Publisher(url, queue=queue).publish(ROWS))
    assert "406" in refused(Subscription(url, queue=queue).__enter__)


def test_many_may_declare_at_once(url: str, queue: str) -> None:
    rows = [uuid.UUID(int=number) for number in range(4)]

    def publish(row: uuid.UUID) -> None:
        # A queue that is just being made may refuse: the callers come again.
        with Publisher(url, queue=queue) as publisher:
            again(lambda: publisher.publish([row]))

    threads = [threading.Thread(target=publish, args=(row,)) for row in rows]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(drain(url, queue)) == set(rows)


def test_a_ticket_outlives_the_heartbeats_that_its_work_leaves_out(url: str, queue: str) -> None:
    with Publisher(url, queue=queue) as publisher:
        publisher.publish(ROWS[:1])
    with Subscription(url, queue=queue, heartbeat=4) as subscription:
        ticket = take(subscription)
        time.sleep(5)  # the work: longer than one heartbeat, and nobody answers the broker
        ticket.ack()
        assert subscription.next(0.1) is None
    assert broker.state(url, 10, queue=queue)["waiting"] == 0


def test_a_subscription_whose_queue_is_gone_says_so(url: str, queue: str) -> None:
    with Subscription(url, queue=queue) as subscription:
        remove(url, queue)
        refused(lambda: subscription.next(2 * BOUND))


@pytest.mark.parametrize("verb", ["stop", "kill"])
def test_a_broker_that_is_gone(rabbit: PrivateRabbit, verb: str) -> None:
    with (
        Publisher(rabbit.url) as publisher,
        Subscription(rabbit.url) as subscription,
    ):
        publisher.publish(ROWS[:1])
        ticket = take(subscription)
        getattr(rabbit, verb)()
        refused(lambda: publisher.publish(ROWS[1:]))
        refused(ticket.ack)
        refused(lambda: subscription.next(1))
        refused(Subscription(rabbit.url).__enter__)
        assert broker.state(rabbit.url, SHORT) == {"ok": False, "waiting": 0, "dead": 0}
        rabbit.start()
        assert again(lambda: publisher.publish(ROWS[1:]))
    assert sorted(drain(rabbit.url)) == ROWS


def test_a_broker_that_stands_still(rabbit: PrivateRabbit) -> None:
    with (
        Publisher(rabbit.url, seconds=SHORT) as publisher,
        Subscription(rabbit.url, seconds=SHORT) as subscription,
    ):
        publisher.publish(ROWS[:1])
        take(subscription).ack()
        rabbit.pause()
        try:
            refused(lambda: publisher.publish(ROWS))
            refused(lambda: subscription.next(0.5))
            refused(lambda: publisher.publish(ROWS))
            refused(Subscription(rabbit.url, seconds=SHORT).__enter__)
            refused(lambda: broker.dead_letters(rabbit.url, 1, seconds=SHORT))
            assert not broker.state(rabbit.url, SHORT)["ok"]
        finally:
            rabbit.resume()
        assert again(lambda: publisher.publish(ROWS))
    assert set(drain(rabbit.url)) == set(ROWS)


def test_an_idle_connection_that_was_closed_is_no_failure(rabbit: PrivateRabbit) -> None:
    with Publisher(rabbit.url) as publisher:
        publisher.publish(ROWS[:1])
        rabbit.kill()
        rabbit.start()
        publisher.publish(ROWS[1:])
    assert drain(rabbit.url) == ROWS


def test_an_address_that_never_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"amqp://user:secret@127.0.0.1:{silent.getsockname()[1]}/vhost"
        said = [
            refused(lambda: Publisher(url, seconds=SHORT).publish(ROWS)),
            refused(Subscription(url, seconds=SHORT).__enter__),
        ]
        assert not broker.state(url, SHORT)["ok"]
    assert not any(re.search("secret|user|vhost|127", text) for text in said)


def test_a_wrong_password_is_told_without_it(url: str) -> None:
    wrong = url.replace("guest:guest", "guest:secret")
    assert "secret" not in refused(lambda: Publisher(wrong).publish(ROWS))


@pytest.mark.parametrize("address", ["http://guest:secret@127.0.0.1", "amqp://guest:secret@127.0.0.1:port"])
def test_an_address_of_another_kind_is_a_wrong_setting(address: str) -> None:
    with pytest.raises(errors.ConfigurationError) as caught:
        Publisher(address).publish(ROWS)
    assert "secret" not in str(caught.value)


def test_a_broker_that_was_wiped(rabbit: PrivateRabbit) -> None:
    with (
        Publisher(rabbit.url) as publisher,
        Subscription(rabbit.url) as subscription,
    ):
        publisher.publish(ROWS[:1])
        take(subscription)
        rabbit.wipe()
        refused(lambda: subscription.next(1))
        assert again(lambda: publisher.publish(ROWS[1:]))
    # What it held is lost: the outbox gives it out again.
    assert drain(rabbit.url) == ROWS[1:]


def again(action: Callable[[], object]) -> bool:
    """Whether it works in the end, with pauses, as the callers of this module do it."""

    def works() -> bool:
        with suppress(BrokerUnavailable):
            action()
            return True
        return False

    return eventually(works)


def drain(url: str, queue: str = broker.QUEUE) -> list[uuid.UUID]:
    taken = []
    with Subscription(url, queue=queue) as subscription:
        while ticket := subscription.next(1):
            taken.append(ticket.row_id)
            ticket.ack()
    return taken
