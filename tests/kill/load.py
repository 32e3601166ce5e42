"""The clients: SPOLIS core writes stays, one person after the other, and repeats a request until it has an answer."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field

import requests

from audit.leaf import normalised
from simulators.population import Population
from tests.kill.world import World

_PATIENCE = 240.0


@dataclass(frozen=True, slots=True)
class Write:
    """What a client asks for, under one request id however often it is repeated: a person enters, or leaves."""

    request_id: uuid.UUID
    person: str
    leaves: bool


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A write that was answered with 200: its exchange, which the notices name as their cause.

    `during` is the newest fault that had been struck by then.
    """

    exchange_id: uuid.UUID
    write: Write
    seconds: float
    during: str = ""


@dataclass
class Load:
    """Client threads; each person enters and then leaves an institution.

    `newest` is when the newest request that was acknowledged had been sent; `during` names the fault being struck.
    """

    world: World
    threads: int = 3
    pause: float = 0.15
    during: str = ""
    attempted: dict[uuid.UUID, Write] = field(default_factory=dict)
    refused: Counter[int] = field(default_factory=Counter)
    refused_during: Counter[str] = field(default_factory=Counter)
    unanswered: int = 0
    failed: list[str] = field(default_factory=list)
    acknowledged: list[Acknowledged] = field(default_factory=list)
    newest: float = 0.0

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._population = Population(200000, self.world.seed)
        self._next = 0
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(self.threads)]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Begin no new person; what was begun is written to its end."""
        self._stop.set()
        for thread in self._threads:
            thread.join(_PATIENCE + 30)

    def _run(self) -> None:
        try:
            self._write_on()
        except Exception as error:  # a client that ends unseen would let the rest of the run hold with ease
            self.failed.append(f"a client ended: {type(error).__name__}")
            raise

    def _write_on(self) -> None:
        with requests.Session() as session:
            session.trust_env = False
            while not self._stop.is_set():
                with self._lock:
                    person = normalised(self._population.person(self._next).code)
                    self._next += 1
                if self._write(session, Write(uuid.uuid4(), person, leaves=False)):
                    self._write(session, Write(uuid.uuid4(), person, leaves=True))
                self._stop.wait(self.pause)

    def _write(self, session: requests.Session, write: Write) -> bool:
        body = _body(write)
        began = time.monotonic()
        with self._lock:
            self.attempted[write.request_id] = write
        while (sent := time.monotonic()) < began + _PATIENCE:
            try:
                answer = session.post(
                    f"{self.world.internal}/api/v1/registers/care-stays",
                    json=body,
                    headers={"Authorization": f"Bearer {self.world.key}"},
                    timeout=15,
                )
            except requests.RequestException:
                with self._lock:
                    self.unanswered += 1
                    self.refused_during[self.during] += 1
                self._stop.wait(0.1) if not self._stop.is_set() else time.sleep(0.1)
                continue
            if answer.status_code == 200:
                took = time.monotonic() - began
                with self._lock:
                    self.newest = max(self.newest, sent)
                    self.acknowledged.append(
                        Acknowledged(uuid.UUID(answer.json()["exchange_id"]), write, took, self.during)
                    )
                return True
            with self._lock:
                self.refused[answer.status_code] += 1
                self.refused_during[self.during] += 1
            if answer.status_code < 500 and answer.status_code != 429:
                self.failed.append(f"{answer.status_code} {answer.text[:300]}")
                return False
            time.sleep(min(1.0, _retry_after(answer)))
        self.failed.append("no answer in time")
        return False


def _retry_after(answer: requests.Response) -> float:
    """The seconds that an answer asks to wait; one of a server that is falling has no body of ours."""
    try:
        return float(answer.json().get("retry_after") or 0.2)
    except ValueError:
        return 0.2


def _body(write: Write) -> dict[str, object]:
    arguments: dict[str, object] = {
        "person_code": write.person,
        "institution": "VSAC “Ozoli”",
        "institution_address": "Ozolu iela 1, Valmiera",
        "institution_kind": "STATE_CARE_CENTRE",
        "region": "Vidzeme",
        "entered_on": "2026-02-03",
        "funding_source": "STATE",
    }
    if write.leaves:
        arguments |= {"ended_on": "2026-09-30", "end_reason": "OWN_REQUEST"}
    return {
        "context": {
            "purpose": "care-placement",
            "rule": "p12.8.13",
            "official": {"id": "W-1", "institution": "90000022632", "role": "care worker"},
            "case": "",
            "request_id": str(write.request_id),
            "environment": "test",
        },
        "arguments": arguments,
    }
