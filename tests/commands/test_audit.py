"""`gateway audit` as an auditor uses it: exit codes for scripts, every look on record, nothing made by looking."""

from __future__ import annotations

import csv
import json
import sqlite3
import subprocess
import sys
import uuid
import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine

import registers
from audit import Archive, Entry, Kind, open_log, search
from audit.account import operating_user
from audit.sequencer import Sequencer
from commands import cli
from exchange import RIGA, Json, Provenance, new_id, utc_now
from mappings.pmlp import Person
from security.keys import load_log_key, load_secret
from storage import migrate, open_engine
from tests.audit.logs import exchange, unguard
from tests.commands.conftest import Home

REPORT = {"status", "size", "root", "pending", "first_bad", "last_good_checkpoint", "reason"} | {
    "anchored_size",
    "exposure",
    "witness",
    "stamped",
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
    sequencer = Sequencer(engine, load_log_key(settings.keys / "log.key"), environment=settings.environment)
    sequencer.run_once()
    sequencer.release()
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


def typed_in(engine: Engine, act: search.Found) -> Json:
    """The purpose of an act that somebody typed: it may name a person, so it stands among the values alone."""
    assert "purpose" not in act.leaf
    (values,) = search.with_values(engine, [act])
    return values.get("purpose")


def test_show_personal_values_is_on_record(home: Home, engine: Engine) -> None:
    found = home.json("audit", "show", "3", "--purpose", "complaint 2026/41")
    assert found["values"]["subject"] == "320101-12345"
    (act,) = search.search(engine, official=operating_user())
    assert (act.leaf["act"], act.leaf["index"], typed_in(engine, act)) == (
        "audit show",
        3,
        "complaint 2026/41",
    )


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
    assert typed_in(engine, act) == "yearly review"
    assert act.leaf["filters"] == {"system": "pmlp", "outcome": "denied"}


def test_search_by_person_needs_a_purpose_and_is_about_that_person(home: Home, engine: Engine) -> None:
    def searched(*arguments: str) -> Result:
        return CliRunner().invoke(
            cli, ["audit", "search", "--person", *arguments], input="320101-12345\n", env=home.environ
        )

    assert searched().exit_code == 2
    found = json.loads(searched("--purpose", "complaint 7", "--kind", "outcome", "--json").stdout)
    assert [(one["index"], one["values"]["official"]) for one in found] == [(3, "MT-1042")]
    (act,) = search.search(engine, act="audit search")
    assert (act.leaf["by_person"], act.leaf["filters"]) == (True, {"kind": "outcome"})
    assert "12345" not in json.dumps(dict(act.leaf)["filters"])
    key = load_secret(home.settings.keys / "subject.key")
    assert act in search.subject(engine, key, ["320101-12345"])


@pytest.mark.usefixtures("engine")
def test_search_goes_on_page_by_page(home: Home) -> None:
    seen: list[Json] = []
    after = ""
    while True:
        arguments = ("--kind", "attempt", "--limit", "1", *(("--after", after) if after else ()))
        result = home.run("audit", "search", *arguments, "--json")
        (one,) = json.loads(result.stdout) or [None]
        if one is None:
            break
        seen.append(one["index"])
        after = result.stderr.split("--after ")[1].strip()
    assert seen == [5, 2]
    assert home.run("audit", "search", "--after", "yesterday").exit_code == 2


@pytest.mark.usefixtures("engine")
def test_search_as_csv_shows_personal_values_for_a_purpose_only(home: Home) -> None:
    rows = list(csv.DictReader(home.run("audit", "search", "--csv", "--outcome", "ok").stdout.splitlines()))
    assert [(row["index"], row["operation"]) for row in rows] == [("3", "GetPerson")]
    assert "official" not in rows[0]
    told = home.run("audit", "search", "--csv", "--outcome", "ok", "--purpose", "complaint 7")
    assert next(csv.DictReader(told.stdout.splitlines()))["official"] == "MT-1042"


def test_a_damaged_catalogue_is_found_and_made_anew(home: Home, engine: Engine) -> None:
    assert home.json("audit", "search", "--outcome", "denied")
    assert home.run("audit", "catalogue").exit_code == 0
    by_hand(engine, "UPDATE catalogue_records SET outcome = 'ok' WHERE idx = 6")
    assert home.json("audit", "search", "--outcome", "denied") == []
    told = home.run("audit", "catalogue", "--json")
    assert (told.exit_code, json.loads(told.stdout)["differing"]) == (1, [6])
    assert home.run("audit", "catalogue", "--anew").exit_code == 0
    assert home.json("audit", "search", "--outcome", "denied")


def test_who_looks_at_values_is_found_by_the_persons_in_them(home: Home, engine: Engine) -> None:
    archive = Archive(home.settings)
    exchange_id = uuid.UUID(str(search.search(engine, outcome="ok")[0].leaf["exchange"]))
    with engine.begin() as connection:
        archive.put(connection, exchange_id, "reply", b"bytes", utc_now())
    assert home.run("audit", "payload", str(exchange_id), "reply", "--purpose", "complaint 7").exit_code == 0
    assert home.run("audit", "show", "3", "--purpose", "complaint 7").exit_code == 0
    result = subject(home, "320101-12345", "--purpose", "request", "--lang", "en")
    assert "the exact messages exchanged were looked at" in result.stdout
    assert "a record of the log was looked at" in result.stdout
    other = subject(home, "320101-12346", "--purpose", "request", "--lang", "en")
    assert "looked at" not in other.stdout


def test_unusual_look_ups_are_shown_and_dismissed_on_record(home: Home, engine: Engine) -> None:
    at = datetime(2026, 11, 25, 2, 0, tzinfo=RIGA)
    exchange_id = new_id(at)
    facts: dict[str, Json] = {"way": "api", "recipient": "vsaa", "role": "clerk", "outcome": "ok"}
    personal: dict[str, Json] = {"subject": "320101-12345", "official": "MT-9", "case": ""}
    open_log(home.settings, engine).write(
        Entry(Kind.OPENED, exchange_id, at, {"way": "api"}),
        Entry(Kind.OUTCOME, exchange_id, at, facts, personal),
    )
    home.run("audit", "search")  # which gives the records their places
    (flag,) = home.json("audit", "unusual", "--from", "2026-11-24", "--to", "2026-11-25", "--lang", "en")
    assert flag["reason"] == "1 look-ups out of working hours, the first at 02:00"
    assert (flag["institution"], flag["exchanges"]) == ("State Social Insurance Agency", [str(exchange_id)])
    assert "officials" not in flag
    (named,) = home.json("audit", "unusual", "--from", "2026-11-25", "--purpose", "inspection 3")
    assert (named["officials"], named["persons"]) == (["MT-9"], ["320101-12345"])
    assert home.run("audit", "dismiss", flag["id"]).exit_code == 2, "without a reason"
    assert home.run("audit", "dismiss", flag["id"], "--reason", "on duty that night").exit_code == 0
    assert home.json("audit", "unusual", "--from", "2026-11-25") == []
    (kept,) = home.json("audit", "unusual", "--from", "2026-11-25", "--all")
    assert kept["dismissed"].endswith(": on duty that night")
    (act,) = search.search(engine, act="audit unusual dismiss")
    assert act.leaf["flags"] == [flag["id"]]
    looks = search.search(engine, act="audit unusual")
    assert [typed_in(engine, look) for look in looks if "purpose" not in look.leaf] == ["inspection 3"]


def test_who_received_a_field_is_asked_on_record(home: Home, engine: Engine) -> None:
    arguments = ["audit", "recipients", "--field", "pmlp_address.text"]
    without = CliRunner().invoke(cli, arguments, input="320101-12345", env=home.environ)
    assert without.exit_code == 2
    told = CliRunner().invoke(
        cli, [*arguments, "--purpose", "correction 9", "--json"], input="320101-12345", env=home.environ
    )
    assert json.loads(told.stdout) == []
    (act,) = search.search(engine, act="audit recipients")
    assert (act.leaf["field"], typed_in(engine, act)) == ("pmlp_address.text", "correction 9")


@pytest.mark.usefixtures("engine")
def test_search_by_official_and_day(home: Home) -> None:
    assert len(home.json("audit", "search", "--official", "MT-1042", "--from", "2026-01-01")) == 4
    assert home.json("audit", "search", "--official", "MT-1042", "--to", "2025-12-31") == []
    assert home.run("audit", "search", "--from", "yesterday").exit_code == 2
    assert "MT-1042" not in home.run("audit", "search", "--official", "MT-1042").stdout


def test_subject_reads_the_code_from_standard_input(home: Home, engine: Engine) -> None:
    result = subject(home, "32010112345", "--purpose", "request of the person", "--json")
    (entry,) = json.loads(result.stdout)["entries"]
    assert entry["indexes"] == [2, 3]
    (act,) = search.search(engine, official=operating_user())
    assert (act.leaf["act"], typed_in(engine, act)) == ("audit subject", "request of the person")
    assert (act.leaf["asked_by"], act.leaf["entries"]) == ("self", 1)
    assert "32010112345" not in json.dumps(dict(act.leaf))
    again = json.loads(subject(home, "32010112345", "--purpose", "again", "--json", "--lang", "en").stdout)
    assert [one["asked"] for one in again["entries"]] == [
        "personal data",
        "a report on who accessed the person's data",
    ], "the question before is an access too"


def test_subject_finds_what_was_asked_under_another_code_of_the_person(home: Home, engine: Engine) -> None:
    with engine.begin() as connection:
        origin = Provenance(new_id(), "pmlp", "v1-0", "m1", utc_now())
        answer = Person(given_names=("Anna",), family_name="Bērziņa", person_code="320101-12346")
        registers.feed(connection, answer, origin, asked="320101-12345")
    for code in ("32010112345", "320101-12346"):
        found = json.loads(subject(home, code, "--purpose", "request of the person", "--json").stdout)
        indexes = [tuple(one["indexes"]) for one in found["entries"] if one["outcome"]]
        assert indexes == [(2, 3), (5, 6)], "both exchanges are about this person"


def test_subject_finds_a_client_whom_a_provider_knows_by_its_own_code(home: Home, engine: Engine) -> None:
    entry = Entry(Kind.OUTCOME, new_id(), utc_now(), {}, {"subject": "rehabilitation/K-17"})
    open_log(home.settings, engine).write(entry)
    found = json.loads(subject(home, "rehabilitation/K-17", "--purpose", "request", "--json").stdout)
    assert [one["exchange_id"] for one in found["entries"]] == [str(entry.exchange_id)]


def test_evidence_is_a_container_with_a_cover_in_two_languages(
    home: Home, engine: Engine, tmp_path: Path
) -> None:
    (found,) = search.search(engine, outcome="denied")
    exchange_id, out = str(found.leaf["exchange"]), tmp_path / "one.asice"
    made = home.json("audit", "evidence", exchange_id, "--purpose", "court case C-2026/17", "--out", str(out))
    assert (made["records"], made["witnessed"], made["messages"]) == ([4, 5, 6], False, [])
    (act,) = [
        one for one in search.search(engine, official=operating_user()) if one.leaf["of"] == exchange_id
    ]
    assert (act.leaf["act"], typed_in(engine, act)) == ("audit evidence", "court case C-2026/17")
    with zipfile.ZipFile(out) as container:
        cover = container.read("cover.html").decode()
        container.extractall(tmp_path / "unpacked")
    for words in (
        "Apliecinājums par datu apmaiņu",
        "Evidence of an exchange of data",
        "court case C-2026/17",
    ):
        assert words in cover
    assert "320101-12346" in cover
    assert "None" not in cover
    checked = subprocess.run(
        [sys.executable, "-I", "check.py"],
        cwd=tmp_path / "unpacked",
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout
    again = home.run("audit", "evidence", str(new_id()), "--purpose", "x", "--out", str(out))
    assert again.exit_code != 0
    assert "not_found" in again.stderr


@pytest.mark.usefixtures("engine")
def test_subject_needs_a_code_and_a_purpose(home: Home) -> None:
    assert subject(home, "32010112345").exit_code == 2
    result = subject(home, "not a code", "--purpose", "request of the person")
    assert result.exit_code == 2
    assert "invalid_person_code" in result.stderr
    assert "not a code" not in result.stderr


@pytest.mark.parametrize(
    "command",
    [
        "verify",
        "show",
        "search",
        "subject",
        "unusual",
        "dismiss",
        "recipients",
        "catalogue",
        "prove",
        "export",
    ],
)
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
    last = search.search(engine, limit=1)[0]
    assert (last.leaf["act"], typed_in(engine, last)) == ("audit payload", "complaint 7")
    assert report(home)[1]["pending"] == 0
