"""Keys, partners and callers by hand, each act on record in the exchange log."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from audit import search
from commands.partner import read_certificate
from errors import InvalidRequest, NotAuthenticated
from exchange import Json
from routing.parties import find_caller, find_partner
from security.keys import Identity, issue
from storage import open_engine
from tests.commands.conftest import Home


@pytest.fixture
def engine(home: Home) -> Iterator[Engine]:
    engine = open_engine(home.settings.database_url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def partner(made_keys: Path) -> Identity:
    return issue(made_keys, "a-partner", key_type="p256")


@pytest.fixture(scope="session")
def successor(made_keys: Path) -> Identity:
    return issue(made_keys, "its-successor", key_type="p256")


def file_of(identity: Identity, path: Path, encoding: Encoding = Encoding.PEM) -> str:
    path.write_bytes(identity.certificate.public_bytes(encoding))
    return str(path)


def acts(engine: Engine) -> list[tuple[Json, Json, Json]]:
    """The administrative acts of whoever runs the tests, oldest first."""
    account = pwd.getpwuid(os.getuid()).pw_name
    found = [one.leaf for one in search.search(engine, official=account) if one.leaf["kind"] == "admin"]
    return [(leaf["act"], leaf["name"], leaf["recipient"]) for leaf in reversed(found)]


def test_the_key_of_a_caller_is_shown_once_and_works_until_disabled(home: Home, engine: Engine) -> None:
    key = home.json("caller", "add", "spolis", "--recipient", "spolis-core")["key"]
    with engine.begin() as connection:
        caller = find_caller(connection, key)
    assert caller is not None
    assert (caller.name, caller.recipient) == ("spolis", "spolis-core")
    listed = home.run("caller", "list")
    assert "spolis" in listed.output
    assert key not in listed.output
    assert home.run("caller", "disable", "spolis").exit_code == 0
    with engine.begin() as connection:
        assert find_caller(connection, key) is None
    assert home.json("caller", "list") == [{"name": "spolis", "recipient": "spolis-core", "disabled": True}]
    assert acts(engine) == [
        ("caller add", "spolis", "spolis-core"),
        ("caller disable", "spolis", "spolis-core"),
    ]


def test_without_json_standard_output_is_the_key_alone(home: Home) -> None:
    result = home.run("caller", "add", "spolis", "--recipient", "spolis-core")
    assert result.stdout.startswith("spolis_")
    assert len(result.stdout.split()) == 1


def test_an_act_that_fails_leaves_no_record(home: Home, engine: Engine) -> None:
    home.json("caller", "add", "spolis", "--recipient", "spolis-core")
    again = home.run("caller", "add", "spolis", "--recipient", "spolis-core")
    assert again.exit_code == 2
    assert "exists" in again.stderr
    assert home.run("caller", "disable", "nobody").exit_code == 2
    assert len(acts(engine)) == 1


def test_a_recipient_without_rights_is_warned_of(home: Home) -> None:
    result = home.run("caller", "add", "x", "--recipient", "spolis-cor", "--json")
    assert result.exit_code == 0
    assert "spolis-cor" in result.stderr


@pytest.mark.parametrize("name", ["", "ā", "a b", "-x", "a" * 101, "a\nb", "../x"])
def test_names_are_plain(home: Home, name: str) -> None:
    assert home.run("caller", "add", "--recipient", "spolis-core", "--", name).exit_code == 2


def test_a_partner_is_known_by_its_certificate(
    home: Home, engine: Engine, partner: Identity, tmp_path: Path
) -> None:
    file = file_of(partner, tmp_path / "p.pem")
    shown = home.json("partner", "add", "riga", "--certificate", file, "--recipient", "riga-social-service")
    with engine.begin() as connection:
        found = find_partner(connection, partner.certificate)
    assert found is not None
    assert (found.name, found.recipient) == ("riga", "riga-social-service")
    assert [shown] == home.json("partner", "list")
    assert acts(engine) == [("partner add", "riga", "riga-social-service")]
    again = home.run("partner", "add", "riga", "--certificate", file, "--recipient", "riga-social-service")
    assert again.exit_code == 2


def test_a_rollover_keeps_both_certificates_until_the_old_one_is_ended(
    home: Home, engine: Engine, partner: Identity, successor: Identity, tmp_path: Path
) -> None:
    old, new = file_of(partner, tmp_path / "p.pem"), file_of(successor, tmp_path / "s.der", Encoding.DER)
    home.json("partner", "add", "riga", "--certificate", old, "--recipient", "riga-social-service")
    mark = home.json("partner", "rotate", "riga", "--certificate", new)["sha256"]

    def known() -> list[bool]:
        with engine.begin() as connection:
            return [find_partner(connection, one.certificate) is not None for one in (partner, successor)]

    assert known() == [True, True]
    assert home.run("partner", "disable", "riga", "--but", "0" * 64).exit_code == 2
    assert home.json("partner", "disable", "riga", "--but", mark) == {"name": "riga", "disabled": 1}
    assert known() == [False, True]
    assert home.json("partner", "disable", "riga")["disabled"] == 1
    assert known() == [False, False]
    assert home.run("partner", "disable", "riga").exit_code == 2
    assert [act for act, _, _ in acts(engine)] == [
        "partner add",
        "partner rotate",
        "partner disable",
        "partner disable",
    ]


def test_a_partner_that_was_disabled_can_be_taken_up_again(
    home: Home, engine: Engine, partner: Identity, tmp_path: Path
) -> None:
    file = file_of(partner, tmp_path / "p.pem")
    rest = ("--certificate", file, "--recipient", "riga-social-service")
    home.json("partner", "add", "riga", *rest)
    home.json("partner", "disable", "riga")
    assert home.run("partner", "add", "liepaja", *rest).exit_code == 2
    assert home.json("partner", "add", "riga", *rest)["disabled"] is False
    with engine.begin() as connection:
        assert find_partner(connection, partner.certificate) is not None
    assert [act for act, _, _ in acts(engine)] == ["partner add", "partner disable", "partner add"]


def test_at_once_ends_the_old_certificate_in_the_same_act(
    home: Home, engine: Engine, partner: Identity, successor: Identity, tmp_path: Path
) -> None:
    old, new = file_of(partner, tmp_path / "p.pem"), file_of(successor, tmp_path / "s.pem")
    home.json("partner", "add", "riga", "--certificate", old, "--recipient", "riga-social-service")
    home.json("partner", "rotate", "riga", "--certificate", new, "--at-once")
    with engine.begin() as connection:
        assert find_partner(connection, partner.certificate) is None
        assert find_partner(connection, successor.certificate) is not None
    assert len(acts(engine)) == 2


def test_a_certificate_of_another_authority_is_registered_with_a_warning(
    home: Home, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, made_keys: Path
) -> None:
    other = tmp_path_factory.mktemp("other")
    for name in ("authority.pem", "authority.key"):
        (other / name).write_bytes((made_keys / name.replace("authority", "gateway")).read_bytes())
    foreign = issue(other, "foreign", key_type="p256")
    file = file_of(foreign, tmp_path / "f.pem")
    result = home.run("partner", "add", "riga", "--certificate", file, "--recipient", "riga-social-service")
    assert result.exit_code == 0
    assert "untrusted_certificate" in result.stderr


def test_a_private_key_is_not_taken_for_a_certificate(home: Home, made_keys: Path) -> None:
    with pytest.raises(InvalidRequest, match="private key"):
        read_certificate(made_keys / "gateway.key")
    result = home.run(
        "partner", "add", "x", "--certificate", str(made_keys / "gateway.key"), "--recipient", "labis"
    )
    assert result.exit_code == 2
    assert "BEGIN" not in result.output


@given(st.binary(max_size=200))
def test_what_is_no_certificate_is_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "no-certificate"
    for prefix in (b"", b"-----BEGIN CERTIFICATE-----\n"):
        file.write_bytes(prefix + content)
        with pytest.raises((NotAuthenticated, InvalidRequest)):
            read_certificate(file)


def test_new_keys_are_made_once_and_the_making_is_on_record(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.configure({})
    made = home.json("keys", "new")
    assert {"authority.pem", "gateway.key", "log.key", "pmlp.pem"} <= set(made["made"])
    assert home.json("keys", "new")["made"] == []
    engine = open_engine(home.settings.database_url)
    assert [act for act, _, _ in acts(engine)] == ["keys new"]
    engine.dispose()


def test_certificates_are_shown_and_private_keys_never(home: Home) -> None:
    shown = {row["name"]: row for row in home.json("keys", "show")}
    assert {"authority", "gateway", "tls", "pmlp"} <= set(shown)
    assert all(datetime.fromisoformat(row["valid_to"]) > datetime.now(UTC) for row in shown.values())
    output = home.run("keys", "show").output
    assert shown["gateway"]["sha256"] in output
    assert "PRIVATE" not in output


def test_a_broken_certificate_file_is_named(home: Home) -> None:
    (home.settings.keys / "gateway.pem").write_text("nothing", encoding="utf-8")
    result = home.run("keys", "show")
    assert result.exit_code == 78
    assert "gateway.pem" in result.stderr
