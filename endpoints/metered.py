"""Exchanges counted where every way in passes: `run` stands before `gateway.run`, for /api/v1 and /soap alike.

Several processes serve: each counts in files of a directory that `serve` names (prometheus_client's multiprocess
mode), and whoever is asked adds up all of them, so the figures do not depend on who answers. Labels are names of
operations, ways, outcomes and codes, all from closed lists: no personal data, and no name that a caller made up.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector

import errors
import gateway
from exchange import Arrival, Disclosed, Grant, Outcome, Received, Reply, Request
from routing.routes import BeforeSend, Delivered, Plan, Route, Routes

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_OWN = CollectorRegistry()
_EXCHANGES = Counter(
    "gateway_exchanges",
    "Exchanges that ended, by way in, operation, outcome and error code.",
    ("way", "system", "operation", "outcome", "code"),
    registry=_OWN,
)
_SECONDS = Histogram(
    "gateway_exchange_seconds",
    "Seconds from the arrival of a request to its answer.",
    ("way", "system", "operation"),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=_OWN,
)
_ATTEMPTS = Counter(
    "gateway_attempts",
    "Messages sent to external systems, retries included.",
    ("system", "operation"),
    registry=_OWN,
)
_REFUSED = Counter(
    "gateway_refused_requests",
    "Requests refused before an exchange began, by error code.",
    ("code",),
    registry=_OWN,
)


def run(wired: gateway.Gateway, arrival: Arrival, inlet: gateway.Inlet) -> Reply:
    """`gateway.run`, counted."""
    watched = _Watched(inlet)
    began = time.monotonic()
    reply = gateway.run(replace(wired, routes=_CountingRoutes(wired.routes)), arrival, watched)
    system, operation = _names(wired.routes, watched.request)
    outcome = watched.error.outcome if watched.error is not None else Outcome.OK
    code = watched.error.code if watched.error is not None else ""
    _EXCHANGES.labels(arrival.way.value, system, operation, outcome.value, code).inc()
    _SECONDS.labels(arrival.way.value, system, operation).observe(time.monotonic() - began)
    return reply


def refused(code: str) -> None:
    """Count a request that was refused before an exchange began."""
    _REFUSED.labels(code).inc()


def exposition(pending: int | None, oldest_seconds: float | None) -> bytes:
    """Every figure in the text form of Prometheus, of all processes, with the lag of the exchange log."""
    registry = CollectorRegistry()
    try:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call] # — prometheus_client types it in part
    except ValueError:  # no directory was named: this process is the only one
        registry.register(_OWN)
    registry.register(_Lag(pending, oldest_seconds))
    return generate_latest(registry)


@dataclass(frozen=True, slots=True)
class _Lag:
    """The records of the log that the sequencer has not reached, as of now."""

    pending: int | None
    oldest_seconds: float | None

    def collect(self) -> Iterable[Metric]:
        """The two figures, absent while the database cannot be asked."""
        if self.pending is not None:
            yield GaugeMetricFamily(
                "gateway_log_pending", "Records that are not in the tree of the log yet.", value=self.pending
            )
        if self.oldest_seconds is not None:
            yield GaugeMetricFamily(
                "gateway_log_pending_seconds", "Age of the oldest of them.", value=self.oldest_seconds
            )


@dataclass(slots=True)
class _Watched:
    """A way in, watched: what was asked and with which error it ended, if any."""

    inlet: gateway.Inlet
    request: Request | None = None
    error: errors.GatewayError | None = None

    def read(self, received: Received) -> Request:
        self.request = self.inlet.read(received)
        return self.request

    def compose(self, request: Request, exchange_id: uuid.UUID, disclosed: Disclosed) -> bytes:
        return self.inlet.compose(request, exchange_id, disclosed)

    def seal(self, received: Received, request: Request, answer: bytes) -> Reply:
        return self.inlet.seal(received, request, answer)

    def refuse(self, received: Received, error: errors.GatewayError) -> Reply:
        self.error = error
        return self.inlet.refuse(received, error)


class _CountingRoutes(Routes):
    """Routes whose deliveries are counted."""

    def __init__(self, routes: Routes) -> None:
        self._inner = routes

    def find(self, system: str, operation: str) -> Route:
        return _CountingRoute(self._inner.find(system, operation), (system, operation))

    def names(self) -> list[tuple[str, str]]:
        return self._inner.names()


@dataclass(frozen=True, slots=True)
class _CountingRoute:
    route: Route
    name: tuple[str, str]

    def plan(self, request: Request, grant: Grant) -> Plan:
        return _CountingPlan(self.route.plan(request, grant), self.name)


class _CountingPlan:
    def __init__(self, plan: Plan, name: tuple[str, str]) -> None:
        self._plan = plan
        self._name = name
        self.subject = plan.subject
        self.needs_open_stay = plan.needs_open_stay

    def deliver(self, exchange_id: uuid.UUID, deadline: float, before_send: BeforeSend) -> Delivered:
        delivered = self._plan.deliver(exchange_id, deadline, before_send)
        if delivered.attempts:
            _ATTEMPTS.labels(*self._name).inc(len(delivered.attempts))
        return delivered


def _names(routes: Routes, request: Request | None) -> tuple[str, str]:
    """System and operation, if they are among those that exist."""
    if request is None:
        return "", ""
    try:
        routes.find(request.system, request.operation)
    except errors.UnknownOperation:
        return "", ""
    return request.system, request.operation
