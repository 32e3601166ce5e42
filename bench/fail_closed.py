"""What leaves a gateway of two workers, counted from outside, against the rows of its exchange log.

    .venv/bin/python -m bench.fail_closed --calls 10000

Calls of /api/v1 and signed SOAP go through a proxy that counts answers with personal data; what the gateway sends to
PMLP goes through another. First all calls with nothing wrong: the difference must be 0 both ways. Then the database is
cut off, silent, slow and full while calls go on: nothing may have left without its record. PostgreSQL is a server of
the run's own. Exit 1 where anything does not hold.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import click

from audit.origin import load_public_key
from exchange import Json
from tests.counting.faults import FAULTS, SECONDS, during, recovered
from tests.counting.judge import Difference, difference
from tests.counting.world import World, world
from tests.instances import PrivatePostgres


def judged(made: World) -> Difference:
    """The difference as it is now."""
    key = load_public_key(made.folder / "state" / "keys" / "log.pub")
    answers = [*made.partners.messages, *made.internal.messages]
    return difference(made.engine, key, answers, made.system.messages)


def run(made: World, calls: int, threads: int) -> tuple[dict[str, Json], bool]:
    """The figures, and whether all holds."""
    began = time.monotonic()
    ended = made.calls(calls, threads)
    seconds = time.monotonic() - began
    found = judged(made)
    answers = [each for each in (*made.partners.messages, *made.internal.messages) if each.personal]
    told: dict[str, Json] = {
        "calls": calls,
        "per_second": round(calls / seconds, 1),
        "ended": dict[str, Json](ended),
        "answers_with_personal_data": len(answers),
        "requests_to_pmlp": len(made.system.messages),
        "difference": found.total,
    }
    good = found.total == 0 and ended == Counter({"200": calls})
    for name in FAULTS:
        before = made.counted()
        how = during(made, name, SECONDS[name], threads)
        again = recovered(made)
        codes = Counter(each.code for each in made.refused(before))
        found = judged(made)
        told[name] = {
            "ended": dict[str, Json](how),
            "codes": dict[str, Json](codes),
            "recovered": again,
            **asdict(found),
        }
        good = good and again and found.closed
    return told, good


@click.command()
@click.option("--calls", default=10_000, show_default=True, type=click.IntRange(1))
@click.option("--threads", default=8, show_default=True, type=click.IntRange(1, 64))
def main(calls: int, threads: int) -> None:
    """Run, and print what was counted as one line of JSON."""
    with (
        tempfile.TemporaryDirectory() as folder,
        PrivatePostgres() as postgres,
        world(Path(folder), postgres.url) as made,
    ):
        told, good = run(made, calls, threads)
    click.echo(json.dumps(told))
    raise SystemExit(0 if good else 1)


if __name__ == "__main__":
    main()
