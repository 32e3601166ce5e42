"""Many processes that write to one exchange log: no gap, nothing lost, the order of each kept; and records a second.

    .venv/bin/python -m bench.writers --writers 16 --records 10000
    .venv/bin/python -m bench.writers --url postgresql+psycopg://127.0.0.1/empty_database

Each writer is a process with an engine of its own and commits records one after the other, a transaction each, by
`--threads` threads whose commits share transactions as in the gateway. A sequencer beside them gives indexes. Then the
whole log is read: indexes 0..n-1, every record once, those of each thread in the order in which it wrote them, and
`verify` says that nothing is bad. Without --url a database of its own is made on the server at 127.0.0.1:5432 and
dropped at the end. Exit 1 where anything does not hold.
"""

from __future__ import annotations

import json
import multiprocessing
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import click
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import create_engine, make_url, select, text

from audit import Entry, ExchangeLog, Kind, origin
from audit.sequencer import Sequencer
from audit.tables import log_records, log_tree
from audit.verify import verify
from exchange import Environment, Json, new_id, utc_now
from storage import migrate, open_engine

_SERVER = "postgresql+psycopg://127.0.0.1:5432/test"
_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
_SUBJECT_KEY = bytes(32)


@dataclass(frozen=True, slots=True)
class Found:
    """What a run showed; `wrong` names what does not hold."""

    writers: int
    records: int
    size: int
    per_second: float
    sequenced_per_second: float
    verified: str
    wrong: tuple[str, ...]


def write(url: str, writer: int, records: int, threads: int, begin: object) -> None:
    """One writer: `records` in all, by threads; each says in its facts whose it is and which."""
    engine = open_engine(url)
    log = ExchangeLog(
        engine, environment=Environment.TEST, public_key=_KEY.public_key(), subject_key=_SUBJECT_KEY
    )
    begin.wait()  # type: ignore[attr-defined] # a barrier of multiprocessing has no public type

    def some(thread: int) -> None:
        for number in range(thread, records, threads):
            facts: dict[str, Json] = {"writer": writer, "thread": thread, "number": number, "outcome": "ok"}
            personal = {"subject": f"32{number:09d}", "official": "MT-1042"}
            log.write(Entry(Kind.ADMIN, new_id(), utc_now(), facts, personal))

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(some, range(threads)))
    log.close()
    engine.dispose()


def run(url: str, writers: int, records: int, threads: int = 4) -> Found:
    """Write, sequence and read the whole log of a migrated database without rows."""
    engine = open_engine(url)
    origin.ensure(engine, Environment.TEST, _KEY.public_key())
    engine.dispose()
    # Forked by a process that has imported everything and opened nothing: sixteen at the price of one start.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["audit.log", "audit.sequencer", "audit.verify", "storage.migrate"])
    begin = context.Barrier(writers + 1)
    processes = [
        context.Process(target=write, args=(url, writer, records, threads, begin))
        for writer in range(writers)
    ]
    for each in processes:
        each.start()
    engine, done = open_engine(url, patience=None), threading.Event()
    sequencer = Sequencer(engine, _KEY, environment=Environment.TEST)

    def sequence() -> None:
        while sequencer.run_once() or not done.wait(0.05):
            pass

    sequencing = threading.Thread(target=sequence)
    begin.wait()
    began = time.monotonic()
    sequencing.start()
    for each in processes:
        each.join()
    written = time.monotonic() - began
    done.set()
    sequencing.join()
    sequenced = time.monotonic() - began
    sequencer.release()
    report = verify(engine, _KEY.public_key(), _SUBJECT_KEY)
    wrong = list(_wrong(url, writers, records, threads))
    wrong += [f"a writer ended with {each.exitcode}" for each in processes if each.exitcode]
    if report.status == "bad" or report.pending:
        wrong.append(f"verify: {report.status}, {report.pending} pending, {report.reason}")
    engine.dispose()
    total = writers * records
    return Found(
        writers, records, report.size, round(total / written, 1), round(total / sequenced, 1), report.status,
        tuple(wrong),
    )  # fmt: skip


def _wrong(url: str, writers: int, records: int, threads: int) -> Iterator[str]:
    """What does not hold of the log as it is in the tables; the leaf of index 0 is the origin's."""
    engine = open_engine(url, patience=None)
    with engine.connect() as connection:
        rows = connection.execute(
            select(log_tree.c.idx, log_records.c.kind, log_records.c.leaf)
            .join(log_records, log_records.c.id == log_tree.c.record_id)
            .order_by(log_tree.c.idx)
        ).all()
    engine.dispose()
    if [row.idx for row in rows] != list(range(writers * records + 1)):
        yield f"indexes: {len(rows)} rows, not 0..{writers * records} without a gap"
    found: dict[tuple[int, int], list[int]] = {}
    for row in rows:
        if row.kind == Kind.ADMIN.value:
            leaf = json.loads(row.leaf)
            found.setdefault((leaf["writer"], leaf["thread"]), []).append(leaf["number"])
    for writer in range(writers):
        for thread in range(threads):
            if found.get((writer, thread), []) != list(range(thread, records, threads)):
                yield f"writer {writer}, thread {thread}: not every record once, in its order"


@contextmanager
def database() -> Iterator[str]:
    """A migrated database on the server of this machine, for this run alone."""
    name = f"spolis_writers_{uuid.uuid4().hex[:8]}"
    server = create_engine(_SERVER, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    try:
        url = make_url(_SERVER).set(database=name).render_as_string(hide_password=False)
        engine = open_engine(url)
        migrate.upgrade(engine)
        engine.dispose()
        yield url
    finally:
        with server.connect() as connection:
            connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
        server.dispose()


@click.command()
@click.option("--writers", default=16, show_default=True, type=click.IntRange(1, 256))
@click.option("--records", default=10_000, show_default=True, type=click.IntRange(1), help="Of each writer.")
@click.option("--threads", default=4, show_default=True, type=click.IntRange(1, 64), help="Of each writer.")
@click.option("--url", default="", help="A migrated database without rows.  [default: one of its own]")
def main(writers: int, records: int, threads: int, url: str) -> None:
    """Write, and print what it showed as one line of JSON."""
    if url:
        found = run(url, writers, records, threads)
    else:
        with database() as own:
            found = run(own, writers, records, threads)
    click.echo(json.dumps(asdict(found)))
    raise SystemExit(1 if found.wrong else 0)


if __name__ == "__main__":
    main()
