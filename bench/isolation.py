"""Whether one dead system slows down the others: real gateway, real simulators, open-loop load, interleaved legs.

    .venv/bin/python -m bench.isolation
    .venv/bin/python -m bench.isolation --url postgresql+psycopg://127.0.0.1/empty_database --rounds 7

Each round goes healthy, hang (the victim takes requests and never answers), healthy, killed (nobody listens there).
Latencies are counted from the instant at which a request was due, so that nothing that waits is left out. A leg's ratio
is its p99, of the four other systems, over that of the two healthy legs around it; the figure is the median of the
rounds. Writes bench/results/isolation.json; exit 1 where a median is over 1.20 or a call to the others failed.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import click
import requests

from commands.demo_core import Core
from commands.demo_processes import Process
from exchange import Json
from simulators.server import path_of

RESULTS = Path(__file__).parent / "results" / "isolation.json"
TARGET = 1.20
VICTIM = "npais"
OTHERS = ("pmlp", "vdeavk", "sais", "vzd")
PERSONS = 200
_THREADS = 200
_STAY: dict[str, Json] = {
    "institution": "VSAC „Mērījums”",
    "institution_address": "Skolas iela 28, Rīga, LV-1331",
    "institution_kind": "STATE_CARE_CENTRE",
    "region": "Rīga",
    "entered_on": "2025-06-02",
    "funding_source": "STATE",
}


@dataclass(frozen=True, slots=True)
class Answered:
    """One request: its system, milliseconds from when it was due, and "" or the code of the refusal."""

    system: str
    ms: float
    code: str


@dataclass(frozen=True, slots=True)
class Leg:
    """What one leg showed of the victim and of the others."""

    name: str
    answers: Sequence[Answered]

    def others(self) -> list[float]:
        """Milliseconds of every request that the systems that are well have served; a refusal is no quick answer."""
        return [answer.ms for answer in self.answers if answer.system != VICTIM and not answer.code]

    def figures(self) -> dict[str, Json]:
        """The leg as it is written down."""
        victim = [answer for answer in self.answers if answer.system == VICTIM]
        refused = Counter(answer.code for answer in self.answers if answer.system != VICTIM and answer.code)
        return {
            "leg": self.name,
            "requests": len(self.others()),
            "p50_ms": round(quantile(self.others(), 0.50), 1),
            "p99_ms": round(quantile(self.others(), 0.99), 1),
            "refused": dict(refused),
            "victim_requests": len(victim),
            "victim_p50_ms": round(quantile([answer.ms for answer in victim], 0.5), 1),
            "victim_p99_ms": round(quantile([answer.ms for answer in victim], 0.99), 1),
            "victim_codes": dict(Counter(answer.code or "ok" for answer in victim)),
        }


class Bench:
    """Gateway and simulators of a run, and the load upon them."""

    def __init__(self, folder: Path, url: str, timeout_s: float, stack: ExitStack) -> None:
        self._folder = folder
        self._ports = dict(zip((VICTIM, *OTHERS), free_ports(1 + len(OTHERS)), strict=True))
        (folder / "config").mkdir()
        (folder / "config" / "gateway.toml").write_text(self._settings(url, timeout_s), encoding="utf-8")
        self._environ = {name: value for name, value in os.environ.items() if name[:8] != "GATEWAY_"}
        self._environ["GATEWAY_CONFIG"] = str(folder / "config")
        self._stack = stack
        self._victim: Process | None = None
        self._local = threading.local()
        ready = self._run("simulate", *OTHERS, "--json", "--persons", str(PERSONS)).ready()
        people = ready["people"]
        assert isinstance(people, list)  # noqa: S101 — for the type checker
        self.codes = [str(person["code"]) for person in people if isinstance(person, dict)]
        self.start_victim()
        self.key = self._caller()
        self.url = str(self._run("serve", "--json").ready()["internal"])

    def start_victim(self) -> None:
        """Start the system that will die, in a process group of its own."""
        self._victim = self._run("simulate", VICTIM, "--json", "--persons", str(PERSONS))
        self._victim.ready()

    def kill_victim(self) -> None:
        """Leave nobody listening at its address."""
        if self._victim is not None:
            os.killpg(self._victim._process.pid, signal.SIGKILL)
            self._victim.stop()

    def mode(self, mode: str) -> None:
        """How the victim answers from now on."""
        address = f"http://127.0.0.1:{self._ports[VICTIM]}{path_of(VICTIM)}/_control"
        requests.post(address, json={"mode": mode}, timeout=10).raise_for_status()

    def ask(self, system: str, number: int) -> str:
        """One request; "" or the code of the refusal."""
        code = self.codes[number % len(self.codes)]
        path, arguments, purpose, rule = _question(system, code)
        answer = self.core().ask(path, arguments, purpose, rule)
        return "" if answer.status in (200, 404) else answer.code

    def core(self) -> Core:
        """A client of this thread."""
        if not hasattr(self._local, "core"):
            self._local.core = Core(self.url, self.key, "test", "90000022632")
        core: Core = self._local.core
        return core

    def let_stay(self) -> None:
        """Put everybody into an institution, so that payments may be asked for; those who cannot be are left out."""
        staying = []
        for code in self.codes:
            stay = {**_STAY, "person_code": code}
            if self.core().ask("registers/care-stays", stay, "care-placement", "p12.8.13").status == 200:
                staying.append(code)
        self.codes = staying

    def leg(self, name: str, seconds: float, rate: float) -> Leg:
        """Load for a while: `rate` requests a second to each system, at instants that do not wait for answers."""
        answers: list[Answered] = []
        began = time.monotonic() + 0.1

        def one(due: float, system: str, number: int) -> None:
            try:
                code = self.ask(system, number)
            except requests.RequestException as error:
                code = type(error).__name__
            answers.append(Answered(system, (time.monotonic() - due) * 1000, code))

        with ThreadPoolExecutor(_THREADS) as threads:
            for number, (due, system) in enumerate(_schedule(began, seconds, rate)):
                time.sleep(max(0.0, due - time.monotonic()))
                threads.submit(one, due, system, number)
        return Leg(name, answers)

    def settle(self) -> None:
        """Wait until the victim is answered for again."""
        until = time.monotonic() + 60
        while self.ask(VICTIM, 0):
            if time.monotonic() > until:
                raise RuntimeError("the victim has not come back")
            time.sleep(0.2)

    def _run(self, *arguments: str) -> Process:
        log = self._folder / f"{'-'.join(arguments[:2])}.log"
        process = Process(list(arguments), self._environ, log)
        self._stack.callback(process.stop)
        return process

    def _caller(self) -> str:
        return str(
            _said(self._environ, "caller", "add", "bench", "--recipient", "spolis-core", "--json")["key"]
        )

    def _settings(self, url: str, timeout_s: float) -> str:
        tables: dict[str, dict[str, Json]] = {
            "state": {"directory": str(self._folder / "state")},
            "database": {"url": url},
            "listen.partners": {"port": 0},
            "listen.internal": {"port": 0},
            "limits": {"requests_per_s": 10_000},
        }
        for name, port in self._ports.items():
            tables[f"systems.{name}"] = {
                "url": f"http://127.0.0.1:{port}{path_of(name)}",
                "timeout_s": timeout_s,
            }
        lines: list[str] = []
        for table, values in tables.items():
            lines.append(f"[{table}]")
            lines += [f"{key} = {json.dumps(value)}" for key, value in values.items()]
        return "\n".join(lines) + "\n"


def _said(environ: Mapping[str, str], *arguments: str) -> dict[str, Json]:
    done = subprocess.run(  # noqa: S603 — our own interpreter and program
        [sys.executable, "-P", "-c", "import gateway; gateway.main()", *arguments],
        env=dict(environ),
        stdout=subprocess.PIPE,
        check=True,
    )
    said: dict[str, Json] = json.loads(done.stdout)
    return said


def _question(system: str, code: str) -> tuple[str, dict[str, Json], str, str]:
    about: dict[str, Json] = {"person_code": code}
    match system:
        case "pmlp":
            return "pmlp/get-person", about, "social-service", "p8"
        case "vdeavk":
            return "vdeavk/get-disability", about, "social-service", "p8.13"
        case "sais":
            return "sais/get-payments", about, "care-payment", "p12.8.3"
        case "vzd":
            return "vzd/search-address", {"text": "Skolas iela", "limit": 5}, "address-check", "p17.10"
        case _:
            return "npais/get-decisions", about, "child-protection", "p10.11"


def _schedule(began: float, seconds: float, rate: float) -> Iterator[tuple[float, str]]:
    """When what is due: exponential gaps, each system by itself."""
    due: list[tuple[float, str]] = []
    for system in (VICTIM, *OTHERS):
        gaps = (random.expovariate(rate) for _ in itertools.count())
        for instant in itertools.accumulate(gaps):
            if instant > seconds:
                break
            due.append((began + instant, system))
    return iter(sorted(due))


def free_ports(count: int) -> list[int]:
    """So many ports that nobody listens on."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def quantile(values: Sequence[float], share: float) -> float:
    """The value that this share of all is not over; 0 where there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def measured(bench: Bench, rounds: int, seconds: float, rate: float, say: Callable[[str], None]) -> list[Leg]:
    """The legs of all rounds, in order."""
    legs: list[Leg] = []

    def leg(name: str) -> None:
        legs.append(bench.leg(name, seconds, rate))
        say(json.dumps(legs[-1].figures(), ensure_ascii=False))

    leg("warm-up")
    legs.clear()
    for _ in range(rounds):
        leg("healthy")
        bench.mode("hang")
        leg("hang")
        bench.mode("ok")
        bench.settle()
        leg("healthy")
        bench.kill_victim()
        leg("killed")
        bench.start_victim()
        bench.settle()
    leg("healthy")
    return legs


def ratios(legs: Sequence[Leg], name: str) -> list[float]:
    """p99 of each leg of that name over the mean of the healthy ones before and after it."""
    found = []
    for before, leg, after in zip(legs, legs[1:], legs[2:], strict=False):
        if leg.name == name:
            around = (quantile(before.others(), 0.99) + quantile(after.others(), 0.99)) / 2
            found.append(quantile(leg.others(), 0.99) / around)
    return found


@click.command()
@click.option("--url", default="", help="An empty database; without one SQLite in a temporary folder.")
@click.option("--rounds", default=5, show_default=True, help="Of four legs each.")
@click.option("--seconds", default=12.0, show_default=True, help="Of one leg.")
@click.option("--rate", default=5.0, show_default=True, help="Requests a second to each of the five systems.")
@click.option("--timeout", default=2.0, show_default=True, help="`timeout_s` of the systems.")
def run(url: str, rounds: int, seconds: float, rate: float, timeout: float) -> None:
    """Measure how much one dead system slows down the others."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        bench = Bench(Path(folder), url, timeout, stack)
        bench.let_stay()
        legs = measured(bench, rounds, seconds, rate, lambda line: click.echo(line, err=True))
    figures: dict[str, Json] = {
        "database": "postgresql" if url else "sqlite",
        "cores": os.cpu_count(),
        "rounds": rounds,
        "seconds": seconds,
        "rate": rate,
        "timeout_s": timeout,
        "target": TARGET,
    }
    good = True
    for name in ("hang", "killed"):
        found = ratios(legs, name)
        median = statistics.median(found)
        figures[name] = {"p99_ratio": round(median, 3), "ratios": [round(ratio, 3) for ratio in found]}
        good = good and median <= TARGET
    failed = Counter(
        answer.code for leg in legs for answer in leg.answers if answer.system != VICTIM and answer.code
    )
    figures["refused_others"] = dict(failed)
    for name in ("healthy", "hang", "killed"):
        found = [quantile(leg.others(), 0.99) for leg in legs if leg.name == name]
        figures[f"{name}_p99_ms"] = round(statistics.median(found), 1)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    click.echo(json.dumps(figures))
    sys.exit(0 if good and not failed else 1)


if __name__ == "__main__":
    run()
