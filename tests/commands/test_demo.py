"""`gateway demo` as a user runs it: real processes, and evidence that another process can verify afterwards."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import requests

import config
from commands import demo_database
from config import Settings
from routing import broker
from tests.commands.conftest import Home
from tests.commands.processes import GATEWAY, gateway
from tests.instances import PrivateRabbit

pytestmark = pytest.mark.long

PERSONS = 7  # the seventh is a pensioner


def left_behind(folder: Path) -> list[str]:
    """Processes that were started with this folder as their configuration and are still there."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder).encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:  # gone meanwhile, or not ours to see
            continue
    return found


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory, made_keys: Path) -> tuple[Home, str, dict[str, Any]]:
    """A demonstration on a fresh installation: its home, what it printed, and its facts."""
    home = Home(tmp_path_factory.mktemp("demo"))
    home.configure({})
    shutil.copytree(made_keys, home.settings.keys)
    facts = home.folder / "facts.json"
    result = gateway(home.environ, "demo", "--persons", str(PERSONS), "--json", str(facts))
    assert result.returncode == 0, result.stdout + result.stderr
    return home, result.stdout, json.loads(facts.read_text(encoding="utf-8"))


def test_its_facts_have_the_published_form(shown: tuple[Home, str, dict[str, Any]]) -> None:
    _, _, facts = shown
    assert set(facts) == {"exchanges", "denied", "retried", "audit"}
    assert set(facts["audit"]) == {
        "status",
        "size",
        "root",
        "pending",
        "first_bad",
        "last_good_checkpoint",
        "reason",
        "anchored_size",
        "exposure",
        "witness",
        "erased",
        "erasures",
        "stamped",
        "warnings",
    }
    for exchange in facts["exchanges"]:
        assert set(exchange) == {
            "system",
            "operation",
            "direction",
            "outcome",
            "request_signed",
            "answer_signed",
            "register_rows",
            "log_index",
            "attempts",
            "ms",
        }


def test_every_person_goes_through_all_five_systems(shown: tuple[Home, str, dict[str, Any]]) -> None:
    exchanges = shown[2]["exchanges"]
    for system in ("pmlp", "vdeavk", "sais", "npais", "vzd"):
        answered = [one for one in exchanges if one["system"] == system and one["outcome"] == "ok"]
        assert len(answered) >= PERSONS, system
        assert all(one["request_signed"] and one["answer_signed"] for one in answered), system
        assert {one["direction"] for one in answered} == {"out"}
        assert sum(one["register_rows"] for one in answered) > 0 or system == "vdeavk", system
    asked = [one for one in exchanges if one["system"] in ("ping", "persons", "addresses")]
    assert [one["operation"] for one in asked] == [
        "Ping",
        "GetPerson",
        "GetDisability",
        "GetServices",
        "SearchAddress",
    ]
    for one in asked:
        assert (one["outcome"], one["direction"]) == ("ok", "in")
        assert one["request_signed"]
        assert one["answer_signed"]


def test_sais_is_told_of_every_care_stay(shown: tuple[Home, str, dict[str, Any]]) -> None:
    told = [one for one in shown[2]["exchanges"] if one["operation"] == "NotifyCareStay"]
    assert len(told) == PERSONS
    for one in told:
        assert (one["system"], one["direction"], one["outcome"]) == ("sais", "out", "ok")
        assert one["request_signed"]
        assert one["answer_signed"]
        assert one["attempts"] == 1


def test_it_is_the_same_job_on_postgresql_and_rabbitmq(
    tmp_path: Path, made_keys: Path, migrated_postgresql: str
) -> None:
    home = Home(tmp_path)
    home.configure({})
    shutil.copytree(made_keys, home.settings.keys)
    facts = home.folder / "facts.json"
    with PrivateRabbit() as rabbit:
        servers = {"GATEWAY_DATABASE_URL": migrated_postgresql, "GATEWAY_AMQP_URL": rabbit.url}
        result = gateway(home.environ | servers, "demo", "--persons", "3", "--json", str(facts))
        assert result.returncode == 0, result.stdout + result.stderr
        queue = broker.state(rabbit.url, 10)
    exchanges = json.loads(facts.read_text(encoding="utf-8"))["exchanges"]
    told = [one for one in exchanges if one["operation"] == "NotifyCareStay"]
    assert [one["outcome"] for one in told] == ["ok"] * 3
    assert queue == {"ok": True, "waiting": 0, "dead": 0}, "it went by the broker, and nothing is left there"


def test_one_is_refused_and_one_is_saved_by_a_retry(shown: tuple[Home, str, dict[str, Any]]) -> None:
    facts = shown[2]
    assert (facts["denied"], facts["retried"]) == (1, 1)
    (denied,) = [one for one in facts["exchanges"] if one["outcome"] == "denied"]
    assert (denied["attempts"], denied["request_signed"], denied["register_rows"]) == (0, False, 0)
    (retried,) = [one for one in facts["exchanges"] if one["attempts"] > 1]
    assert (retried["attempts"], retried["outcome"]) == (2, "ok")


def test_another_process_verifies_what_it_left(shown: tuple[Home, str, dict[str, Any]]) -> None:
    home, _, facts = shown
    audit = facts["audit"]
    assert (audit["status"], audit["pending"]) == ("anchored", 0)
    assert (audit["anchored_size"], audit["exposure"]) == (audit["size"], {"records": 0, "seconds": 0.0})
    assert audit["witness"]["asked"]
    places = [one["log_index"] for one in facts["exchanges"]]
    assert len(set(places)) == len(places)
    assert max(places) < facts["audit"]["size"]
    verified = gateway(home.environ, "audit", "verify", "--json")
    assert verified.returncode == 0
    found = json.loads(verified.stdout)
    for name in ("status", "size", "root", "pending", "first_bad", "last_good_checkpoint", "anchored_size"):
        assert found[name] == audit[name], name
    assert found["witness"]["key"] == audit["witness"]["key"]
    assert (found["witness"]["asked"], found["witness"]["pinned_on_first_use"]) == (False, True)


def test_it_tells_people_what_happened_and_what_to_try(shown: tuple[Home, str, dict[str, Any]]) -> None:
    home, printed, facts = shown
    assert "GetChildPlacement" in printed
    assert facts["audit"]["root"] in printed
    tried = re.findall(r"^  gateway (access check .*)$", printed, re.MULTILINE)
    assert tried
    assert home.run(*tried[0].split()).exit_code == 0
    assert "spolis_" not in printed  # the caller's key


def test_it_leaves_no_process_behind(shown: tuple[Home, str, dict[str, Any]]) -> None:
    assert left_behind(shown[0].folder) == []


def test_on_a_used_database_with_a_right_missing_it_says_what_did_not_hold_and_keeps_running(
    shown: tuple[Home, str, dict[str, Any]],
) -> None:
    home, _, before = shown
    url = home.settings.database_url.replace("state/", "state/../state/")  # set by hand: used as it is
    shutil.copytree(home.settings.access, home.folder / "access.d")
    (home.folder / "access.d" / "vzd.toml").unlink()
    environ = {**os.environ, **home.environ, "GATEWAY_DATABASE_URL": url}
    command = [*GATEWAY, "demo", "--persons", "1", "--keep"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ)  # noqa: S603 — our own program
    assert process.stdout is not None
    said = ""
    try:
        while "/console/\n" not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        assert "did not hold: vzd answered nothing" in said
        size = re.search(r"exchange log: anchored, (\d+) records, 0 pending", said)
        assert size
        assert int(size[1]) > before["audit"]["size"]
        _ask_as_printed(said)
        page = requests.get(re.findall(r"http://\S+/console/", said)[-1], timeout=30)
        assert "/console/sign-in/state" in page.text, "one can sign in by the test identity provider"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
        process.stdout.close()
    assert process.returncode == 1
    assert left_behind(home.folder) == []


def _ask_as_printed(said: str) -> None:
    key = re.search(r"Bearer (\S+)'", said)
    body = re.search(r"-d '(\{.*\})'", said)
    url = re.search(r"(http://\S+/api/v1/pmlp/get-person)", said)
    assert key
    assert body
    assert url
    answer = requests.post(
        url[1], json=json.loads(body[1]), headers={"Authorization": f"Bearer {key[1]}"}, timeout=30
    )
    assert answer.status_code == 200
    assert answer.json()["record"]["family_name"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ended_in_the_middle_it_cleans_up(home: Home, number: signal.Signals) -> None:
    command = [*GATEWAY, "demo"]
    environ = {**os.environ, **home.environ}
    process = subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL)  # noqa: S603 — our own program
    until = time.monotonic() + 60
    while len(left_behind(home.folder)) < 4:  # itself, `gateway simulate` and some of the simulators
        assert time.monotonic() < until
        time.sleep(0.1)
    process.send_signal(number)
    assert process.wait(60) != 0
    assert left_behind(home.folder) == []


def test_it_does_not_run_in_production(home: Home) -> None:
    with (home.folder / "gateway.toml").open("a", encoding="utf-8") as settings:
        settings.write('[gateway]\nenvironment = "production"\n')
    assert home.run("demo").exit_code == 78
    assert not (home.settings.state / "gateway.db").exists()


def test_a_database_that_was_set_is_used(home: Home) -> None:
    settings = home.settings
    other = f"sqlite:///{settings.state / 'other.db'}"
    chosen = demo_database.choose(_with(home, other))
    assert chosen == other
    assert not list(settings.state.glob("*.demo"))


def test_a_database_of_somebody_else_is_left_alone(home: Home) -> None:
    state = home.settings.state
    (state / "gateway.db").write_bytes(b"precious")
    chosen = demo_database.choose(home.settings)
    assert chosen == f"sqlite:///{state / 'gateway-demo-1.db'}"
    assert (state / "gateway.db").read_bytes() == b"precious"


def test_its_own_database_is_made_anew_unless_somebody_has_it_open(home: Home) -> None:
    path = home.settings.state / "gateway.db"
    assert demo_database.choose(home.settings) == f"sqlite:///{path}"
    held = sqlite3.connect(path, isolation_level=None)
    held.execute("PRAGMA journal_mode=WAL")
    held.execute("CREATE TABLE kept (x)")
    assert demo_database.choose(home.settings).endswith("gateway-demo-1.db")
    assert path.exists()
    held.close()
    assert demo_database.choose(home.settings) == f"sqlite:///{path}"
    assert not path.exists()


def test_its_own_database_is_left_alone_once_somebody_has_registered_in_it(home: Home) -> None:
    path = home.settings.state / "gateway.db"
    assert demo_database.choose(home.settings) == f"sqlite:///{path}"
    gateway(home.environ, "caller", "add", "demo-1-17", "--recipient", "spolis-core").check_returncode()
    assert demo_database.choose(home.settings) == f"sqlite:///{path}"
    assert not path.exists()
    gateway(home.environ, "caller", "add", "spolis", "--recipient", "spolis-core").check_returncode()
    assert demo_database.choose(home.settings).endswith("gateway-demo-1.db")
    assert path.exists()


def _with(home: Home, url: str) -> Settings:
    return config.load({**home.environ, "GATEWAY_DATABASE_URL": url})
