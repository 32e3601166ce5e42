"""Editions that are looked for by themselves: one load for each slot, none twice, none half, both sides counted."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

import errors
from adapters import Adapter, Edition
from gateway import Gateway
from registers.edition import EDITION
from registers.taken import Taken
from routing import editions, following
from routing.following import Run, RunState
from tests.registers.varis.country import SAMPLE, small
from tests.steps.wired import leaves

SLOT = datetime(2026, 5, 4, 1, 0, tzinfo=UTC)


@pytest.fixture
def gateway(gateway: Gateway, tmp_path: Path) -> Gateway:
    """A gateway that knows a folder of editions."""
    (tmp_path / "editions").mkdir()
    return at(gateway, tmp_path / "editions")


def at(gateway: Gateway, folder: Path) -> Gateway:
    vzd = dataclasses.replace(gateway.settings.systems["vzd"], edition=folder)
    systems = {**gateway.settings.systems, "vzd": vzd}
    return dataclasses.replace(gateway, settings=dataclasses.replace(gateway.settings, systems=systems))


def folder(gateway: Gateway) -> Path:
    found = gateway.settings.systems["vzd"].edition
    assert found is not None
    return found


def load(gateway: Gateway, slot: datetime | None = SLOT, adapter: Adapter | None = None) -> Run | None:
    gateway.archive.begin_month(gateway.log, SLOT)
    return editions.load(
        gateway.settings, gateway.engine, gateway.log, adapter or gateway.adapters["vzd"], slot=slot
    )


def in_use(gateway: Gateway) -> list[tuple[int, str]]:
    with gateway.engine.connect() as connection:
        found = connection.execute(select(EDITION.c.number, EDITION.c.state).order_by(EDITION.c.number))
        return [(row.number, row.state) for row in found]


def newest(gateway: Gateway) -> Run:
    with gateway.engine.connect() as connection:
        (run,) = following.newest(connection)
        return run


def acts(gateway: Gateway) -> list[object]:
    return [leaf["stage"] for leaf in leaves(gateway) if leaf.get("act") == "addresses load"]


def test_an_edition_is_loaded_once_for_its_slot_and_never_again(gateway: Gateway) -> None:
    small().write(folder(gateway) / "2026-05-01")
    run = load(gateway)
    assert run is not None
    assert (run.state, run.slot, run.pages) == (RunState.DONE, SLOT, 1)
    assert run.counted.theirs == run.counted.ours > 10
    assert load(gateway) is None, "the slot has had its run"
    again = load(gateway, SLOT + timedelta(days=1))
    assert again is not None
    assert (again.state, again.pages) == (RunState.DONE, 0), "the same files are not loaded again"
    assert again.counted == run.counted
    assert in_use(gateway) == [(1, "current")]
    assert acts(gateway) == ["begun", "loaded"]


def test_the_newest_folder_is_taken(gateway: Gateway) -> None:
    small().write(folder(gateway) / "2026-05-01")
    load(gateway)
    small().change("200000601", DAT_MOD="2026.05.02").write(folder(gateway) / "2026-05-02")
    run = load(gateway, None)
    assert run is not None
    assert run.pages == 1
    assert in_use(gateway) == [(1, "superseded"), (2, "current")]


def test_the_real_rows_are_held_to_the_last(gateway: Gateway) -> None:
    run = load(at(gateway, SAMPLE))
    assert run is not None
    assert run.counted.missing == 0, run.counted


def test_many_processes_and_one_slot_make_one_run(gateway: Gateway) -> None:
    small().write(folder(gateway))

    def attempt(_number: int) -> Run | None:
        try:
            return load(gateway)
        except errors.Busy:
            return None

    with ThreadPoolExecutor(4) as threads:
        runs = [run for run in threads.map(attempt, range(8)) if run is not None]
    assert len(runs) == 1
    assert in_use(gateway) == [(1, "current")]


def test_a_broken_edition_is_refused_and_the_slot_not_tried_again(gateway: Gateway) -> None:
    small().write(folder(gateway))
    broken = next(folder(gateway).glob("aw_pilseta.csv"))
    broken.write_text(broken.read_text() + '"x"\r\n', encoding="utf-8")
    with pytest.raises(errors.InvalidRequest):
        load(gateway)
    run = newest(gateway)
    assert (run.state, run.error) == (RunState.REFUSED, "invalid_request")
    assert load(gateway) is None
    assert acts(gateway) == ["begun", "refused"]
    small().write(folder(gateway))
    mended = load(gateway, SLOT + timedelta(days=1))
    assert mended is not None
    assert mended.state is RunState.DONE


def test_a_folder_that_is_not_there_is_told(gateway: Gateway) -> None:
    with pytest.raises(errors.InvalidRequest, match="nowhere"):
        load(at(gateway, Path("/nowhere")))


class Killed(BaseException):
    """The process ends here."""


def torn(adapter: Adapter, load_instead: Callable[..., Any]) -> Adapter:
    assert isinstance(adapter.edition, Edition)
    return dataclasses.replace(adapter, edition=dataclasses.replace(adapter.edition, load=load_instead))


def test_a_load_that_was_killed_is_made_up_for(gateway: Gateway) -> None:
    """Its run stays open, whoever looks next loads for the same slot."""
    small().write(folder(gateway))
    adapter = gateway.adapters["vzd"]

    def killed(*_arguments: object, **_named: object) -> Any:
        raise Killed

    with pytest.raises(Killed):
        load(gateway, adapter=torn(adapter, killed))
    assert newest(gateway).state is RunState.RUNNING
    run = load(gateway)
    assert run is not None
    assert (run.state, run.slot) == (RunState.DONE, SLOT)
    assert in_use(gateway)[-1][1] == "current"


def test_the_switch_and_the_end_of_the_run_stand_or_fall_together(gateway: Gateway) -> None:
    small().write(folder(gateway))
    adapter = gateway.adapters["vzd"]
    assert adapter.edition is not None
    whole = adapter.edition.load

    def killed(*arguments: Any, settle: Any, **named: Any) -> Any:
        def last(work: Any, summary: Any) -> None:
            def then_die(connection: Any) -> None:
                work(connection)
                raise Killed

            settle(then_die, summary)

        return whole(*arguments, settle=last, **named)

    with pytest.raises(Killed):
        load(gateway, adapter=torn(adapter, killed))
    assert (newest(gateway).state, newest(gateway).counted) == (RunState.RUNNING, Taken())
    assert "current" not in [state for _, state in in_use(gateway)]
    assert load(gateway) is not None
    assert in_use(gateway)[-1][1] == "current"
