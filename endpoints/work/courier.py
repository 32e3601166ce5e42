"""Between the outbox and the broker: due rows are published by their ids, and ids that arrive become deliveries.

The broker only spreads the work. Every process publishes, each row once until it is due again or has not been taken
for a while; a thread whose broker is away looks into the table until the broker is back.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from datetime import timedelta

from endpoints.work.bell import Bell
from endpoints.work.deliveries import Deliveries
from gateway import Gateway
from routing import publishing
from routing.broker import BrokerUnavailable, Publisher, Subscription
from storage import reading

_BATCH = 200
_AGAIN_WHEN_BUSY = timedelta(minutes=10)
_TAKE_SECONDS = 1.0
_RECONNECT_SECONDS = 2.0
_ROOM_SECONDS = 1.0

diagnostics = logging.getLogger("gateway.work")


class Postman:
    """Gives the ids of due rows to the broker; one thread of a process."""

    def __init__(self, wired: Gateway, bell: Bell) -> None:
        self._gateway = wired
        self._bell = bell
        self._publisher = Publisher(wired.settings.amqp_url, queue=wired.settings.amqp_queue)

    def step(self, stop: threading.Event) -> float:
        """Publish what is due.

        Raises: BrokerUnavailable; then the rows are published again when it is back.
        """
        engine = self._gateway.engine
        with reading(engine).begin() as connection:
            without = self._gateway.breakers.open_systems(connection)
            due = publishing.any_unpublished(connection, without=without)
        if due:
            # Ids that the broker still has are not given to it again: it would only grow.
            busy = self._publisher.waiting() >= _BATCH
            again_after = _AGAIN_WHEN_BUSY if busy else publishing.REPUBLISH
            with engine.begin() as connection:
                ids = publishing.publishable(connection, _BATCH, without=without, again_after=again_after)
            try:
                self._publisher.publish(ids)
            except BrokerUnavailable:
                with engine.begin() as connection:
                    publishing.mark(connection, ids, None)
                raise
            return 0.0 if ids else _TAKE_SECONDS
        if stop.is_set():
            self._publisher.close()
        else:
            self._bell.wait(_TAKE_SECONDS)
        return 0.0


class Courier:
    """Takes ids from the broker and delivers their rows; used by many threads, each with a subscription of its own."""

    def __init__(self, wired: Gateway, deliveries: Deliveries) -> None:
        self._gateway = wired
        self._deliveries = deliveries
        self._of_thread = threading.local()

    def step(self, stop: threading.Event) -> float:
        """Deliver one row that the broker names or, while it is away, one of the table."""
        subscription = self._subscription()
        if subscription is None:
            return self._deliveries.step(stop)
        try:
            if stop.is_set():
                self._leave(subscription)
                return 0.0
            ticket = subscription.next(_TAKE_SECONDS)
            if ticket is not None:
                self._take(ticket.row_id)
                ticket.ack()
        except BrokerUnavailable as error:
            diagnostics.warning("the broker is away (%s): deliveries go on from the table", error)
            self._leave(subscription)
        except BaseException:
            # An id that is not answered for would be the last one this thread gets: the broker gives it to another.
            self._leave(subscription)
            raise
        return 0.0

    def _take(self, row_id: uuid.UUID) -> None:
        until = time.monotonic() + _ROOM_SECONDS
        while self._deliveries.is_full_for(row_id) and time.monotonic() < until:
            self._deliveries.wait_for_room()
        held = self._deliveries.lease(only=row_id)
        if held is not None:
            self._deliveries.deliver(held)
            return
        with self._gateway.engine.begin() as connection:
            publishing.mark(connection, [row_id], None)

    def _subscription(self) -> Subscription | None:
        found: Subscription | None = getattr(self._of_thread, "subscription", None)
        if found is None and time.monotonic() >= getattr(self._of_thread, "retry_at", 0.0):
            try:
                found = Subscription(self._gateway.settings.amqp_url, queue=self._gateway.settings.amqp_queue)
                found.__enter__()
                self._of_thread.subscription = found
            except BrokerUnavailable:
                found = None
                self._of_thread.retry_at = time.monotonic() + _RECONNECT_SECONDS
        return found

    def _leave(self, subscription: Subscription) -> None:
        self._of_thread.subscription = None
        self._of_thread.retry_at = time.monotonic() + _RECONNECT_SECONDS
        subscription.__exit__(None, None, None)
