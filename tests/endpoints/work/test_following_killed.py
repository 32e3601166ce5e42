"""Workers that are killed while they follow changes page by page: each change is kept, and kept once."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from sqlalchemy import Engine, select, update

from adapters import discover
from exchange import today_in_riga
from registers.disability import CHANGE
from registers.persons import PERSON_CODE, person_of
from registers.taken import Taken
from routing import following, outbox
from routing.following import Run, RunState
from simulators.changes import Change, behind
from simulators.disability import disability_changes
from simulators.population import Population
from storage import database_now, reading
from tests.commands.conftest import Home, closed_port, home, made_keys
from tests.commands.processes import GATEWAY, gateway, simulators
from tests.registers.invented import provenance

__all__ = ["home", "made_keys"]

PERSONS, SEED, SINCE = 3000, 5, "20100101"
MOST_KILLS = 60
SECONDS = 240.0


@contextmanager
def worker(environ: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A `gateway work` that has begun; killed at the end of the block."""
    process = subprocess.Popen(  # noqa: S603 — our own interpreter and program
        [*GATEWAY, "work", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **environ},
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline(), "it did not begin"
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(20)
        process.stdout.close()


def newest(engine: Engine) -> Run:
    with reading(engine).begin() as connection:
        (run,) = following.newest(connection)
        return run


def take_for_dead(engine: Engine) -> None:
    """Leases of those who died are over, as if their time had passed."""
    with engine.begin() as connection:
        over = database_now(connection)
        leased = update(outbox.outbox).where(outbox.outbox.c.state == outbox.State.LEASED.value)
        connection.execute(leased.values(leased_until=over))


def told() -> list[Change]:
    return behind(disability_changes(Population(PERSONS, SEED)), SINCE, today_in_riga())


@pytest.mark.parametrize("seed", [1])
def test_every_change_is_kept_once_whatever_dies(
    home: Home, database: str, engine: Engine, tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)  # noqa: S311 — chooses moments, guards nothing
    every = told()
    known = {change.person.code for change in every if change.person.index % 3}
    with engine.begin() as connection:
        for code in sorted(known):
            person_of(connection, code, provenance())
    environ = {"GATEWAY_CONFIG": str(tmp_path), "GATEWAY_DATABASE_URL": database}
    arguments = ("vdeavk", "--persons", str(PERSONS), "--seed", str(SEED))
    with simulators(tmp_path, environ, *arguments) as ready:
        url = ready["systems"]["vdeavk"]
        away = {name: f"http://127.0.0.1:{closed_port()}/{name}/v1-0" for name in discover()}
        home.configure({**away, "vdeavk": url})
        slow = {"mode": "slow", "count": 1_000_000, "delay_ms": 150}
        assert requests.post(f"{url}/_control", json=slow, timeout=10).status_code == 200
        begun = gateway(environ, "sync", "vdeavk", "GetChanges", "--since", "2010-01-01", "--json")
        assert begun.returncode == 0, begun.stderr
        kills, between = 0, Counter[int]()
        until = time.monotonic() + SECONDS
        while newest(engine).state is RunState.RUNNING:
            assert kills < MOST_KILLS
            assert time.monotonic() < until
            with worker(environ):
                time.sleep(rng.uniform(0.5, 4.0))
            kills += 1
            take_for_dead(engine)
            between[newest(engine).pages] += 1
    run = newest(engine)
    assert run.state is RunState.DONE, run
    assert run.pages == -(-len(every) // 100) > 5
    assert kills >= 2
    ours = [change for change in every if change.person.code in known]
    assert run.counted == Taken(len(every), len(ours), len(every) - len(ours))
    with reading(engine).begin() as connection:
        rows = connection.execute(
            select(PERSON_CODE.c.code, CHANGE.c.changed_on).join(
                PERSON_CODE, PERSON_CODE.c.person_id == CHANGE.c.person_id
            )
        ).all()
        states = Counter(row.state for row in outbox.listed(connection, limit=None))
    kept = Counter((row.code.replace("-", ""), row.changed_on) for row in rows)
    assert set(kept) == {(change.person.code.replace("-", ""), change.changed_on) for change in ours}
    assert set(kept.values()) == {1}, "no version too many"
    assert states == {outbox.State.DELIVERED: run.pages}, "a question for each page, and no more"
    shown = gateway(environ, "sync", "vdeavk", "--status", "--json")
    (line,) = json.loads(shown.stdout)
    assert (line["state"], line["theirs"], line["missing"]) == ("done", len(every), 0)
