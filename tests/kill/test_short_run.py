"""Short kill tests, for every change; docs/reliability.md has the long ones."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

LINE = re.compile(
    r"kills (?P<kills>\d+), acknowledged (?P<acknowledged>\d+), lost (?P<lost>\d+), "
    r"duplicated (?P<duplicated>\d+), unresolved (?P<unresolved>\d+), slowest recovery \d+\.\d s"
)


def kill(*arguments: str) -> tuple[int, dict[str, int], str]:
    done = subprocess.run(  # noqa: S603 — our own interpreter and module
        [sys.executable, "-m", "tests.kill", *arguments],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    said = f"{done.stdout}\n{done.stderr}"
    found = LINE.fullmatch(done.stdout.strip().splitlines()[-1]) if done.stdout.strip() else None
    assert found is not None, said
    return done.returncode, {name: int(value) for name, value in found.groupdict().items()}, said


@pytest.mark.parametrize(
    "arguments",
    [
        ("--kills", "12", "--seed", "11"),
        ("--kills", "4", "--seed", "12", "--database", "sqlite", "--no-broker", "--workers", "0"),
        ("--kills", "4", "--seed", "13", "--no-broker", "--forgetful", "--repeat", "queryable"),
    ],
    ids=["postgresql-rabbitmq", "sqlite-embedded", "queryable-forgetful"],
)
def test_nothing_is_lost_or_doubled(arguments: tuple[str, ...]) -> None:
    code, figures, said = kill(*arguments)
    assert (code, figures["lost"], figures["duplicated"], figures["unresolved"]) == (0, 0, 0, 0), said
    assert figures["kills"] >= int(arguments[1])
    assert figures["acknowledged"] > 0


def test_a_doubling_is_found_where_one_must_come() -> None:
    """SAIS forgets MessageIDs and loses its answers, and the operation is declared as one that it knows again."""
    code, figures, said = kill(
        *("--kills", "2", "--seed", "14", "--database", "sqlite", "--no-broker", "--workers", "0"),
        *("--forgetful", "--faults", "half,kill -9 of a process that answers", "--pause", "1.5"),
    )
    assert code == 1, said
    assert figures["duplicated"] > 0, said
    assert figures["lost"] == 0, said
