"""What /metrics tells, read as Prometheus reads it."""

from __future__ import annotations

from datetime import timedelta

from prometheus_client.parser import text_string_to_metric_families
from werkzeug.test import Client

from endpoints import health, metered
from exchange import new_id
from gateway import Gateway
from routing import incidents, jobs, outbox
from routing.breakers import MOST_FAILURES
from routing.incidents import Finding
from routing.jobs import JobState, JobStatus
from tests.endpoints.conftest import CODE, Site, asking
from tests.endpoints.test_readiness import wired

__all__ = ["wired"]

Labels = frozenset[tuple[str, str]]


def told(gateway: Gateway) -> dict[str, dict[Labels, float]]:
    """Every sample by name and labels."""
    response = Client(health.application(gateway)).get("/metrics")
    assert response.status_code == 200
    samples: dict[str, dict[Labels, float]] = {}
    for family in text_string_to_metric_families(response.text):
        for sample in family.samples:
            samples.setdefault(sample.name, {})[frozenset(sample.labels.items())] = sample.value
    return samples


def labels(**names: str) -> Labels:
    return frozenset(names.items())


def test_a_gateway_with_nothing_to_do(wired: Gateway) -> None:
    found = told(wired)
    assert found["gateway_log_pending"] == {labels(): 0}
    assert found["gateway_log_pending_seconds"] == {labels(): 0}
    rows = found["gateway_outbox_rows"]
    assert rows[labels(state="dead", system="sais", operation="NotifyCareStay")] == 0
    assert found["gateway_outbox_oldest_due_seconds"] == {labels(): 0}
    assert found["gateway_breaker_state"][labels(system="pmlp", state="closed")] == 1
    assert found["gateway_breaker_state"][labels(system="pmlp", state="open")] == 0
    assert found["gateway_incidents_open"] == {labels(kind="all"): 0}
    assert found["gateway_certificate_days_left"][labels(kind="gateway")] > 300
    assert abs(found["gateway_clock_offset_seconds"][labels()]) < 5


def test_what_waits_what_is_open_and_what_is_late(wired: Gateway) -> None:
    with wired.engine.begin() as connection:
        outbox.put(connection, new_id(), ("sais", "NotifyCareStay"), give_up_after=timedelta(hours=1))
        incidents.see(connection, Finding("breaker", "pmlp"))
        jobs.report(connection, [JobStatus("deliveries", "one", JobState.IDLE, None, None, None, 12.5, None)])
    for _ in range(MOST_FAILURES):
        wired.breakers.failed(wired.breakers.admit("pmlp", 1.0))
    found = told(wired)
    waiting = labels(state="waiting", system="sais", operation="NotifyCareStay")
    assert found["gateway_outbox_rows"][waiting] == 1
    assert found["gateway_incidents_open"] == {labels(kind="breaker"): 1, labels(kind="all"): 1}
    assert found["gateway_job_lag_seconds"] == {labels(job="deliveries"): 12.5}
    assert found["gateway_job_processes"] == {labels(job="deliveries"): 1}
    assert found["gateway_breaker_state"][labels(system="pmlp", state="open")] == 1


def test_exchanges_durations_attempts_and_retries(site: Site) -> None:
    before = told(site.gateway)
    assert site.post("/pmlp/get-person", asking()).status_code == 200
    after = told(site.gateway)
    person = {"system": "pmlp", "operation": "GetPerson"}

    def grown(name: str, **more: str) -> float:
        at = labels(**person, **more)
        return after[name][at] - before.get(name, {}).get(at, 0.0)

    assert grown("gateway_exchanges_total", way="api", outcome="ok", code="") == 1
    assert grown("gateway_exchange_seconds_bucket", way="api", le="+Inf") == 1
    assert grown("gateway_attempts_total") == 1
    assert grown("gateway_retries_total") == 0
    assert CODE not in str(after)


def test_the_other_figures_are_told_while_the_database_is_away(wired: Gateway) -> None:
    with wired.engine.begin() as connection:
        connection.exec_driver_sql(
            "ALTER TABLE sequencer_queue RENAME TO away"
            if wired.engine.dialect.name == "sqlite"
            else "ALTER TABLE public.sequencer_queue RENAME TO away"
        )
    found = told(wired)
    assert "gateway_log_pending" not in found
    assert "gateway_outbox_rows" in found


def test_refusals_for_want_of_the_log_are_counted() -> None:
    before = metered.unwritten()
    metered._EXCHANGES.labels("api", "", "", "failed", "log_unavailable").inc()
    assert metered.unwritten() == before + 1
