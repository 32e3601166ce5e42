"""`gateway audit` as an auditor uses it: exit codes for scripts, every look on record, nothing made by looking."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine

import registers
from audit import Archive, open_log, search
from audit.account import operating_user
from audit.sequencer import Sequencer
from commands import cli
from exchange import Json, Provenance, new_id, utc_now
from mappings.pmlp import Person
from security.keys import load_log_key
from storage import migrate, open_engine
from tests.audit.logs import exchange, unguard
from tests.commands.conftest import Home

REPORT = {"status", "size", "root", "pending", "first_bad", "last_good_checkpoint", "reason"} | {
    "anchored_size",
    "exposure",
    "witness",
    "erased",
    "erasures",
    "warnings",
}


@pytest.fixture
def engine(home: Home) -> Iterator[Engine]:
    """The home's database with two exchanges, sequenced."""
    settings = home.settings
    engine = open_engine(settings.database_url)
    migrate.upgrade(engine)
    open_log(settings, engine).write(*exchange("320101-12345"), *exchange("320101-12346", outcome="denied"))
    Sequencer(engine, load_log_key(settings.keys / "log.key"), environment=settings.environment).run_once()
    yield engine
    engine.dispose()


def report(home: Home) -> tuple[int, dict[str, Json]]:
    result = home.run("audit", "verify", "--json")
    assert not result.stderr
    return result.exit_code, json.loads(result.stdout)


def subject(home: Home, code: str, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["audit", "subject", *arguments], input=f"{code}\n", env=home.environ)


def by_hand(engine: Engine, statement: str) -> None:
    with sqlite3.connect(str(engine.url.database)) as connection:
        connection.execute(statement)
    connection.close()


@pytest.mark.usefixtures("engine")
def test_verify_a_good_log(home: Home) -> None:
    code, found = report(home)
    assert code == 3
    assert found.keys() == REPORT
    assert (found["status"], found["size"], found["pending"], found["first_bad"]) == (
        "unanchored",
        7,
        0,
        None,
    )
    result = home.run("audit", "verify")
    assert result.exit_code == 3
    assert "unanchored" in result.stdout


def test_verify_a_changed_log(home: Home, engine: Engine) -> None:
    unguard(engine)
    by_hand(engine, "UPDATE log_records SET outcome = 'ok' WHERE outcome = 'denied'")
    code, found = report(home)
    assert (code, found["status"], found["first_bad"]) == (1, "bad", 6)
    result = home.run("audit", "verify")
    assert result.exit_code == 1
    assert "outcome" in result.stdout


@pytest.mark.parametrize("arguments", [("verify",), ("show", "0"), ("search",)])
def test_no_database_is_told_and_none_is_made(home: Home, arguments: tuple[str, ...]) -> None:
    result = home.run("audit", *arguments)
    assert result.exit_code == 78
    assert "Traceback" not in result.stderr
    assert "there is no database" in result.stderr
    assert not list(home.settings.state.glob("*.db*"))


def test_no_log_in_the_database(home: Home) -> None:
    open_engine(home.settings.database_url).connect().close()
    assert home.run("audit", "verify").exit_code == 78


@pytest.mark.usefixtures("engine")
def test_no_key_to_verify_with(home: Home) -> None:
    (home.settings.keys / "log.pub").unlink()
    result = home.run("audit", "verify")
    assert result.exit_code == 78
    assert "log.pub" in result.stderr


@pytest.mark.usefixtures("engine")
def test_show(home: Home) -> None:
    found = home.json("audit", "show", "3")
    assert found["leaf"]["outcome"] == "ok"
    assert found["checkpoint"].startswith("spolis-gateway/test/")
    assert "values" not in found
    result = home.run("audit", "show", "3")
    assert result.exit_code == 0
    assert "12345" not in result.stdout
    assert report(home)[1]["pending"] == 0, "a leaf holds nothing personal"


def test_show_personal_values_is_on_record(home: Home, engine: Engine) -> None:
    found = home.json("audit", "show", "3", "--purpose", "complaint 2026/41")
    assert found["values"]["subject"] == "320101-12345"
    (act,) = search.search(engine, official=operating_user())
    assert (act.leaf["act"], act.leaf["index"], act.leaf["purpose"]) == ("audit show", 3, "complaint 2026/41")


@pytest.mark.usefixtures("engine")
def test_show_what_is_not_there(home: Home) -> None:
    result = home.run("audit", "show", "7")
    assert (result.exit_code, result.stdout) == (2, "")


def test_search_is_on_record(home: Home, engine: Engine) -> None:
    found = home.json(
        "audit", "search", "--system", "pmlp", "--outcome", "denied", "--purpose", "yearly review"
    )
    assert [(one["index"], one["leaf"]["outcome"]) for one in found] == [(6, "denied")]
    (act,) = search.search(engine, official=operating_user())
    assert act.leaf["act"] == "audit search"
    assert act.leaf["purpose"] == "yearly review"
    assert act.leaf["filters"] == {"system": "pmlp", "outcome": "denied"}


@pytest.mark.usefixtures("engine")
def test_search_by_official_and_day(home: Home) -> None:
    assert len(home.json("audit", "search", "--official", "MT-1042", "--from", "2026-01-01")) == 4
    assert home.json("audit", "search", "--official", "MT-1042", "--to", "2025-12-31") == []
    assert home.run("audit", "search", "--from", "yesterday").exit_code == 2
    assert "MT-1042" not in home.run("audit", "search", "--official", "MT-1042").stdout


def test_subject_reads_the_code_from_standard_input(home: Home, engine: Engine) -> None:
    result = subject(home, "32010112345", "--purpose", "request of the person", "--json")
    found = json.loads(result.stdout)
    assert {one["index"] for one in found} == {None, 2, 3}, "the search itself is about the person too"
    (act,) = search.search(engine, official=operating_user())
    assert (act.leaf["act"], act.leaf["purpose"]) == ("audit subject", "request of the person")
    assert "32010112345" not in json.dumps(dict(act.leaf))


def test_subject_finds_what_was_asked_under_another_code_of_the_person(home: Home, engine: Engine) -> None:
    with engine.begin() as connection:
        origin = Provenance(new_id(), "pmlp", "v1-0", "m1", utc_now())
        answer = Person(given_names=("Anna",), family_name="Bērziņa", person_code="320101-12346")
        registers.feed(connection, answer, origin, asked="320101-12345")
    for code in ("32010112345", "320101-12346"):
        found = json.loads(subject(home, code, "--purpose", "request of the person", "--json").stdout)
        indexes = {one["index"] for one in found if one["leaf"]["kind"] == "outcome"}
        assert len(indexes) == 2, "both exchanges are about this person"


@pytest.mark.usefixtures("engine")
def test_subject_needs_a_code_and_a_purpose(home: Home) -> None:
    assert subject(home, "32010112345").exit_code == 2
    result = subject(home, "not a code", "--purpose", "request of the person")
    assert result.exit_code == 2
    assert "invalid_person_code" in result.stderr
    assert "not a code" not in result.stderr


@pytest.mark.parametrize("command", ["verify", "show", "search", "subject"])
def test_help_has_an_example(home: Home, command: str) -> None:
    result = home.run("audit", command, "--help")
    assert result.exit_code == 0
    assert "Example:" in result.stdout
    assert f"gateway audit {command}" in result.stdout


def test_kept_bytes_are_shown_for_a_purpose_that_is_recorded(home: Home, engine: Engine) -> None:
    archive, exchange_id = Archive(home.settings), new_id()
    with engine.begin() as connection:
        archive.put(connection, exchange_id, "received-1", b"<the exact/> bytes\r\n", utc_now())
    listed = home.run("audit", "payload", str(exchange_id), "--purpose", "complaint 7")
    assert listed.stdout.split() == ["received-1"]
    given = home.run("audit", "payload", str(exchange_id), "received-1", "--purpose", "complaint 7")
    assert given.stdout_bytes == b"<the exact/> bytes\r\n"
    assert home.run("audit", "payload", str(exchange_id), "received-1").exit_code == 2
    assert home.run("audit", "payload", str(new_id()), "--purpose", "complaint 7").exit_code == 2
    last = search.search(engine, limit=1)[0].leaf
    assert (last["act"], last["purpose"]) == ("audit payload", "complaint 7")
    assert report(home)[1]["pending"] == 0
