"""The private world of a kill test: databases, broker, simulator and gateway, each started anew when it has fallen."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Self
from urllib.parse import urlsplit

import requests
from sqlalchemy import Connection, Engine, create_engine

from storage import open_engine
from tests.endpoints.serving import below
from tests.instances import PrivatePostgres, PrivateRabbit, free_port
from tests.kill.hosts import Host

GATEWAY = (sys.executable, "-P", "-c", "import gateway; gateway.main()")
SYSTEM_SECONDS = 2.0
RESTART_SECONDS = 0.2
# For what only a machine that is busy with other things delays; a long run must not end because of it.
PATIENCE = 120.0
# What the private database's disk has to take: a longer run writes more, and none must fill it by itself.
_DATA_MB, _DATA_MB_A_KILL = 512, 1
_FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"


@dataclass(slots=True)
class Kept:
    """A process that is started again when it has ended, as a service manager would."""

    name: str
    arguments: tuple[str, ...]
    environ: dict[str, str]
    errors: IO[bytes]
    prefix: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0

    def start(self) -> None:
        self.process = subprocess.Popen(  # noqa: S603 — our own interpreter and program
            [*self.prefix, *GATEWAY, *self.arguments],
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self.errors,
            start_new_session=True,
        )
        self.starts += 1

    @property
    def pid(self) -> int:
        return 0 if self.process is None else self.process.pid

    def family(self) -> list[int]:
        """This process and every one below it."""
        return [self.pid, *below(self.pid)] if self.pid else []


@dataclass
class World:
    """Everything, private to one run."""

    seed: int
    database: str
    broker: bool
    workers: int
    forgetful: bool
    repeat: str
    embedded: bool
    hosts: int = 0
    kills: int = 100
    viss: bool = False
    rng: random.Random = field(init=False)
    kept: dict[str, Kept] = field(default_factory=dict)
    reached: dict[str, Host] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self.rng = random.Random(self.seed)  # noqa: S311 — a repeatable order of faults
        self._end = ExitStack()
        self.home = Path(self._end.enter_context(_folder()))
        self.journal = self.home / "journal.jsonl"
        self.errors = self._end.enter_context((self.home / "errors.log").open("ab"))
        self.postgres = (
            self._end.enter_context(PrivatePostgres(data_size_mb=_DATA_MB + self.kills * _DATA_MB_A_KILL))
            if self.database == "postgresql"
            else None
        )
        self.rabbit = self._end.enter_context(PrivateRabbit()) if self.broker else None
        self.internal = f"http://127.0.0.1:{(port := free_port())}"
        self._configure(port)
        self._end.callback(self._stop_all)
        self._simulate()
        self._stopping = threading.Event()
        self._keep(
            "serve", "serve", "--json", "--workers", "1", "--threads", "8", *(("--embedded",) * self.embedded)
        )
        for number in range(self.workers):
            self._keep(f"work-{number}", "work", "--json", "--threads", "2")
        for number in range(self.hosts):
            self._keep_there(number)
        self._keeper = threading.Thread(target=self._keep_running, daemon=True)
        self._keeper.start()
        try:
            self.wait_ready(PATIENCE)
            self.key = self._add_caller()
        except BaseException:  # nothing that was started may outlive the run
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._keeper.join(10)
        self._end.close()

    def engine(self) -> Engine:
        """The world's database, for the judge alone."""
        if self.postgres is None:
            return open_engine(self.database_url)
        return create_engine(self.database_url, pool_pre_ping=True, connect_args={"connect_timeout": 3})

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the gateway in this world."""
        return subprocess.run(  # noqa: S603 — our own interpreter and program
            [*GATEWAY, *arguments], env=self.environ, capture_output=True, text=True, timeout=120, check=False
        )

    def wait_ready(self, seconds: float) -> None:
        """Wait until the gateway answers. Raises: TimeoutError with the end of what was said."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                if requests.get(f"{self.internal}/healthz", timeout=2).ok:
                    return
            except requests.RequestException:
                pass
            time.sleep(0.1)
        said = (self.home / "errors.log").read_text(errors="replace")[-3000:]
        raise TimeoutError(f"the gateway does not answer:\n{said}")

    def misbehave(self, mode: str, count: int, delay_ms: int = 0) -> None:
        """Tell SAIS, or the integrator before it, how to answer the next requests."""
        body: dict[str, object] = {"mode": mode, "count": count}
        if delay_ms:
            body["delay_ms"] = delay_ms
        with requests.Session() as session:
            session.trust_env = False
            session.post(f"{self.sais}/_control", json=body, timeout=PATIENCE).raise_for_status()

    def taken(self) -> str:
        """How much the run has written so far, and how large this process is: what would grow without end shows."""
        sizes = {"journal": self.journal, "standard error": self.home / "errors.log"}
        told = [f"{name} {path.stat().st_size >> 20} MB" for name, path in sizes.items()]
        if self.postgres is not None:
            told.insert(0, f"database {self.postgres.taken_percent:.0f} % of its disk")
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
        return ", ".join([*told, f"memory {resident >> 20} MB"])

    def hosted_elsewhere(self, seconds: int) -> dict[str, str]:
        """The environment of a process whose clock is off."""
        return self.environ | {
            "LD_PRELOAD": _FAKETIME,
            "FAKETIME": f"{seconds:+d}s",
            "FAKETIME_DONT_RESET": "1",
        }

    def has_faketime(self) -> bool:
        """Whether a clock can be put off here."""
        return Path(_FAKETIME).exists()

    def add_generation(self, environ: dict[str, str]) -> Kept:
        """One more worker, which nobody starts again."""
        extra = Kept("generation", ("work", "--json", "--threads", "2"), environ, self.errors)
        extra.start()
        return extra

    def _configure(self, port: int) -> None:
        config = self.home / "config"
        config.mkdir()
        state = self.home / "state"
        state.mkdir()
        self.database_url = self.postgres.url if self.postgres else f"sqlite:///{state / 'gateway.db'}"
        self.config_file = config / "gateway.toml"
        self.config_file.write_text(
            f'[state]\ndirectory = "{state}"\n'
            f"[listen.partners]\nport = 0\n[listen.internal]\nport = {port}\n"
            "[log]\ncheckpoint_seconds = 0.5\n[limits]\nrequests_per_s = 100000\nexchange_seconds = 10.0\n"
        )
        clean = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
        self.environ = clean | {
            "GATEWAY_CONFIG": str(config),
            "GATEWAY_DATABASE_URL": self.database_url,
            "PYTHONSAFEPATH": "1",
        }
        if self.rabbit is not None:
            self.environ["GATEWAY_AMQP_URL"] = self.rabbit.url

    def _simulate(self) -> None:
        system = "viss" if self.viss else "sais"
        arguments = ["simulate", system, "--json", "--ports", "free", "--journal", str(self.journal)]
        arguments += ["--persons", "200000", "--seed", str(self.seed), *(("--forgetful",) * self.forgetful)]
        process = subprocess.Popen(  # noqa: S603 — our own interpreter and program
            [*GATEWAY, *arguments], env=self.environ, stdout=subprocess.PIPE, stderr=self.errors
        )
        self._end.callback(_end_process, process)
        assert process.stdout is not None
        self.sais = str(json.loads(process.stdout.readline())["systems"][system])
        with self.config_file.open("a") as file:
            if self.viss:
                file.write(f'[viss]\nurl = "{self.sais}"\nsystem_id = "URN:IVIS:100001:ISS-SPOLIS"\n')
                file.write('agency = "100680"\n')
            way = 'profile = "viss"' if self.viss else f'url = "{self.sais}"'
            file.write(f"[systems.sais]\n{way}\ntimeout_s = {SYSTEM_SECONDS}\n")
            file.write(f'repeat = "{self.repeat}"\n' if self.repeat else "")

    def _keep(self, name: str, *arguments: str) -> None:
        self.kept[name] = Kept(name, arguments, self.environ, self.errors)
        self.kept[name].start()

    def _keep_there(self, number: int) -> None:
        """A worker on a host of its own, which reaches everything over one cable."""
        host = self._end.enter_context(Host(number))
        self.reached[f"work-there-{number}"] = host
        config = self.home / f"config-{number}"
        shutil.copytree(self.config_file.parent, config)
        text = self.config_file.read_text()
        (config / "gateway.toml").write_text(text.replace(self.sais, _seen_from(host, self.sais)))
        environ = self.environ | {"GATEWAY_CONFIG": str(config)}
        for name in ("GATEWAY_DATABASE_URL", "GATEWAY_AMQP_URL"):
            if name in environ:
                environ[name] = _seen_from(host, environ[name])
        name = f"work-there-{number}"
        arguments = ("work", "--json", "--threads", "2")
        self.kept[name] = Kept(name, arguments, environ, self.errors, host.prefix)
        self.kept[name].start()

    def _keep_running(self) -> None:
        while not self._stopping.wait(RESTART_SECONDS):
            for one in list(self.kept.values()):
                if one.process is not None and one.process.poll() is not None and not self._stopping.is_set():
                    one.start()

    def _add_caller(self) -> str:
        done = self.command("caller", "add", "core", "--recipient", "spolis-core", "--json")
        if done.returncode:
            raise RuntimeError(done.stderr)
        return str(json.loads(done.stdout)["key"])

    def _stop_all(self) -> None:
        for one in self.kept.values():
            if one.process is not None:
                one.process.send_signal(signal.SIGTERM)
        for one in self.kept.values():
            if one.process is not None:
                family = one.family()
                try:
                    one.process.wait(40)
                except subprocess.TimeoutExpired:
                    for pid in family:
                        _send(pid, signal.SIGKILL)
                    one.process.wait(10)


def wait_until(condition: Callable[[], bool], seconds: float, every: float = 0.1) -> bool:
    """Whether a condition came to hold within a time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(every)
    return condition()


def first(engine: Engine, ask: Callable[[Connection], object]) -> object:
    """What a question to the database gives, or None while it is away."""
    try:
        with engine.connect() as connection:
            return ask(connection)
    except Exception:  # whatever a killed server does to a connection
        return None


def _seen_from(host: Host, url: str) -> str:
    """An address of this machine as the host reaches it."""
    port = urlsplit(url).port
    assert port is not None
    host.relay(port)
    return url.replace("127.0.0.1", host.address)


def _send(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _end_process(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


class _folder:
    """A temporary directory that a private server's account can pass through."""

    def __enter__(self) -> str:
        self._name = tempfile.mkdtemp(prefix="spolis-kill-")
        return self._name

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._name, ignore_errors=True)
