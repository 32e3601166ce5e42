"""Every reason for which a run fails is told, and the last line keeps its form."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.kill.judge import Finding, Verdict
from tests.kill.load import Load
from tests.kill.report import RECOVERY_SECONDS, Result, Struck
from tests.kill.world import World

FINDING = (Finding("something", None),)
WELL = Verdict(2, (), (), (), (), (), effects=2, recovered=0)


def result(
    verdict: Verdict = WELL,
    *,
    recovery: tuple[float, ...] = (4.0,),
    unrecovered: tuple[float, ...] = (),
    failed: tuple[str, ...] = (),
    log: str = "unanchored",
) -> Result:
    world = World(
        seed=1, database="sqlite", broker=False, workers=0, forgetful=False, repeat="", embedded=True
    )
    load = Load(world)
    load.failed += failed
    struck = Struck("a fault", True, recovery=list(recovery), unrecovered=list(unrecovered), runs=1)
    return Result(1, 1, 5.0, [struck], verdict, load, log)


def problems(found: Result, *, left_to_persons: bool = False) -> list[str]:
    return found.problems(RECOVERY_SECONDS, left_to_persons=left_to_persons)


def test_a_run_in_which_all_is_well() -> None:
    assert problems(result()) == []
    assert result().line() == (
        "kills 1, acknowledged 2, lost 0, duplicated 0, unresolved 0, slowest recovery 4.0 s"
    )


@pytest.mark.parametrize(
    "verdict",
    [
        replace(WELL, lost=FINDING),
        replace(WELL, duplicated=FINDING),
        replace(WELL, disordered=FINDING),
        replace(WELL, contradicted=FINDING),
        replace(WELL, unresolved=FINDING),
    ],
    ids=["lost", "duplicated", "disordered", "contradicted", "unresolved"],
)
def test_what_the_judge_finds_fails_the_run(verdict: Verdict) -> None:
    found = result(verdict)
    assert len(problems(found)) == 1
    assert problems(found, left_to_persons=True) == ([] if verdict.unresolved else problems(found))


def test_a_write_that_failed_for_good_fails_the_run() -> None:
    assert problems(result(failed=("no answer in time",))) == ["1 writes failed for good"]


def test_a_log_that_does_not_verify_fails_the_run() -> None:
    assert problems(result(log="bad")) == ["the log is bad"]


def test_a_recovery_that_took_too_long_fails_the_run() -> None:
    assert problems(result(recovery=(4.0, 30.1))) == ["1 recoveries took more than 30 s"]


def test_what_never_recovered_counts_with_the_time_that_was_waited() -> None:
    found = result(unrecovered=(181.0,))
    assert problems(found) == ["1 faults were never recovered from"]
    assert found.line().endswith("slowest recovery 181.0 s")
    assert "| 181.0 | 1 |" in found.table()
