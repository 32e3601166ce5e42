"""What a process plans by itself: each sync and each edition, in every process, each slot once."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import errors
from endpoints.work.background import tidy
from endpoints.work.jobs import Scheduled
from endpoints.work.schedules import OnDays, editions_published, syncs
from exchange import RIGA
from gateway import Gateway
from mappings.vdeavk import DisabilityChanges
from routing import following
from routing.following import RunState
from routing.reconciliation import alone
from tests.registers.varis.country import small
from tests.steps.test_editions import at
from tests.steps.test_following import deliver, newest, queued
from tests.steps.wired import Wire, wired

NOW = datetime(2026, 5, 5, 1, 2, tzinfo=UTC)


def planned(gateway: Gateway, name: str, process: str = "one") -> Scheduled:
    gateway.archive.begin_month(gateway.log, NOW)
    return next(job for job in (*syncs(gateway, process), *editions_published(gateway)) if job.name == name)


def test_every_sync_is_planned_in_every_process(gateway: Gateway) -> None:
    jobs = {job.name: job for job in syncs(gateway, "one")}
    assert set(jobs) == {"sync-pmlp.GetChanges", "sync-vdeavk.GetChanges", "sync-npais.GetDecisions"}
    assert all(job.everywhere for job in jobs.values())


@pytest.mark.parametrize(
    ("name", "after", "then"),
    [
        ("sync-pmlp.GetChanges", "2026-12-24T12:00", "2026-12-25T05:00"),  # it works on holidays too
        ("sync-vdeavk.GetChanges", "2026-12-23T21:00", "2026-12-28T20:00"),
        ("sync-vdeavk.GetChanges", "2026-06-19T21:00", "2026-06-25T20:00"),  # a moved day, and Midsummer
        ("sync-npais.GetDecisions", "2026-12-24T12:00", "2026-12-25T03:00"),
        ("edition-vzd", "2026-05-01T00:00", "2026-05-05T04:00"),  # Friday and Monday are holidays
    ],
)
def test_each_source_is_asked_on_its_days(
    gateway: Gateway, tmp_path: Path, name: str, after: str, then: str
) -> None:
    job = planned(at(gateway, tmp_path), name) if name.startswith("sync") else None
    edition = gateway.adapters["vzd"].edition
    assert edition is not None
    slots = OnDays(edition.schedule) if job is None else job.trigger
    instant = datetime.fromisoformat(after).replace(tzinfo=RIGA)
    assert slots.get_next_fire_time(None, instant) == datetime.fromisoformat(then).replace(tzinfo=RIGA)


def test_two_processes_begin_one_run_of_a_slot(gateway: Gateway, transport: Wire) -> None:
    with wired(gateway.settings, transport) as other:
        for one, process in ((gateway, "one"), (other, "two"), (gateway, "one")):
            planned(one, "sync-vdeavk.GetChanges", process).run(NOW)
        assert len(queued(gateway)) == 1
        deliver(gateway, transport, DisabilityChanges(changes=(), cursor="a", more=False))
        planned(other, "sync-vdeavk.GetChanges", "two").run(NOW)
    assert (newest(gateway).slot, newest(gateway).state, queued(gateway)) == (NOW, RunState.DONE, [])


def test_an_edition_is_looked_for_where_there_is_one(gateway: Gateway, tmp_path: Path) -> None:
    assert list(editions_published(gateway)) == []
    (job,) = editions_published(at(gateway, tmp_path))
    assert (job.name, job.everywhere) == ("edition-vzd", True)


def test_a_look_loads_for_the_newest_slot_and_the_next_look_nothing(gateway: Gateway, tmp_path: Path) -> None:
    small().write(tmp_path / "editions")
    job = planned(at(gateway, tmp_path / "editions"), "edition-vzd")
    job.run(NOW)
    run = newest(gateway)
    assert (run.state, run.slot) == (RunState.DONE, datetime(2026, 5, 5, 4, tzinfo=RIGA))
    job.run(NOW + timedelta(minutes=5))
    assert newest(gateway).id == run.id
    job.run(NOW + timedelta(days=1))
    assert newest(gateway).slot == datetime(2026, 5, 6, 4, tzinfo=RIGA)


def test_an_edition_that_cannot_be_taken_ends_no_look_and_one_that_did_not_come_is_told(
    gateway: Gateway, tmp_path: Path
) -> None:
    planned(at(gateway, tmp_path / "nowhere"), "edition-vzd").run(NOW)
    assert newest(gateway).state is RunState.REFUSED
    vzd = dataclasses.replace(gateway.settings.systems["vzd"], edition_url="http://127.0.0.1:1/aw_csv.zip")
    settings = dataclasses.replace(gateway.settings, systems={**gateway.settings.systems, "vzd": vzd})
    away = planned(dataclasses.replace(gateway, settings=settings), "edition-vzd")
    for _ in range(2):  # the job is shown as failing, and the slot is tried again
        with pytest.raises(errors.SystemUnavailable):
            away.run(NOW + timedelta(days=1))
    assert (newest(gateway).state, newest(gateway).error) == (RunState.LEFT, "system_unavailable")


def test_a_look_while_another_process_loads_is_no_failure(gateway: Gateway, tmp_path: Path) -> None:
    small().write(tmp_path / "editions")
    job = planned(at(gateway, tmp_path / "editions"), "edition-vzd")
    with alone(gateway.engine, "edition vzd"):
        job.run(NOW)
    job.run(NOW)
    assert newest(gateway).state is RunState.DONE


def test_old_runs_are_forgotten_and_how_far_they_came_is_not(gateway: Gateway, transport: Wire) -> None:
    planned(gateway, "sync-vdeavk.GetChanges").run(NOW)
    deliver(gateway, transport, DisabilityChanges(changes=(), cursor="a", more=False))
    ended = newest(gateway).ended_at
    assert ended is not None
    planned(gateway, "sync-vdeavk.GetChanges").run(NOW + timedelta(days=1))
    under_way = newest(gateway).id
    for days, runs in ((89, 2), (91, 1)):
        tidy(gateway.engine, ended + timedelta(days=days))
        with gateway.engine.connect() as connection:
            assert len(connection.execute(following.RUN.select()).all()) == runs
    assert newest(gateway).id == under_way
    assert queued(gateway) == [("GetChanges", {"cursor": "a"})]
