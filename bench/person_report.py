"""How fast auditors are answered: the report to a person, each filter of the search, unusual look-ups of a month.

    python -m bench.person_report --records 1000000                     SQLite in a temporary folder
    python -m bench.person_report --records 1000000 --url postgresql+psycopg://127.0.0.1/empty_database

One person has a thousand accesses under two codes, the others are spread over the records of one month. Prints one line
of JSON, times in seconds. Filling takes minutes: it writes the records as the log does and the tree without signing.
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Connection, Engine, func, insert, select, text

import registers
from audit import Entry, Kind, search
from audit import leaf as leaves
from audit.catalogue import catch_up
from audit.merkle import leaf_hash
from audit.search import Filters
from audit.tables import log_checkpoints, log_records, log_tree, log_values
from exchange import Json, Provenance, new_id, utc_now
from mappings.pmlp import Person
from questions.report import subject_report
from questions.unusual import unusual
from questions.withholding import AskedBy
from storage import migrate, open_engine

KEY = os.urandom(32)
CODE, OTHER_CODE = "320101-12345", "320101-12346"
ACCESSES = 1000
BEGIN = datetime(2026, 10, 1, tzinfo=UTC)
MONTH = timedelta(days=30)
RECIPIENTS = tuple(f"municipality-{number}" for number in range(40))
_BATCH = 5000
_INSTITUTIONS = tuple(f"9000000{number:04d}" for number in range(40))
_OPERATIONS = (("pmlp", "GetPerson"), ("vdeavk", "GetDisability"), ("registers", "SearchCareStays"))


@click.command()
@click.option("--records", default=1_000_000, show_default=True, help="Records of the log: two an exchange.")
@click.option("--url", default="", help="An empty database; without one SQLite in a temporary folder.")
def bench(records: int, url: str) -> None:
    """Measure the questions of auditors."""
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(url or f"sqlite:///{Path(folder) / 'bench.db'}")
        migrate.upgrade(engine)
        click.echo(json.dumps(measure(engine, records)))
        engine.dispose()


def measure(engine: Engine, records: int) -> dict[str, Json]:
    """Seconds of each question, the median of three."""
    one, filled = fill(engine, records)
    began = time.perf_counter()
    catch_up(engine)
    found: dict[str, Json] = {
        "database": engine.dialect.name,
        "records": filled,
        "catalogue_records_per_s": int(filled / (time.perf_counter() - began)),
    }
    if engine.dialect.name == "postgresql":
        with engine.begin() as connection:
            connection.execute(text("ANALYZE"))
    report = subject_report(engine, KEY, CODE, asked_by=AskedBy.SELF, now=utc_now())
    found["accesses"] = len(report.entries)
    for name, ask in _questions(engine, one).items():
        found[name] = _median(ask)
    return found


def _questions(engine: Engine, one: uuid.UUID) -> dict[str, Callable[[], object]]:
    now, day = utc_now(), BEGIN + timedelta(days=12)
    filters = {
        "system": Filters(system="vdeavk"),
        "operation": Filters(operation="SearchCareStays"),
        "institution": Filters(institution=_INSTITUTIONS[3]),
        "official": Filters(official="PK:310000-00007"),
        "person": Filters(subjects=search.indexes(KEY, (CODE, OTHER_CODE))),
        "rule": Filters(rule="p8.13"),
        "time": Filters(since=day, until=day + timedelta(days=1)),
        "outcome": Filters(outcome="denied"),
        "kind": Filters(kind="attempt"),
        "caller": Filters(caller=RECIPIENTS[5]),
        "exchange": Filters(exchange=one),
        "outcome_and_institution_and_time": Filters(
            outcome="denied", institution=_INSTITUTIONS[3], since=day, until=day + timedelta(days=1)
        ),
        "nothing": Filters(system="nothing"),
    }
    asked: dict[str, Callable[[], object]] = {
        "subject_report": lambda: subject_report(engine, KEY, CODE, asked_by=AskedBy.SELF, now=now)
    }
    for name, wanted in filters.items():
        asked[f"search_{name}"] = lambda wanted=wanted: search.page(engine, wanted)  # type: ignore[misc]
    asked["unusual_of_the_month"] = lambda: unusual(engine, KEY, BEGIN.date(), (BEGIN + MONTH).date())
    return asked


def _median(ask: Callable[[], object]) -> float:
    times = []
    for _ in range(3):
        began = time.perf_counter()
        ask()
        times.append(time.perf_counter() - began)
    return round(sorted(times)[1], 3)


def fill(engine: Engine, records: int, begin: datetime = BEGIN) -> tuple[uuid.UUID, int]:
    """So many records of one month after what the tree has, and one person under two codes; one exchange, and how many
    records these are.
    """
    with engine.begin() as connection:
        placed = connection.execute(select(func.count()).select_from(log_tree)).scalar_one()
        origin = Provenance(new_id(), "pmlp", "v1-0", "m1", utc_now())
        person = Person(given_names=("Anna",), family_name="Bērziņa", person_code=OTHER_CODE)
        registers.feed(connection, person, origin, asked=CODE)
    chance = random.Random(7)  # noqa: S311 — invented data
    exchanges = records // 2
    own = set(chance.sample(range(exchanges), min(ACCESSES, exchanges)))
    batch: list[leaves.Record] = []
    filled = 0
    shown = sys.stderr.isatty()
    for number in range(exchanges):
        # A day's exchanges between eight and five in Riga.
        days, part = divmod(number * MONTH.days, exchanges)
        at = begin + timedelta(days=days, hours=5 + 9 * part / exchanges)
        for entry in _exchange(chance, at, own=number in own, other=number % 2 == 0):
            batch.append(leaves.seal(entry, new_id(entry.instant), KEY))
            last = entry.exchange_id
        if len(batch) >= _BATCH or number == exchanges - 1:
            with engine.begin() as connection:
                _write(connection, batch, placed + filled)
            filled += len(batch)
            batch = []
            if shown:
                click.echo(f"\r{filled} of {records}", nl=False, err=True)
    return last, filled


def _exchange(chance: random.Random, at: datetime, *, own: bool, other: bool) -> Iterator[Entry]:
    exchange_id, place = new_id(at), chance.randrange(40)
    system, operation = chance.choice(_OPERATIONS)
    official = chance.randrange(400)
    code = (
        (OTHER_CODE if other else CODE) if own else f"3{chance.randrange(21_000_000_00, 99_999_999_99):010d}"
    )
    facts: dict[str, Json] = {
        "way": "api",
        "environment": "test",
        "caller": RECIPIENTS[place],
        "recipient": RECIPIENTS[place],
        "system": system,
        "operation": operation,
        "institution": _INSTITUTIONS[place],
        "role": "social worker",
        "purpose": "social-service",
        "rule": chance.choice(("p8", "p8.13", "p12.8.13")),
    }
    personal: dict[str, Json] = {
        "subject": code,
        "official": f"PK:310000-{official:05d}",
        "case": f"L-{chance.randrange(10_000)}",
    }
    ended: dict[str, Json] = {
        "outcome": "denied" if chance.random() < 0.01 else "ok",
        "given": ["given_names", "family_name", "birth_date"],
        "withheld": ["documents[].number"],
        "source": system,
    }
    selection: dict[str, Json] = {"selection": {"person_code": code}}
    yield Entry(Kind.ATTEMPT, exchange_id, at, {**facts, "attempt": 1}, personal)
    yield Entry(Kind.OUTCOME, exchange_id, at, {**facts, **ended}, personal | selection)


def _write(connection: Connection, batch: list[leaves.Record], first: int) -> None:
    """The rows of records with their places; the checkpoint over them is none, which searching does not ask."""
    size = first + len(batch)
    tree: list[dict[str, Any]] = [
        {
            "idx": first + place,
            "record_id": one.id,
            "leaf_hash": leaf_hash(one.leaf.encode()),
            "checkpoint": size,
        }
        for place, one in enumerate(batch)
    ]
    values = [
        {"record_id": one.id, "name": value.name, "salt": value.salt, "value": value.text}
        for one in batch
        for value in one.values
    ]
    connection.execute(
        insert(log_records), [{"id": one.id, "leaf": one.leaf, **one.columns} for one in batch]
    )
    connection.execute(insert(log_checkpoints), [{"size": size, "note": ""}])
    connection.execute(insert(log_tree), tree)
    connection.execute(insert(log_values), values)


if __name__ == "__main__":
    bench()
