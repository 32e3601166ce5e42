"""How fast the exchange log takes records, and how fast it is sequenced and verified.

    .venv/bin/python bench/bench_log.py                            SQLite in a temporary folder
    .venv/bin/python bench/bench_log.py --url postgresql+psycopg://127.0.0.1/empty_database

Prints one line of JSON; take ratios on one machine, not times: `group_gain` is appending with 16 threads over one.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import click
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine

from audit import Entry, ExchangeLog, Kind
from audit.sequencer import Sequencer
from audit.verify import verify
from exchange import Environment, new_id, utc_now
from storage import migrate, open_engine

KEY = Ed25519PrivateKey.generate()
SUBJECT_KEY = os.urandom(32)
THREADS = (1, 4, 16)


@click.command()
@click.option("--url", default="", help="An empty database; without one SQLite in a temporary folder.")
@click.option(
    "--records", default=2000, show_default=True, help="Records appended for each number of threads."
)
@click.option("--verified", default=50_000, show_default=True, help="Records in the log that is verified.")
def bench(url: str, records: int, verified: int) -> None:
    """Measure the exchange log."""
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(url or f"sqlite:///{Path(folder) / 'bench.db'}")
        migrate.upgrade(engine)
        click.echo(json.dumps(measure(engine, records, verified)))
        engine.dispose()


def measure(engine: Engine, records: int, verified: int) -> dict[str, float | str]:
    """Rates a second: single records appended by so many threads, records sequenced, records verified."""
    log = ExchangeLog(
        engine, environment=Environment.TEST, public_key=KEY.public_key(), subject_key=SUBJECT_KEY
    )
    log.write(entry())
    rates: dict[str, float | str] = {"database": engine.dialect.name, "cores": float(os.cpu_count() or 1)}
    for threads in THREADS:
        rates[f"append_{threads}_threads"] = rate(records, partial(append, log, threads, records))
    for _ in range(max(0, verified - records * len(THREADS)) // 500):
        log.write(*(entry() for _ in range(500)))
    sequencer = Sequencer(engine, KEY, environment=Environment.TEST)
    began, sequenced = time.perf_counter(), 0
    while done := sequencer.run_once():
        sequenced += done
    rates["sequence"] = round(sequenced / (time.perf_counter() - began), 1)
    began = time.perf_counter()
    report = verify(engine, KEY.public_key(), SUBJECT_KEY)
    rates["verify"] = round(report.size / (time.perf_counter() - began), 1)
    rates["group_gain"] = round(float(rates["append_16_threads"]) / float(rates["append_1_threads"]), 2)
    if report.status == "bad":
        raise click.ClickException(report.reason)
    return rates


def rate(records: int, work: Callable[[], None]) -> float:
    """Records a second while `work` writes them."""
    began = time.perf_counter()
    work()
    return round(records / (time.perf_counter() - began), 1)


def append(log: ExchangeLog, threads: int, records: int) -> None:
    """Append records one by one, each committed before the next of the same thread."""
    with ThreadPoolExecutor(threads) as pool:
        for future in [pool.submit(log.write, entry()) for _ in range(records)]:
            future.result()


def entry() -> Entry:
    """A record as an exchange writes it."""
    facts = {"system": "pmlp", "operation": "GetPerson", "institution": "90000022632", "purpose": "care"}
    return Entry(
        Kind.OPENED, new_id(), utc_now(), dict(facts), {"subject": "32010112345", "official": "MT-1042"}
    )


if __name__ == "__main__":
    bench()
