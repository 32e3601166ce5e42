"""The quality scale: what every adapter answers for itself, and what of it a machine can see.

An adapter answers each rule `done`, `todo` or `exempt: reason`. What is answered `done` is looked at and not believed;
some rules hold whatever is answered, because an adapter without them would do harm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from adapters import Adapter
from commands.quality import calls, cases, contracts, keeping, pages, rehearsed
from commands.quality.house import House
from questions.quality import SCALE, Quality, reason_of

__all__ = ["RULES", "House", "Quality", "Rule", "findings"]

Check = Callable[[Adapter, House], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of the scale, and the function that says in words where an adapter does not meet it.

    `always`: it is looked at whatever the adapter answers.
    """

    name: str
    check: Check
    always: bool = False


RULES = (
    Rule("contract", contracts.pinned, always=True),
    Rule("operations", contracts.mapped, always=True),
    Rule("rules", contracts.lawful, always=True),
    Rule("golden-cases", cases.recorded, always=True),
    Rule("faults", cases.faults),
    Rule("retry-safety", rehearsed.retry_safety),
    Rule("time-outs", calls.time_outs),
    Rule("signed-both-ways", rehearsed.signed),
    Rule("simulator", rehearsed.simulated),
    Rule("lineage", keeping.lineage),
    Rule("own-schema", keeping.own_schema),
    Rule("quirks", cases.quirks),
    Rule("runbook", pages.runbook),
    Rule("finished", pages.finished, always=True),
    Rule("changes-followed", calls.changes_followed),
    Rule("viss-profile", rehearsed.integrated),
)


def findings(adapter: Adapter, house: House) -> Iterator[str]:
    """What is wrong with an adapter: rules without an answer, answers that are not true, rules there are not."""
    for rule in RULES:
        answer = adapter.quality.get(rule.name, "")
        if answer not in ("done", "todo") and not reason_of(answer):
            yield f"quality rule {rule.name} is answered neither done, todo nor exempt: reason ({SCALE[rule.name]})"
        if rule.always or answer == "done":
            for what in rule.check(adapter, house):
                yield f"{rule.name}: {what}"
    known = {rule.name for rule in RULES}
    for name in adapter.quality:
        if name not in known:
            yield f"quality rule {name} is not in the scale"
