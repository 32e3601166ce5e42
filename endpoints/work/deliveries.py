"""Delivers what is in the outbox: a row is leased, and its exchange goes on through the same eight steps.

With a broker the ids of rows come from there; while it is away, and without one, the table is looked at. Either way
the table decides whether a row is delivered, so that an id too many or too few changes nothing.
"""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass

from endpoints import metered
from endpoints.work.bell import Bell
from endpoints.work.outbox_inlet import OutboxInlet
from errors import GatewayError, NotFound
from exchange import Arrival, Lease, Peer, Way
from gateway import Gateway
from routing import outbox
from routing.queue import PAYLOAD
from storage import reading

_PEER = Peer("outbox")
_LONGEST_REST = 1.0
_SHORTEST_REST = 0.05
# Kept of a lease for what follows the call.
_REST_OF_LEASE = 2.0


@dataclass(frozen=True, slots=True)
class Held:
    """A lease and the `time.monotonic()` instant at which its delivery must have ended."""

    lease: Lease
    ends: float


class Deliveries:
    """The deliveries of one process, any number of threads of it."""

    def __init__(self, wired: Gateway, bell: Bell, threads: int) -> None:
        self._gateway = wired
        self._bell = bell
        # Whoever takes over from one who died asks no sooner than the system can answer.
        queries = [operation.query for adapter in wired.adapters.values() for operation in adapter.operations]
        settles = max((query.settles_after for query in queries if query is not None), default=0.0)
        self._seconds = wired.settings.longest_call + max(outbox.MARGIN_SECONDS, settles)
        # So many deliveries of one system at a time that others always find a thread.
        self._most = max(1, threads // 2)
        self._under_way: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._leasing = threading.Lock()
        self._lookout = threading.Lock()

    def step(self, stop: threading.Event) -> float:
        """Deliver one row, if any is due. One thread looks for what is due; when it has something, another does."""
        if not self._lookout.acquire(blocking=False):
            self._bell.wait(_LONGEST_REST / 4)
            return 0.0
        try:
            held = self.lease()
            if held is None and not stop.is_set():
                self._bell.wait(self._rest())
        finally:
            self._lookout.release()
        if held is not None:
            self._bell.ring()
            self.deliver(held)
        return 0.0

    def lease(self, only: uuid.UUID | None = None) -> Held | None:
        """Lease a row that is due, of a system that is not busy enough already; `deliver` must follow."""
        engine = self._gateway.engine
        # One at a time, so that what is counted as under way is so when the next one looks.
        with self._leasing:
            with reading(engine).begin() as connection:
                if not outbox.any_due(connection, only=only):
                    return None
                without = self._full() | self._gateway.breakers.open_systems(connection)
                if without and not outbox.any_due(connection, without=without, only=only):
                    return None
            # Counted from before the lease begins: what the database takes must not be added to it.
            ends = time.monotonic() + self._seconds - _REST_OF_LEASE
            with engine.begin() as connection:
                lease = outbox.take(connection, _holder(), seconds=self._seconds, without=without, only=only)
            if lease is None:
                return None
            with self._lock:
                self._under_way[lease.system] += 1
            return Held(lease, ends)

    def deliver(self, held: Held) -> None:
        """Carry the exchange of a leased row on: everything that comes of it is in its row and in the log."""
        lease = held.lease
        try:
            body, failure = self._queued(lease.exchange_id)
            arrival = Arrival(Way.OUTBOX, _PEER, "outbox", body, deadline=held.ends, lease=lease)
            metered.run(self._gateway, arrival, OutboxInlet(failure))
        finally:
            with self._lock:
                self._under_way[lease.system] -= 1
            self._bell.ring()

    def _queued(self, exchange_id: uuid.UUID) -> tuple[bytes, GatewayError | None]:
        """What was queued, or why it cannot be had: then its exchange ends with that."""
        try:
            with reading(self._gateway.engine).begin() as connection:
                return self._gateway.archive.get(connection, exchange_id, PAYLOAD), None
        except GatewayError as error:
            return b"", error

    def is_full_for(self, exchange_id: uuid.UUID) -> bool:
        """Whether the system of a row has as many deliveries under way in this process as it may have."""
        with reading(self._gateway.engine).begin() as connection:
            try:
                return outbox.find(connection, exchange_id).system in self._full()
            except NotFound:
                return False

    def wait_for_room(self) -> None:
        """Wait until a delivery has ended, a short while at most."""
        self._bell.wait(_LONGEST_REST / 4)

    def lag(self) -> float | None:
        """For how many seconds the longest due row waits."""
        with reading(self._gateway.engine).begin() as connection:
            return outbox.lag(connection)

    def _full(self) -> frozenset[str]:
        with self._lock:
            return frozenset(system for system, count in self._under_way.items() if count >= self._most)

    def _rest(self) -> float:
        longest = _LONGEST_REST if self._bell.rings else _LONGEST_REST / 4
        with reading(self._gateway.engine).begin() as connection:
            left = outbox.next_due(connection)
        return longest if left is None or left <= 0 else max(_SHORTEST_REST, min(longest, left))


def _holder() -> str:
    """Unique for each lease: a thread that comes late to its own former lease is a stranger there."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4()}"
