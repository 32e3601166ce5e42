"""Exchanges counted where every way in passes: `run` stands before `gateway.run`, for /api/v1 and /soap alike.

Several processes serve: each counts in files of a directory that `serve` names (prometheus_client's multiprocess
mode), and whoever is asked adds up all of them, so the figures do not depend on who answers. Labels are names of
operations, ways, outcomes and codes, all from closed lists: no personal data, and no name that a caller made up.
"""

from __future__ import annotations

import os
import time

from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server, values
from prometheus_client.exposition import generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

import errors
import gateway
from exchange import Arrival, Reply, Request
from routing.routes import Routes
from routing.trail import Trail, outcome

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
_RETRIES = Counter(
    "gateway_retries",
    "Those of them that repeat an earlier one of the same exchange.",
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
    """`gateway.run`, counted and traced."""

    def count(trail: Trail) -> None:
        way, error = arrival.way.value, trail.error
        system, operation = _names(wired.routes, trail.request)
        code = "" if error is None else error.code
        _EXCHANGES.labels(way, system, operation, outcome(trail).value, code).inc()
        _SECONDS.labels(way, system, operation).observe(time.monotonic() - trail.began)
        sent = 0 if trail.delivered is None else len(trail.delivered.attempts)
        if sent:
            earlier = 0 if arrival.lease is None else arrival.lease.attempts
            _ATTEMPTS.labels(system, operation).inc(sent)
            _RETRIES.labels(system, operation).inc(sent if earlier else sent - 1)
        describe(
            {
                "exchange_id": str(trail.received.exchange_id),
                "system": system,
                "operation": operation,
                "outcome": outcome(trail).value,
                "attempts": sent,
                "error": code,
            }
        )

    traceparent = arrival.headers.get("traceparent", "")
    with wired.tracing.exchange(arrival.way.value, traceparent) as describe:
        return gateway.run(wired, arrival, inlet, count)


def refused(code: str) -> None:
    """Count a request that was refused before an exchange began."""
    _REFUSED.labels(code).inc()


def share(directory: str) -> None:
    """Count in the files of a directory from now on, with the processes that are started with it.

    For the process that makes the directory, which must not have counted anything yet.
    """
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = directory
    # prometheus_client chooses when it is imported; each counter asks for this when it counts for the first time.
    values.ValueClass = values.MultiProcessValue()  # type: ignore[no-untyped-call] # — typed in part


def serve(host: str, port: int) -> int:
    """Answer /metrics with what this process counted, for one that has no other listener; the port in use.

    Raises: ConfigurationError when nobody can listen there.
    """
    try:
        server, _thread = start_http_server(port, addr=host, registry=_OWN)
    except OSError as error:
        raise errors.ConfigurationError(f"--metrics: cannot listen at {host}:{port}") from error
    return int(server.server_port)


def exposition(now: Collector) -> bytes:
    """Every figure in the text form of Prometheus: what all processes counted, and what is so `now`."""
    registry = _counted()
    registry.register(now)
    return generate_latest(registry)


def unwritten() -> float:
    """How many exchanges the processes of this run refused because the exchange log could not be written."""
    code = errors.LogUnavailable.code
    return sum(
        sample.value
        for family in _counted().collect()
        for sample in family.samples
        if sample.name == "gateway_exchanges_total" and sample.labels["code"] == code
    )


def _counted() -> CollectorRegistry:
    registry = CollectorRegistry()
    try:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call] # — prometheus_client types it in part
    except ValueError:  # no directory was named: this process is the only one
        registry.register(_OWN)
    return registry


def _names(routes: Routes, request: Request | None) -> tuple[str, str]:
    """System and operation, if they are among those that exist."""
    if request is None:
        return "", ""
    try:
        routes.find(request.system, request.operation)
    except errors.UnknownOperation:
        return "", ""
    return request.system, request.operation
