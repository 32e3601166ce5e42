"""Traces of exchanges as a collector gets them; and nothing at all where nobody collects."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from werkzeug.test import Client, TestResponse

import config
from endpoints import api
from exchange import Environment, utc_now
from gateway import wire
from routing.parties import add_caller
from storage import migrate
from telemetry import Tracing, span, traced
from tests.collector import Collected, collecting, values
from tests.endpoints.conftest import BROKEN, CODE, DEAD, Site, Systems, asking

pytestmark = pytest.mark.long

STEPS = ["receive", "open_record", "authenticate", "authorise", "route", "deliver", "answer", "commit"]


@pytest.fixture(scope="module")
def collected() -> Iterator[Collected]:
    with collecting() as found:
        yield found


@pytest.fixture(scope="module")
def site(api_keys: Path, tmp_path_factory: pytest.TempPathFactory, collected: Collected) -> Iterator[Site]:
    """A gateway whose exchanges are traced."""
    with traced_site(api_keys, tmp_path_factory.mktemp("traced"), collected.url) as found:
        yield found


@contextmanager
def traced_site(state: Path, folder: Path, url: str) -> Iterator[Site]:
    known = config.load({})
    settings = dataclasses.replace(
        known,
        state=state,
        database_url=f"sqlite:///{folder / 'gateway.db'}",
        telemetry=dataclasses.replace(known.telemetry, otlp_url=url),
    )
    systems = Systems()
    gateway = wire(settings, profile=lambda _system: systems)
    migrate.upgrade(gateway.engine)
    with gateway.engine.begin() as connection:
        key = add_caller(connection, "core", "spolis-core", utc_now())
    yield Site(gateway, Client(api.application(gateway)), key)
    gateway.tracing.close()
    gateway.log.close()
    gateway.engine.dispose()


def trace(collected: Collected, response: TestResponse) -> dict[str, Span]:
    return collected.trace(response.headers["X-Exchange-Id"])


def attributes(found: Span) -> dict[str, object]:
    return values(list(found.attributes))


def test_an_exchange_is_a_span_and_so_is_each_step_and_attempt(site: Site, collected: Collected) -> None:
    answer = site.post("/pmlp/get-person", asking())
    assert answer.status_code == 200
    spans = trace(collected, answer)
    root = spans.pop("exchange")
    assert attributes(root) == {
        "way": "api",
        "exchange_id": answer.headers["X-Exchange-Id"],
        "system": "pmlp",
        "operation": "GetPerson",
        "outcome": "ok",
        "attempts": 1,
        "error": "",
    }
    assert root.parent_span_id == b""
    assert root.kind == Span.SPAN_KIND_SERVER
    attempt = spans.pop("attempt")
    assert attempt.parent_span_id == spans["deliver"].span_id
    assert attributes(attempt) == {"system": "pmlp", "operation": "GetPerson", "attempt": 1}
    ordered = sorted(spans.values(), key=lambda each: each.start_time_unix_nano)
    assert [each.name for each in ordered] == STEPS
    assert {each.parent_span_id for each in ordered} == {root.span_id}
    assert root.start_time_unix_nano <= ordered[0].start_time_unix_nano
    assert ordered[-1].end_time_unix_nano <= root.end_time_unix_nano
    assert set(collected.paths) == {"/v1/traces"}
    assert collected.resources[0] == {
        "service.name": "spolis-gateway",
        "deployment.environment.name": "test",
    }


def test_a_refusal_is_told_by_its_code(site: Site, collected: Collected) -> None:
    answer = site.post("/pmlp/get-person", asking({"person_code": DEAD}))
    spans = trace(collected, answer)
    assert attributes(spans["exchange"])["outcome"] == "failed"
    assert attributes(spans["exchange"])["error"] == "system_refused"
    assert spans["exchange"].status.code == Status.STATUS_CODE_ERROR
    assert attributes(spans["attempt"])["error"] == "system_refused"
    assert "answer" not in spans
    assert "commit" in spans


def test_what_nobody_foresaw_is_told_by_its_type(site: Site, collected: Collected) -> None:
    spans = trace(collected, site.post("/pmlp/get-person", asking({"person_code": BROKEN})))
    assert attributes(spans["deliver"])["error"] == "RuntimeError"
    assert attributes(spans["exchange"])["error"] == "internal_error"
    assert not any(each.events for each in spans.values()), "an event would hold the exception's text"


def test_the_callers_own_trace_goes_on(site: Site, collected: Collected) -> None:
    number, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    answer = site.post("/pmlp/get-person", asking(), traceparent=f"00-{number}-{parent}-01")
    root = trace(collected, answer)["exchange"]
    assert root.trace_id.hex() == number
    assert root.parent_span_id.hex() == parent
    other = site.post("/pmlp/get-person", asking(), traceparent=f"00-{CODE}-no-trace")
    assert trace(collected, other)["exchange"].parent_span_id == b""


def test_nothing_of_a_person_is_in_any_of_it(site: Site, collected: Collected) -> None:
    for code in (CODE, DEAD, BROKEN):
        trace(collected, site.post("/pmlp/get-person", asking({"person_code": code})))
    sent = b"".join(collected.bodies)
    for secret in (CODE, DEAD, BROKEN, "Paraudziņa", "Ilze", "A-17", site.key):
        assert secret.encode() not in sent
        assert secret.replace("-", "").encode() not in sent


def test_a_collector_that_is_away_stops_nobody(api_keys: Path, tmp_path: Path) -> None:
    with traced_site(api_keys, tmp_path, "http://127.0.0.1:1") as found:
        assert found.post("/pmlp/get-person", asking()).status_code == 200


def test_untraced_nothing_is_imported_and_a_step_costs_one_look() -> None:
    calls: list[str] = []

    @traced
    def step(number: int) -> int:
        return number + 1

    def note(frame: object, event: str, argument: object) -> None:
        if event in ("call", "c_call"):
            calls.append(getattr(argument, "__name__", "") or frame.f_code.co_name)  # type: ignore[attr-defined] # — a frame

    with Tracing("", Environment.TEST).exchange("api") as describe:
        describe({"system": "pmlp"})
        sys.setprofile(note)
        try:
            assert step(1) == 2
        finally:
            sys.setprofile(None)
        with span("attempt", system="pmlp"):
            pass
    assert calls[:3] == ["step", "get", "step"]
    program = (
        "import sys, gateway, telemetry; from endpoints import metered; "
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]"
    )
    subprocess.run([sys.executable, "-c", program], check=True)  # noqa: S603 — our own interpreter and program
