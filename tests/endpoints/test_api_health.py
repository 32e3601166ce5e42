"""/healthz, /readyz and /metrics tell how the gateway is, and nothing of persons, callers or machines."""

from __future__ import annotations

import dataclasses
import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from werkzeug.test import Client, TestResponse

from audit import Entry, Kind
from audit.sequencer import Sequencer
from audit.tables import sequencer_queue
from endpoints import health
from exchange import new_id, utc_now
from gateway import Gateway, wire
from security.keys import load_log_key
from storage import migrate
from tests.endpoints.conftest import CODE, DEAD, Site, asking


@pytest.fixture
def own(site: Site, api_keys: Path, tmp_path: Path) -> Gateway:
    """A gateway with keys and database of its own, which a test may spoil."""
    shutil.copytree(api_keys / "keys", tmp_path / "keys")
    settings = dataclasses.replace(
        site.gateway.settings, state=tmp_path, database_url=f"sqlite:///{tmp_path / 'gateway.db'}"
    )
    gateway = wire(settings)
    migrate.upgrade(gateway.engine)
    return gateway


# Of a gateway beside which nobody does background work.
ALL_WELL = {
    "database": True,
    "log": True,
    "keys": True,
    "contracts": True,
    "sequencer": True,
    "certificates": True,
    "revocation": True,
    "clock": True,
    "jobs": False,
    "outbox": True,
    "breakers": True,
    "rights": True,
}


def ask(gateway: Gateway, path: str) -> TestResponse:
    return Client(health.application(gateway)).get(path)


def checks(response: TestResponse) -> dict[str, bool]:
    assert response.json is not None
    assert response.json["ready"] == (response.status_code == 200)
    return {name: check["ok"] for name, check in response.json["checks"].items()}


def sequencer(gateway: Gateway) -> Sequencer:
    key = load_log_key(gateway.settings.keys / "log.key")
    return Sequencer(gateway.engine, key, environment=gateway.settings.environment)


def test_ready_when_every_check_holds(own: Gateway) -> None:
    response = ask(own, "/readyz")
    assert response.status_code == 200
    assert checks(response) == ALL_WELL


def test_alive_without_a_database(own: Gateway) -> None:
    own.engine.dispose()
    Path(own.settings.state / "gateway.db").unlink()
    Path(own.settings.state / "gateway.db").mkdir()
    assert ask(own, "/healthz").json == {"alive": True}
    response = ask(own, "/readyz")
    assert response.status_code == 503
    without = ("keys", "contracts", "revocation")
    assert checks(response) == {name: name in without for name in ALL_WELL}
    assert str(own.settings.state) not in response.text
    assert ask(own, "/metrics").status_code == 200


def test_not_ready_without_a_key(own: Gateway) -> None:
    (own.settings.keys / "log.key").unlink()
    response = ask(own, "/readyz")
    assert response.status_code == 503
    assert checks(response)["keys"] is False
    assert response.json is not None
    assert response.json["checks"]["keys"]["missing"] == ["log.key"]


def test_not_ready_when_the_log_cannot_be_written(own: Gateway) -> None:
    with own.engine.connect() as connection:
        connection.exec_driver_sql("DROP TABLE leases")
        connection.commit()
    assert checks(ask(own, "/readyz")) == ALL_WELL | {"log": False}


def test_the_check_of_the_log_leaves_nothing_behind(own: Gateway) -> None:
    ask(own, "/readyz")
    with own.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM leases").scalar_one() == 0


def test_not_ready_when_records_have_waited_too_long_for_their_place(own: Gateway) -> None:
    old = utc_now() - timedelta(seconds=90)
    own.log.write(Entry(Kind.ADMIN, new_id(old), old, {"act": "test"}))
    assert checks(ask(own, "/readyz"))["log"] is True, "the instant that a host wrote says nothing"
    with own.engine.begin() as connection:
        connection.execute(sequencer_queue.update().values(queued_at=old))
    response = ask(own, "/readyz")
    assert checks(response)["log"] is False
    assert response.json is not None
    assert response.json["checks"]["log"]["oldest_seconds"] > 60
    while sequencer(own).run_once():
        pass
    assert checks(ask(own, "/readyz"))["log"] is True


def figure(text: str, name: str, **labels: str) -> float:
    """The value of the one line of a figure with these labels; 0 where it is not there yet."""
    found = 0.0
    for line in text.splitlines():
        if line.startswith((f"{name}{{", f"{name} ")) and all(
            f'{key}="{value}"' in line for key, value in labels.items()
        ):
            found += float(line.rpartition(" ")[2])
    return found


def test_exchanges_and_attempts_are_counted_by_names_that_exist(site: Site) -> None:
    before = ask(site.gateway, "/metrics").text
    site.post("/pmlp/get-person", asking())
    site.post("/pmlp/get-person", asking({"person_code": DEAD}))
    site.post("/pmlp/get-person", asking(), Authorization="Bearer SECRET")
    site.post("/nowhere/invented-by-a-caller", asking())
    site.get("/pmlp/get-person")
    after = ask(site.gateway, "/metrics").text

    def grown(name: str, **labels: str) -> float:
        return figure(after, name, **labels) - figure(before, name, **labels)

    person = {"system": "pmlp", "operation": "GetPerson"}
    assert grown("gateway_exchanges_total", **person, way="api", outcome="ok") == 1
    assert grown("gateway_exchanges_total", **person, outcome="failed", code="system_refused") == 1
    assert grown("gateway_exchanges_total", system="", outcome="denied", code="not_authenticated") == 1
    assert grown("gateway_exchanges_total", system="", code="unknown_operation") == 1
    assert grown("gateway_exchange_seconds_count", **person) == 2
    assert grown("gateway_attempts_total", **person) == 2
    assert grown("gateway_refused_requests_total", code="invalid_request") == 1
    assert figure(after, "gateway_log_pending") > 0
    for secret in (CODE, DEAD, "SECRET", "nowhere", "invented", "spolis-core", "A-17", site.key):
        assert secret not in after


def test_other_methods_are_not_known(site: Site) -> None:
    for path in health.PATHS:
        assert (
            Client(health.application(site.gateway)).post(path, data=json.dumps(asking())).status_code == 405
        )
