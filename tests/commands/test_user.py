"""Accounts of the console by hand, and a test identity provider."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest
import requests
from sqlalchemy import select

from audit import search
from endpoints.console import accounts, sessions
from endpoints.console.accounts import Typed
from endpoints.console.passwords import Passwords
from endpoints.console.roles import Role
from exchange import utc_now
from security import masters
from security.masters import MasterKeys
from storage import open_engine
from tests.commands.conftest import Home


def attempt(home: Home, name: str, password: str, secret: str) -> accounts.Verdict:
    """Sign in with what was shown."""
    engine, now = open_engine(home.settings.database_url), utc_now()
    typed = Typed(name, password, pyotp.TOTP(secret).at(now))
    seen = accounts.see(engine, MasterKeys(home.settings.keys), Passwords(), typed, now)
    with engine.begin() as connection:
        return accounts.judge(connection, seen, now)


def secret_of(uri: str) -> str:
    return parse_qs(urlsplit(uri).query)["secret"][0]


def test_an_account_is_shown_once_and_signs_in(home: Home) -> None:
    made = home.json("user", "add", "Ilze.Berzina", "--role", "auditor")
    assert sorted(made) == ["name", "password", "role", "totp_uri"]
    assert (made["name"], made["role"]) == ("ilze.berzina", "auditor")
    assert made["totp_uri"].startswith("otpauth://totp/SPOLIS%20test:ilze.berzina?secret=")
    verdict = attempt(home, "ILZE.berzina", made["password"], secret_of(made["totp_uri"]))
    assert (verdict.role, verdict.refusal) == (Role.AUDITOR, None)
    listed = home.run("user", "list").output
    assert "ilze.berzina" in listed
    assert made["password"] not in listed
    (row,) = home.json("user", "list")
    assert (row["name"], row["role"], row["state"]) == ("ilze.berzina", "auditor", "active")


def test_without_json_everything_that_is_needed_is_told(home: Home) -> None:
    result = home.run("user", "add", "ilze", "--role", "dpo")
    assert result.exit_code == 0
    assert all(word in result.stdout for word in ("password", "secret", "otpauth://totp/"))
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
    assert not any(word in text for word in ("ilze", made["password"], secret_of(made["totp_uri"])))


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


def test_what_was_shown_before_a_reset_counts_no_more(home: Home) -> None:
    before = home.json("user", "add", "ilze", "--role", "operator")
    after = home.json("user", "reset", "ilze")
    assert (after["name"], after["role"]) == ("ilze", "operator")
    assert attempt(home, "ilze", before["password"], secret_of(before["totp_uri"])).refusal is not None
    assert attempt(home, "ilze", after["password"], secret_of(after["totp_uri"])).refusal is None


def test_a_disabled_account_is_ended_for_good(home: Home) -> None:
    made = home.json("user", "add", "ilze", "--role", "auditor")
    home.json("user", "disable", "ilze")
    assert home.json("user", "list")[0]["state"] == "disabled"
    for words in (["disable", "ilze"], ["reset", "ilze"], ["role", "ilze", "--role", "dpo"]):
        assert home.run("user", *words).exit_code == 2
    assert home.run("user", "add", "ilze", "--role", "auditor").exit_code == 2
    assert attempt(home, "ilze", made["password"], secret_of(made["totp_uri"])).refusal is not None
    with open_engine(home.settings.database_url).begin() as connection:
        row = connection.execute(select(accounts.accounts)).one()
    assert (row.hash, row.totp) == ("", b"")


@pytest.mark.parametrize("name", ["PNOLV-329999-10014", "pnolv-x", "a b", "", "ā", "a" * 101])
def test_names_are_plain_and_not_those_of_the_state_login(home: Home, name: str) -> None:
    assert home.run("user", "add", "--role", "auditor", "--", name).exit_code == 2


def test_a_role_is_one_of_four(home: Home) -> None:
    assert home.run("user", "add", "ilze", "--role", "owner").exit_code == 2
    assert home.run("user", "add", "ilze").exit_code == 2


def test_secrets_go_with_the_master_key(home: Home) -> None:
    made = home.json("user", "add", "ilze", "--role", "auditor")
    told = home.json("keys", "rotate-master", "--why", "yearly")
    assert told["secrets"] == 1
    engine, new = open_engine(home.settings.database_url), MasterKeys(home.settings.keys).current()
    with engine.begin() as connection:
        assert accounts.outdated(connection, new) == 0
        assert accounts.outdated(connection, bytes(32)) == 1
    assert home.run("backup", str(home.folder / "backup")).exit_code == 0
    home.json("keys", "discard-master", "--why", "tested")
    assert attempt(home, "ilze", made["password"], secret_of(made["totp_uri"])).refusal is None


def test_a_master_key_is_kept_while_a_secret_needs_it(home: Home) -> None:
    home.json("user", "add", "ilze", "--role", "auditor")
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
