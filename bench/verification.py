"""How long the exchange log takes to verify, and how that grows: in the database, and as an export.

    .venv/bin/python -m bench.verification --records 1000000                       SQLite in a temporary folder
    .venv/bin/python -m bench.verification --url postgresql+psycopg://127.0.0.1/empty_database

The log is grown to a tenth, three tenths and all of the records. At each size a process of its own verifies the
database, exports it, and verifies the export with the verifier that ships in it; a proof is made of a leaf in the
middle. Records are those of exchanges, with their personal values, under a checkpoint for every 2,000. Prints a line of
JSON for each size; take ratios on one machine, not times.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import click
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine

from audit import Entry, ExchangeLog, Kind, proofs
from audit.continuity import extent
from audit.export import Wanted, export
from audit.sequencer import Sequencer
from audit.verify import verify
from exchange import Environment, Json, new_id, utc_now
from storage import migrate, open_engine, reading

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SUBJECT_KEY = bytes(32)
STEPS = (0.1, 0.3, 1.0)
_TOGETHER = 600
# Nothing of the gateway is loaded in the process that verifies an export.
_SHIPPED = """
import json, os, runpy, sys, time
sys.path.insert(0, os.path.dirname(sys.argv[1]))
began = time.perf_counter()
try:
    runpy.run_path(sys.argv.pop(1), run_name="__main__")
except SystemExit as end:
    assert end.code == 3, end.code
peak = int(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0])
print(json.dumps([time.perf_counter() - began, time.process_time(), peak]), file=sys.stderr)
"""


@click.command()
@click.option("--url", default="", help="An empty database; without one SQLite in a temporary folder.")
@click.option("--records", default=1_000_000, show_default=True, help="Records in the log at the end.")
@click.option("--work", default="", hidden=True, help="What a process of this bench is to measure.")
@click.option("--folder", default="", hidden=True)
def bench(url: str, records: int, work: str, folder: str) -> None:
    """Measure verification."""
    if work:
        measured(partial(WORKS[work], open_engine(url, patience=None), Path(folder)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        where = url or f"sqlite:///{Path(temporary) / 'bench.db'}"
        engine = open_engine(where)
        migrate.upgrade(engine)
        size = 0
        for step in STEPS:
            size = grow(engine, size, int(records * step))
            if engine.dialect.name == "postgresql":
                with engine.begin() as connection:  # as autovacuum does in the course of weeks
                    connection.exec_driver_sql("ANALYZE")
            found: dict[str, Json] = {"database": engine.dialect.name, "records": size}
            shutil.rmtree(Path(temporary) / "export", ignore_errors=True)
            for what in ("verify", "export", "prove"):
                found[what] = apart(what, where, Path(temporary) / "export", size)
            found["verify.py"] = shipped(Path(temporary) / "export", size)
            click.echo(json.dumps(found))
        engine.dispose()


def grow(engine: Engine, size: int, wanted: int) -> int:
    """Write exchanges until the tree has so many leaves, and say how many it has."""
    log = ExchangeLog(
        engine, environment=Environment.TEST, public_key=KEY.public_key(), subject_key=SUBJECT_KEY
    )
    sequencer = Sequencer(engine, KEY, environment=Environment.TEST)
    while size < wanted:
        log.write(*(entry for _ in range(_TOGETHER // 3) for entry in exchange()))
        size += sequencer.run_once()
    while done := sequencer.run_once():
        size += done
    sequencer.release()
    return size


def exchange() -> Iterator[Entry]:
    """The three records of an exchange."""
    exchange_id, digest = new_id(), os.urandom(32).hex()
    way: dict[str, Json] = {"way": "api", "environment": "test"}
    facts: dict[str, Json] = {
        **way,
        "caller": "spolis",
        "recipient": "spolis",
        "system": "pmlp",
        "operation": "GetPerson",
        "institution": "90000022632",
        "role": "social-worker",
        "purpose": "care",
        "rule": "p17.2",
        "request_id": str(new_id()),
    }
    persons: dict[str, Json] = {"subject": "32010112345", "official": "MT-1042", "case": "2026/17"}
    yield Entry(Kind.OPENED, exchange_id, utc_now(), way, {"address": "192.0.2.7", "request_sha256": digest})
    yield Entry(
        Kind.ATTEMPT, exchange_id, utc_now(), {**facts, "attempt": 1}, {**persons, "sent_sha256": digest}
    )
    given: list[Json] = ["name", "surname", "birth_date", "status"]
    yield Entry(
        Kind.OUTCOME,
        exchange_id,
        utc_now(),
        {**facts, "outcome": "ok", "code": None, "given": given, "withheld": [], "ms": 17},
        {**persons, "reply_sha256": digest, "selection": {"person_code": "32010112345"}},
    )


def apart(work: str, url: str, folder: Path, size: int) -> Json:
    """Do a work in a process of its own."""
    words = ["-m", "bench.verification", "--work", work, "--url", url, "--folder", str(folder)]
    return figures(words, size)


def shipped(folder: Path, size: int) -> Json:
    """Verify the export with the verifier that ships in it."""
    return figures(["-c", _SHIPPED, str(folder / "verify.py")], size)


def figures(words: list[str], size: int) -> Json:
    """Run a process: seconds, those of the processor, records a second, and the most memory that it had."""
    run = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=True)  # noqa: S603
    seconds, cpu, peak_kib = json.loads(run.stderr.splitlines()[-1])
    return {
        "seconds": round(seconds, 3),
        "cpu_seconds": round(cpu, 3),
        "per_second": round(size / seconds),
        "peak_mib": round(peak_kib / 1024),
    }


def measured(work: Callable[[], None]) -> None:
    """Do a work, and tell seconds, those of the processor, and the most memory in KiB."""
    began = time.perf_counter()
    work()
    seconds = time.perf_counter() - began
    # The usage that the system tells begins with that of the process which started this one.
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    peak = int(status.partition("VmHWM:")[2].split()[0])
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = time.process_time() + children.ru_utime + children.ru_stime
    click.echo(json.dumps([seconds, cpu, peak]), err=True)


def _verify(engine: Engine, _folder: Path) -> None:
    report = verify(engine, KEY.public_key(), SUBJECT_KEY)
    if report.status == "bad":
        raise click.ClickException(report.reason)


def _export(engine: Engine, folder: Path) -> None:
    folder.mkdir()
    export(
        engine,
        folder,
        KEY,
        wanted=Wanted(values=True),
        witness=None,
        made_at=utc_now(),
        environment=Environment.TEST,
        progress=lambda _done, _total: None,
    )


def _prove(engine: Engine, _folder: Path) -> None:
    with reading(engine).begin() as connection:
        size = extent(connection).size
        proofs.inclusion(connection, size // 2, size)
        proofs.consistency(connection, size // 3, size)


WORKS: dict[str, Callable[[Engine, Path], None]] = {"verify": _verify, "export": _export, "prove": _prove}


if __name__ == "__main__":
    bench()
