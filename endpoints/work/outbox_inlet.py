"""The outbox as a way in: a queued request comes back as the exchange that it is, and nobody waits for its answer."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import errors
from exchange import Disclosed, Received, Reply, Request
from routing import outbox
from routing.queue import load


@dataclass(frozen=True, slots=True)
class OutboxInlet:
    """Queued requests were authenticated when they were queued, and were sealed by us since.

    `failure` says why what was queued cannot be had.
    """

    failure: errors.GatewayError | None = None

    def read(self, received: Received) -> Request:
        """The request as it was queued.

        Raises: MalformedMessage, the failure; GatewayError when whoever carried it out died each time.
        """
        lease = received.arrival.lease
        if lease is not None and lease.lapses >= outbox.MOST_LAPSES:
            raise errors.GatewayError(f"its worker died {lease.lapses} times in a row")
        if self.failure is not None:
            raise self.failure
        return load(received.arrival.body, received.exchange_id)

    def compose(self, request: Request, exchange_id: uuid.UUID, disclosed: Disclosed) -> bytes:
        """Nothing: an acknowledgement is for the record."""
        return b""

    def seal(self, received: Received, request: Request, answer: bytes) -> Reply:
        """Nothing leaves by this way."""
        return Reply(200, {}, b"")

    def refuse(self, received: Received, error: errors.GatewayError) -> Reply:
        """Nothing leaves by this way; the row keeps the code."""
        return Reply(error.status, {}, b"")
