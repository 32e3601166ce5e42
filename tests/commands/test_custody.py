"""`gateway keys escrow | unescrow | check`, and what it means when the master key is lost for good."""

from __future__ import annotations

import shutil
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from audit import Archive, open_log, search
from commands import cli
from errors import ConfigurationError
from exchange import new_id, utc_now
from routing import outbox
from routing.outbox import State
from security.keys import read_files
from storage import open_engine
from tests.audit.logs import exchange
from tests.commands.conftest import Home

SHARES = ("escrow", "--shares", "3", "--threshold", "2")


def shares(folder: Path, *numbers: int) -> list[str]:
    return [str(folder / f"share-{number}-of-3.txt") for number in numbers]


def test_keys_come_back_from_any_two_of_three(home: Home, tmp_path: Path) -> None:
    escrow, keys = tmp_path / "escrow", home.settings.keys
    told = home.json("keys", *SHARES, str(escrow))
    assert (told["threshold"], told["shares"]) == (2, 3)
    assert home.json("keys", "check")["in_step"]
    before = read_files(keys)
    shutil.rmtree(keys)
    assert home.run("keys", "check").exit_code == 78
    told = home.json("keys", "unescrow", str(escrow / "escrow.sealed"), *shares(escrow, 3, 1))
    assert sorted(told["written"]) == sorted(before)
    assert read_files(keys) == before
    assert {stat.S_IMODE((keys / name).stat().st_mode) for name in before} == {0o600}
    assert home.json("keys", "check")["in_step"], "the bundle is back with the keys"


def test_it_is_on_record_who_made_and_who_opened_it(home: Home, tmp_path: Path) -> None:
    told = home.json("keys", *SHARES, str(tmp_path / "escrow"))
    home.json(
        "keys", "unescrow", str(tmp_path / "escrow" / "escrow.sealed"), *shares(tmp_path / "escrow", 1, 2)
    )
    engine = open_engine(home.settings.database_url)
    found = [one.leaf for one in search.search(engine) if one.leaf["kind"] == "admin"]
    acts = [(leaf["act"], leaf["name"]) for leaf in found]
    assert acts == [
        ("keys unescrow", f"set {told['set']}: nothing missing"),
        ("keys escrow", f"set {told['set']}: 2 of 3"),
    ]


def test_nothing_of_a_key_is_in_a_share_or_in_the_clear_in_the_bundle(home: Home, tmp_path: Path) -> None:
    home.json("keys", *SHARES, str(tmp_path / "escrow"))
    for path in (tmp_path / "escrow").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert b"PRIVATE KEY" not in path.read_bytes()
        assert (home.settings.keys / "master.key").read_bytes() not in path.read_bytes()


def test_shares_are_read_from_standard_input_and_too_few_are_refused(home: Home, tmp_path: Path) -> None:
    home.json("keys", *SHARES, str(tmp_path / "escrow"))
    bundle = str(tmp_path / "escrow" / "escrow.sealed")
    texts = [Path(name).read_text() for name in shares(tmp_path / "escrow", 2, 3)]
    for given, code in (("\n".join(texts), 0), (texts[0], 2), ("", 2)):
        arguments = ["keys", "unescrow", bundle, "--try"]
        assert CliRunner().invoke(cli, arguments, input=given, env=home.environ).exit_code == code


def test_a_key_that_is_there_and_differs_is_never_replaced(home: Home, tmp_path: Path) -> None:
    home.json("keys", *SHARES, str(tmp_path / "escrow"))
    master = home.settings.keys / "master.key"
    master.write_bytes(bytes(32))
    result = home.run(
        "keys",
        "unescrow",
        str(tmp_path / "escrow" / "escrow.sealed"),
        *shares(tmp_path / "escrow", 1, 2),
    )
    assert result.exit_code == 78
    assert "master.key is there and is another one" in result.stderr
    assert master.read_bytes() == bytes(32)


def test_check_tells_what_is_out_of_step(home: Home, tmp_path: Path) -> None:
    assert "no escrow was made" in home.run("keys", "check").stdout
    home.json("keys", *SHARES, str(tmp_path / "escrow"))
    (home.settings.keys / "tls.key").chmod(0o644)
    home.json("keys", "issue", "riga")
    result = home.run("keys", "check")
    assert result.exit_code == 1
    assert "riga.key is not in the escrow" in result.stdout
    assert "tls.key can be read by others" in result.stdout


def test_without_the_master_key_the_archive_is_unreadable_and_the_log_verifies(home: Home) -> None:
    """What losing it means, and that the gateway goes on without it."""
    settings = home.settings
    home.json("caller", "add", "core", "--recipient", "spolis-core")
    engine = open_engine(settings.database_url)
    kept, queued = new_id(), new_id()
    open_log(settings, engine).write(*exchange())
    with engine.begin() as connection:
        Archive(settings).put(connection, kept, "reply", b"<answer/>", utc_now())
        Archive(settings).put(connection, queued, "request", b"{}", utc_now())
        outbox.put(connection, queued, ("sais", "NotifyCareStay"), give_up_after=timedelta(hours=1))
    (settings.keys / "master.key").write_bytes(bytes(range(32)))

    assert home.run("audit", "verify").exit_code == 3, "whole, and not yet seen by a witness"
    with engine.begin() as connection, pytest.raises(ConfigurationError, match="does not open a data key"):
        Archive(settings).get(connection, kept, "reply")
    assert "master.key does not open the archive" in home.run("keys", "check").stdout
    refused = home.run("recover", "--json")
    assert refused.exit_code == 1
    assert "gateway keys unescrow" in refused.stdout

    told = home.json("recover", "--master-key-lost")
    assert told["outbox"]["unreadable"] == [str(queued)]
    with engine.begin() as connection:
        assert outbox.find(connection, queued).state is State.DEAD
        Archive(settings).put(connection, new_id(), "reply", b"<answer/>", utc_now())
        with pytest.raises(ConfigurationError):
            Archive(settings).get(connection, kept, "reply")
    assert home.run("recover").exit_code == 0
    assert home.run("audit", "verify").exit_code == 3


def test_a_master_key_that_is_found_again_opens_what_was_set_aside(home: Home) -> None:
    settings = home.settings
    home.json("caller", "add", "core", "--recipient", "spolis-core")
    engine, kept = open_engine(settings.database_url), new_id()
    with engine.begin() as connection:
        Archive(settings).put(connection, kept, "reply", b"<answer/>", utc_now())
    master = settings.keys / "master.key"
    found = master.read_bytes()
    master.write_bytes(bytes(range(32)))
    home.json("recover", "--master-key-lost")
    master.write_bytes(found)
    with engine.begin() as connection:
        assert Archive(settings).get(connection, kept, "reply") == b"<answer/>"
