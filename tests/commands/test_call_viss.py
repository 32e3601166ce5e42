"""Systems by way of the state integrator, end to end: settings, HTTP, every message on record before it leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from sqlalchemy import select

from adapters.profiles.viss import VissProfile
from audit.tables import archive_payloads
from gateway import Gateway, wire
from routing import interventions, outbox
from routing.outbox import State
from security.keys import Identity
from security.xml import Element, parse
from simulators.population import Population
from tests.commands.conftest import Home
from tests.commands.processes import simulators
from tests.steps.test_contact_reports import report
from tests.steps.test_from_outbox import deliver, only
from tests.steps.wired import Door, arrive, kinds, leaves, stay
from wsdl import contract
from wsdl.ivis import MAX_BYTES

POPULATION = Population(20, 1)
SOMEBODY, ANOTHER = POPULATION.person(0).code, POPULATION.person(1).code
NS = f"{{{contract('viss').namespace}}}"
SOAP = "{http://www.w3.org/2003/05/soap-envelope}"


@dataclass(frozen=True)
class World:
    """An installation whose PMLP, SAIS and NPAIS are asked by way of an integrator in a process of its own."""

    home: Home
    url: str
    journal: Path

    def misbehave(self, mode: str, count: int = 1) -> None:
        requests.post(f"{self.url}/_control", json={"mode": mode, "count": count}, timeout=5)

    def seen(self) -> list[tuple[str, str, str]]:
        lines = [json.loads(line) for line in self.journal.read_text(encoding="utf-8").splitlines()]
        return [(line["operation"], line["effect"], line["answered"]) for line in lines]


@pytest.fixture
def world(home: Home, tmp_path: Path) -> Iterator[World]:
    journal = tmp_path / "journal.jsonl"
    with simulators(tmp_path, home.environ, "viss", "--persons", "20", "--journal", str(journal)) as said:
        url = said["systems"]["viss"]
        (home.folder / "gateway.toml").write_text(
            '[state]\ndirectory = "state"\n[limits]\nexchange_seconds = 5.0\n'
            f'[viss]\nurl = "{url}"\nsystem_id = "URN:IVIS:100001:ISS-SPOLIS"\nagency = "100680"\n'
            '[systems.pmlp]\nprofile = "viss"\n[systems.sais]\nprofile = "viss"\n'
            '[systems.npais]\nprofile = "viss"\n',
            encoding="utf-8",
        )
        yield World(home, url, journal)


@pytest.fixture
def repeat() -> str:
    """How far a repeat may be relied on; a test may say otherwise."""
    return ""


@pytest.fixture
def gateway(world: World, database: str, repeat: str) -> Iterator[Gateway]:
    settings = world.home.settings
    systems = {name: replace(system, repeat=repeat) for name, system in settings.systems.items()}
    made = wire(replace(settings, database_url=database, systems=systems))
    yield made
    made.log.close()
    made.engine.dispose()


def kept(gateway: Gateway, exchange_id: str, name: str) -> Element:
    """The IVISRequest or IVISResponse that the archive keeps of an exchange."""
    with gateway.engine.begin() as connection:
        (row,) = [
            row
            for row in connection.execute(select(archive_payloads.c.exchange_id).distinct())
            if str(row.exchange_id) == exchange_id
        ]
        return parse(gateway.archive.get(connection, row.exchange_id, name)).find(f"{SOAP}Body")[0]


def test_a_person_is_asked_for_by_the_command_line(world: World) -> None:
    answer = world.home.json(
        "call", "pmlp", "get-person", f"person_code={SOMEBODY}", "data_sets=NAME_AND_CODE",
        "--purpose", "social-service", "--rule", "p8.1",
    )  # fmt: skip
    assert answer["record"]["given_names"] == list(POPULATION.person(0).given_names)
    assert world.seen() == [("StartTransaction", "none", "ok"), ("GetPerson", "read:GetPerson", "ok")]


def test_every_message_is_on_record_with_its_bytes(gateway: Gateway) -> None:
    door = Door(arguments={"person_code": SOMEBODY})
    assert [arrive(gateway, door).status for _ in range(2)] == [200, 200]
    assert kinds(gateway) == [
        "opened", "attempt", "attempt", "outcome",
        "opened", "attempt", "outcome",
    ]  # fmt: skip
    first = str(leaves(gateway)[0]["exchange"])
    outcome = leaves(gateway)[3]
    assert (outcome["outcome"], outcome["attempts"], outcome["answer_signed"]) == ("ok", 2, True)
    opening, request = kept(gateway, first, "sent-1"), kept(gateway, first, "sent-2")
    assert opening.findtext(f"{NS}Body/{NS}StartTransaction/{NS}Purpose") == door.purpose
    transaction = kept(gateway, first, "received-1").findtext(f"{NS}TransactionID")
    assert request.findtext(f"{NS}TransactionID") == transaction
    assert request.findtext(f"{NS}MessageID") == first
    assert kept(gateway, first, "received-2").findtext(f"{NS}Result") == "success"


def test_a_transaction_that_could_not_be_started_is_tried_again(world: World, gateway: Gateway) -> None:
    world.misbehave("reset")
    assert arrive(gateway, Door(arguments={"person_code": SOMEBODY})).status == 200
    assert kinds(gateway) == ["opened", "attempt", "attempt", "attempt", "outcome"]
    assert [answered for _, _, answered in world.seen()] == ["reset", "ok", "ok"]


@pytest.mark.parametrize(
    ("repeat", "then"),
    [
        ("", ("NotifyCareStay", "none", "ok")),  # the same MessageID is known again
        ("queryable", ("GetCareStayNotice", "read:GetCareStayNotice", "ok")),
    ],
)
def test_a_notice_takes_effect_once_however_its_answer_is_lost(
    world: World, gateway: Gateway, then: tuple[str, str, str]
) -> None:
    assert arrive(gateway, stay(person_code=SOMEBODY)).status == 200
    deliver(gateway)
    world.misbehave("reset")
    assert arrive(gateway, stay(person_code=ANOTHER)).status == 200
    deliver(gateway, times=2)
    with gateway.engine.connect() as connection:
        assert {row.state for row in outbox.listed(connection)} == {State.DELIVERED}
    assert world.seen() == [
        ("StartTransaction", "none", "ok"),
        ("NotifyCareStay", "write:NotifyCareStay", "ok"),
        ("NotifyCareStay", "write:NotifyCareStay", "reset"),
        then,
    ]


def test_a_notice_whose_transaction_fails_is_not_unclear(world: World, gateway: Gateway) -> None:
    world.misbehave("reset", count=9)
    assert arrive(gateway, stay(person_code=SOMEBODY)).status == 200
    deliver(gateway)
    with gateway.engine.connect() as connection:
        (row,) = outbox.listed(connection)
    assert (row.state, row.unclear) == (State.WAITING, False)
    assert [operation for operation, _, _ in world.seen()] == ["StartTransaction"]


def over_the_limit() -> Door:
    """A report that our register takes, and that is too long for the integrator: four bytes a letter."""
    contact = {"with_whom": "MOTHER", "kind": "CALL", "held_on": "2026-03-01", "remark": "\U0001d11e" * 1000}
    return report(person_code=SOMEBODY, contacts=[contact] * 1000)


@contextmanager
def without_our_limit(gateway: Gateway) -> Iterator[Gateway]:
    """The same gateway, which sends to NPAIS whatever its length."""
    settings = gateway.settings
    identity = Identity.load(settings.keys / "gateway.pem", settings.keys / "gateway.key")
    npais = VissProfile(
        gateway.adapters["npais"],
        settings.systems["npais"],
        identity,
        settings.keys / "authority.pem",
        limit=2 * MAX_BYTES,
    )
    made = wire(settings, profile=lambda _system: npais)
    try:
        yield made
    finally:
        made.log.close()
        made.engine.dispose()


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_what_is_over_the_limit_never_leaves_and_the_integrator_would_refuse_it(
    world: World, gateway: Gateway
) -> None:
    assert arrive(gateway, over_the_limit()).status == 200
    deliver(gateway)
    row = only(gateway)
    assert (row.state, row.last_error, row.attempts, row.unclear) == (State.DEAD, "too_large", 0, False)
    assert kinds(gateway)[-1] == "outcome"
    assert world.seen() == []
    with gateway.engine.begin() as connection:
        interventions.replay(connection, row.id, give_up_after=timedelta(hours=1))
    with without_our_limit(gateway) as other:
        deliver(other)
    row = only(gateway)
    assert (row.state, row.last_error, row.unclear) == (State.DEAD, "system_refused", False)
    assert world.seen() == [("StartTransaction", "none", "ok"), ("ReportChildContact", "none", "fault")]
    answered = kept(gateway, str(row.id), "received-2")
    assert answered.findtext("/".join(f"{NS}{step}" for step in ("Errors", "Error", "ErrorCode"))) == "19"
