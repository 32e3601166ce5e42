"""Exchanges counted where every way in passes: `run` stands before `gateway.run`, for /api/v1 and /soap alike.

Several processes serve: each counts in files of a directory that `serve` names (prometheus_client's multiprocess
mode), and whoever is asked adds up all of them, so the figures do not depend on who answers. Labels are names of
operations, ways, outcomes and codes, all from closed lists: no personal data, and no name that a caller made up.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector

import errors
import gateway
from exchange import Arrival, Outcome, Reply, Request
from routing.routes import Routes
from routing.trail import Trail

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

    def count(trail: Trail) -> None:
        way, error = arrival.way.value, trail.error
        system, operation = _names(wired.routes, trail.request)
        outcome = Outcome.OK if error is None else error.outcome
        _EXCHANGES.labels(way, system, operation, outcome.value, "" if error is None else error.code).inc()
        _SECONDS.labels(way, system, operation).observe(time.monotonic() - trail.began)
        if trail.delivered is not None and trail.delivered.attempts:
            _ATTEMPTS.labels(system, operation).inc(len(trail.delivered.attempts))

    return gateway.run(wired, arrival, inlet, count)


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


def _names(routes: Routes, request: Request | None) -> tuple[str, str]:
    """System and operation, if they are among those that exist."""
    if request is None:
        return "", ""
    try:
        routes.find(request.system, request.operation)
    except errors.UnknownOperation:
        return "", ""
    return request.system, request.operation
