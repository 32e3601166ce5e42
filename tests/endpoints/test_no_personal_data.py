"""Nothing of a person in what operators see: diagnostics, traces, metrics, alerts, incidents, /readyz, queue tables.

A real gateway with simulated systems serves exchanges that go well and wrong in every way, of persons whose codes and
names are known; then all that it said is searched for them.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import Engine, select

from exchange import utc_now
from routing.breakers import MOST_FAILURES
from routing.parties import add_caller, callers, partners
from storage import metadata, open_engine
from tests.collector import Collected, collecting, values
from tests.commands.conftest import made_keys
from tests.commands.processes import simulators
from tests.endpoints.conftest import STAY, asking, context
from tests.endpoints.serving import Served, configure, serving
from tests.told import Told, listening

pytestmark = pytest.mark.long

__all__ = ["made_keys"]

CRASHING = Path(__file__).parent / "crashing"
OFFICIAL, CASE = "PK:391122-54321", "L-2026/390000-00009"
# Of one who is in no register, in forms that break something.
WRONG = "391199-99999"


@dataclass
class Seeded:
    """What was said to operators, and what must not be in it."""

    served: Served
    collected: Collected
    told: Told
    engine: Engine
    pages: list[str] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)
    answers: dict[str, list[requests.Response]] = field(default_factory=dict)

    def tables(self) -> str:
        """Every row of the tables of routing but those of callers and partners, who are no persons."""
        shown = [table for table in metadata.tables.values() if table.schema == "routing"]
        with self.engine.connect() as connection:
            return "\n".join(
                str(row)
                for table in shown
                if table not in (callers, partners)
                for row in connection.execute(select(table))
            )

    def said(self) -> dict[str, str]:
        """Everything, by where it was said."""
        return {
            "diagnostics": "".join(self.served.errors),
            "traces": b"\n".join(self.collected.bodies).decode("utf-8", "replace"),
            "pages": "\n".join(self.pages),
            "alerts": b"\n".join(self.told.raw).decode()
            + "\n".join(f"{mail['Subject']}\n{mail.get_content()}" for mail in self.told.mails),
            "tables": self.tables(),
        }


def misbehave(url: str, mode: str, count: int | None) -> None:
    requests.post(f"{url}/_control", json={"mode": mode, "count": count}, timeout=10).raise_for_status()


def until(condition: Callable[[], bool], seconds: float = 90.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory, made_keys: Path) -> Iterator[Seeded]:
    folder = tmp_path_factory.mktemp("seeded")
    shutil.copytree(made_keys, folder / "state" / "keys")
    simulated = folder / "simulated"
    simulated.mkdir()
    (simulated / "gateway.toml").write_text(f'[state]\ndirectory = "{folder / "state"}"\n')
    with ExitStack() as stack:
        said = stack.enter_context(
            simulators(
                folder, {"GATEWAY_CONFIG": str(simulated)}, "pmlp", "sais", "--persons", "40", "--seed", "7"
            )
        )
        told = stack.enter_context(listening())
        collected = stack.enter_context(collecting())
        urls = said["systems"]
        config = configure(
            folder,
            **{
                "systems.pmlp": {"url": urls["pmlp"], "timeout_s": 1.0, "profile": "crashing"},
                "systems.sais": {"url": urls["sais"], "timeout_s": 2.0},
                "telemetry": {"diagnostics": "json", "otlp_url": collected.url},
                "alerts": {
                    name: getattr(told.settings, name)
                    for name in ("webhook_url", "mail_to", "mail_from", "smtp_host", "smtp_port")
                },
            },
        )
        served = stack.enter_context(serving(config, "--embedded", more={"PYTHONPATH": str(CRASHING)}))
        engine = open_engine(f"sqlite:///{folder / 'state' / 'gateway.db'}")
        stack.callback(engine.dispose)
        with engine.begin() as connection:
            key = add_caller(connection, "core", "spolis-core", utc_now())
        found = Seeded(served, collected, told, engine)
        found.secrets |= {OFFICIAL, CASE, WRONG, key}
        exchange(found, key, urls, said["persons"])
        # The breaker stays open for as long as an alert takes.
        until(lambda: ("opened", "breaker") in told.events and len(told.mails) >= 1)
        found.pages += [
            requests.get(f"{served.internal}{page}", timeout=20).text for page in ("/metrics", "/readyz")
        ]
        assert served.stop() == 0
        yield found


def exchange(found: Seeded, key: str, urls: Mapping[str, str], codes: list[str]) -> None:
    """Exchanges of every ending; what is given of persons becomes a secret."""
    headers = {"Authorization": f"Bearer {key}"}
    official = {"id": OFFICIAL, "institution": "90000022632", "role": "case-worker"}

    def ask(ending: str, path: str, message: Any, **more: str) -> requests.Response:
        if isinstance(message, dict):
            message["context"] |= {"official": official, "case": CASE}
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        known = headers | {"Content-Type": "application/json"} | more
        answer = requests.post(f"{found.served.internal}{path}", data=body, headers=known, timeout=30)
        found.answers.setdefault(ending, []).append(answer)
        return answer

    person = "/api/v1/pmlp/get-person"
    for code in codes:
        found.secrets.add(code)
        answer = ask("good or crashed", person, asking({"person_code": code}))
        if answer.ok:
            record = answer.json()["record"]
            found.secrets |= {record["person_code"], record["family_name"], *record["given_names"]}
    even = next(code for code in codes if code[-1] in "02468")
    ask("denied", person, asking({"person_code": even}, purpose="curiosity"))
    ask("invalid", person, asking({"person_code": f"{WRONG}x"}))
    ask("invalid", person, asking({"person_code": even, WRONG: WRONG}))
    ask("invalid", person, f'{{"context": "{WRONG}'.encode())
    ask("invalid", f"/api/v1/{WRONG}/get-person", asking({"person_code": even}))
    ask("invalid", f"{person}?code={WRONG}", asking({"person_code": even}))
    ask("invalid", person, asking({"person_code": even}), Authorization=f"Bearer {WRONG}")
    ask("invalid", person, asking({"person_code": even}), traceparent=f"00-{WRONG}-{WRONG}-01")
    requests.get(f"{found.served.internal}/api/v1/registers/persons/{WRONG}", headers=headers, timeout=30)
    for text in (f"<a>{WRONG}</a>", f"<a>{WRONG}", f'<!DOCTYPE a [<!ENTITY b "{WRONG}">]><a>&b;</a>'):
        ask("soap", "/soap/persons/v1-0", text.encode(), **{"Content-Type": "text/xml"})
    with found.served.connect() as garbage:
        garbage.sendall(f"GET /{WRONG} HTTP/7.{WRONG}\r\n{WRONG}\r\n\r\n".encode())
        garbage.recv(1000)
    for mode in ("fault", "html", "half", "invalid", "unknown_code", "unsigned", "other_answer"):
        misbehave(urls["pmlp"], mode, count=3)  # as often as it is tried
        ask("faulting", person, asking({"person_code": even}))
    misbehave(urls["sais"], "fault", None)
    stay = context(purpose="care-placement")
    ask(
        "queued", "/api/v1/registers/care-stays", {"context": stay, "arguments": STAY | {"person_code": even}}
    )
    misbehave(urls["pmlp"], "refuse", None)
    for _ in range(MOST_FAILURES + 1):
        ask("faulting", person, asking({"person_code": even}))


def test_every_ending_was_there(seeded: Seeded) -> None:
    by_ending = {ending: [answer.status_code for answer in all_] for ending, all_ in seeded.answers.items()}
    assert {200, 500} == set(by_ending["good or crashed"])
    assert by_ending["denied"] == [403]
    assert set(by_ending["invalid"]) <= {200, 400, 401, 404}
    assert by_ending["queued"] == [200], seeded.answers["queued"][0].text
    assert min(by_ending["faulting"]) >= 500
    outcomes = {values(list(span.attributes)).get("outcome") for span in seeded.collected.spans}
    assert {"ok", "denied", "invalid", "failed"} <= outcomes
    assert len(seeded.secrets) > 20


def test_each_place_says_something(seeded: Seeded) -> None:
    said = seeded.said()
    lines = [json.loads(line) for line in seeded.served.errors if line.startswith("{")]
    assert {"a.library", "gateway"} <= {line["logger"] for line in lines}
    assert any(line["event"] == "odd answer for …" and line["error"] == "KeyError" for line in lines)
    assert any("exchange_id" in line for line in lines)
    assert "gateway_exchanges_total" in said["pages"]
    assert '"breakers"' in said["pages"]
    assert "NotifyCareStay" in said["tables"]
    assert "pmlp" in said["alerts"]


def test_nothing_of_a_person_is_said_anywhere(seeded: Seeded) -> None:
    secrets = seeded.secrets | {secret.replace("-", "") for secret in seeded.secrets}
    found = {(place, secret) for place, text in seeded.said().items() for secret in secrets if secret in text}
    assert found == set()


def test_every_line_has_the_same_form(seeded: Seeded) -> None:
    """Also what Python and libraries write: a line of another form went past what masks it."""
    others = [line for line in seeded.served.errors if not line.startswith('{"instant"')]
    assert [line for line in others if not line.startswith("gateway: ") and "Warning" not in line] == []
