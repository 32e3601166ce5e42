"""docs/monitoring.md names every metric, every check and every kind of incident, and none that there is not."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from werkzeug.test import Client

from endpoints import health
from endpoints.alert_texts import TEXTS
from endpoints.readiness import DECIDING, Readiness
from gateway import Gateway
from routing.incidents import Finding, see
from tests.endpoints.conftest import Site, asking

PAGE = (Path(__file__).parent.parent.parent / "docs" / "monitoring.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(title: str) -> dict[str, list[str]]:
    """The rows of a section's table by their first cell's names."""
    found = {}
    for line in section(title).splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        for name in re.findall(r"`([a-z_]+)`", cells[0]) if line.startswith("| `") else ():
            found[name] = cells
    return found


def with_witness(wired: Gateway) -> Gateway:
    """With the address of a witness, whom none of this asks: what is told of it is there then."""
    log = replace(wired.settings.log, witness_url="http://127.0.0.1:9")
    return replace(wired, settings=replace(wired.settings, log=log))


def test_every_metric(site: Site) -> None:
    site.post("/pmlp/get-person", asking())
    with site.gateway.engine.begin() as connection:
        see(connection, Finding("test", ""))
    text = Client(health.application(with_witness(site.gateway))).get("/metrics").text
    families = {
        family.name
        for family in text_string_to_metric_families(text)
        if not family.name.endswith("_created")  # each counter's own birthday
    }
    told = {name.removesuffix("_total") for name in rows("Metrics")}
    assert {name for name in families if name.startswith("gateway_")} == told


def test_every_check(site: Site) -> None:
    told = rows("Readiness")
    report = Readiness(with_witness(site.gateway)).report()["checks"]
    assert isinstance(report, dict)
    assert told.keys() == report.keys() | {"broker"}
    assert {name for name, cells in told.items() if cells[1] == "yes"} == DECIDING


def test_every_kind_of_incident() -> None:
    assert rows("Alerts").keys() | {"test"} == TEXTS.keys()
