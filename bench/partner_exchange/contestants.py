"""What is measured, as processes on one core, and the stand-in of PMLP on another."""

from __future__ import annotations

import json
import os
import re
import selectors
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.isolation import free_ports
from config import DEFAULTS
from exchange import utc_now
from routing.parties import add_partner
from security.keys import issue, new_keys
from storage import migrate, open_engine

READY_SECONDS = 60.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cores:
    """The core of what is measured, and the one of everything else; the same one where there is no other."""

    measured: int
    other: int

    @classmethod
    def here(cls) -> Cores:
        """The first and the last core that this process may use."""
        allowed = sorted(os.sched_getaffinity(0))
        return cls(allowed[0], allowed[-1])


@dataclass(frozen=True, slots=True)
class Contestant:
    """A running stack: where it answers, and its first process."""

    name: str
    port: int
    path: str
    pid: int
    database: Path
    records: str

    def cpu_seconds(self) -> float:
        """Processor time of all its processes until now."""
        return cpu_seconds(self.pid)

    def recorded(self) -> int:
        """How many records it has committed."""
        connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)
        try:
            return int(connection.execute(f"SELECT count(*) FROM {self.records}").fetchone()[0])  # noqa: S608 — a name of ours
        finally:
            connection.close()


@dataclass(frozen=True, slots=True)
class Field:
    """Everything of a run."""

    keys: Path
    contestants: Sequence[Contestant]
    pmlp: int


@contextmanager
def field(folder: Path, cores: Cores, threads: int) -> Iterator[Field]:
    """All stacks and the stand-in, over the same keys, in an empty folder."""
    keys = folder / "state" / "keys"
    new_keys(keys, ["pmlp"])
    partner = issue(keys, "partner")
    engine = open_engine(f"sqlite:///{folder / 'state' / 'gateway.db'}")
    migrate.upgrade(engine)
    with engine.begin() as connection:
        add_partner(connection, "partner", "riga-social-service", partner.certificate, utc_now())
    engine.dispose()
    with ExitStack() as stack:
        pmlp, port = _started(
            stack, folder, "pmlp", cores.other, "-m", "bench.partner_exchange.pmlp", str(keys)
        )
        yield Field(
            keys,
            (
                _gateway(stack, folder, cores.measured, threads, int(str(port["port"]))),
                _library(stack, folder, cores.measured, threads, int(str(port["port"]))),
                _floor(stack, folder, cores.measured, int(str(port["port"]))),
            ),
            pmlp.pid,
        )


def _gateway(stack: ExitStack, folder: Path, core: int, threads: int, pmlp: int) -> Contestant:
    config = folder / "config"
    shutil.copytree(DEFAULTS / "access.d", config / "access.d")
    persons = config / "access.d" / "persons.toml"
    persons.write_text(re.sub(r"(_day = )\d+", r"\g<1>1000000000", persons.read_text("utf-8")), "utf-8")
    (config / "gateway.toml").write_text(
        f"[state]\ndirectory = {json.dumps(str(folder / 'state'))}\n"
        "[listen.partners]\nport = 0\n[listen.internal]\nport = 0\n"
        "[limits]\nrequests_per_s = 1000000\n"
        f'[systems.pmlp]\nurl = "http://127.0.0.1:{pmlp}/pmlp/v1-0"\ntimeout_s = 30.0\npool = {threads}\n',
        encoding="utf-8",
    )
    process, said = _started(
        stack,
        folder,
        "gateway",
        core,
        "-c",
        "import gateway; gateway.main()",
        "serve",
        "--json",
        "--workers",
        "1",
        "--threads",
        str(threads),
        environ={"GATEWAY_CONFIG": str(config)},
    )
    port = int(str(said["partners"]).rpartition(":")[2])
    database = folder / "state" / "gateway.db"
    return Contestant("gateway", port, "/soap/persons/v1-0", process.pid, database, "log_records")


def _library(stack: ExitStack, folder: Path, core: int, threads: int, pmlp: int) -> Contestant:
    database, (port,) = folder / "library.db", free_ports(1)
    made = f"application({str(folder / 'state' / 'keys')!r}, {f'sqlite:///{database}'!r}, {pmlp})"
    process, _ = _started(
        stack,
        folder,
        "library",
        core,
        "-m",
        "gunicorn",
        *("--workers", "1", "--worker-class", "gthread", "--threads", str(threads), "--keep-alive", "15"),
        *("--bind", f"127.0.0.1:{port}", "--log-level", "warning", "--no-control-socket"),
        f"bench.partner_exchange.library:{made}",
        port=port,
    )
    return Contestant("library", port, "/", process.pid, database, "records")


def _floor(stack: ExitStack, folder: Path, core: int, pmlp: int) -> Contestant:
    database = folder / "floor.db"
    process, said = _started(
        stack,
        folder,
        "floor",
        core,
        "-m",
        "bench.partner_exchange.floor",
        str(folder / "state" / "keys"),
        str(database),
        str(pmlp),
    )
    return Contestant("floor", int(str(said["port"])), "/", process.pid, database, "records")


def _started(
    stack: ExitStack,
    folder: Path,
    name: str,
    core: int,
    *command: str,
    environ: Mapping[str, str] | None = None,
    port: int | None = None,
) -> tuple[subprocess.Popen[bytes], dict[str, object]]:
    """A Python process on one core, ended with the stack; ready by its line of JSON, or when `port` answers."""
    known = {key: value for key, value in os.environ.items() if not key.startswith("GATEWAY_")}
    log = stack.enter_context((folder / f"{name}.log").open("wb"))
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})  # of this thread: what it starts takes it over
    try:
        process = subprocess.Popen(  # noqa: S603 — our own interpreter and programs
            [sys.executable, *command],
            env={**known, "PYTHONPATH": str(Path(__file__).parents[2]), **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if port is None else log,
            stderr=log,
            start_new_session=True,
        )
    finally:
        os.sched_setaffinity(0, own)
    stack.callback(_ended, process)
    until = time.monotonic() + READY_SECONDS
    if port is None:
        return process, _ready_line(process, until, log.name)
    while time.monotonic() < until and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return process, {}
        time.sleep(0.05)
    raise RuntimeError(f"{name} did not start; see {log.name}")


def _ready_line(process: subprocess.Popen[bytes], until: float, log: str) -> dict[str, object]:
    out = process.stdout
    assert out is not None  # noqa: S101 — for the type checker
    line = b""
    with selectors.DefaultSelector() as selector:
        selector.register(out, selectors.EVENT_READ)
        while not line.endswith(b"\n") and selector.select(max(0.0, until - time.monotonic())):
            read = os.read(out.fileno(), 65536)
            if not read:
                break
            line += read
    try:
        said: dict[str, object] = json.loads(line)
    except ValueError as error:
        raise RuntimeError(f"it did not start; see {log}: {Path(log).read_text('utf-8')[-2000:]}") from error
    return said


def _ended(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(30)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def cpu_seconds(pid: int) -> float:
    """Processor time of a process and of all below it that live."""
    parents: dict[int, list[int]] = {}
    spent: dict[int, float] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        number = int(path.parent.name)
        parents.setdefault(int(fields[1]), []).append(number)
        spent[number] = (int(fields[11]) + int(fields[12])) / _TICKS
    total, waiting = 0.0, [pid]
    while waiting:
        number = waiting.pop()
        total += spent.get(number, 0.0)
        waiting += parents.get(number, [])
    return total
