"""Accounts of the console by hand, and a test identity provider."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pyotp
import pytest
import requests
from sqlalchemy import select

from audit import search
from endpoints.console import accounts, sessions
from endpoints.console.accounts import Refusal, Typed
from endpoints.console.passwords import Passwords
from endpoints.console.roles import Role
from exchange import utc_now
from security import masters
from security.masters import MasterKeys
from storage import open_engine
from tests.commands.conftest import Home

OWN = "own words of ilona"
PERSON = "PNOLV-329999-10014"


def attempt(home: Home, name: str, password: str, code: str = "", days: int = 0) -> accounts.Verdict:
    """Sign in with what was shown, so many days later."""
    engine, keys, now = open_engine(home.settings.database_url), MasterKeys(home.settings.keys), utc_now()
    now += timedelta(days=days)
    seen = accounts.see(engine, keys, Passwords(), Typed(name, password, code), now)
    with engine.begin() as connection:
        return accounts.judge(connection, keys, seen, now)


def own(home: Home, name: str, given: str, password: str) -> str:
    """Sign in with a password that was given and choose another one; the secret of the codes."""
    assert attempt(home, name, given).confined
    engine, keys, now = open_engine(home.settings.database_url), MasterKeys(home.settings.keys), utc_now()
    with engine.begin() as connection:
        secret = accounts.secret(connection, keys, name, "SPOLIS test")
    assert secret is not None
    typed = Typed(name, given, pyotp.TOTP(secret.text).at(now - timedelta(seconds=30)))
    seen = accounts.see(engine, keys, Passwords(), typed, now)
    with engine.begin() as connection:
        verdict = accounts.change_password(connection, seen, Passwords().hashed(password), now)
    assert verdict.refusal is None
    return secret.text


def test_a_password_is_shown_once_and_lets_in_to_be_changed(home: Home) -> None:
    made = home.json("user", "add", "Ilze.Berzina", "--role", "auditor")
    assert sorted(made) == ["name", "password", "role"]
    assert (made["name"], made["role"]) == ("ilze.berzina", "auditor")
    verdict = attempt(home, "ILZE.berzina", made["password"])
    assert (verdict.role, verdict.refusal, verdict.confined) == (Role.AUDITOR, None, True)
    listed = home.run("user", "list").output
    assert "ilze.berzina" in listed
    assert made["password"] not in listed
    (row,) = home.json("user", "list")
    assert (row["name"], row["role"], row["state"]) == ("ilze.berzina", "auditor", "not begun")
    secret = own(home, "ilze.berzina", made["password"], OWN)
    assert home.json("user", "list")[0]["state"] == "active"
    assert attempt(home, "ilze.berzina", made["password"]).refusal is Refusal.PASSWORD
    assert attempt(home, "ilze.berzina", OWN).refusal is Refusal.CODE
    code = pyotp.TOTP(secret).at(utc_now())
    assert not attempt(home, "ilze.berzina", OWN, code).confined


def test_a_password_that_was_given_lasts_seven_days(home: Home) -> None:
    made = home.json("user", "add", "ilze", "--role", "auditor")
    assert attempt(home, "ilze", made["password"], days=6).refusal is None
    assert attempt(home, "ilze", made["password"], days=7).refusal is Refusal.OVER


def test_without_json_everything_that_is_needed_is_told(home: Home) -> None:
    result = home.run("user", "add", "ilze", "--role", "dpo")
    assert result.exit_code == 0
    assert all(word in result.stdout for word in ("name", "ilze", "dpo", "password"))
    assert "not shown again" in result.stderr


def test_each_act_is_on_record_and_the_name_can_be_erased(home: Home) -> None:
    made = home.json("user", "add", "ilze", "--role", "auditor")
    home.json("user", "role", "ilze", "--role", "dpo")
    home.json("user", "reset", "ilze")
    home.json("user", "disable", "ilze")
    engine = open_engine(home.settings.database_url)
    found = [one for one in search.search(engine, kind="admin") if str(one.leaf["act"]).startswith("user")]
    acts = [one.leaf["act"] for one in found]
    assert acts == ["user disable", "user reset", "user role", "user add"]
    assert [one.leaf.get("role") for one in found] == [None, None, "dpo", "auditor"]
    assert [values["account"] for values in search.with_values(engine, found)] == ["ilze"] * 4
    text = str([one.leaf for one in found])
    assert not any(word in text for word in ("ilze", made["password"]))


@pytest.mark.parametrize(
    "arguments", [("role", "ilze", "--role", "dpo"), ("disable", "ilze"), ("reset", "ilze")]
)
def test_a_change_ends_sessions_in_the_same_transaction(home: Home, arguments: tuple[str, ...]) -> None:
    home.json("user", "add", "ilze", "--role", "auditor")
    home.json("user", "add", "uldis", "--role", "auditor")
    engine, now = open_engine(home.settings.database_url), utc_now()
    with engine.begin() as connection:
        for name in ("ilze", "ilze", "uldis"):
            sessions.begin(connection, name, Role.AUDITOR, now)
    home.json("user", *arguments)
    with engine.begin() as connection:
        left = connection.execute(select(sessions.sessions.c.name)).scalars().all()
    assert left == ["uldis"]


def test_after_a_reset_neither_password_nor_authenticator_counts(home: Home) -> None:
    before = home.json("user", "add", "ilze", "--role", "operator")
    secret = own(home, "ilze", before["password"], OWN)
    after = home.json("user", "reset", "ilze")
    assert (after["name"], after["role"]) == ("ilze", "operator")
    code = pyotp.TOTP(secret).at(utc_now())
    for password in (before["password"], OWN):
        assert attempt(home, "ilze", password, code).refusal is Refusal.PASSWORD
    assert own(home, "ilze", after["password"], "other words of hers") != secret


def test_a_disabled_account_is_ended_for_good(home: Home) -> None:
    made = home.json("user", "add", "ilze", "--role", "auditor")
    home.json("user", "disable", "ilze")
    assert home.json("user", "list")[0]["state"] == "disabled"
    for words in (["disable", "ilze"], ["reset", "ilze"], ["role", "ilze", "--role", "dpo"]):
        assert home.run("user", *words).exit_code == 2
    assert home.run("user", "add", "ilze", "--role", "auditor").exit_code == 2
    assert attempt(home, "ilze", made["password"]).refusal is not None
    with open_engine(home.settings.database_url).begin() as connection:
        row = connection.execute(select(accounts.accounts)).one()
    assert (row.hash, row.totp) == ("", b"")


@pytest.mark.parametrize("name", ["PNOLV-329999-10014", "pnolv-x", "a b", "", "ā", "a" * 101])
def test_names_are_plain_and_not_those_of_the_state_login(home: Home, name: str) -> None:
    assert home.run("user", "add", "--role", "auditor", "--", name).exit_code == 2


def signed_in(home: Home, *names: str) -> None:
    with open_engine(home.settings.database_url).begin() as connection:
        for name in names:
            sessions.begin(connection, name, Role.AUDITOR, utc_now(), address="192.0.2.7")


def test_who_is_signed_in_is_told_and_can_be_signed_out(home: Home) -> None:
    home.json("user", "add", "ilze", "--role", "auditor")
    signed_in(home, "ilze", PERSON, PERSON)
    held = home.json("user", "sessions")
    assert sorted(one["name"] for one in held) == [PERSON, PERSON, "ilze"]
    assert {(one["role"], one["address"]) for one in held} == {("auditor", "192.0.2.7")}
    assert home.json("user", "sign-out", "pnolv-32999910014", "--why", "left") == {"name": PERSON, "ended": 2}
    assert [one["name"] for one in home.json("user", "sessions")] == ["ilze"]
    assert home.run("user", "sessions").output.splitlines()[0].split()[:2] == ["name", "role"]


def test_a_person_of_the_state_login_is_barred_until_allowed(home: Home) -> None:
    home.json("user", "list")
    signed_in(home, PERSON)
    assert home.json("user", "bar", PERSON, "--why", "inspection 3") == {"name": PERSON, "ended": 1}
    (row,) = home.json("user", "list")
    assert (row["name"], row["role"], row["state"]) == (PERSON, None, "barred")
    assert home.run("user", "bar", PERSON, "--why", "x").exit_code == 2
    signed_in(home, PERSON)  # as by a sign-in that was under way at that moment
    assert home.json("user", "sessions") == []
    assert home.json("user", "allow", PERSON, "--why", "over") == {"name": PERSON, "allowed": True}
    assert home.run("user", "allow", PERSON, "--why", "over").exit_code == 2
    engine = open_engine(home.settings.database_url)
    found = [
        one for one in search.search(engine, kind="admin") if one.leaf["act"] in ("user bar", "user allow")
    ]
    values = search.with_values(engine, found)
    assert [(one["account"], one["reason"]) for one in values] == [(PERSON, "over"), (PERSON, "inspection 3")]
    assert not any(word in str([one.leaf for one in found]) for word in ("329999", "inspection"))


@pytest.mark.parametrize("name", ["ilze", "PNOLV-1", "PNOLV-3299991001x"])
def test_only_a_person_of_the_state_login_is_barred(home: Home, name: str) -> None:
    assert home.run("user", "bar", name, "--why", "x").exit_code == 2
    assert home.run("user", "allow", name, "--why", "x").exit_code == 2


def test_a_role_is_one_of_four(home: Home) -> None:
    assert home.run("user", "add", "ilze", "--role", "owner").exit_code == 2
    assert home.run("user", "add", "ilze").exit_code == 2


def test_secrets_go_with_the_master_key(home: Home) -> None:
    secret = own(home, "ilze", home.json("user", "add", "ilze", "--role", "auditor")["password"], OWN)
    told = home.json("keys", "rotate-master", "--why", "yearly")
    assert told["secrets"] == 1
    engine, new = open_engine(home.settings.database_url), MasterKeys(home.settings.keys).current()
    with engine.begin() as connection:
        assert accounts.outdated(connection, new) == 0
        assert accounts.outdated(connection, bytes(32)) == 1
    assert home.run("backup", str(home.folder / "backup")).exit_code == 0
    home.json("keys", "discard-master", "--why", "tested")
    assert attempt(home, "ilze", OWN, pyotp.TOTP(secret).at(utc_now())).refusal is None


def test_a_master_key_is_kept_while_a_secret_needs_it(home: Home) -> None:
    own(home, "ilze", home.json("user", "add", "ilze", "--role", "auditor")["password"], OWN)
    engine = open_engine(home.settings.database_url)
    with engine.begin() as connection:
        wrapped = connection.execute(select(accounts.accounts.c.totp)).scalar_one()
    home.json("keys", "rotate-master", "--why", "yearly")
    with engine.begin() as connection:  # as one that another process wrapped at that very moment
        connection.execute(accounts.accounts.update().values(totp=wrapped))
    assert "secrets of accounts" in home.run("keys", "check").output
    refused = home.run("keys", "discard-master", "--backup-elsewhere", "--why", "x")
    assert refused.exit_code == 2
    assert "secrets of accounts" in refused.stderr
    assert home.json("keys", "rotate-master", "--why", "again")["secrets"] == 1
    home.json("keys", "discard-master", "--backup-elsewhere", "--why", "x")
    assert not (home.settings.keys / masters.PREVIOUS).exists()


def test_the_test_identity_provider_says_where_it_is(home: Home, tmp_path: Path) -> None:
    secret = tmp_path / "oidc.secret"
    program = "import gateway; gateway.main()"
    options = ["identity", "--json", "--port", "0", "--secret-file", str(secret)]
    command = [sys.executable, "-c", program, *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=home.environ)  # noqa: S603 — our own command
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        assert told["ready"] is True
        assert told["client_secret"] == secret.read_text(encoding="utf-8")
        assert secret.stat().st_mode & 0o777 == 0o600
        found = requests.get(f"{told['issuer']}/.well-known/openid-configuration", timeout=5).json()
        assert found["issuer"] == told["issuer"]
        lie = requests.post(f"{told['issuer']}/_control", json={"mode": "expired"}, timeout=5)
        assert lie.json() == {"mode": "expired"}
        assert requests.post(f"{told['issuer']}/_control", json={"mode": "x"}, timeout=5).status_code == 400
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_the_test_identity_provider_is_not_for_production(home: Home) -> None:
    with (home.folder / "gateway.toml").open("a", encoding="utf-8") as file:
        file.write('[gateway]\nenvironment = "production"\n')
    result = home.run("identity", "--port", "0")
    assert result.exit_code != 0
    assert "test environment only" in result.stderr
