"""A new master key while the gateway runs: what was sealed opens before, during and after, wherever it is killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from audit import Archive, open_log
from audit.archive import outdated, rewrap, wrapping
from config import Settings
from errors import ConfigurationError
from exchange import new_id, utc_now
from security import masters
from security.masters import MasterKeys
from storage import migrate, open_engine
from tests.commands.conftest import Home

DATA = b"<exact bytes/>"


@pytest.fixture
def engine(home: Home) -> Engine:
    engine = open_engine(home.settings.database_url)
    migrate.upgrade(engine)
    open_log(home.settings, engine).write()
    return engine


def test_a_running_process_takes_the_new_key(home: Home, engine: Engine) -> None:
    running, before = Archive(home.settings), new_id()
    with engine.begin() as connection:
        running.put(connection, before, "request", DATA, utc_now())
    old = (home.settings.keys / masters.CURRENT).read_bytes()
    assert home.run("keys", "discard-master", "--why", "x").exit_code == 2
    told = home.json("keys", "rotate-master", "--why", "yearly")
    new = (home.settings.keys / masters.CURRENT).read_bytes()
    assert (told["data_keys"], told["went_on"], told["master"]) == (1, False, masters.fingerprint(new))
    assert new != old == (home.settings.keys / masters.PREVIOUS).read_bytes()
    after = new_id()
    with engine.begin() as connection:
        assert running.get(connection, before, "request") == DATA
        running.put(connection, after, "request", DATA, utc_now().replace(year=2031), "exchange")
        assert outdated(connection, new) == 0, "what it wraps now it wraps under the new one"
        assert Archive(home.settings).get(connection, after, "request") == DATA

    problems = "; ".join(home_check(home))
    assert "discard-master" in problems
    assert home.run("keys", "rotate-master", "--why", "x").exit_code == 2, "while the one before is kept"
    assert home.run("keys", "discard-master", "--why", "x").exit_code == 2, "no backup since"
    assert home.run("backup", str(home.folder / "backup")).exit_code == 0
    home.json("keys", "discard-master", "--why", "tested")
    assert not (home.settings.keys / masters.PREVIOUS).exists()
    with engine.begin() as connection:
        assert Archive(home.settings).get(connection, before, "request") == DATA
    acts = [
        one["leaf"]["act"] for one in home.json("audit", "search", "--limit", "20") if "act" in one["leaf"]
    ]
    assert {"keys rotate-master", "keys discard-master"} <= set(acts)


def home_check(home: Home) -> list[str]:
    result = home.run("keys", "check", "--json")
    assert result.exit_code == 1
    return [result.stdout]


def killed_before_the_rename(settings: Settings, engine: Engine) -> None:
    new = masters.prepare(settings.keys)
    with engine.begin() as connection:
        wrapping(connection)
        rewrap(connection, MasterKeys(settings.keys), new)
        os.kill(os.getpid(), signal.SIGKILL)


def killed_between_the_renames(settings: Settings, engine: Engine) -> None:
    new = masters.prepare(settings.keys)
    with engine.begin() as connection:
        rewrap(connection, MasterKeys(settings.keys), new)
        (settings.keys / masters.PREVIOUS).write_bytes((settings.keys / masters.CURRENT).read_bytes())
        os.kill(os.getpid(), signal.SIGKILL)


def killed_before_the_commit(settings: Settings, engine: Engine) -> None:
    new = masters.prepare(settings.keys)
    with engine.begin() as connection:
        rewrap(connection, MasterKeys(settings.keys), new)
        masters.put_in_force(settings.keys)
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(
    "killed", [killed_before_the_rename, killed_between_the_renames, killed_before_the_commit]
)
def test_killed_at_any_moment(home: Home, engine: Engine, killed: Callable[[Settings, Engine], None]) -> None:
    exchange_id = new_id()
    with engine.begin() as connection:
        Archive(home.settings).put(connection, exchange_id, "request", DATA, utc_now())
    engine.dispose()
    child = os.fork()
    if not child:
        killed(home.settings, open_engine(home.settings.database_url))
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    with engine.begin() as connection:
        assert Archive(home.settings).get(connection, exchange_id, "request") == DATA
    home.json("keys", "rotate-master", "--why", "again")
    assert not (home.settings.keys / masters.NEXT).exists()
    with engine.begin() as connection:
        assert outdated(connection, MasterKeys(home.settings.keys).current()) == 0
        assert Archive(home.settings).get(connection, exchange_id, "request") == DATA


def test_with_the_old_key_alone_nothing_opens(home: Home, engine: Engine, tmp_path: Path) -> None:
    exchange_id = new_id()
    with engine.begin() as connection:
        Archive(home.settings).put(connection, exchange_id, "request", DATA, utc_now())
    old = tmp_path / "old" / "keys"
    old.mkdir(parents=True)
    (old / masters.CURRENT).write_bytes((home.settings.keys / masters.CURRENT).read_bytes())
    home.json("keys", "rotate-master", "--why", "yearly")
    with engine.begin() as connection, pytest.raises(ConfigurationError):
        Archive(replace(home.settings, state=old.parent)).get(connection, exchange_id, "request")
