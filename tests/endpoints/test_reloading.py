"""Settings read again at SIGHUP: no request is lost, the new rights hold, and what is wrong changes nothing."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import select

import config
from audit.account import operating_user
from audit.tables import log_records, log_values
from config import DEFAULTS
from endpoints.reloading import ACT, changed, files, fixed
from exchange import Environment, utc_now
from routing.parties import add_caller
from security.keys import new_keys
from storage import open_engine
from tests.endpoints.conftest import STAY, context
from tests.endpoints.serving import Served, alive, below, command, configure, serving
from tests.endpoints.unix_http import ask

pytestmark = pytest.mark.long

SECONDS = 90.0
OK = "ok"
DENIED = "access_denied"

_numbers = itertools.count(1)

GRANT = """
[[grant]]
recipient = "newcomer"
operations = ["registers.WriteCareStays"]
purposes = ["care-placement"]
rules = ["p8.3", "p12.8.2", "p12.8.12", "p12.8.13", "p12.8.14", "p15^1.1"]
sources = ["spolis"]
requests_day = 100000
persons_day = 10000
"""


@dataclasses.dataclass(frozen=True)
class Home:
    """The files of an installation, and the keys of two callers of whom one has no rights yet."""

    folder: Path
    config: Path
    database: str
    core: str
    newcomer: str

    @property
    def access(self) -> Path:
        return self.config / "access.d"

    def acts(self) -> list[dict[str, Any]]:
        """The records of settings read again, oldest first, with the account that did it."""
        engine = open_engine(self.database)
        query = (
            select(log_records.c.leaf, log_values.c.value)
            .join(log_values, log_values.c.record_id == log_records.c.id)
            .where(log_records.c.kind == "admin", log_values.c.name == "official")
            .order_by(log_records.c.id)
        )
        with engine.connect() as connection:
            rows = [
                json.loads(leaf) | {"official": json.loads(value)}
                for leaf, value in connection.execute(query)
            ]
        engine.dispose()
        return [row for row in rows if row["act"] == ACT]


@pytest.fixture
def home(tmp_path: Path, database: str) -> Home:
    new_keys(tmp_path / "state" / "keys", ["pmlp", "vdeavk", "sais", "npais", "vzd"])
    made = configure(tmp_path, database={"url": database}, limits={"requests_per_s": 100_000})
    shutil.copytree(DEFAULTS / "access.d", made / "access.d")
    engine = open_engine(database)
    with engine.begin() as connection:
        core = add_caller(connection, "core", "spolis-core", utc_now())
        newcomer = add_caller(connection, "newcomer", "newcomer", utc_now())
    engine.dispose()
    return Home(tmp_path, made, database, core, newcomer)


def write_stay(session: requests.Session, url: str, key: str) -> str:
    """What came of a care stay written: ok, or the code of the problem."""
    # Another person each time: who writes the same stay at the same time is asked to try later.
    number = next(_numbers)
    stay = STAY | {"person_code": f"32{number // 100_000:04d}-{number % 100_000:05d}"}
    message = {"context": context(purpose="care-placement"), "arguments": stay}
    answer = session.post(
        f"{url}/api/v1/registers/care-stays",
        json=message,
        headers={"Authorization": f"Bearer {key}"},
        timeout=60,
    )
    return OK if answer.ok else str(answer.json()["code"])


def once(served: Served, key: str) -> str:
    with requests.Session() as session:
        return write_stay(session, served.internal, key)


def until(condition: Any, seconds: float = SECONDS) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def grown(served: Served) -> list[int]:
    """Its processes, when no more come: a master forks its workers a moment after it is there."""
    found = served.family()
    for _ in range(100):
        time.sleep(0.5)
        if len(now := served.family()) == len(found):
            return now
        found = now
    return found


def hang_up(served: Served, text: str) -> str:
    """Send SIGHUP and wait for the line that holds a text."""
    before = len(served.errors)
    served.process.send_signal(signal.SIGHUP)
    until(lambda: any(text in line for line in served.errors[before:]) or served.process.poll() is not None)
    assert served.process.poll() is None, "".join(served.errors)
    return next(line for line in served.errors[before:] if text in line)


@contextmanager
def load(url: str, key: str, callers: int = 4) -> Iterator[Counter[str]]:
    """Requests all the time, half of them on kept connections; what each was answered with."""
    answers: Counter[str] = Counter()
    lock, enough = threading.Lock(), threading.Event()

    def calls(kept: bool) -> None:
        session = requests.Session()
        session.trust_env = False
        while not enough.wait(0.05):  # the processes that come and go need the processor too
            try:
                status = write_stay(session, url, key)
            except requests.RequestException as error:
                status = type(error).__name__
            with lock:
                answers[status] += 1
            if not kept:
                session.close()
        session.close()

    with ThreadPoolExecutor(callers) as pool:
        working = [pool.submit(calls, number % 2 == 0) for number in range(callers)]
        try:
            until(lambda: answers.total() >= 10)
            yield answers
        finally:
            enough.set()
            for each in working:
                each.result()


# On PostgreSQL: the old processes and the new ones write at the same time, and SQLite has one writer.
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
@pytest.mark.parametrize("form", [("--embedded",), ("--workers", "2")], ids=["embedded", "processes"])
def test_under_load_a_new_right_counts_and_no_request_is_lost(home: Home, form: tuple[str, ...]) -> None:
    with serving(home.config, "--threads", "4", *form) as served:
        assert once(served, home.newcomer) == DENIED
        family = grown(served)
        with load(served.internal, home.core) as answers:
            (home.access / "newcomer.toml").write_text(GRANT)
            line = hang_up(served, "in force")
            after = answers.total()
            # The old processes drain and end while the new ones answer.
            until(lambda: not alive(family))
            until(lambda: answers.total() >= after + 20)
        assert set(answers) == {OK}
        assert "access.d/newcomer.toml" in line
        assert len(grown(served)) == len(family)
        assert once(served, home.newcomer) == OK
        (act,) = home.acts()
        assert (act["outcome"], act["code"], act["official"]) == ("ok", None, operating_user())
        assert act["name"].startswith("serve ")
        (file,) = act["files"]
        assert (file["file"], file["before"], len(file["after"])) == ("access.d/newcomer.toml", None, 64)
        # And back: a right that is taken away is gone.
        (home.access / "newcomer.toml").unlink()
        hang_up(served, "in force")
        until(lambda: once(served, home.newcomer) == DENIED)
        assert served.stop() == 0


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_what_is_wrong_changes_nothing_and_is_told(home: Home) -> None:
    (home.access / "newcomer.toml").write_text(GRANT)
    with serving(home.config, "--threads", "4", "--workers", "1") as served:
        family = served.family()
        with load(served.internal, home.core) as answers:
            (home.access / "newcomer.toml").write_text("[[grant]\n")
            assert "newcomer.toml" in hang_up(served, "the settings stay as they were")
            (home.access / "newcomer.toml").unlink()
            port = int((served.internal).rpartition(":")[2])
            whole = (home.config / "gateway.toml").read_text()
            for wrong, named in (
                (whole.replace("[listen.internal]\nport = 0", f"[listen.internal]\nport = {port}"), "port"),
                (whole.replace(home.database, "sqlite:////nowhere/gateway.db"), "[database] url"),
                (f"{whole}[listne]\nport = 1\n", "listne"),
                (f'{whole}[systems.pmlp]\ntrust = "{home.folder / "missing.pem"}"\n', "systems.pmlp"),
            ):
                (home.config / "gateway.toml").write_text(wrong)
                assert named in hang_up(served, "the settings stay as they were")
            (home.config / "gateway.toml").write_text(whole)
            (home.config / "trust").mkdir()
            (home.config / "trust" / "broken.pem").write_text("-----BEGIN CERTIFICATE-----\n")
            assert "broken.pem" in hang_up(served, "the settings stay as they were")
        assert set(answers) == {OK}
        assert served.family() == family, "nothing was replaced"
        assert once(served, home.newcomer) == OK, "the old rights go on"
        # Also with a worker that has fallen: the one in its place has the rights that are in force.
        (home.access / "newcomer.toml").write_text("[[grant]\n")
        master = next(
            number
            for number in below(served.process.pid)
            if b"internal" in Path(f"/proc/{number}/cmdline").read_bytes()
        )
        (worker,) = below(master)
        os.kill(worker, signal.SIGKILL)
        until(lambda: below(master) not in ([worker], []))
        until(lambda: once(served, home.newcomer) == OK)
        acts = home.acts()
        assert [act["outcome"] for act in acts] == ["failed"] * 6
        assert {act["code"] for act in acts} == {"configuration_error"}
        assert "newcomer.toml" in acts[0]["detail"]
        assert [file["file"] for file in acts[0]["files"]] == ["access.d/newcomer.toml"]
        assert served.stop() == 0


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_on_unix_sockets_too(home: Home, tmp_path_factory: pytest.TempPathFactory) -> None:
    place = tmp_path_factory.mktemp("s")
    text = (home.config / "gateway.toml").read_text()
    for name in ("partners", "internal"):
        text = text.replace(f"[listen.{name}]\n", f'[listen.{name}]\nsocket = "{place / name}"\n')
    (home.config / "gateway.toml").write_text(text)
    with serving(home.config, "--embedded", "--threads", "4") as served:
        family = served.family()
        hang_up(served, "in force")
        until(lambda: not alive(family))
        assert ask(served.internal, "/healthz", {}).status == 200
        assert served.stop() == 0
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_worker_reads_its_settings_again(home: Home) -> None:
    process = command(home.config, "work", "--json", "--metrics", "127.0.0.1:0")
    said: list[str] = []
    assert process.stdout is not None
    assert process.stderr is not None
    listener = threading.Thread(
        target=lambda: said.extend(line.decode() for line in process.stderr or ()), daemon=True
    )
    listener.start()
    try:
        ready = json.loads(process.stdout.readline())
        assert ready["ready"]
        assert "gateway_exchange_seconds" in requests.get(ready["metrics"], timeout=30).text
        (home.access / "newcomer.toml").write_text(GRANT)
        process.send_signal(signal.SIGHUP)
        until(lambda: any("in force" in line for line in said))
        (home.access / "newcomer.toml").write_text("grant = 1")
        process.send_signal(signal.SIGHUP)
        until(lambda: any("stay as they were" in line for line in said))
        until(lambda: len(home.acts()) == 2)
        assert [act["outcome"] for act in home.acts()] == ["ok", "failed"]
        assert all(act["name"].startswith("work ") for act in home.acts())
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)
        listener.join(10)
        for stream in (process.stdout, process.stderr):
            stream.close()


def test_what_needs_a_restart_is_named(tmp_path: Path) -> None:
    now = config.load({})
    assert fixed(now, now) == []
    partners = dataclasses.replace(
        now.partners, host="127.0.0.2", socket=tmp_path / "s", certificate=tmp_path
    )
    other = dataclasses.replace(
        now,
        environment=Environment.PRODUCTION,
        state=tmp_path,
        database_url="sqlite:///other.db",
        partners=partners,
        limits=dataclasses.replace(now.limits, body_bytes=1),
    )
    assert fixed(now, other) == [
        "[gateway] environment",
        "[state] directory",
        "[database] url",
        "[listen.partners] host",
        "[listen.partners] socket",
        "[listen.partners] TLS on or off",
    ]


def test_of_keys_only_the_name_is_told(tmp_path: Path) -> None:
    new_keys(tmp_path / "keys", [])
    now = dataclasses.replace(config.load({}), state=tmp_path)
    before = files(now)
    assert "config/gateway.toml" in before
    assert "access.d/pmlp.toml" in before
    for name in ("gateway.key", "gateway.pem"):
        with (tmp_path / "keys" / name).open("ab") as file:
            file.write(b"\n")
    key, certificate = changed(before, files(now))
    assert key == {"file": "keys/gateway.key"}
    assert isinstance(certificate, dict)
    assert (certificate["file"], certificate["before"]) == ("keys/gateway.pem", before["keys/gateway.pem"])
    assert changed(before, before) == []


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_nobody_else_is_told(home: Home) -> None:
    """SIGHUP to every process of the group reads the settings once, and ends none."""
    with serving(home.config, "--workers", "1", "--threads", "4") as served:
        family = served.family()
        workers = [number for number in family if not below(number)]
        for number in workers:
            os.kill(number, signal.SIGHUP)
        assert once(served, home.core) == OK
        assert alive(family) == family
        assert served.stop() == 0
