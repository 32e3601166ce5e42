"""/readyz answers in time whatever hangs behind it, and says of each check what is so."""

from __future__ import annotations

import dataclasses
import json
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import config
from audit import Entry, Kind
from audit.tables import sequencer_queue
from endpoints import readiness
from endpoints.bounded import Bounded
from endpoints.readiness import MOST_BEHIND_SECONDS, Readiness
from endpoints.work.looks import looks
from exchange import new_id, utc_now
from gateway import Gateway, wire
from routing import incidents, jobs, outbox
from routing.breakers import MOST_FAILURES
from routing.jobs import JobState, JobStatus
from security.keys import issue
from storage import migrate
from tests.instances import PrivatePostgres, PrivateRabbit

# Beyond the time that checks get: for the machine, which tests share.
PATIENCE = 15.0


@pytest.fixture
def wired(api_keys: Path, database: str, tmp_path: Path) -> Iterator[Gateway]:
    """A gateway on each kind of database, with keys of its own."""
    shutil.copytree(api_keys / "keys", tmp_path / "keys")
    known = config.load({})
    systems = {
        name: dataclasses.replace(system, trust=tmp_path / "keys" / f"{name}.pem")
        for name, system in known.systems.items()
    }
    gateway = wire(dataclasses.replace(known, state=tmp_path, database_url=database, systems=systems))
    yield gateway
    gateway.log.close()
    gateway.engine.dispose()


def check(found: dict[str, Any], name: str) -> dict[str, Any]:
    told: dict[str, Any] = found["checks"][name]
    return told


def with_settings(gateway: Gateway, **changes: Any) -> Gateway:
    return dataclasses.replace(gateway, settings=dataclasses.replace(gateway.settings, **changes))


def test_a_question_that_hangs_is_not_asked_twice() -> None:
    go, asked = threading.Event(), []

    def hang() -> int:
        asked.append(1)
        go.wait(60)
        return 7

    def fail() -> int:
        raise KeyError("secret")

    bounded = Bounded({"hangs": hang, "fails": fail, "answers": lambda: 1}, seconds=0.2)
    for _ in range(3):
        found = bounded.ask()
        assert isinstance(found["hangs"], TimeoutError)
        assert isinstance(found["fails"], KeyError)
        assert found["answers"] == 1
    assert len(asked) == 1
    go.set()
    patient = Bounded({"answers": hang}, seconds=30)
    assert patient.ask() == {"answers": 7}


def test_every_check_has_an_answer(wired: Gateway) -> None:
    found = Readiness(wired).report()
    assert found["ready"] is True
    assert check(found, "sequencer") == {"ok": True, "pending": 0, "oldest_seconds": None, "alive": False}
    assert abs(check(found, "clock")["offset_seconds"]) < 5
    assert check(found, "outbox")["rows"] == dict.fromkeys(
        ("waiting", "leased", "dead", "unknown", "parked"), 0
    )
    assert set(check(found, "breakers")["systems"].values()) == {"closed"}
    assert check(found, "certificates")["days_left"].keys() == {"gateway", "authority", "system"}
    assert {name for name in readiness.DECIDING if check(found, name)["ok"]} == readiness.DECIDING


def test_a_clock_ten_minutes_off_shows(wired: Gateway) -> None:
    found = Readiness(wired, clock=lambda: utc_now() + timedelta(minutes=10)).report()
    if wired.engine.dialect.name == "postgresql":
        assert found["ready"] is False
        assert check(found, "clock")["ok"] is False
        assert 590 < check(found, "clock")["offset_seconds"] < 610
    else:
        assert check(found, "clock") == {"ok": True, "offset_seconds": 0.0}


@pytest.mark.parametrize("minutes", [-10, 10])
def test_a_record_from_a_host_whose_clock_is_off_makes_nobody_unready(wired: Gateway, minutes: int) -> None:
    wired.log.write(Entry(Kind.OPENED, new_id(), utc_now() + timedelta(minutes=minutes), {"way": "api"}))
    found = Readiness(wired).report()
    assert found["ready"] is True
    assert 0.0 <= check(found, "sequencer")["oldest_seconds"] < PATIENCE
    back = sequencer_queue.c.queued_at
    with wired.engine.begin() as connection:
        for queued in connection.execute(sequencer_queue.select()).all():
            long_ago = queued.queued_at - timedelta(seconds=MOST_BEHIND_SECONDS + 5)
            where = sequencer_queue.c.position == queued.position
            connection.execute(sequencer_queue.update().where(where).values({back: long_ago}))
    found = Readiness(wired).report()
    assert found["ready"] is False, "nobody has given it a place for a minute"


def test_not_ready_when_our_own_certificate_has_ended(wired: Gateway) -> None:
    keys = wired.settings.keys
    issue(keys, "short", days=2)
    shutil.copy(keys / "short.pem", keys / "gateway.pem")
    found = Readiness(wired).report()
    assert found["ready"] is True
    assert 1.5 < check(found, "certificates")["days_left"]["gateway"] < 2.1
    found = Readiness(wired, clock=lambda: utc_now() + timedelta(days=3)).report()
    assert check(found, "certificates")["ok"] is False
    assert check(found, "certificates")["days_left"]["gateway"] < 0


def test_another_ones_expired_certificate_stops_nobody(wired: Gateway) -> None:
    keys = wired.settings.keys
    issue(keys, "short", days=2)
    shutil.copy(keys / "short.pem", keys / "pmlp.pem")
    later = Readiness(wired, clock=lambda: utc_now() + timedelta(days=3)).report()
    assert check(later, "certificates")["days_left"]["system"] < 0
    assert check(later, "certificates")["ok"] is True


def test_jobs_are_told_by_the_process_that_does_them_best(wired: Gateway) -> None:
    ran = datetime(2026, 11, 23, 3, tzinfo=UTC)

    def status(job: str, process: str, state: JobState) -> JobStatus:
        return JobStatus(job, process, state, ran, ran, ran + timedelta(hours=1), 1.25, None)

    with wired.engine.begin() as connection:
        jobs.report(connection, [status("sequencer", "host-a:1", JobState.FAILING)])
        jobs.report(connection, [status("sequencer", "host-b:2", JobState.IDLE)])
        jobs.report(connection, [status("sweeper", "host-b:2", JobState.ENDED)])
    found = Readiness(wired).report()
    assert check(found, "jobs") == {
        "ok": True,
        "jobs": {
            "sequencer": {
                "state": "idle",
                "last_run": "2026-11-23T03:00:00.000000Z",
                "next_run": "2026-11-23T04:00:00.000000Z",
                "lag_seconds": 1.2,
                "processes": 1,
            }
        },
    }
    assert check(found, "sequencer")["alive"] is True
    assert "host-" not in json.dumps(found)
    with wired.engine.begin() as connection:
        jobs.report(connection, [status("sequencer", "host-b:2", JobState.FAILING)])
    found = Readiness(wired).report()
    assert (check(found, "jobs")["ok"], found["ready"]) == (False, True)


def test_what_is_left_to_a_person_and_what_is_away_is_told_and_stops_nothing(wired: Gateway) -> None:
    with wired.engine.begin() as connection:
        outbox.put(
            connection,
            new_id(),
            ("sais", "NotifyCareStay"),
            give_up_after=timedelta(hours=1),
        )
        connection.execute(outbox.outbox.update().values(state="dead"))
    for _ in range(MOST_FAILURES):
        wired.breakers.failed(wired.breakers.admit("pmlp", 1.0))
    found = Readiness(wired).report()
    assert found["ready"] is True
    assert check(found, "outbox")["ok"] is False
    assert check(found, "outbox")["rows"]["dead"] == 1
    assert check(found, "breakers")["systems"]["pmlp"] == "open"
    assert check(found, "breakers")["ok"] is False


def test_a_broker_that_says_nothing_is_told_in_time(wired: Gateway) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"amqp://guest:secret@127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        found = Readiness(with_settings(wired, amqp_url=url)).report()
        assert time.monotonic() - began < PATIENCE
    assert check(found, "broker")["ok"] is False
    assert found["ready"] is True, "deliveries go on from the table"
    assert "secret" not in json.dumps(found)


def test_a_broker_that_answers() -> None:
    with PrivateRabbit() as rabbit:
        state = readiness._broker(dataclasses.replace(config.load({}), amqp_url=rabbit.url))
    assert state == {"ok": True, "waiting": 0, "dead": 0}


def test_a_database_that_stands_still_gets_an_answer(api_keys: Path, tmp_path: Path) -> None:
    shutil.copytree(api_keys / "keys", tmp_path / "keys")
    with PrivatePostgres() as server, ExitStack() as end:
        settings = dataclasses.replace(config.load({}), state=tmp_path, database_url=server.url)
        gateway = wire(settings)
        end.callback(gateway.engine.dispose)
        migrate.upgrade(gateway.engine)
        ready = Readiness(gateway)
        assert ready.report()["ready"] is True
        server.pause()
        try:
            began = time.monotonic()
            found = [ready.report() for _ in range(2)]
            assert time.monotonic() - began < 2 * PATIENCE
        finally:
            server.resume()
        for each in found:
            assert each["ready"] is False
            assert check(each, "database")["ok"] is False
            assert check(each, "keys")["ok"] is True
        until = time.monotonic() + 60
        while not ready.report()["ready"]:
            assert time.monotonic() < until


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_records_that_no_witness_has_cosigned(wired: Gateway) -> None:
    """Shown from the start, a fault when they get too old, and one that stops nothing."""
    log = dataclasses.replace(wired.settings.log, witness_url="http://127.0.0.1:9")
    assert "witness" not in Readiness(wired).report()["checks"]  # type: ignore[operator] # a table of checks
    watched = with_settings(wired, log=log)
    wired.log.write(Entry(Kind.ADMIN, new_id(), utc_now(), {"act": "x"}))
    told = check(Readiness(watched).report(), "witness")
    assert (told["ok"], told["cosigned"], told["exposed_records"], told["fork"]) == (True, None, 2, False)
    assert exposed(watched) == []
    late = with_settings(wired, log=dataclasses.replace(log, exposure_seconds=0.001))
    report = Readiness(late).report()
    assert not check(report, "witness")["ok"]
    assert "witness" not in readiness.DECIDING
    (finding,) = exposed(late)
    assert (finding.kind, "records=2" in finding.detail) == ("exposure", True)
    with wired.engine.begin() as connection:
        incidents.see(connection, incidents.Finding("fork", "witness.example"))
    told = check(Readiness(watched).report(), "witness")
    assert (told["ok"], told["fork"]) == (False, True)


def exposed(gateway: Gateway) -> list[incidents.Finding]:
    return looks(gateway, list)["exposure"].run()
