"""The lineage table as a page and as CSV."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import html
from werkzeug.test import Client

from endpoints.console.roles import Role
from gateway import Gateway
from questions import lineage
from routing.access import Access
from tests.endpoints.console.gateways import acts, own_gateway
from tests.endpoints.console.signing_in import signed_in

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def gateway(api_keys: Path, database: str) -> Iterator[Gateway]:
    with own_gateway(api_keys, database) as wired:
        yield wired


def english(gateway: Gateway, role: Role = Role.DPO) -> Client:
    client = signed_in(gateway, role)
    client.set_cookie("language", "en", path="/console")
    return client


def rows(text: str) -> list[list[str]]:
    found = html.fromstring(text).xpath("//tbody/tr")
    return [["".join(cell.itertext()).strip() for cell in row] for row in found]


@pytest.mark.parametrize("role", list(Role))
def test_each_role(gateway: Gateway, role: Role) -> None:
    client = signed_in(gateway, role)
    wanted = 403 if role is Role.OPERATOR else 200
    assert client.get("/console/lineage").status_code == wanted
    assert client.get("/console/lineage.csv").status_code == wanted
    assert ('href="/console/lineage"' in client.get("/console/").text) == (wanted == 200)
    assert acts(gateway) == []


def test_all_pages_together_hold_every_line_once(gateway: Gateway) -> None:
    client = english(gateway)
    seen: list[tuple[str, str]] = []
    address: str | None = "/console/lineage?system=pmlp"
    for _ in range(20):
        assert address is not None
        text = client.get(address).text
        seen += [(row[2], row[3]) for row in rows(text)]
        links = html.fromstring(text).xpath("//nav[@class='pager']//a[text()='Lines after']/@href")
        address = links[0] if links else None
        if address is None:
            break
    every = lineage.rows(gateway.access.in_force(), "pmlp")
    assert seen == [(row[3], row[4]) for row in every]
    back = html.fromstring(client.get("/console/lineage?from=200").text)
    assert back.xpath("//nav[@class='pager']//a[text()='Lines before']/@href") == [
        "/console/lineage?from=100"
    ]


def test_filters(gateway: Gateway) -> None:
    client = english(gateway)
    disability = rows(client.get("/console/lineage?rule=p8.13&system=vdeavk").text)
    assert disability
    assert all(row[0].startswith("p8.13") and row[1].startswith("vdeavk") for row in disability)
    assert not any(row[0].startswith("p8.13") for row in rows(client.get("/console/lineage?rule=p8.1").text))
    own = rows(client.get("/console/lineage?recipient=riga-social-service").text)
    assert own
    assert all("riga-social-service" in row[5] for row in own)
    assert all(
        "cause" in row[3] or "cause" in row[4]
        for row in rows(client.get("/console/lineage?field=CAUSE").text)
    )
    group = rows(client.get("/console/lineage?field=disability.group&system=vdeavk").text)
    assert [row[4] for row in group] == ["vdeavk_disability.group"] * len(group)
    assert "Grupa" in group[0][2]


def test_nothing_is_found_and_strange_places_are_the_first_page(gateway: Gateway) -> None:
    client = english(gateway)
    text = client.get(f"/console/lineage?rule={SCRIPT}&system={SCRIPT}").text
    assert "No field meets all of that." in text
    assert SCRIPT not in text
    first = rows(client.get("/console/lineage").text)
    for place in ("-1", "9999999", "99999", "x", "¹"):
        assert rows(client.get(f"/console/lineage?from={place}").text) == first


def test_csv_has_what_the_filters_leave(gateway: Gateway) -> None:
    answer = english(gateway).get("/console/lineage.csv?system=vdeavk&rule=p8.13")
    assert answer.content_type == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["Content-Disposition"]
    found = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert tuple(found[0]) == lineage.HEADS
    every = lineage.rows(gateway.access.in_force(), "vdeavk")
    assert [tuple(row) for row in found[1:]] == [row for row in every if f"{row[0]}.".startswith("p8.13.")]


def test_a_field_that_nobody_may_have_is_nobodys(gateway: Gateway) -> None:
    nobody = dataclasses.replace(gateway, access=Access(()))
    client = english(nobody)
    assert {row[5] for row in rows(client.get("/console/lineage?recipient=nobody").text)} == {"nobody"}


def test_in_latvian(gateway: Gateway) -> None:
    text = signed_in(gateway, Role.AUDITOR).get("/console/lineage?system=vdeavk").text
    assert "Lauku izcelsme" in text
    assert "Reģistra kolonna" in text
