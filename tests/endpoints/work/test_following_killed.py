"""Workers that are killed while they follow changes page by page: each change is kept, and kept once.

VDEAVK tells of everybody; PMLP of those who are followed, and of who changed it is asked anew in sets of persons.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner, Result
from sqlalchemy import Engine, Table, select, update

from adapters import discover
from commands import cli
from config import Settings
from exchange import today_in_riga
from gateway import Gateway, wire
from mappings.pmlp import MOST_PERSONS
from registers import disability, person_changes, persons
from registers.history import recorded
from registers.persons import person_of
from registers.taken import Taken
from routing import following, outbox
from routing.following import Run, RunState
from simulators.changes import Change, behind, changes
from simulators.disability import disability_changes
from simulators.population import Person, Population
from simulators.residents import addresses
from storage import database_now, reading
from tests.commands.conftest import Home, closed_port, home, made_keys
from tests.commands.processes import GATEWAY, simulators
from tests.registers.invented import provenance
from tests.steps.wired import Door, arrive

pytestmark = pytest.mark.long

__all__ = ["home", "made_keys"]

PERSONS, SEED, SINCE = 3000, 5, "20100101"
POPULATION = Population(PERSONS, SEED)
FOLLOWED = 120
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


def command(environ: Mapping[str, str], *arguments: str) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(cli, arguments, env=environ)


def newest(engine: Engine) -> dict[str, Run]:
    """The newest run of each system."""
    with reading(engine).begin() as connection:
        return {run.system: run for run in following.newest(connection)}


def rows(engine: Engine, *states: outbox.State) -> Counter[str]:
    """How many rows of the outbox there are in these states, of each operation."""
    with reading(engine).begin() as connection:
        found = outbox.listed(connection, states=list(states), limit=None)
    return Counter(f"{row.system}.{row.operation}" for row in found)


def person_sets(journal: Path) -> Counter[str]:
    """How often PMLP was asked each question about a set of persons; it notes a question before it answers."""
    noted = [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()]
    return Counter(line["message_id"] for line in noted if line["operation"] == "GetPersonSet")


def unanswered(engine: Engine, journal: Path) -> bool:
    """Whether PMLP has been asked about persons, and what it answers is not kept yet."""
    asked = len(person_sets(journal))
    return asked > rows(engine, outbox.State.DELIVERED)["pmlp.GetPersonSet"]


def take_for_dead(engine: Engine) -> None:
    """Leases of those who died are over, as if their time had passed."""
    with engine.begin() as connection:
        over = database_now(connection)
        leased = update(outbox.outbox).where(outbox.outbox.c.state == outbox.State.LEASED.value)
        connection.execute(leased.values(leased_until=over))


def told() -> list[Change]:
    return behind(disability_changes(POPULATION), SINCE, today_in_riga())


def told_of(persons: Iterable[Person]) -> list[Change]:
    """What PMLP tells of those who are followed."""
    every = (change for person in persons for change in changes(POPULATION, person))
    return behind(every, SINCE, today_in_riga())


def follow(settings: Settings, persons: list[Person]) -> None:
    """Have PMLP tell of persons from now on."""
    with closing_gateway(settings) as wired:
        for begin in range(0, len(persons), MOST_PERSONS):
            codes = tuple(person.code for person in persons[begin : begin + MOST_PERSONS])
            door = Door(
                operation="Subscribe", arguments={"person_codes": codes}, rule="p17.2", effect_once=True
            )
            assert arrive(wired, door).status == 200


@contextmanager
def closing_gateway(settings: Settings) -> Iterator[Gateway]:
    wired = wire(settings)
    try:
        yield wired
    finally:
        wired.log.close()
        wired.engine.dispose()


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
    followed = [one for one in POPULATION if one.code in known and any(changes(POPULATION, one))][:FOLLOWED]
    environ = {"GATEWAY_CONFIG": str(tmp_path), "GATEWAY_DATABASE_URL": database}
    journal = tmp_path / "journal.jsonl"
    arguments = ("vdeavk", "pmlp", "--persons", str(PERSONS), "--seed", str(SEED), "--journal", str(journal))
    with simulators(tmp_path, environ, *arguments) as ready:
        away = {name: f"http://127.0.0.1:{closed_port()}/{name}/v1-0" for name in discover()}
        home.configure({**away, **ready["systems"]})
        follow(replace(home.settings, database_url=database), followed)
        for name, delay in (("vdeavk", 150), ("pmlp", 400)):
            slow = {"mode": "slow", "count": 1_000_000, "delay_ms": delay}
            told_so = requests.post(f"{ready['systems'][name]}/_control", json=slow, timeout=10)
            assert told_so.status_code == 200
            begun = command(environ, "sync", name, "GetChanges", "--since", "2010-01-01", "--json")
            assert begun.exit_code == 0, begun.stderr
        amid, kills = False, 0
        until = time.monotonic() + SECONDS
        while rows(engine, outbox.State.WAITING, outbox.State.LEASED):
            assert kills < MOST_KILLS
            assert time.monotonic() < until
            before = rows(engine, outbox.State.DELIVERED).total()
            with worker(environ):
                # Once at least amid such a question; else after some progress, so that no row is taken for poison.
                while not (
                    rows(engine, outbox.State.DELIVERED).total() > before
                    if amid
                    else unanswered(engine, journal)
                ):
                    assert time.monotonic() < until
                    time.sleep(0.05)
                if amid:
                    time.sleep(rng.uniform(0.0, 2.0))
            kills += 1
            amid = amid or unanswered(engine, journal)
            take_for_dead(engine)
    assert kills >= 2
    assert amid
    runs = newest(engine)
    delivered = rows(engine, outbox.State.DELIVERED)
    judge_disabilities(engine, runs["vdeavk"], every, known)
    judge_persons(engine, runs["pmlp"], followed)
    assert delivered == rows(engine, *outbox.State), "nothing dead, nothing parked"
    assert delivered == {
        "vdeavk.GetChanges": runs["vdeavk"].pages,
        "pmlp.GetChanges": runs["pmlp"].pages,
        "pmlp.GetPersonSet": runs["pmlp"].asked_anew,
    }, "a question for each page and for who changed, and no more"
    questions = person_sets(journal)
    assert len(questions) == runs["pmlp"].asked_anew < questions.total(), "asked again under its own name"
    for name, run in runs.items():
        (found,) = json.loads(command(environ, "sync", name, "--recount", "--json").stdout)
        assert (found["agrees"], found["entries"], found["doubled"]) == (True, run.counted.theirs, 0)
    shown = command(environ, "sync", "vdeavk", "--status", "--json")
    (line,) = json.loads(shown.stdout)
    assert (line["state"], line["theirs"], line["missing"]) == ("done", len(every), 0)


def judge_disabilities(engine: Engine, run: Run, every: list[Change], known: set[str]) -> None:
    """Each change of somebody known is kept, once; both sides are counted."""
    assert run.state is RunState.DONE, (run.state, run.error)
    assert run.pages == -(-len(every) // 100) > 5
    ours = [change for change in every if change.person.code in known]
    assert run.counted == Taken(len(every), len(ours), len(every) - len(ours))
    kept = kept_of(engine, disability.CHANGE, "changed_on")
    assert set(kept) == {(change.person.code, change.changed_on) for change in ours}
    assert set(kept.values()) == {1}, "no version too many"


def judge_persons(engine: Engine, run: Run, followed: list[Person]) -> None:
    """Each change is kept, once, and what has changed of whom is as PMLP has it, in one version."""
    every = told_of(followed)
    assert run.state is RunState.DONE, (run.state, run.error)
    assert run.pages == -(-len(every) // 100) > 1
    assert run.counted == Taken(len(every), len(every), 0)
    kept = kept_of(engine, person_changes.CHANGE, "changed_on", "data_sets")
    assert kept == Counter((one.person.code, one.changed_on, one.data_sets) for one in every)
    moved = {one.person.index: one.person for one in every if "ADDRESSES" in one.data_sets}.values()
    assert kept_of(engine, persons.ADDRESS, "kind", "varis_code", "text") == Counter(
        (person.code, *address) for person in moved for address in addresses(POPULATION, person)
    )
    exchanged = [one.person for one in every if one.previous_code]
    assert exchanged
    assert kept_of(engine, persons.DOCUMENT, "number") == Counter(
        (person.code, document.number) for person in exchanged for document in POPULATION.documents(person)
    )


def kept_of(engine: Engine, table: Table, *columns: str) -> Counter[tuple[object, ...]]:
    """Every version of a table that ever was: the code in force of its person, and some columns."""
    code = persons.PERSON_CODE
    joined = table.join(code, code.c.person_id == table.c.person_id)
    asked = select(code.c.code, *(table.c[name] for name in columns)).select_from(joined)
    with reading(engine).begin() as connection:
        found = connection.execute(asked.where(recorded(code), code.c.valid_to.is_(None))).all()
    return Counter((row[0].replace("-", ""), *row[1:]) for row in found)
