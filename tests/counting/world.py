"""A gateway of two workers between two counters, PMLP behind it, and its database behind a relay that can fail."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests
from sqlalchemy import Engine, make_url

from config import DEFAULTS
from exchange import utc_now
from routing.parties import add_caller, add_partner
from security.keys import Identity, issue, new_keys
from storage import migrate, open_engine
from tests.counting.proxies import Counted, Relay, before, behind
from tests.counting.proxies import Message as Answer
from tests.endpoints.serving import command, configure, serving
from tests.endpoints.soap.messages import ACTION, CONTENT_TYPE, Message, get_person

PERSONS = 50


@dataclass
class World:
    """Where callers call, what was counted, and the database beside the relay, for the judge alone."""

    folder: Path
    engine: Engine
    relay: Relay
    partners: Counted
    internal: Counted
    system: Counted
    codes: list[str]
    partner: Identity
    key: str
    local: threading.local = field(default_factory=threading.local)

    def call(self, number: int) -> str:
        """One call, every second one signed SOAP; how it ended: its HTTP status, or `broken`."""
        code = self.codes[number % len(self.codes)]
        session = getattr(self.local, "session", None)
        if session is None:
            session = self.local.session = requests.Session()
            session.trust_env = False
        try:
            answer = (self._signed if number % 2 else self._json)(session, code)
        except requests.RequestException:
            return "broken"
        return str(answer.status_code)

    def calls(self, count: int, threads: int = 8) -> Counter[str]:
        """So many calls, and how each ended."""
        numbers = itertools.count()
        ended: Counter[str] = Counter()
        lock = threading.Lock()

        def work() -> None:
            while (number := next(numbers)) < count:
                how = self.call(number)
                with lock:
                    ended[how] += 1

        workers = [threading.Thread(target=work) for _ in range(threads)]
        for each in workers:
            each.start()
        for each in workers:
            each.join()
        return ended

    def counted(self) -> tuple[int, int]:
        """How many answers each way in has given until now."""
        return len(self.partners.messages), len(self.internal.messages)

    def refused(self, since: tuple[int, int]) -> list[Answer]:
        """What was answered since then and gave nothing."""
        return [
            each
            for counted, past in zip((self.partners, self.internal), since, strict=True)
            for each in counted.messages[past:]
            if each.status != 200
        ]

    def _json(self, session: requests.Session, code: str) -> requests.Response:
        context = {
            "purpose": "social-service",
            "rule": "p8.1",
            "official": {"id": "MT-1042", "institution": "90000022632", "role": "social worker"},
            "case": "",
            "request_id": str(uuid.uuid4()),
            "environment": "test",
        }
        return session.post(
            f"{self.internal.url}/api/v1/pmlp/get-person",
            json={"context": context, "arguments": {"person_code": code}},
            headers={"Authorization": f"Bearer {self.key}"},
            timeout=60,
        )

    def _signed(self, session: requests.Session, code: str) -> requests.Response:
        return session.post(
            f"{self.partners.url}/soap/persons/v1-0",
            data=Message(self.partner, body=get_person(code)).signed(),
            headers={"Content-Type": CONTENT_TYPE["1.1"], "SOAPAction": f'"{ACTION}"'},
            timeout=60,
        )


@contextmanager
def world(folder: Path, database_url: str, workers: int = 2) -> Iterator[World]:
    """Start it; the database is there and is migrated here."""
    keys = folder / "state" / "keys"
    new_keys(keys, ["pmlp"])
    issue(keys, "partner")
    partner = Identity.load(keys / "partner.pem", keys / "partner.key")
    engine = open_engine(database_url)
    migrate.upgrade(engine)
    with engine.begin() as connection:
        key = add_caller(connection, "core", "spolis-core", utc_now())
        add_partner(connection, "partner", "riga-social-service", partner.certificate, utc_now())
    url = make_url(database_url)
    relay = Relay(url.host or "127.0.0.1", url.port or 5432)
    with ExitStack() as end:
        end.callback(engine.dispose)
        end.callback(relay.close)
        (folder / "simulating").mkdir()
        system, codes = end.enter_context(_simulated(folder))
        counted = end.enter_context(behind(system))
        sections: dict[str, dict[str, object]] = {
            "limits": {"requests_per_s": 100_000, "exchange_seconds": 10.0},
            "systems.pmlp": {"url": counted.url, "timeout_s": 5.0},
            "database": {
                "url": url.set(host="127.0.0.1", port=relay.port).render_as_string(hide_password=False)
            },
        }
        config = configure(folder, **sections)
        shutil.copytree(DEFAULTS / "access.d", config / "access.d")
        for file in (config / "access.d").glob("*.toml"):
            text = re.sub(r"(_day = )[1-9]\d*", r"\g<1>1000000000", file.read_text("utf-8"))
            file.write_text(text, "utf-8")
        served = end.enter_context(serving(config, "--workers", str(workers), "--threads", "8"))
        partners = end.enter_context(before(served.partners))
        internal = end.enter_context(before(served.internal))
        yield World(folder, engine, relay, partners, internal, counted, codes, partner, key)
        served.stop()


@contextmanager
def _simulated(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """The simulator of PMLP, with keys of the gateway that will ask it: its address and its persons' codes."""
    config = folder / "simulating"
    (config / "gateway.toml").write_text(f"[state]\ndirectory = {json.dumps(str(folder / 'state'))}\n")
    process = command(config, "simulate", "pmlp", "--json", "--ports", "free", "--persons", str(PERSONS))
    try:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        yield ready["systems"]["pmlp"], [str(each["code"]) for each in ready["people"]]
    finally:
        process.terminate()
        process.wait(30)
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
