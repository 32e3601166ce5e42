"""`gateway outbox`, `route`, `sync` and `work --status`: what operators see and decide, and that it is on record."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from audit.tables import log_records
from commands.opening import open_database
from exchange import Json, Lease
from gateway import Gateway
from routing import jobs, outbox
from routing.jobs import JobState, JobStatus
from routing.outbox import Settled, State
from tests.commands.conftest import Home
from tests.steps.wired import Wire, arrive, stay, wired

CODES = ("321234-56789", "321234-56797")


@pytest.fixture
def queued(home: Home) -> Iterator[Gateway]:
    """A gateway with the notices of two persons queued."""
    open_database(home.settings).dispose()
    with wired(home.settings, Wire()) as made:
        for code in CODES:
            assert arrive(made, stay(person_code=code)).status == 200
        yield made


def listed(home: Home, *arguments: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = home.json("outbox", "list", *arguments)
    return found


def settle(gateway: Gateway, exchange_id: str, state: State, *, unclear: bool = False) -> None:
    """Have an attempt of a row end in a state."""
    with gateway.engine.begin() as connection:
        lease = outbox.take(connection, "holder", seconds=60, only=uuid.UUID(exchange_id))
        assert isinstance(lease, Lease)
        outbox.settle(connection, lease, Settled(state, "system_timeout", unclear=unclear))


def admin_acts(gateway: Gateway) -> list[dict[str, object]]:
    query = log_records.select().where(log_records.c.kind == "admin").order_by(log_records.c.instant)
    with gateway.engine.connect() as connection:
        return [json.loads(record.leaf) for record in connection.execute(query)]


@pytest.mark.usefixtures("queued")
def test_rows_have_the_published_form(home: Home) -> None:
    rows = listed(home)
    assert [(row["system"], row["operation"], row["state"], row["attempts"]) for row in rows] == [
        ("sais", "NotifyCareStay", "waiting", 0)
    ] * 2
    assert {"id", "due", "last_error", "subject_order"} <= set(rows[0])
    told = home.run("outbox", "list")
    assert "2 waiting" in told.stderr
    assert all(code not in told.output for code in CODES)


@pytest.mark.usefixtures("queued")
def test_a_row_is_shown_with_its_records(home: Home) -> None:
    row = listed(home)[0]
    shown = home.json("outbox", "show", str(row["id"]))
    assert shown["message_id"] == f"urn:uuid:{row['id']}"
    assert [(record["kind"], record["outcome"]) for record in shown["records"]] == [
        ("opened", None),
        ("outcome", "queued"),
    ]


@pytest.mark.usefixtures("queued")
def test_a_row_that_is_not_there_is_told(home: Home) -> None:
    for command in (("show",), ("park", "--why", "x", "--yes"), ("replay", "--why", "x", "--yes")):
        result = home.run("outbox", command[0], str(uuid.uuid4()), *command[1:])
        assert result.exit_code != 0
        assert "no such row" in result.stderr


def test_parking_and_replaying_is_on_record_with_who_and_why(home: Home, queued: Gateway) -> None:
    name = str(listed(home)[0]["id"])
    (parked,) = home.json("outbox", "park", name, "--why", "entered by mistake")
    assert parked["state"] == "parked"
    (again,) = home.json("outbox", "replay", name, "--why", "it was right", "--yes")
    assert again["state"] == "waiting"
    acts = admin_acts(queued)
    assert [act["act"] for act in acts][-2:] == ["outbox park", "outbox replay"]
    assert {act["exchange"] for act in acts[-2:]} == {name}
    assert "entered by mistake" not in json.dumps(acts)
    shown = home.run("audit", "search", "--json")
    assert shown.exit_code == 0


def test_many_are_replayed_after_a_question_with_their_count(home: Home, queued: Gateway) -> None:
    for row in listed(home):
        settle(queued, str(row["id"]), State.DEAD)
    asked = home.run("outbox", "replay", "--state", "dead", "--why", "the outage is over")
    assert "Deliver 2 messages again?" in asked.stderr
    assert asked.exit_code != 0, "nobody said yes"
    assert {row["state"] for row in listed(home)} == {"dead"}
    home.json("outbox", "replay", "--state", "dead", "--why", "the outage is over", "--yes")
    assert {row["state"] for row in listed(home)} == {"waiting"}


def test_a_second_effect_is_asked_about_by_the_settings_word(home: Home, queued: Gateway) -> None:
    settings = home.folder / "gateway.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(
        text.replace("[systems.sais]", '[systems.sais]\nrepeat = "neither"'), encoding="utf-8"
    )
    name = str(listed(home)[0]["id"])
    settle(queued, name, State.UNKNOWN, unclear=True)
    asked = home.run("outbox", "replay", name, "--why", "VSAA does not know it", "--yes")
    assert asked.exit_code != 0
    assert "would take it twice" in asked.stderr
    told = home.run("outbox", "replay", name, "--why", "VSAA does not know it", "--yes", "--even-twice")
    assert told.exit_code == 0
    with queued.engine.connect() as connection:
        assert outbox.find(connection, uuid.UUID(name)).unclear is False, "a person has decided"


def test_delivered_rows_stay_as_they_are(home: Home, queued: Gateway) -> None:
    name = str(listed(home)[0]["id"])
    settle(queued, name, State.DELIVERED)
    for command in ("park", "replay"):
        result = home.run("outbox", command, name, "--why", "x", "--yes")
        assert result.exit_code != 0
        assert "delivered" in result.stderr


@pytest.mark.usefixtures("queued")
def test_rows_are_named_by_id_or_by_state(home: Home) -> None:
    name = str(listed(home)[0]["id"])
    for arguments in ((), (name, "--state", "dead")):
        result = home.run("outbox", "park", *arguments, "--why", "x", "--yes")
        assert result.exit_code == 2
        assert "--state" in result.stderr
    assert home.run("outbox", "park", name).exit_code == 2, "a reason is asked for"


def route(home: Home) -> dict[str, Json]:
    routes: list[dict[str, Json]] = home.json("route", "list")
    (row,) = (row for row in routes if row["operation"] == "NotifyCareStay")
    return row


def test_a_route_that_is_off_delivers_nothing(home: Home, queued: Gateway) -> None:
    assert home.run("route", "disable", "sais", "NotifyCareStay", "--why", "VSAA moves").exit_code == 0
    with queued.engine.begin() as connection:
        assert outbox.take(connection, "holder", seconds=60) is None
    row = route(home)
    assert (row["enabled"], row["reason"], row["waiting"]) == (False, "VSAA moves", 2)


@pytest.mark.usefixtures("queued")
def test_switching_on_asks_what_becomes_of_what_waits(home: Home) -> None:
    home.run("route", "disable", "sais", "NotifyCareStay", "--why", "VSAA moves")
    silent = home.run("route", "enable", "sais", "NotifyCareStay", "--why", "back")
    assert silent.exit_code != 0
    assert "2 messages wait" in silent.stderr
    assert route(home)["enabled"] is False
    parked = home.run("route", "enable", "sais", "NotifyCareStay", "--park", "--why", "too old")
    assert parked.exit_code == 0, parked.stderr
    assert {row["state"] for row in listed(home)} == {"parked"}
    assert route(home)["enabled"] is True


@pytest.mark.usefixtures("queued")
def test_a_route_that_is_on_is_not_switched_on_again(home: Home) -> None:
    for choice in ("--park", "--deliver"):
        result = home.run("route", "enable", "sais", "NotifyCareStay", choice, "--why", "x")
        assert result.exit_code != 0
        assert "not switched off" in result.stderr
    assert {row["state"] for row in listed(home)} == {"waiting"}


def test_of_several_that_are_replayed_one_that_may_not_be_stays_alone(home: Home, queued: Gateway) -> None:
    first, second = (str(row["id"]) for row in listed(home))
    settle(queued, first, State.DEAD)
    settle(queued, second, State.DELIVERED)
    result = home.run("outbox", "replay", second, first, "--why", "the outage is over", "--yes")
    assert result.exit_code != 0
    assert f"{second}  unchanged: the row is delivered" in result.stderr
    assert f"{first}  waiting" in result.stdout
    assert [row["id"] for row in listed(home)] == [first], "what is delivered is listed when it is asked for"


def test_switching_on_and_delivering_sends_no_dead_letter(home: Home, queued: Gateway) -> None:
    first, second = (str(row["id"]) for row in listed(home))
    settle(queued, first, State.DEAD)
    home.run("route", "disable", "sais", "NotifyCareStay", "--why", "VSAA moves")
    assert home.run("route", "enable", "sais", "NotifyCareStay", "--deliver", "--why", "back").exit_code == 0
    assert {row["id"]: row["state"] for row in listed(home)} == {first: "dead", second: "waiting"}


def test_an_unknown_route_is_told_with_those_that_there_are(home: Home) -> None:
    for words in (("route", "disable"), ("sync",)):
        extra = ("--why", "x") if words[0] == "route" else ()
        result = home.run(*words, "sais", "GetRiches", *extra)
        assert result.exit_code != 0
        assert ("sais NotifyCareStay" if words[0] == "route" else "npais GetDecisions") in result.stderr


def test_a_scheduled_question_is_queued_once(home: Home) -> None:
    first = home.json("sync", "npais", "GetDecisions")["exchange_id"]
    assert home.json("sync", "npais", "GetDecisions")["exchange_id"] is None
    (row,) = listed(home)
    assert (row["id"], row["system"], row["operation"]) == (first, "npais", "GetDecisions")


@pytest.mark.parametrize("address", ["9101", "127.0.0.1:x", "127.0.0.1:70000", "192.0.2.1:9101"])
def test_a_worker_says_where_it_cannot_show_its_figures(home: Home, address: str) -> None:
    result = home.run("work", "--metrics", address)
    assert result.exit_code == 78
    assert "--metrics" in result.stderr


def test_the_status_shows_every_process_and_who_is_silent(home: Home) -> None:
    engine = open_database(home.settings)
    known = JobStatus("sequencer", "a:1", JobState.IDLE, datetime.now(UTC), None, None, 0.5, None)
    failing = JobStatus("sequencer", "b:2", JobState.FAILING, None, None, None, None, "log_unavailable")
    with engine.begin() as connection:
        jobs.report(connection, [known])
        jobs.report(connection, [failing])
        connection.execute(
            update(jobs.jobs)
            .where(jobs.jobs.c.process == "b:2")
            .values(seen_at=datetime.now(UTC) - timedelta(minutes=2))
        )
    engine.dispose()
    status = home.json("work", "--status")
    assert {job["process"]: job["state"] for job in status["jobs"]} == {"a:1": "idle", "b:2": "silent"}
    assert status["jobs"][0]["lag_seconds"] == 0.5
    assert set(status["outbox"]) == {state.value for state in State}
    assert "log_unavailable" in home.run("work", "--status").stdout
