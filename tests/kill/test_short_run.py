"""Short kill tests, for every change; docs/reliability.md has the long ones."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.instances import unavailable
from tests.kill.hosts import Host

pytestmark = pytest.mark.long

# Here a recovery shares two cores with other tests, and a gateway that was killed takes tens of seconds to start. The
# long runs, which have the machine to themselves, hold to the limit of docs/reliability.md.
LIMIT = "120"

LINE = re.compile(
    r"kills (?P<kills>\d+), acknowledged (?P<acknowledged>\d+), lost (?P<lost>\d+), "
    r"duplicated (?P<duplicated>\d+), unresolved (?P<unresolved>\d+), slowest recovery \d+\.\d s"
)


def kill(*arguments: str) -> tuple[int, dict[str, int], str]:
    done = subprocess.run(  # noqa: S603 — our own interpreter and module
        [sys.executable, "-m", "tests.kill", "--recovery-limit", LIMIT, *arguments],
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
        ("--kills", "6", "--seed", "11"),
        ("--kills", "3", "--seed", "12", "--database", "sqlite", "--no-broker", "--workers", "0"),
        ("--kills", "3", "--seed", "13", "--no-broker", "--forgetful", "--repeat", "queryable", "--viss"),
    ],
    ids=["postgresql-rabbitmq", "sqlite-embedded", "queryable-forgetful-viss"],
)
def test_nothing_is_lost_or_doubled(arguments: tuple[str, ...]) -> None:
    code, figures, said = kill(*arguments)
    assert (code, figures["lost"], figures["duplicated"], figures["unresolved"]) == (0, 0, 0, 0), said
    assert figures["kills"] >= int(arguments[1])
    assert figures["acknowledged"] > 0


def test_hosts_that_are_cut_off_lose_and_double_nothing() -> None:
    if not Host.possible():
        unavailable("network namespaces need root and `ip netns`")
    code, figures, said = kill(
        *("--kills", "2", "--seed", "15", "--no-broker", "--workers", "0", "--hosts", "2"),
        *("--faults", "cut off,kill -9 of a worker"),
    )
    assert (code, figures["lost"], figures["duplicated"], figures["unresolved"]) == (0, 0, 0, 0), said
    assert "| a host cut off |" in said


def test_a_doubling_is_found_where_one_must_come() -> None:
    """SAIS forgets MessageIDs and loses its answers, and the operation is declared as one that it knows again.

    And no gateway recovers in a tenth of a second.
    """
    code, figures, said = kill(
        *("--kills", "2", "--seed", "14", "--database", "sqlite", "--no-broker", "--workers", "0"),
        *("--forgetful", "--faults", "half,kill -9 of a process that answers", "--pause", "1.5"),
        *("--recovery-limit", "0.1"),
    )
    assert code == 1, said
    assert figures["duplicated"] > 0, said
    assert figures["lost"] == 0, said
    assert "recoveries took more than 0.1 s" in said
