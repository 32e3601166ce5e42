"""One gateway with everything around it, which can be destroyed and built again: what the drill is run on."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import Engine, text

from audit import continuity
from simulators.population import Population
from storage import open_engine
from tests.endpoints.serving import Served, configure, serving

GATEWAY = (sys.executable, "-c", "import gateway; gateway.main()")
PERSONS = 20_000
SEED = 7


@dataclass
class Station:
    """A configuration directory and what belongs to it; `database` is "" for SQLite in the state directory."""

    folder: Path
    database: str

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.state = self.folder / "state"
        self.config = configure(
            self.folder,
            database={"url": self.database},
            limits={"requests_per_s": 100_000},
        )

    def reach(self, sais: str) -> None:
        """Say where SAIS listens."""
        with (self.config / "gateway.toml").open("a") as file:
            file.write(f'[systems.sais]\nurl = "{sais}"\ntimeout_s = 2.0\n')

    def run(self, *arguments: str, given: str = "", codes: tuple[int, ...] = (0,)) -> str:
        """Run a command in a process of its own: what it says on standard output."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
        done = subprocess.run(  # noqa: S603 — our own interpreter and program
            [*GATEWAY, *arguments],
            env=environ | {"GATEWAY_CONFIG": str(self.config)},
            input=given,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode in codes, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def json(self, *arguments: str, codes: tuple[int, ...] = (0,)) -> Any:
        """Run a command with --json and read what it prints."""
        return json.loads(self.run(*arguments, "--json", codes=codes))

    @contextmanager
    def served(self) -> Iterator[Served]:
        """`gateway serve`, ready."""
        with serving(self.config, "--workers", "1", "--threads", "8") as served:
            yield served

    def kill(self, served: Served) -> None:
        """Every process at once."""
        processes = [served.process.pid, *served.family()]
        served.process.send_signal(signal.SIGSTOP)
        for pid in reversed(processes):
            os.kill(pid, signal.SIGKILL)
        served.process.wait(20)

    def records(self) -> int:
        """How many records the log holds, with those that have no place yet, once nobody writes any more.

        A server finishes the commit that a killed process had asked for.
        """
        engine = open_engine(self.database or f"sqlite:///{self.state / 'gateway.db'}")
        until = time.monotonic() + 20
        while engine.dialect.name == "postgresql" and _others(engine):
            assert time.monotonic() < until, "sessions of killed processes go on"
            time.sleep(0.05)
        with engine.begin() as connection:
            found = continuity.extent(connection)
        engine.dispose()
        return found.size + found.pending

    def wipe(self) -> None:
        """All keys, the database file and the configuration."""
        shutil.rmtree(self.state)
        shutil.rmtree(self.config)


@dataclass
class Load:
    """Clients that write stays, one person after the other, from a number in the population on."""

    url: str
    key: str
    first: int
    threads: int = 2
    acknowledged: list[tuple[float, uuid.UUID]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def __enter__(self) -> Load:
        self._population = Population(PERSONS, SEED)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._next = self.first
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(self.threads)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Send no more."""
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def _run(self) -> None:
        with requests.Session() as session:
            session.trust_env = False
            while not self._stop.is_set():
                with self._lock:
                    person = self._population.person(self._next).code
                    self._next += 1
                self._write(session, person)
                self._stop.wait(0.02)

    def _write(self, session: requests.Session, person: str) -> None:
        try:
            answer = session.post(
                f"{self.url}/api/v1/registers/care-stays",
                json=_stay(person),
                headers={"Authorization": f"Bearer {self.key}"},
                timeout=10,
            )
        except requests.RequestException:
            return  # the gateway is being destroyed: nothing was acknowledged
        with self._lock:
            if answer.status_code == 200:
                self.acknowledged.append((time.time(), uuid.UUID(answer.json()["exchange_id"])))
            else:
                self.failed.append(f"{answer.status_code} {answer.text[:200]}")


class Keeper:
    """Keeps the newest checkpoint elsewhere, as an operator's timer would, until told to stop."""

    def __init__(self, station: Station, file: Path) -> None:
        self._station = station
        self._file = file
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Keep no more; what is there stays."""
        self._stop.set()
        self._thread.join(60)

    def _run(self) -> None:
        while not self._stop.wait(1.0):
            self._station.run("audit", "checkpoint", "--out", str(self._file), codes=(0, 1, 2, 78))


def _stay(person: str) -> dict[str, object]:
    return {
        "context": {
            "purpose": "care-placement",
            "rule": "p12.8.13",
            "official": {"id": "W-1", "institution": "90000022632", "role": "care worker"},
            "case": "",
            "request_id": str(uuid.uuid4()),
            "environment": "test",
        },
        "arguments": {
            "person_code": person,
            "institution": "VSAC “Ozoli”",
            "institution_address": "Ozolu iela 1, Valmiera",
            "institution_kind": "STATE_CARE_CENTRE",
            "region": "Vidzeme",
            "entered_on": "2026-02-03",
            "funding_source": "STATE",
        },
    }


def _others(engine: Engine) -> int:
    """How many sessions of clients the server has besides this one."""
    others = "backend_type = 'client backend' AND pid <> pg_backend_pid()"
    with engine.begin() as connection:
        return int(
            connection.execute(text(f"SELECT count(*) FROM pg_stat_activity WHERE {others}")).scalar_one()  # noqa: S608 — a constant
        )
