"""Editions that are looked for by themselves: one load for each slot, none twice, none half, both sides counted."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

import errors
from adapters import Adapter, Edition
from exchange import new_id
from gateway import Gateway
from registers.edition import EDITION
from registers.taken import Taken
from registers.varis.forms import Form
from routing import editions, following
from routing.following import Run, RunState
from tests.registers.varis.country import SAMPLE, small
from tests.routing.publishing import Site, edition, packed, publishing
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


def published(gateway: Gateway, site: Site) -> Gateway:
    """A gateway that knows an address of editions, and a state directory of its own."""
    vzd = dataclasses.replace(gateway.settings.systems["vzd"], edition=None, edition_url=site.url)
    systems = {**gateway.settings.systems, "vzd": vzd}
    settings = dataclasses.replace(gateway.settings, systems=systems)
    return dataclasses.replace(gateway, settings=settings)


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


@pytest.fixture
def site() -> Iterator[Site]:
    with publishing() as made:
        yield made


def test_an_edition_from_an_address_comes_when_it_has_changed(
    gateway: Gateway, site: Site, tmp_path: Path
) -> None:
    """In either form of its files."""
    gateway = published(gateway, site)
    site.publish(edition(small(), tmp_path / "first", Form.OLD), '"1"')
    first = load(gateway)
    assert first is not None
    assert (first.state, first.pages, first.counted.missing) == (RunState.DONE, 1, 0)
    assert first.counted.theirs > 10
    second = load(gateway, SLOT + timedelta(days=1))
    assert second is not None
    assert (second.state, second.pages, second.counted, site.sent) == (RunState.DONE, 0, first.counted, 1)
    changed = small().change("200000601", DAT_MOD="2026.05.02")
    site.publish(edition(changed, tmp_path / "second"), '"2"')
    third = load(gateway, SLOT + timedelta(days=2))
    assert third is not None
    assert (third.pages, site.sent) == (1, 2)
    assert in_use(gateway) == [(1, "superseded"), (2, "current")]
    begun = [leaf for leaf in leaves(gateway) if leaf.get("stage") == "begun"]
    assert [leaf["from"] for leaf in begun] == [site.url, site.url]
    assert not (gateway.settings.state / "editions" / "vzd").exists(), "nothing of it is left lying"


def test_a_download_that_breaks_off_changes_nothing_and_the_slot_is_not_lost(
    gateway: Gateway, site: Site, tmp_path: Path
) -> None:
    gateway = published(gateway, site)
    site.publish(edition(small(), tmp_path / "first"), '"1"')
    load(gateway)
    changed = small().change("200000601", DAT_MOD="2026.05.02")
    site.publish(edition(changed, tmp_path / "second"), '"2"')
    site.cut, later = 100, SLOT + timedelta(days=1)
    with pytest.raises(errors.SystemUnavailable):
        load(gateway, later)
    assert (newest(gateway).state, newest(gateway).error) == (RunState.LEFT, "system_unavailable")
    assert in_use(gateway) == [(1, "current")]
    site.cut = 0
    run = load(gateway, later)
    assert run is not None
    assert (run.state, run.slot, run.error) == (RunState.DONE, later, None)
    assert in_use(gateway) == [(1, "superseded"), (2, "current")]


def test_what_cannot_be_taken_is_refused_and_looked_at_anew(
    gateway: Gateway, site: Site, tmp_path: Path
) -> None:
    gateway = published(gateway, site)
    site.publish(edition(small(), tmp_path / "first"), '"1"')
    load(gateway)
    for broken in (b"no zip", packed({"aw_pilseta.csv": b"not a row"})):
        site.publish(broken, '"2"')
        slot = SLOT + timedelta(days=site.sent)
        with pytest.raises(errors.InvalidRequest):
            load(gateway, slot)
        assert (newest(gateway).state, newest(gateway).error) == (RunState.REFUSED, "invalid_request")
        assert load(gateway, slot) is None, "a person decides, or the next slot looks"
    assert site.sent == 3, "what was refused is not what is known"
    assert in_use(gateway) == [(1, "current"), (2, "refused")]


def test_a_version_is_known_when_it_is_in_use_and_not_before(
    gateway: Gateway, site: Site, tmp_path: Path
) -> None:
    gateway = published(gateway, site)
    site.publish(edition(small(), tmp_path / "first"), '"1"')

    def killed(*_arguments: object, **_named: object) -> Any:
        raise Killed

    with pytest.raises(Killed):
        load(gateway, adapter=torn(gateway.adapters["vzd"], killed))
    (gateway.settings.state / "editions" / "vzd").mkdir(parents=True)
    (gateway.settings.state / "editions" / "vzd" / "aw_iela.csv").write_text("of one that was killed")
    run = load(gateway)
    assert run is not None
    assert (run.state, run.pages, site.sent) == (RunState.DONE, 1, 2)


def test_another_process_that_loads_does_not_take_the_slot(gateway: Gateway) -> None:
    """The load itself is under way by hand; when that has ended, the slot has its run."""
    small().write(folder(gateway))

    def busy(*_arguments: object, **_named: object) -> Any:
        raise errors.Busy("a load is under way")

    with pytest.raises(errors.Busy):
        load(gateway, adapter=torn(gateway.adapters["vzd"], busy))
    assert newest(gateway).state is RunState.LEFT
    run = load(gateway)
    assert run is not None
    assert (run.state, run.slot) == (RunState.DONE, SLOT)


def test_a_load_that_was_overtaken_ends_nothing(gateway: Gateway) -> None:
    """Whoever is taken for dead and goes on finds its run taken over, and switches nothing."""
    small().write(folder(gateway))
    whole = gateway.adapters["vzd"].edition
    assert whole is not None

    def overtaken(*arguments: Any, **named: Any) -> Any:
        name = ("vzd", editions.OPERATION)
        with gateway.engine.begin() as connection:
            following.leave(connection, *name)
            following.begin(connection, taker, name, following.Beginning(slot=SLOT), question=None)
        return whole.load(*arguments, **named)

    taker = new_id()
    with pytest.raises(errors.Busy):
        load(gateway, adapter=torn(gateway.adapters["vzd"], overtaken))
    assert (newest(gateway).id, newest(gateway).state) == (taker, RunState.RUNNING)
    assert "current" not in [state for _, state in in_use(gateway)]
