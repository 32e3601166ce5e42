"""`gateway sync`: asked by hand, waited for, shown."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest

import errors
from commands.opening import open_database
from endpoints.work.bell import Bell
from endpoints.work.deliveries import Deliveries
from gateway import Gateway
from mappings.vdeavk import DisabilityChange, DisabilityChanges
from tests.commands.conftest import Home
from tests.registers.invented import person_code
from tests.registers.varis.country import small
from tests.steps.wired import Wire, leaves, wired


def page(cursor: str, *, more: bool) -> DisabilityChanges:
    change = DisabilityChange(person_code=person_code(), changed_on=date(2026, 4, 1))
    return DisabilityChanges(changes=(change,), cursor=cursor, more=more)


@pytest.fixture
def transport() -> Wire:
    return Wire()


@contextmanager
def working(home: Home, transport: Wire) -> Iterator[Gateway]:
    """Somebody delivers meanwhile."""
    open_database(home.settings).dispose()
    with wired(home.settings, transport) as made:
        worker, stop = Deliveries(made, Bell(made.settings.database_url), 2), threading.Event()

        def deliver() -> None:
            while not stop.is_set():
                worker.step(stop)

        thread = threading.Thread(target=deliver)
        thread.start()
        try:
            yield made
        finally:
            stop.set()
            thread.join(30)


def test_what_was_never_asked_is_shown_as_such(home: Home) -> None:
    home.json("sync", "npais", "GetDecisions")
    shown = {(row["system"], row["operation"]): row["state"] for row in home.json("sync", "--status")}
    assert shown == {
        ("npais", "GetDecisions"): "running",
        ("pmlp", "GetChanges"): "never",
        ("vdeavk", "GetChanges"): "never",
        ("vzd", "edition"): "never",
    }
    told = home.run("sync", "--status")
    assert "npais GetDecisions" in told.stdout


def test_it_is_waited_for_until_the_last_page(home: Home, transport: Wire) -> None:
    transport.answers = [page("a", more=True), page("b", more=True), page("c", more=False)]
    with working(home, transport):
        (waited,) = home.json("sync", "vdeavk", "--wait", "--seconds", "30")
    assert waited["exchange_id"] == waited["run"]
    assert (waited["state"], waited["pages"], waited["cursor"]) == ("done", 3, "c")
    assert (waited["theirs"], waited["ours"], waited["strangers"], waited["missing"]) == (3, 0, 3, 0)


def test_when_the_time_is_over_it_is_still_under_way(home: Home) -> None:
    result = home.run("sync", "vdeavk", "GetChanges", "--wait", "--seconds", "0", "--json")
    assert (result.exit_code, json.loads(result.stdout)["state"]) == (3, "running")


def test_a_run_that_waits_for_a_person_is_told(home: Home, transport: Wire) -> None:
    transport.answers = [errors.RequestRefused("cursor")]
    with working(home, transport):
        result = home.run("sync", "vdeavk", "GetChanges", "--wait", "--seconds", "30", "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["state"], told["error"]) == (5, "stopped", "system_refused")


def test_the_one_under_way_is_the_one_that_is_waited_for(home: Home) -> None:
    first = home.json("sync", "vdeavk", "GetChanges")
    result = home.run("sync", "vdeavk", "GetChanges", "--wait", "--seconds", "0", "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["run"], told["exchange_id"]) == (3, first["run"], None)


def test_it_begins_at_a_day(home: Home) -> None:
    assert home.json("sync", "pmlp", "GetChanges", "--since", "2026-01-31")["since"] == "2026-01-31"


def test_an_edition_is_loaded_by_hand_once(home: Home, tmp_path: Path) -> None:
    small().write(tmp_path / "editions" / "2026-05-01")
    text = (tmp_path / "gateway.toml").read_text(encoding="utf-8")
    (tmp_path / "gateway.toml").write_text(
        text.replace("[systems.vzd]\n", '[systems.vzd]\nedition = "editions"\n'), encoding="utf-8"
    )
    first = home.json("sync", "vzd", "edition")
    assert (first["state"], first["pages"], first["missing"]) == ("done", 1, 0)
    assert first["theirs"] == first["ours"] > 10
    again = home.json("sync", "vzd", "edition")
    assert (again["state"], again["pages"], again["ours"]) == ("done", 0, first["ours"])


def test_without_a_folder_there_is_no_edition(home: Home) -> None:
    result = home.run("sync", "vzd", "edition")
    assert result.exit_code == 78
    assert "[systems.vzd] edition" in result.stderr


def test_counts_that_cannot_be_told_again_are_no_counts(home: Home, transport: Wire) -> None:
    """What the fake answers is no message: whoever recounts is told, and is on record."""
    transport.answers = [page("a", more=False)]
    with working(home, transport) as made:
        home.json("sync", "vdeavk", "--wait", "--seconds", "30")
        result = home.run("sync", "vdeavk", "--recount", "--json")
        assert result.exit_code == 2, result.output
        assert [leaf["run"] for leaf in leaves(made) if leaf.get("act") == "sync recount"] != []


def test_it_must_be_said_what_to_ask(home: Home) -> None:
    assert home.run("sync").exit_code == 2
    assert home.run("sync", "sais").exit_code == 2
