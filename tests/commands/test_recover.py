"""`gateway backup | restore | recover`: whole or not at all, nothing secret, and honest about what was lost."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, func, select, update

from audit import open_log, search
from audit.tables import log_records
from exchange import new_id, utc_now
from routing import jobs, outbox
from routing.jobs import JobState, JobStatus
from routing.outbox import State
from storage import open_engine
from tests.audit.logs import exchange, opened, unguard
from tests.commands.conftest import Home

NAME = ("sais", "NotifyCareStay")
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Installed(Home):
    """A home whose database is named."""

    url: str

    @property
    def environ(self) -> dict[str, str]:
        return {"GATEWAY_CONFIG": str(self.folder), "GATEWAY_DATABASE_URL": self.url}

    def moved(self, url: str) -> Installed:
        return Installed(self.folder, url)


@pytest.fixture
def installed(home: Home, database: str) -> Installed:
    """A home with a caller, two exchanges and their places in the log, on either database."""
    one = Installed(home.folder, database)
    engine = open_engine(database)
    open_log(one.settings, engine).write(*exchange(), *exchange())
    engine.dispose()
    one.json("caller", "add", "core", "--recipient", "spolis-core")
    return one


@pytest.fixture
def engine(installed: Installed) -> Iterator[Engine]:
    engine = open_engine(installed.url)
    yield engine
    engine.dispose()


def queue(engine: Engine) -> uuid.UUID:
    one = new_id()
    with engine.begin() as connection:
        outbox.put(connection, one, NAME, give_up_after=HOUR)
    return one


def restored(installed: Installed, empty_database: str, tmp_path: Path) -> Installed:
    installed.json("backup", str(tmp_path / "backup"))
    elsewhere = installed.moved(empty_database)
    told = elsewhere.json("restore", str(tmp_path / "backup"))
    assert told["as_in_manifest"]
    return elsewhere


def recovered(installed: Installed, *arguments: str, code: int) -> Any:
    result = installed.run("recover", *arguments, "--json")
    assert result.exit_code == code, result.stdout + result.stderr
    return json.loads(result.stdout)


@pytest.fixture
def empty_like(installed: Installed, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database of the same kind."""
    if installed.url.startswith("sqlite"):
        yield f"sqlite:///{tmp_path / 'other.db'}"
        return
    server = create_engine(installed.url, isolation_level="AUTOCOMMIT")
    name = f"spolis_test_{uuid.uuid4().hex[:12]}"
    with server.connect() as connection:
        connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
    yield server.url.set(database=name).render_as_string(hide_password=False)
    with server.connect() as connection:
        connection.exec_driver_sql(f'DROP DATABASE "{name}" WITH (FORCE)')
    server.dispose()


def test_a_backup_is_whole_and_holds_no_private_key(installed: Installed, tmp_path: Path) -> None:
    told = installed.json("backup", str(tmp_path / "backup"))
    manifest = json.loads((tmp_path / "backup" / "manifest.json").read_text())
    assert manifest["log"]["size"] == told["log"]["size"] >= 8
    assert manifest["log"]["checkpoint"].startswith("spolis-gateway/test/")
    names = {one["path"] for one in manifest["files"]}
    assert {"config/gateway.toml", "config/access.d/pmlp.toml", "keys/log.pub", "keys/gateway.pem"} <= names
    for path in (tmp_path / "backup").rglob("*"):
        assert path.suffix != ".key"
        assert path.is_dir() or b"PRIVATE KEY" not in path.read_bytes()
        assert path.stat().st_mode & 0o077 == 0
    engine = open_engine(installed.url)
    (act,) = search.search(engine, limit=1)
    assert (act.leaf["act"], act.leaf["name"]) == (
        "backup",
        f"size {told['log']['size']}, manifest {told['manifest_sha256']}",
    )
    engine.dispose()


def test_a_backup_never_replaces_anything_and_leaves_nothing_when_it_fails(
    installed: Installed, tmp_path: Path
) -> None:
    target = tmp_path / "backup"
    target.mkdir()
    assert installed.run("backup", str(target)).exit_code == 2
    target.rmdir()
    assert installed.run("backup", str(target), "--with-keys").exit_code == 78, "there is no escrow"
    (installed.folder / "trust").mkdir()
    (installed.folder / "trust" / "wrong.pem").write_text("-----BEGIN PRIVATE KEY-----\n")
    result = installed.run("backup", str(target))
    assert result.exit_code == 78
    assert "wrong.pem holds a private key" in result.stderr
    assert not target.exists()
    assert not list(tmp_path.glob(".backup*"))


def test_keys_go_with_it_sealed(installed: Installed, tmp_path: Path) -> None:
    installed.json("keys", "escrow", "--shares", "3", "--threshold", "2", str(tmp_path / "escrow"))
    told = installed.json("backup", str(tmp_path / "one"), "--with-keys")
    assert told["keys"] == "shares"
    (tmp_path / "phrase").write_text("a long invented phrase\n")
    phrase = ("--passphrase-file", str(tmp_path / "phrase"))
    assert installed.json("backup", str(tmp_path / "two"), "--with-keys", *phrase)["keys"] == "passphrase"
    sealed = str(tmp_path / "two" / "keys.sealed")
    assert installed.run("keys", "unescrow", "--try", sealed, *phrase).exit_code == 0
    installed.json("keys", "issue", "riga")
    assert installed.run("backup", str(tmp_path / "three"), "--with-keys").exit_code == 78, "out of step"


@pytest.mark.parametrize("change", ["database", "config", "added", "missing", "manifest", "signature"])
def test_a_backup_that_was_touched_is_refused(
    installed: Installed, empty_like: str, tmp_path: Path, change: str
) -> None:
    backup = tmp_path / "backup"
    installed.json("backup", str(backup))
    match change:
        case "database":
            file = next(backup.glob("database.*"))
            data = bytearray(file.read_bytes())
            data[len(data) // 2] ^= 1
            file.write_bytes(data)
        case "config":
            (backup / "config" / "access.d" / "pmlp.toml").write_text("")
        case "added":
            (backup / "config" / "access.d" / "more.toml").write_text("")
        case "missing":
            (backup / "config" / "access.d" / "pmlp.toml").unlink()
        case "manifest":
            manifest = backup / "manifest.json"
            manifest.write_text(manifest.read_text().replace('"pending": 0', '"pending": 1'))
        case "signature":
            (backup / "manifest.sig").write_text("AAAA\n")
    elsewhere = installed.moved(empty_like)
    assert elsewhere.run("restore", str(backup)).exit_code == 2
    assert elsewhere.run("restore", str(backup), "--look").exit_code == 2


def test_only_an_empty_database_is_loaded(installed: Installed, empty_like: str, tmp_path: Path) -> None:
    installed.json("backup", str(tmp_path / "backup"))
    result = installed.run("restore", str(tmp_path / "backup"))
    assert result.exit_code == 78
    assert "is not empty" in result.stderr
    told = installed.json("restore", str(tmp_path / "backup"), "--into", empty_like)
    assert told["as_in_manifest"]
    assert installed.run("audit", "search").exit_code == 0, "the configured one goes on"


def test_a_restored_database_is_recovered_before_anything_is_written(
    installed: Installed, empty_like: str, tmp_path: Path
) -> None:
    elsewhere = restored(installed, empty_like, tmp_path)
    refused = elsewhere.run("audit", "search")
    assert refused.exit_code == 78
    assert "gateway recover" in refused.stderr
    told = recovered(elsewhere, code=3)
    assert told["gap"]["records"] is None, "without a checkpoint from elsewhere nobody can say"
    assert elsewhere.run("audit", "search").exit_code == 0
    verified = json.loads(elsewhere.run("audit", "verify", "--json").stdout)
    assert verified["status"] == "unanchored"
    assert f"restored at {told['audit']['size']}" in verified["reason"]
    assert recovered(elsewhere, code=0)["restored"] is False, "once is enough"


def test_what_is_missing_is_counted_and_named_in_the_log(
    installed: Installed, empty_like: str, tmp_path: Path
) -> None:
    elsewhere = restored(installed, empty_like, tmp_path)
    for _ in range(3):
        installed.run("audit", "search")
    note = tmp_path / "checkpoint"
    installed.run("audit", "checkpoint", "--out", str(note))
    told = recovered(elsewhere, "--checkpoint", str(note), "--lost-at", "2099-01-01T00:00:00", code=3)
    assert told["gap"]["records"] == 4, "the record of the backup, and three searches"
    engine = open_engine(empty_like)
    size = told["audit"]["size"]
    origin, act = search.show(engine, size).leaf, search.show(engine, size + 1).leaf
    engine.dispose()
    assert origin["kind"] == "origin"
    assert isinstance(origin["lost"], dict)
    assert origin["lost"]["records"] == 4
    assert (act["act"], act["lost"]) == ("recover", origin["lost"])


# A file is copied.
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_log_that_is_behind_is_a_restored_one_even_if_nobody_says_so(
    installed: Installed, tmp_path: Path
) -> None:
    """A file copied back by hand has no mark; the checkpoint gives it away."""
    installed.json("backup", str(tmp_path / "backup"))
    installed.run("audit", "search")
    note = tmp_path / "checkpoint"
    installed.run("audit", "checkpoint", "--out", str(note))
    shutil.copyfile(tmp_path / "backup" / "database.sqlite", tmp_path / "copied.db")
    copied = installed.moved(f"sqlite:///{tmp_path / 'copied.db'}")
    told = recovered(copied, "--checkpoint", str(note), code=3)
    assert told["restored"]
    assert told["gap"]["records"] == 2, "the record of the backup, and a search"


@pytest.mark.parametrize(
    ("repeat", "state", "unclear"),
    [("dedupes", State.WAITING, False), ("neither", State.UNKNOWN, True)],
)
def test_what_waits_in_a_restored_outbox_may_have_been_delivered(
    installed: Installed, empty_like: str, tmp_path: Path, repeat: str, state: State, unclear: bool
) -> None:
    engine = open_engine(installed.url)
    waiting = queue(engine)
    leased = queue(engine)
    with engine.begin() as connection:
        outbox.take(connection, "one", seconds=600, only=leased)
    engine.dispose()
    text = (installed.folder / "gateway.toml").read_text()
    (installed.folder / "gateway.toml").write_text(
        text.replace("[systems.sais]\n", f'[systems.sais]\nrepeat = "{repeat}"\n')
    )
    elsewhere = restored(installed, empty_like, tmp_path)
    told = recovered(elsewhere, code=3)
    left = told["outbox"]["left_to_a_person"]
    assert sorted(left) == (sorted(map(str, (waiting, leased))) if repeat == "neither" else [])
    engine = open_engine(empty_like)
    with engine.begin() as connection:
        for one in (waiting, leased):
            row = outbox.find(connection, one)
            assert (row.state, row.unclear) == (state, unclear)
    if repeat == "neither":
        (act,) = [one for one in search.search(engine) if one.leaf["exchange"] == str(waiting)]
        assert act.leaf["act"] == "recover"
    engine.dispose()


def test_after_a_crash_leases_are_released_and_orphans_closed(installed: Installed, engine: Engine) -> None:
    one, orphan = queue(engine), new_id()
    open_log(installed.settings, engine).write(opened(orphan))
    with engine.begin() as connection:
        outbox.take(connection, "fallen", seconds=600)
    looked = recovered(installed, "--look", code=0)
    assert (looked["leases"], looked["orphans"], looked["changed"]) == (1, 1, False)
    with engine.begin() as connection:
        assert outbox.find(connection, one).state is State.LEASED, "looking changes nothing"
    told = recovered(installed, code=0)
    assert (told["leases"], told["orphans"], told["origin"]) == (1, 1, None)
    with engine.begin() as connection:
        assert outbox.find(connection, one).state is State.WAITING
        closed = connection.execute(
            select(log_records.c.outcome).where(
                log_records.c.exchange_id == str(orphan), log_records.c.kind == "outcome"
            )
        ).scalar_one()
    assert closed == "unknown"


def test_it_waits_until_no_process_is_left(installed: Installed, engine: Engine) -> None:
    status = JobStatus("deliveries", "host-1", JobState.RUNNING, None, None, None, None, None)
    with engine.begin() as connection:
        jobs.report(connection, [status])
    told = recovered(installed, code=1)
    assert "host-1" in told["obstacles"][0]
    with engine.begin() as connection:
        connection.execute(update(jobs.jobs).values(seen_at=utc_now() - timedelta(seconds=31)))
    recovered(installed, code=0)


def test_a_changed_log_must_not_serve_and_is_left_as_it_is(installed: Installed, engine: Engine) -> None:
    unguard(engine)
    with engine.begin() as connection:
        connection.execute(update(log_records).values(outcome="failed").where(log_records.c.outcome == "ok"))
        before = connection.execute(select(func.count()).select_from(log_records)).scalar_one()
    told = recovered(installed, code=1)
    assert "does not hold from index 3" in told["obstacles"][0]
    with engine.begin() as connection:
        assert connection.execute(select(func.count()).select_from(log_records)).scalar_one() == before


@pytest.mark.parametrize("command", ["backup", "restore", "recover"])
def test_help_has_examples(home: Home, command: str) -> None:
    assert f"gateway {command} " in home.run(command, "--help").stdout
