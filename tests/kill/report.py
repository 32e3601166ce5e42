"""The figures of a run: a table for people and for docs/reliability.md, and the one line that scripts read.

A write is counted under the fault that was the newest one when it was acknowledged or refused.
"""

from __future__ import annotations

import statistics
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.kill.judge import Finding, Verdict
from tests.kill.load import Load

# From the end of a fault on.
RECOVERY_SECONDS = 30.0


@dataclass
class Struck:
    """One kind of fault: how often, and the seconds until all that was queued before its end was delivered.

    `unrecovered` are the seconds that were waited for what never came back.
    """

    name: str
    kills: bool
    runs: int = 0
    recovery: list[float] = field(default_factory=list)
    unrecovered: list[float] = field(default_factory=list)


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
        """The slowest recovery, in seconds; what was not recovered from counts with the time that was waited."""
        return max((s for one in self.struck for s in (*one.recovery, *one.unrecovered)), default=0.0)

    def problems(self, recovery_limit: float, *, left_to_persons: bool) -> list[str]:
        """Why the run fails, one line for each reason. `left_to_persons`: what is unresolved is as it should be."""
        verdict = self.verdict
        late = sum(seconds > recovery_limit for one in self.struck for seconds in one.recovery)
        counts = {
            "lost": len(verdict.lost),
            "doubled": len(verdict.duplicated),
            "out of order": len(verdict.disordered),
            "ended in two ways": len(verdict.contradicted),
            "unresolved": 0 if left_to_persons else len(verdict.unresolved),
            "writes failed for good": len(self.load.failed),
            f"recoveries took more than {recovery_limit:g} s": late,
            "faults were never recovered from": sum(len(one.unrecovered) for one in self.struck),
        }
        found = [f"{count} {what}" for what, count in counts.items() if count]
        # `unanchored`: no witness cosigns in these runs; everything else holds.
        return found + ([] if self.log_status == "unanchored" else [f"the log is {self.log_status}"])

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
        during = {write.exchange_id: write.during for write in self.load.acknowledged}
        lost, doubled = _counted(self.verdict.lost, during), _counted(self.verdict.duplicated, during)
        lines = [
            "| fault | runs | acknowledged | lost | doubled | refused | p50 ms | p99 ms | recovery p50 s | slowest s "
            "| unrecovered |",
            "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
        ]
        for one in self.struck:
            if one.runs:
                took = sorted(write.seconds for write in self.load.acknowledged if write.during == one.name)
                back = sorted((*one.recovery, *one.unrecovered)) or [0.0]
                lines.append(
                    f"| {one.name} | {one.runs} | {len(took)} | {lost[one.name]} | {doubled[one.name]} "
                    f"| {self.load.refused_during[one.name]} | {statistics.median(took or [0.0]) * 1000:.0f} "
                    f"| {_p99(took or [0.0]) * 1000:.0f} | {statistics.median(back):.1f} | {back[-1]:.1f} "
                    f"| {len(one.unrecovered)} |"
                )
        took = sorted(write.seconds for write in self.load.acknowledged) or [0.0]
        refused = ", ".join(f"{count} × {status}" for status, count in sorted(self.load.refused.items()))
        lines += [
            "",
            f"{self.faults} faults, {self.kills} of them kills, in {self.seconds:.0f} s. "
            f"Writes: {len(self.load.attempted)} attempted, {self.verdict.acknowledged} acknowledged "
            f"(p50 {statistics.median(took) * 1000:.0f} ms, p99 {_p99(took) * 1000:.0f} ms, "
            f"slowest {took[-1]:.1f} s), refused meanwhile and repeated: {refused or 'none'}, "
            f"connections broken: {self.load.unanswered}, failed for good: {len(self.load.failed)}.",
            f"Deliveries: {self.verdict.effects} effects, {self.verdict.recovered} after more than one attempt, "
            f"{len(self.verdict.lost)} lost, {len(self.verdict.duplicated)} doubled, "
            f"{len(self.verdict.disordered)} out of order, {len(self.verdict.contradicted)} ended in two ways, "
            f"{len(self.verdict.unresolved)} unresolved. "
            f"Exchange log: {self.log_status}.",
        ]
        return "\n".join(lines)


def _counted(findings: Sequence[Finding], during: dict[uuid.UUID, str]) -> Counter[str]:
    return Counter(during.get(finding.cause, "") if finding.cause else "" for finding in findings)


def _p99(found: Sequence[float]) -> float:
    return found[min(len(found) - 1, int(len(found) * 0.99))]
