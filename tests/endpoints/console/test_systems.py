"""The pages of external systems."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from lxml import html
from sqlalchemy import insert

import wsdl
from endpoints.console.roles import Role
from exchange import new_id, utc_now
from gateway import Gateway
from questions.quality import SCALE
from registers.taken import Taken
from routing import breakers, following, incidents
from routing.following import Beginning
from tests.endpoints.console.gateways import acts, ended, own_gateway, put
from tests.endpoints.console.signing_in import signed_in

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def gateway(api_keys: Path, database: str) -> Iterator[Gateway]:
    with own_gateway(api_keys, database) as wired:
        yield wired


def get(gateway: Gateway, path: str, language: str = "en", role: Role = Role.OPERATOR) -> str:
    client = signed_in(gateway, role)
    client.set_cookie("language", language, path="/console")
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.text


def cells(text: str, section: str) -> list[list[str]]:
    """The rows of the tables of a section."""
    found = html.fromstring(text).xpath(f"//section[@aria-labelledby='{section}']//tbody/tr")
    return [[" ".join("".join(cell.itertext()).split()) for cell in row] for row in found]


@pytest.mark.parametrize("role", list(Role))
def test_each_role(gateway: Gateway, role: Role) -> None:
    client = signed_in(gateway, role)
    wanted = 403 if role is Role.DPO else 200
    assert client.get("/console/systems").status_code == wanted
    assert client.get("/console/systems/pmlp").status_code == wanted
    assert ("/console/systems" in client.get("/console/").text) == (wanted == 200)
    assert acts(gateway) == []


def test_the_list_has_every_system_with_what_matters(gateway: Gateway) -> None:
    put(gateway, ended("pmlp"), ended("pmlp", "failed"), ended("sais", at=utc_now() - timedelta(hours=30)))
    page = html.fromstring(get(gateway, "/console/systems"))
    lines = {
        row.findtext("th/a"): [" ".join("".join(cell.itertext()).split()) for cell in row.iter("td")]
        for row in page.xpath("//tbody/tr")
    }
    assert set(lines) == set(gateway.adapters)
    assert lines["pmlp"] == ["answers", "2", "1 (50 %)", "–", "v1-0", "soap", "16 ✓"]
    assert lines["sais"][1:3] == ["0", "0"]
    assert lines["csdd"][-1] == "15 ✓ · 1 exempt"


def test_one_that_there_is_not(gateway: Gateway) -> None:
    for name in ("nobody", "..", SCRIPT):
        answer = signed_in(gateway, Role.OPERATOR).get(f"/console/systems/{name}")
        assert answer.status_code in (404, 308)
        assert SCRIPT not in answer.text


def test_before_anything_happened(gateway: Gateway) -> None:
    text = get(gateway, "/console/systems/npais")
    assert "Nothing was exchanged in this time." in text
    assert "No incident of it is known" in text
    assert cells(text, "sync") == [["GetDecisions", "3 every day", "never", ""]]
    assert "Nothing of this system is asked on a schedule." in get(gateway, "/console/systems/sais")


def test_whether_it_answers_and_when_it_did_not(gateway: Gateway) -> None:
    now = utc_now()
    with gateway.engine.begin() as connection:
        row = {"failures": 9, "openings": 3, "retry_at": now + timedelta(minutes=5), "changed_at": now}
        connection.execute(insert(breakers.breakers).values(system="npais", **row))
        incidents.see(connection, incidents.Finding("breaker", "npais"))
        incidents.see(connection, incidents.Finding("breaker", "pmlp"))
        incidents.see(connection, incidents.Finding("sync", "npais"))
        incidents.close_unseen(connection, timedelta(seconds=-1))
        incidents.see(connection, incidents.Finding("breaker", "npais"))
    text = get(gateway, "/console/systems/npais")
    assert "failed calls in a row: 9" in " ".join(text.split())
    openings = cells(text, "breaker")
    assert [opening[1] == "still" for opening in openings] == [True, False]
    assert cells(get(gateway, "/console/systems/vzd"), "breaker") == []


def test_both_sides_of_the_newest_run(gateway: Gateway) -> None:
    run_id = new_id()
    with gateway.engine.begin() as connection:
        following.hold(connection, "npais", "GetDecisions")
        following.begin(connection, run_id, ("npais", "GetDecisions"), Beginning(), question=None)
        run = following.run_of(connection, run_id)
        counted = Taken(theirs=1500, ours=1400, strangers=98)
        following.advance(connection, run, counted, cursor="c", following=None, asked_anew=0, pages=3)
    (row,) = cells(get(gateway, "/console/systems/npais"), "sync")
    assert row[2] == "done missing: 2"
    assert row[5:] == ["3", "1,500", "1,400", "98", "2", ""]
    assert "missing: 2" in get(gateway, "/console/systems")


def test_contract_files_are_told_with_what_was_published(gateway: Gateway) -> None:
    files = cells(get(gateway, "/console/systems/sais"), "contract")
    assert [(row[1], row[3]) for row in files if row[0] == "v1-1 in use"] == [
        ("sais.wsdl", "unchanged"),
        ("sais.xsd", "unchanged"),
    ]
    assert {row[0] for row in files} == {"v1-0", "v1-1 in use"}
    assert all(len(row[2]) == 64 for row in files)


def test_what_is_not_as_published_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "pmlp" / "v1-0"
    folder.mkdir(parents=True)
    for name in ("kept", "other", "gone"):
        (folder / name).write_text(name, encoding="utf-8")
    (folder / wsdl.CHECKSUMS).write_text(wsdl.checksums(folder), encoding="utf-8")
    (folder / "other").write_text("changed", encoding="utf-8")
    (folder / "gone").unlink()
    (folder / "new").touch()
    found = {file.name: file.wrong for file in wsdl.published_files("pmlp", tmp_path)}
    assert found == {"kept": "", "other": "changed", "gone": "missing", "new": "not listed"}


def test_settings_without_what_is_secret(gateway: Gateway) -> None:
    known = gateway.settings.systems["pmlp"]
    system = dataclasses.replace(
        known, url="https://someone:Parole1@pmlp.example:8443/secret-path?key=abc", repeat="neither"
    )
    settings = dataclasses.replace(gateway.settings, systems={**gateway.settings.systems, "pmlp": system})
    text = get(dataclasses.replace(gateway, settings=settings), "/console/systems/pmlp")
    assert "https://pmlp.example:8443<" in text
    for secret in ("Parole1", "someone", "secret-path", "abc"):
        assert secret not in text
    assert {row[3] for row in cells(text, "operations")} == {"a person decides"}


def test_how_the_adapter_answers_the_scale(gateway: Gateway) -> None:
    quality = {"contract": "done", "operations": "todo", "rules": f"exempt: {SCRIPT}"}
    adapter = dataclasses.replace(gateway.adapters["pmlp"], quality=quality)
    other = dataclasses.replace(gateway, adapters={**gateway.adapters, "pmlp": adapter})
    text = get(other, "/console/systems/pmlp")
    assert SCRIPT not in text
    answers = {row[0]: row[2] for row in cells(text, "quality")}
    assert list(answers) == list(SCALE)
    assert answers["contract"] == "done"
    assert answers["operations"] == "to do"
    assert answers["rules"] == f"exempt {SCRIPT}"
    assert answers["quirks"] == "no answer"


def test_in_latvian(gateway: Gateway) -> None:
    put(gateway, ended("pmlp"))
    text = get(gateway, "/console/systems/pmlp", language="lv")
    assert "Fizisko personu reģistrs" in text
    assert "Kvalitātes skala" in text
    for asks in SCALE.values():
        assert asks not in text
