"""What is so at this moment, for /metrics: log, outbox, breakers, jobs, certificates, revocation, clock, incidents.

Asked when somebody asks, and for no longer than a few seconds: what cannot be had is absent, /readyz says why. Labels
are names from closed lists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from endpoints import expiry, revocation_state
from endpoints.bounded import Bounded
from endpoints.partner_trust import PartnerTrust
from endpoints.readiness import SECONDS, by_job, exposure, is_alive, lag
from exchange import utc_now
from gateway import Gateway
from routing import following, incidents, jobs, outbox
from routing.breakers import State
from storage import clock, reading


class Gauges:
    """A collector for prometheus_client."""

    def __init__(self, gateway: Gateway, *, seconds: float = SECONDS) -> None:
        asked: Mapping[str, Callable[[Gateway], list[Metric]]] = {
            "log": _log,
            "outbox": _outbox,
            "breakers": _breakers,
            "jobs": _jobs,
            "syncs": _syncs,
            "certificates": _certificates,
            "clock": _clock,
            "incidents": _incidents,
        }
        questions = {name: partial(ask, gateway) for name, ask in asked.items()}
        if gateway.settings.log.witness_url:
            questions["witness"] = partial(_witness, gateway)
        # Kept: it reads its files only when they have changed.
        questions["revocation"] = partial(_revocation, PartnerTrust(gateway.settings, gateway.engine))
        self._asked = Bounded(questions, seconds)

    def collect(self) -> Iterable[Metric]:
        """Every figure that can be had now."""
        for found in self._asked.ask().values():
            if not isinstance(found, Exception):
                yield from found


def _log(gateway: Gateway) -> list[Metric]:
    pending, oldest = lag(gateway)
    return [
        _gauge("gateway_log_pending", "Records that are not in the tree of the log yet.", pending),
        _gauge("gateway_log_pending_seconds", "Age of the oldest of them, 0 without any.", oldest or 0.0),
    ]


def _witness(gateway: Gateway) -> list[Metric]:
    exposed = exposure(gateway)
    return [
        _gauge("gateway_log_cosigned_records", "Records that the witness has cosigned.", exposed.size or 0),
        _gauge("gateway_log_exposed_records", "Records that it has not.", exposed.records),
        _gauge("gateway_log_exposed_seconds", "Age of the oldest of them, 0 without any.", exposed.seconds),
    ]


def _outbox(gateway: Gateway) -> list[Metric]:
    with reading(gateway.engine).begin() as connection:
        counts, waits = outbox.undelivered(connection), outbox.lag(connection)
    rows = GaugeMetricFamily(
        "gateway_outbox_rows",
        "Messages that are queued, under way or left to a person.",
        labels=("state", "system", "operation"),
    )
    states = [state for state in outbox.State if state is not outbox.State.DELIVERED]
    notices = [
        (adapter.name, operation.name)
        for adapter in gateway.adapters.values()
        for operation in adapter.operations
        if operation.notice is not None
    ]
    # A series that vanishes cannot be alerted upon: what is none is told as 0.
    none = {(state, system, operation): 0 for state in states for system, operation in notices}
    for (state, system, operation), count in (none | counts).items():
        rows.add_metric((state.value, system, operation), count)
    oldest = "gateway_outbox_oldest_due_seconds"
    return [rows, _gauge(oldest, "For how long the longest due message waits, 0 without any.", waits or 0.0)]


def _syncs(gateway: Gateway) -> list[Metric]:
    with reading(gateway.engine).begin() as connection:
        runs = following.newest(connection)
    names = ("system", "operation")
    told = "What the source told in the newest run of a sync, what the registers hold of it, and what is of strangers."
    sides = GaugeMetricFamily("gateway_sync_changes", told, labels=("side", *names))
    pages = GaugeMetricFamily("gateway_sync_pages", "Pages kept in the newest run of a sync.", labels=names)
    moved = GaugeMetricFamily(
        "gateway_sync_moved_timestamp_seconds", "When the newest run last moved.", labels=names
    )
    for run in runs:
        name = (run.system, run.operation)
        for side in ("theirs", "ours", "strangers", "missing"):
            sides.add_metric((side, *name), getattr(run.counted, side))
        pages.add_metric(name, run.pages)
        moved.add_metric(name, run.moved_at.timestamp())
    return [sides, pages, moved]


def _breakers(gateway: Gateway) -> list[Metric]:
    known = {status.system: status.state for status in gateway.breakers.states()}
    family = GaugeMetricFamily(
        "gateway_breaker_state",
        "1 for the state that a system's circuit breaker is in.",
        labels=("system", "state"),
    )
    for system in sorted(gateway.adapters):
        for state in State:
            family.add_metric((system, state.value), known.get(system, State.CLOSED) is state)
    return [family]


def _jobs(gateway: Gateway) -> list[Metric]:
    with reading(gateway.engine).begin() as connection:
        found = by_job(jobs.status(connection))
    processes = GaugeMetricFamily(
        "gateway_job_processes", "Processes that do a job as they should.", labels=("job",)
    )
    lags = GaugeMetricFamily(
        "gateway_job_lag_seconds", "For how long the oldest of a job's work waits.", labels=("job",)
    )
    ran = GaugeMetricFamily(
        "gateway_job_last_success_timestamp_seconds", "When a job last ended well.", labels=("job",)
    )
    for name, statuses in sorted(found.items()):
        processes.add_metric((name,), sum(is_alive([status]) for status in statuses))
        lags.add_metric((name,), max((status.lag_seconds or 0.0 for status in statuses), default=0.0))
        ended = [status.last_ok for status in statuses if status.last_ok is not None]
        if ended:
            ran.add_metric((name,), max(ended).timestamp())
    return [processes, lags, ran]


def _certificates(gateway: Gateway) -> list[Metric]:
    family = GaugeMetricFamily(
        "gateway_certificate_days_left",
        "Days until the first certificate of a kind ends; negative when one has ended.",
        labels=("kind",),
    )
    expiries = expiry.every(gateway.settings, gateway.engine)
    for kind, days in sorted(expiry.soonest(expiries, utc_now()).items()):
        family.add_metric((kind,), days)
    return [family]


def _revocation(trust: PartnerTrust) -> list[Metric]:
    family = GaugeMetricFamily(
        "gateway_revocation_hours_left",
        "Hours until the first list, or answer of a responder, of a kind is out of date; negative when one is.",
        labels=("kind",),
    )
    now = utc_now()
    found = revocation_state.sources(trust, now)
    for kind, hours in sorted(revocation_state.soonest(found, now).items()):
        family.add_metric((kind,), hours)
    return [family]


def _clock(gateway: Gateway) -> list[Metric]:
    with reading(gateway.engine).begin() as connection:
        seconds = clock.offset(connection)
    text = "Seconds by which this host's clock is ahead of the database's."
    return [_gauge("gateway_clock_offset_seconds", text, seconds)]


def _incidents(gateway: Gateway) -> list[Metric]:
    with reading(gateway.engine).begin() as connection:
        counts = incidents.open_counts(connection)
    family = GaugeMetricFamily("gateway_incidents_open", "Incidents that are open.", labels=("kind",))
    for kind, count in sorted(counts.items()):
        family.add_metric((kind,), count)
    family.add_metric(("all",), sum(counts.values()))
    return [family]


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)
