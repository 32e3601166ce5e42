"""The steps of a demonstration: each does one thing that the gateway is for, and notes what did not hold."""

from __future__ import annotations

import json
import shlex
import threading
import time
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace

import requests
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy import Connection, Engine

from audit import asking, submission, verify, witnessed
from audit.origin import load_public_key
from audit.witness_client import WitnessClient
from commands import demo_report
from commands.demo_core import Answer, Core, ask_about
from commands.demo_partner import PartnerCall, ask, questions
from commands.opening import administer, sequence
from config import Settings
from errors import GatewayError
from exchange import Json, utc_now
from routing import outbox
from routing.outbox import Row, State
from routing.parties import add_caller, add_partner, disable_caller, disable_partner
from security import keys
from simulators.population import Population
from storage import reading

# The names of the witnesses of demonstrations: the key of one takes the place of another's, and of nobody else's.
WITNESSES = "demo-witness.invalid/"

_THREADS = 4
_SETTLE_SECONDS = 60.0
_RECIPIENT = "riga-social-service"
_UNDER_WAY = (State.WAITING, State.LEASED)
_SYSTEMS = ("pmlp", "vdeavk", "sais", "npais", "vzd")


@dataclass(slots=True)
class Demonstration:
    """What is known of the demonstration so far; `wrong` is what did not hold."""

    settings: Settings
    engine: Engine
    console: Console
    name: str
    seed: int
    persons: int
    exchange_ids: list[uuid.UUID] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    _recovered: uuid.UUID | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def _partner(self) -> str:
        return f"{self.name}-partner"

    @property
    def population(self) -> tuple[str, ...]:
        """The options of `gateway simulate` that make this population."""
        return ("--persons", str(2 * self.persons), "--seed", str(self.seed))

    def codes(self) -> list[str]:
        """The persons to ask about: as many living ones as wanted, and the dead among them."""
        population, found, living = Population(2 * self.persons, self.seed), list[str](), 0
        for person in population:
            found.append(person.code)
            living += person.died_on is None
            if living == self.persons:
                break
        return found

    def expect(self, holds: bool, otherwise: str) -> None:
        """Note what did not hold."""
        if not holds:
            with self._lock:
                self.wrong.append(otherwise)

    def follow(self, witness: Mapping[str, Json]) -> None:
        """Have the log cosigned by this witness, as its ready line tells of it."""
        url, key = str(witness["url"]), str(witness["vkey"])
        self.settings = replace(
            self.settings, log=replace(self.settings.log, witness_url=url, witness_key=key)
        )

    def register_core(self, url: str) -> Core:
        """Register SPOLIS core as a caller of this run."""
        key = administer(
            self.settings,
            self.engine,
            "caller add",
            self.name,
            "spolis-core",
            lambda connection: add_caller(connection, self.name, "spolis-core", utc_now()),
        )
        return Core(url, key, self.settings.environment.value, self.settings.institution, self._heard)

    def run_persons(self, core: Core) -> None:
        """Every person through all five systems, a few at a time."""
        codes = self.codes()
        columns = (TextColumn("persons"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self.console, disable=not self.console.is_terminal) as progress:
            task = progress.add_task("persons", total=len(codes))
            pool = ThreadPoolExecutor(_THREADS)
            try:
                for done in as_completed([pool.submit(self._ask_about, core, code) for code in codes]):
                    done.result()
                    progress.advance(task)
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def run_refused(self, core: Core) -> None:
        """One call for a purpose that nobody granted."""
        answer = core.ask("pmlp/get-person", {"person_code": self.codes()[0]}, "marketing", "p8")
        self.expect(
            (answer.status, answer.code) == (403, "purpose_not_allowed"),
            f"a purpose that is not granted got {answer.status} {answer.code}",
        )

    def run_recovered(self, core: Core, pmlp: str) -> None:
        """PMLP breaks off one answer in the middle; the caller does not notice."""
        with requests.Session() as session:
            session.trust_env = False
            told = session.post(f"{pmlp}/_control", json={"mode": "half", "count": 1}, timeout=10)
        self.expect(told.ok, f"the simulator did not take the mode: {told.status_code}")
        answer = core.ask("pmlp/get-person", {"person_code": self.codes()[0]}, "social-service", "p8")
        self._recovered = answer.exchange_id
        self.expect(
            answer.status == 200, f"the broken answer was not recovered: {answer.status} {answer.code}"
        )

    def run_partner(self, url: str) -> None:
        """A partner with a certificate of its own asks what it may, signed, over mutual TLS."""
        name = self._partner
        folder = self.settings.keys
        identity = keys.issue(folder, name, key_type="p256")
        administer(
            self.settings,
            self.engine,
            "partner add",
            name,
            _RECIPIENT,
            lambda connection: add_partner(connection, name, _RECIPIENT, identity.certificate, utc_now()),
        )
        call = PartnerCall(
            url=url,
            certificate=folder / f"{name}.pem",
            key=folder / f"{name}.key",
            authority=folder / "authority.pem",
            gateway=folder / "gateway.pem",
            institution="90000000000",
            environment=self.settings.environment.value,
        )
        for question in questions(self.codes()[0]):
            try:
                self.exchange_ids.append(ask(call, question))
            except (GatewayError, requests.RequestException) as error:
                name = f"{question.service}.{question.operation}"
                self.expect(False, f"the partner's call of {name} failed: {_told(error)}")

    def run_deliveries(self) -> None:
        """SAIS is told of the care stays, by the outbox: wait until all of that is delivered."""
        until = time.monotonic() + _SETTLE_SECONDS
        rows = self._notices()
        while any(row.state in _UNDER_WAY for row in rows) and time.monotonic() < until:
            time.sleep(0.2)
            rows = self._notices()
        self.expect(bool(rows), "no notice of a care stay was queued")
        for row in rows:
            self.expect(
                row.state is State.DELIVERED,
                f"{row.system}.{row.operation} {row.id} is {row.state.value} ({row.last_error})",
            )
        self.exchange_ids += [row.id for row in rows]

    def _notices(self) -> list[Row]:
        causes = set(self.exchange_ids)
        with reading(self.engine).begin() as connection:
            return [row for row in outbox.listed(connection, limit=None) if row.cause in causes]

    def leave(self) -> None:
        """Disable the caller and the partner of this run, and throw their keys away: nobody is left who has them."""

        def work(connection: Connection) -> None:
            disable_caller(connection, self.name, utc_now())
            disable_partner(connection, self._partner, utc_now())

        administer(self.settings, self.engine, "demo end", self.name, "", work)
        for suffix in (".pem", ".key"):
            (self.settings.keys / f"{self._partner}{suffix}").unlink()

    def evidence(self) -> tuple[list[demo_report.Line], dict[str, Json]]:
        """Wait until every record has its place in the log, verify it, and read the exchanges back."""
        settled = sequence(self.settings, self.engine, _SETTLE_SECONDS)
        self.expect(settled, "records still wait for their place in the log")
        self._have_cosigned()
        public = load_public_key(self.settings.keys / "log.pub")
        found = verify.verify(
            self.engine,
            public,
            keys.load_secret(self.settings.keys / "subject.key"),
            outside=asking.ask(self.settings, self.engine, public),
        )
        self.expect(found.status == "anchored", f"the exchange log is {found.status}: {found.reason}")
        with reading(self.engine).begin() as connection:
            lines = demo_report.read_lines(connection, self.exchange_ids)
        for exchange_id in self.exchange_ids:
            line = lines.get(exchange_id)
            self.expect(
                line is not None and line.log_index is not None,
                f"exchange {exchange_id} has no place in the log",
            )
        answered = [line for line in lines.values() if line.outcome == "ok"]
        for line in answered:
            self.expect(
                line.system == "registers" or (line.request_signed and line.answer_signed),
                f"{line.system}.{line.operation} at index {line.log_index} was not signed both ways",
            )
        for system in _SYSTEMS:
            self.expect(any(line.system == system for line in answered), f"{system} answered nothing")
        recovered = lines.get(self._recovered) if self._recovered else None
        self.expect(recovered is not None and recovered.attempts == 2, "the retry is not on record")
        return [lines[each] for each in self.exchange_ids if each in lines], found.json()

    def _have_cosigned(self) -> None:
        """Show the witness what the last steps have written, and keep its key for who verifies after us."""
        witness = witnessed.chosen(self.settings)
        if witness is None:
            self.expect(False, "the key of the witness is not known")
            return
        client = WitnessClient(self.settings.log.witness_url)
        try:
            said = submission.submit(self.engine, witness.key, client.add_checkpoint)
        except GatewayError as error:
            self.expect(False, f"the witness did not cosign: {_told(error)}")
            return
        self.expect(said is None or said.contradiction is None, "the witness contradicts the log")
        pinned = witnessed.chosen(replace(self.settings, log=replace(self.settings.log, witness_key="")))
        if pinned is None or pinned.key.name.startswith(WITNESSES):
            witnessed.pin(self.settings.keys, witness.key)

    def curl(self, core: Core) -> str:
        """A command that asks as SPOLIS core does."""
        context = core.context("social-service", "p8")
        body = json.dumps({"context": context, "arguments": {"person_code": self.codes()[0]}})
        return (
            f"curl -H 'Authorization: Bearer {core.key}' -H 'Content-Type: application/json' \\\n"
            f"  -d {shlex.quote(body)} \\\n  {core.url}/api/v1/pmlp/get-person"
        )

    def _ask_about(self, core: Core, code: str) -> None:
        try:
            ask_about(core, code, lambda what: self.expect(False, what))
        except requests.RequestException as error:
            self.expect(False, f"the gateway did not answer: {_told(error)}")

    def _heard(self, answer: Answer) -> None:
        with self._lock:
            self.exchange_ids.append(answer.exchange_id)


def _told(error: Exception) -> str:
    """An error in one word; of the library's own text nothing, it may hold addresses and values."""
    return str(error) if isinstance(error, GatewayError) else type(error).__name__
