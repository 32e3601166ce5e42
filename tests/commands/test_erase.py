"""`gateway audit erase`: after it the erased values are in no file and in no table, and the log verifies as before."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, insert, make_url, select

from audit import Archive, flags, open_log, retention, subject_index
from audit.flags import Flag
from audit.sequencer import Sequencer
from audit.tables import log_values
from commands import cli
from exchange import RIGA, utc_now
from routing import quota
from security.keys import load_log_key, load_secret
from storage import open_engine
from tests.audit.logs import exchange
from tests.commands.conftest import Home

CODE, KEPT_CODE = "110203-17171", "120203-18181"
OLD = retention.months_before(utc_now(), 70)
CUTOFF = retention.months_before(utc_now(), 61).astimezone(RIGA).date().isoformat()
OFFICIAL = "PK:111111-22222"
REASON, KEPT_REASON = "file of a neighbour", "file of a sister"


@dataclass(frozen=True)
class Installed:
    """A home on either kind of database, with an old exchange about CODE, and what was said in it."""

    home: Home
    url: str
    exchange_id: uuid.UUID

    def run(self, *arguments: str, stdin: str = "") -> Result:
        environ = self.home.environ | {"GATEWAY_DATABASE_URL": self.url}
        return CliRunner().invoke(cli, arguments, env=environ, input=stdin)

    def json(self, *arguments: str, code: int = 0) -> dict[str, object]:
        result = self.run(*arguments, "--json")
        assert result.exit_code == code, result.stderr
        found: dict[str, object] = json.loads(result.stdout)
        return found

    def erase(self, *arguments: str, name: str = "exchange", before: str = CUTOFF) -> dict[str, object]:
        words = ("--before", before, "--class", name, "--why", "plan of 2026", "--yes")
        return self.json("audit", "erase", *words, *arguments)

    def files(self) -> dict[str, bytes]:
        """Every file of the installation, and on PostgreSQL the whole database as text."""
        found = {str(path): path.read_bytes() for path in self.home.folder.rglob("*") if path.is_file()}
        if self.url.startswith("postgresql"):
            address = make_url(self.url).set(drivername="postgresql").render_as_string(hide_password=False)
            words = ["pg_dump", "--inserts", f"--dbname={address}"]
            found["dump"] = subprocess.run(words, check=True, capture_output=True).stdout  # noqa: S603 — fixed words
        return found

    def where(self, needles: list[bytes]) -> dict[bytes, list[str]]:
        """In which files each is found, as it stands or as PostgreSQL writes bytes (hexadecimal)."""
        files = self.files()
        return {
            needle: [name for name, data in files.items() if needle in data or needle.hex().encode() in data]
            for needle in needles
        }


@pytest.fixture
def installed(home: Home, database: str) -> Iterator[Installed]:
    settings = replace(home.settings, database_url=database)
    engine = open_engine(database)
    log, archive = open_log(settings, engine), Archive(settings)
    about, other = exchange(CODE, instant=OLD), exchange(KEPT_CODE)
    for entries in (about, other):
        log.write(*(replace(one, personal={**one.personal, "official": OFFICIAL}) for one in entries))
    with engine.begin() as connection:
        archive.put(connection, about[0].exchange_id, "request", f"<Kods>{CODE}</Kods>".encode(), OLD)
        archive.put(
            connection, other[0].exchange_id, "request", f"<Kods>{KEPT_CODE}</Kods>".encode(), utc_now()
        )
        for each, why in ((about, REASON), (other, KEPT_REASON)):
            flag = Flag(
                key=why,
                day=each[0].instant.astimezone(RIGA).date(),
                kind="own_record",
                recipient="core",
                figures={"lookups": 1},
                exchanges=(str(each[0].exchange_id),),
            )
            flags.keep(connection, [flag], utc_now())
            (flag_id,) = connection.execute(
                select(flags.flags.c.id).where(flags.flags.c.key == why)
            ).scalars()
            flags.dismiss(connection, [flag_id], "auditor-1", f"{why}: asked about it", utc_now())
        connection.execute(
            insert(quota.persons).values(recipient="core", day=OLD.date(), subject=index_of(home, CODE))
        )
    Sequencer(engine, load_log_key(settings.keys / "log.key"), environment=settings.environment).run_once()
    log.close()
    yield Installed(home, database, about[0].exchange_id)
    engine.dispose()


def index_of(home: Home, code: str) -> str:
    return subject_index(load_secret(home.settings.keys / "subject.key"), code)


def salts(engine: Engine, code: str) -> list[bytes]:
    with engine.begin() as connection:
        found = select(log_values.c.salt).where(log_values.c.value == json.dumps(code))
        return list(connection.execute(found).scalars())


def test_erased_values_are_nowhere(installed: Installed) -> None:
    engine = open_engine(installed.url)
    needles = [
        CODE.encode(),
        CODE.replace("-", "").encode(),
        index_of(installed.home, CODE).encode(),
        REASON.encode(),
    ]
    needles += salts(engine, CODE)
    kept = [
        KEPT_REASON.encode(),
        KEPT_CODE.encode(),
        index_of(installed.home, KEPT_CODE).encode(),
        *salts(engine, KEPT_CODE),
    ]
    with engine.begin() as connection:  # to look by command would be one more record about the person
        assert CODE.encode() in Archive(installed.home.settings).get(
            connection, installed.exchange_id, "request"
        )
    engine.dispose()
    before = installed.where(needles)
    assert [needle for needle, where in before.items() if not where] == [CODE.replace("-", "").encode()]

    looked = installed.erase("--dry-run")
    assert (looked["dry_run"], looked["values"], looked["payloads"]) == (True, 8, 1)
    assert installed.where(needles) == before
    told = installed.erase()
    assert told["erased"] == {"values": 8, "payloads": 1, "keys": 1}

    assert not any(installed.where(needles).values())
    assert all(installed.where(kept).values()), "what is young is as it was"
    report = installed.json("audit", "verify", code=3)
    assert (report["status"], report["erased"], report["pending"]) == ("unanchored", 8, 0)
    assert [one["class"] for one in report["erasures"]] == ["exchange"]  # type: ignore[attr-defined]
    asked = installed.run("audit", "subject", "--purpose", "test", "--json", stdin=f"{CODE}\n")
    assert json.loads(asked.stdout)["entries"] == []
    gone = installed.run("audit", "payload", str(installed.exchange_id), "request", "--purpose", "test")
    assert gone.exit_code == 2
    assert installed.erase()["erased"] == {"values": 0, "payloads": 0, "keys": 0}
    assert len(installed.json("audit", "verify", code=3)["erasures"]) == 1  # type: ignore[arg-type]


def test_refused_before_its_time_or_held(installed: Installed) -> None:
    tomorrow = (utc_now().astimezone(RIGA).date() + timedelta(days=1)).isoformat()
    for name, before in (("exchange", tomorrow), ("permanent", CUTOFF), ("nothing", CUTOFF)):
        words = ("--before", before, "--class", name, "--why", "x", "--yes")
        assert installed.run("audit", "erase", *words).exit_code == 2
    assert (
        installed.run("audit", "erase", "--before", CUTOFF, "--class", "exchange", "--why", "x").exit_code
        == 1
    )

    hold = ("audit", "hold", "add", "court-7", "--why", "order 7")
    held = installed.run(*hold, "--subject", "--json", stdin=f"{CODE}\n")
    assert json.loads(held.stdout) == {"hold": "court-7", "exchanges": 1, "added": 1}
    since, until = OLD.astimezone(RIGA).date().isoformat(), CUTOFF
    again = installed.json(*hold, "--system", "pmlp", "--from", since, "--to", until)
    assert again == {"hold": "court-7", "exchanges": 1, "added": 0}
    told = installed.erase()
    assert (told["held"], told["exchanges"], told["erased"]) == (
        1,
        0,
        {"values": 0, "payloads": 0, "keys": 1},
    )
    payload = installed.run("audit", "payload", str(installed.exchange_id), "request", "--purpose", "test")
    assert CODE in payload.stdout
    assert installed.json("audit", "hold", "release", "court-7", "--why", "over")["exchanges"] == 1
    assert installed.erase()["erased"] == {"values": 8, "payloads": 1, "keys": 1}
    assert installed.json("audit", "verify", code=3)["status"] == "unanchored"
