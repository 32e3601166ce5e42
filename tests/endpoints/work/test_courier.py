"""Deliveries by way of a real broker: it spreads row ids, and whatever it does the table decides."""

from __future__ import annotations

import dataclasses
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

import config
from audit import Archive
from endpoints.work.bell import Bell
from endpoints.work.courier import Courier, Postman
from endpoints.work.deliveries import Deliveries
from gateway import Gateway
from mappings.sais import NoticeStatus
from routing import broker, outbox, publishing
from routing.broker import BrokerUnavailable, Publisher
from routing.outbox import State
from security.keys import new_keys
from storage import database_now
from tests.instances import free_port
from tests.routing.test_broker import SHARED, remove
from tests.steps.wired import Wire, arrive, stay, wired

DONE = NoticeStatus(message_id="urn:uuid:0", took_effect=True)
RUNNING = threading.Event()


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("state")
    new_keys(folder / "keys", ["sais"])
    return folder


@pytest.fixture
def queue() -> Iterator[str]:
    name = f"test.{uuid.uuid4()}"
    yield name
    remove(SHARED, name)


@pytest.fixture
def transport() -> Wire:
    return Wire()


@pytest.fixture
def gateway(keys: Path, database: str, queue: str, transport: Wire) -> Iterator[Gateway]:
    settings = dataclasses.replace(
        config.load({}), state=keys, database_url=database, amqp_url=SHARED, amqp_queue=queue
    )
    with wired(settings, transport) as made:
        yield made


def workers(gateway: Gateway) -> tuple[Postman, Courier]:
    bell = Bell(gateway.settings.database_url)
    return Postman(gateway, bell), Courier(gateway, Deliveries(gateway, bell, 2))


def states(gateway: Gateway) -> list[State]:
    with gateway.engine.connect() as connection:
        return [row.state for row in outbox.listed(connection)]


def waiting(gateway: Gateway) -> object:
    return broker.state(gateway.settings.amqp_url, 10, queue=gateway.settings.amqp_queue)["waiting"]


def test_a_row_goes_by_the_broker_once(gateway: Gateway, transport: Wire) -> None:
    arrive(gateway, stay())
    postman, courier = workers(gateway)
    postman.step(RUNNING)
    assert waiting(gateway) == 1
    postman.step(RUNNING)
    assert waiting(gateway) == 1, "what the broker has it is not given again"
    transport.answers = [DONE]
    courier.step(RUNNING)
    assert states(gateway) == [State.DELIVERED]
    assert waiting(gateway) == 0


def test_an_id_that_comes_twice_is_delivered_once(gateway: Gateway, transport: Wire) -> None:
    arrive(gateway, stay())
    postman, courier = workers(gateway)
    postman.step(RUNNING)
    with gateway.engine.connect() as connection:
        (row,) = outbox.listed(connection)
    with Publisher(gateway.settings.amqp_url, queue=gateway.settings.amqp_queue) as publisher:
        publisher.publish([row.id, uuid.uuid4()])
    transport.answers = [DONE]
    for _ in range(3):
        courier.step(RUNNING)
    assert (states(gateway), len(transport.sent)) == ([State.DELIVERED], 1)
    assert waiting(gateway) == 0


def test_what_the_broker_lost_it_gets_again(gateway: Gateway, transport: Wire) -> None:
    arrive(gateway, stay())
    postman, courier = workers(gateway)
    postman.step(RUNNING)
    remove(SHARED, gateway.settings.amqp_queue)
    with gateway.engine.begin() as connection:
        (row,) = outbox.listed(connection)
        publishing.mark(connection, [row.id], database_now(connection) - 2 * publishing.REPUBLISH)
    with pytest.raises(BrokerUnavailable):
        postman.step(RUNNING)  # the queue is gone; whoever connects makes it anew
    postman.step(RUNNING)
    transport.answers = [DONE]
    courier.step(RUNNING)
    assert states(gateway) == [State.DELIVERED]


def test_a_delivery_that_fails_costs_the_thread_none_of_the_later_ones(
    gateway: Gateway, transport: Wire
) -> None:
    class Away(Archive):
        """An archive whose database is away once."""

        asked = 0

        def get(self, connection: Connection, exchange_id: uuid.UUID, part: str) -> bytes:
            self.asked += 1
            if self.asked == 1:
                raise OperationalError("", {}, Exception())
            return super().get(connection, exchange_id, part)

    arrive(gateway, stay())
    arrive(gateway, stay(person_code="321234-56797"))
    bell = Bell(gateway.settings.database_url)
    again = dataclasses.replace(gateway, archive=Away(gateway.settings))
    postman, courier = Postman(gateway, bell), Courier(gateway, Deliveries(again, bell, 2))
    postman.step(RUNNING)
    with pytest.raises(OperationalError):
        courier.step(RUNNING)
    assert waiting(gateway) == 2, "the broker has both ids again"
    transport.answers = [DONE]
    until = time.monotonic() + 30
    while State.DELIVERED not in states(gateway):
        assert time.monotonic() < until
        courier.step(RUNNING)


def test_without_the_broker_the_table_is_looked_at(keys: Path, database: str, transport: Wire) -> None:
    settings = dataclasses.replace(
        config.load({}),
        state=keys,
        database_url=database,
        amqp_url=f"amqp://guest:guest@127.0.0.1:{free_port()}",
    )
    with wired(settings, transport) as gateway:
        arrive(gateway, stay())
        postman, courier = workers(gateway)
        with pytest.raises(BrokerUnavailable):
            postman.step(RUNNING)
        transport.answers = [DONE]
        courier.step(RUNNING)
        assert states(gateway) == [State.DELIVERED]
