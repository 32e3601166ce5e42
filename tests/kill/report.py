"""The figures of a run: a table for people and for docs/reliability.md, and the one line that scripts read."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.kill.judge import Verdict
from tests.kill.load import Load


@dataclass
class Struck:
    """One kind of fault: how often, and the seconds until all that was queued before its end was delivered."""

    name: str
    kills: bool
    runs: int = 0
    recovery: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Result:
    """A whole run."""

    kills: int
    faults: int
    seconds: float
    struck: Sequence[Struck]
    verdict: Verdict
    load: Load
    log_status: str

    @property
    def slowest(self) -> float:
        """The slowest recovery, in seconds."""
        return max((seconds for one in self.struck for seconds in one.recovery), default=0.0)

    def line(self) -> str:
        """The last line of `make kill-test`. Source: docs/interfaces.md."""
        verdict = self.verdict
        return (
            f"kills {self.kills}, acknowledged {verdict.acknowledged}, lost {len(verdict.lost)}, "
            f"duplicated {len(verdict.duplicated)}, unresolved {len(verdict.unresolved)}, "
            f"slowest recovery {self.slowest:.1f} s"
        )

    def table(self) -> str:
        """Markdown: one row a fault, then the sums."""
        lines = [
            "| fault | runs | recovery p50 s | p99 s | slowest s |",
            "|---|---:|---:|---:|---:|",
        ]
        for one in self.struck:
            if one.runs:
                found = sorted(one.recovery) or [0.0]
                lines.append(
                    f"| {one.name} | {one.runs} | {statistics.median(found):.1f} | {_p99(found):.1f} "
                    f"| {found[-1]:.1f} |"
                )
        took = sorted(write.seconds for write in self.load.acknowledged) or [0.0]
        refused = ", ".join(f"{count} × {status}" for status, count in sorted(self.load.refused.items()))
        lines += [
            "",
            f"{self.faults} faults, {self.kills} of them kills, in {self.seconds:.0f} s. "
            f"Writes: {self.load.attempted} attempted, {self.verdict.acknowledged} acknowledged "
            f"(p50 {statistics.median(took) * 1000:.0f} ms, p99 {_p99(took) * 1000:.0f} ms, "
            f"slowest {took[-1]:.1f} s), refused meanwhile and repeated: {refused or 'none'}, "
            f"connections broken: {self.load.unanswered}.",
            f"Deliveries: {self.verdict.effects} effects, {self.verdict.recovered} after more than one attempt, "
            f"{len(self.verdict.lost)} lost, {len(self.verdict.duplicated)} doubled, "
            f"{len(self.verdict.disordered)} out of order, {len(self.verdict.unresolved)} unresolved. "
            f"Exchange log: {self.log_status}.",
        ]
        return "\n".join(lines)


def _p99(found: Sequence[float]) -> float:
    return found[min(len(found) - 1, int(len(found) * 0.99))]
