"""`gateway sync`: asks now what is otherwise asked on a schedule, and shows how far each has come."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial

import click
from sqlalchemy import Connection, Engine

import adapters
import config
import gateway
from adapters import Adapter, Operation
from audit import Archive, open_log
from commands import AS_JSON, print_json
from commands.opening import Day, admin_entry, ensure_keys, existing_database, give_place, open_database
from commands.progress import shown
from commands.rendering import print_rows
from config import Settings
from errors import InvalidRequest
from exchange import Json, instant_text, utc_now
from routing import editions, following, recounting
from routing.following import Run, RunState
from storage import reading

_LOOK_SECONDS = 0.25
# The exit codes of --wait: the run is still under way when the time is over; it waits for a person.
_UNDER_WAY = 3
_STOPPED = 5
_HEADS = (
    "sync", "state", "begun", "begins", "ended at", "pages", "theirs", "ours", "strangers", "missing", "anew", "error",
)  # fmt: skip

_RECOUNTED = (
    "system", "operation", "pages", "kept_pages", "theirs", "entries", "doubled", "ours", "strangers", "missing",
    "agrees",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Named:
    """A sync: an operation of an adapter, or its edition where that is None."""

    adapter: Adapter
    operation: Operation | None

    @property
    def name(self) -> tuple[str, str]:
        return self.adapter.name, editions.OPERATION if self.operation is None else self.operation.name


@click.command()
@click.argument("system", required=False)
@click.argument("operation", required=False)
@click.option("--wait", is_flag=True, help="Until the last page is kept; workers must be running.")
@click.option(
    "--seconds", type=click.FloatRange(min=0), default=600.0, show_default=True, help="Wait so long at most."
)
@click.option("--since", type=Day(), help="Begin at this day, whatever was answered before.")
@click.option("--status", is_flag=True, help="Show the newest run of each sync, and ask nothing.")
@click.option("--recount", is_flag=True, help="Count the newest run anew, from the answers in the archive.")
@AS_JSON
def command(
    system: str | None,
    operation: str | None,
    wait: bool,
    seconds: float,
    since: date | None,
    status: bool,
    recount: bool,
    as_json: bool,
) -> None:
    """Begin a sync now, or all of a system; the workers carry it out. One that is under way is left to go on.

    Who began it is on record.

    An edition (`vzd edition`) is loaded by this process from where the system's settings say: a folder, or an address.
    With --wait exit code 3 says that it is still under way, 5 that it waits for a person; with --recount 1 that
    the answers hold other counts than were taken of them.

    \b
    Example:  gateway sync npais GetDecisions
              gateway sync pmlp --wait
              gateway sync vdeavk GetChanges --since 2026-01-01
              gateway sync vzd edition
              gateway sync --status --json
              gateway sync pmlp GetChanges --recount
    """
    settings = config.load()
    if status:
        _show(settings, list(_find(system, operation)), as_json)
        return
    if system is None:
        raise click.UsageError("name the system, or ask for --status")
    if recount:
        _recount(settings, [one for one in _find(system, operation) if one.operation is not None], as_json)
        return
    named = [one for one in _find(system, operation) if operation or _is_set_up(settings, one)]
    ensure_keys(settings)
    open_database(settings).dispose()
    wired = gateway.wire(settings)
    until = time.monotonic() + seconds
    told, worst = [], 0
    for one in named:
        run_id, new = _load(wired, one.adapter, as_json) if one.operation is None else _ask(wired, one, since)
        if wait:
            worst = max(worst, _wait(wired.engine, one, run_id, until, as_json))
        with reading(wired.engine).begin() as connection:
            run = following.run_of(connection, run_id)
        told.append({"exchange_id": str(run_id) if new else None, **_json(one, run)})
        if not as_json:
            _tell(one, run, new)
    give_place(settings, wired.engine)
    if as_json:
        print_json(told[0] if operation else list[Json](told))
    if worst:
        click.get_current_context().exit(worst)


def _every() -> Iterator[_Named]:
    for adapter in adapters.discover().values():
        for operation in adapter.operations:
            if operation.sync is not None:
                yield _Named(adapter, operation)
        if adapter.edition is not None:
            yield _Named(adapter, None)


def _find(system: str | None, operation: str | None) -> list[_Named]:
    """Those named, all without a name. Raises: InvalidRequest."""
    every = list(_every())
    found = [one for one in every if system in (None, one.name[0]) and operation in (None, one.name[1])]
    if not found:
        names = ", ".join(" ".join(one.name) for one in every)
        raise InvalidRequest(f"no such scheduled operation; there are: {names}")
    return found


def _is_set_up(settings: Settings, one: _Named) -> bool:
    return one.operation is not None or settings.system(one.adapter.name).publishes


def _ask(wired: gateway.Gateway, one: _Named, since: date | None) -> tuple[uuid.UUID, bool]:
    """Begin a run; the one under way where there is one, and whether it is new."""
    operation = one.operation
    assert operation is not None  # noqa: S101 — an edition is loaded, not asked for
    wired.archive.begin_month(wired.log, utc_now())
    facts: dict[str, Json] = {
        "act": "sync",
        "system": one.adapter.name,
        "operation": operation.name,
        "since": since.isoformat() if since else None,
    }

    def work(connection: Connection) -> uuid.UUID | None:
        run_id = wired.queue.ask(connection, one.adapter, operation, utc_now(), since=since)
        begun = {**facts, "run": None if run_id is None else str(run_id)}
        wired.log.append(connection, admin_entry(wired.settings, begun, {}))
        return run_id

    queued = wired.log.commit(work)
    if queued is not None:
        return queued, True
    with reading(wired.engine).begin() as connection:
        newest = next(run for run in following.newest(connection) if (run.system, run.operation) == one.name)
    return newest.id, False


def _load(wired: gateway.Gateway, adapter: Adapter, quiet: bool) -> tuple[uuid.UUID, bool]:
    with shown(f"{adapter.name} edition", quiet=quiet) as progress:
        run = editions.load(wired.settings, wired.engine, wired.log, adapter, progress=progress)
    assert run is not None  # noqa: S101 — only a slot may have had its run
    return run.id, True


def _wait(engine: Engine, one: _Named, run_id: uuid.UUID, until: float, quiet: bool) -> int:
    """Wait for the end of a run; the exit code."""
    with shown(" ".join(one.name), quiet=quiet) as progress:
        while True:
            with reading(engine).begin() as connection:
                run = following.run_of(connection, run_id)
            progress(run.pages, None)
            if run.state is not RunState.RUNNING:
                return 0 if run.state in (RunState.DONE, RunState.LEFT) else _STOPPED
            if time.monotonic() >= until:
                return _UNDER_WAY
            time.sleep(_LOOK_SECONDS)


def _show(settings: Settings, named: list[_Named], as_json: bool) -> None:
    with reading(existing_database(settings)).begin() as connection:
        runs = {(run.system, run.operation): run for run in following.newest(connection)}
    if as_json:
        print_json([_json(one, runs.get(one.name)) for one in named])
        return
    print_rows(_HEADS, [_row(one, runs.get(one.name)) for one in named])


def _recount(settings: Settings, named: list[_Named], as_json: bool) -> None:
    """Count the newest run of each sync a second time; it is on record who did. Exit code 1 where the counts differ."""
    ensure_keys(settings)
    engine = open_database(settings)
    log, archive = open_log(settings, engine), Archive(settings)
    with reading(engine).begin() as connection:
        newest = {(run.system, run.operation): run for run in following.newest(connection)}
    told: list[dict[str, Json]] = []
    for one in named:
        if one.operation is None or (run := newest.get(one.name)) is None:
            continue
        facts: dict[str, Json] = {
            "act": "sync recount",
            "system": run.system,
            "operation": run.operation,
            "run": str(run.id),
        }
        log.commit(partial(log.append, entry=admin_entry(settings, facts, {})))
        with reading(engine).begin() as connection:
            found = recounting.recount(connection, archive, one.operation, run)
        counted: dict[str, Json] = {
            "kept_pages": found.pages,
            "entries": found.entries,
            "doubled": found.doubled,
            "agrees": found.agrees(run),
        }
        told.append(_json(one, run) | counted)
    give_place(settings, engine)
    if as_json:
        print_json(list[Json](told))
    else:
        print_rows(_RECOUNTED, [tuple(str(row[name]) for name in _RECOUNTED) for row in told])
    if not all(row["agrees"] for row in told):
        click.get_current_context().exit(1)


def _tell(one: _Named, run: Run, new: bool) -> None:
    counted = run.counted
    click.echo(str(run.id))
    words = (
        f"{' '.join(one.name)}: {run.state.value}, {run.pages} pages, "
        f"{counted.theirs} theirs, {counted.ours} ours, {counted.strangers} of persons not held, "
        f"{counted.missing} missing"
    )
    click.echo(words if new else f"the one before is still under way; {words}", err=True)


def _json(one: _Named, run: Run | None) -> dict[str, Json]:
    system, operation = one.name
    if run is None:
        return {"system": system, "operation": operation, "run": None, "state": "never"}
    return {
        "system": system,
        "operation": operation,
        "run": str(run.id),
        "state": run.state.value,
        "slot": _instant(run.slot),
        "since": run.since.isoformat() if run.since else None,
        "after": run.began_after,
        "cursor": run.cursor,
        "pages": run.pages,
        "theirs": run.counted.theirs,
        "ours": run.counted.ours,
        "strangers": run.counted.strangers,
        "missing": run.counted.missing,
        "asked_anew": run.asked_anew,
        "error": run.error,
        "question": str(run.question) if run.question else None,
        "begun_at": _instant(run.begun_at),
        "moved_at": _instant(run.moved_at),
        "ended_at": _instant(run.ended_at),
    }


def _row(one: _Named, run: Run | None) -> tuple[str, ...]:
    name = " ".join(one.name)
    if run is None:
        return (name, "never", *("" for _ in _HEADS[2:]))
    counted = run.counted
    numbers = (run.pages, counted.theirs, counted.ours, counted.strangers, counted.missing, run.asked_anew)
    begins = run.since.isoformat() if run.since else run.began_after or ""
    return (
        name,
        run.state.value,
        instant_text(run.begun_at)[:16],
        begins,
        "" if one.operation is None else run.cursor or "",
        *map(str, numbers),
        run.error or "",
    )


def _instant(instant: datetime | None) -> str | None:
    return None if instant is None else instant_text(instant)
