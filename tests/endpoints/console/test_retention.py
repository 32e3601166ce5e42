"""Retention on the console: classes, holds and erasures, for those who supervise; nothing can be changed there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from audit import Entry, Kind, holds, retention
from endpoints.console.roles import Role
from endpoints.console.words import latvian
from exchange import Json, new_id, utc_now
from gateway import Gateway
from tests.endpoints.console.deciding import ESCAPED, SCRIPT, opened_by, statuses, token
from tests.endpoints.console.gateways import acts, own_gateway
from tests.endpoints.console.signing_in import signed_in

PAGE = "/console/retention"


@pytest.fixture
def gateway(api_keys: Path, database: str) -> Iterator[Gateway]:
    with own_gateway(api_keys, database) as made:
        yield made


def test_those_who_supervise_look_and_it_is_on_record(gateway: Gateway) -> None:
    assert statuses(gateway, PAGE) == opened_by(Role.AUDITOR, Role.DPO)
    looks = acts(gateway, "audit search")
    assert {look["values"]["official"] for look in looks} == {"auditor-1", "dpo-1"}
    client = signed_in(gateway, Role.DPO)
    assert client.post(PAGE, data={"csrf": token(client, PAGE)}).status_code == 405


def test_classes_stand_with_their_bases_and_nothing_else_is_told_as_empty(gateway: Gateway) -> None:
    client = signed_in(gateway, Role.AUDITOR)
    text = client.get(PAGE).text
    assert "Neviena apmaiņa nav aizturēta no dzēšanas." in text
    assert "Vēl nekas nav dzēsts." in text
    assert all(
        latvian()[one.what] in text and latvian()[one.basis] in text for one in retention.classes().values()
    )
    client.set_cookie("language", "en", path="/console")
    assert all(one.what in client.get(PAGE).text for one in retention.classes().values())


def test_holds_and_erasures_are_listed_and_nothing_of_them_runs(gateway: Gateway) -> None:
    with gateway.engine.begin() as connection:
        holds.begin(connection, f"case {SCRIPT}")
        holds.begin(connection, "released-one")
        holds.release(connection, "released-one")
    facts: dict[str, Json] = {
        "class": "exchange",
        "before": "2021-01-01T00:00:00Z",
        "exchanges": 4711,
        "values": 12,
        "held": 1,
    }
    gateway.log.write(Entry(Kind.ERASURE, new_id(), utc_now(), facts))
    text = signed_in(gateway, Role.AUDITOR).get(PAGE).text
    assert f"case {ESCAPED}" in text
    assert SCRIPT not in text
    assert "atcelts" in text
    assert "4711" in text
    assert "2021-01-01" in text
