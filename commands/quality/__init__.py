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

__all__ = ["RULES", "House", "Quality", "Rule", "findings"]

Check = Callable[[Adapter, House], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of the scale: what it asks, and the function that says in words where an adapter does not meet it.

    `always`: it is looked at whatever the adapter answers.
    """

    name: str
    asks: str
    check: Check
    always: bool = False


RULES = (
    Rule("contract", "its files are those of SHA256SUMS", contracts.pinned, always=True),
    Rule(
        "operations",
        "every operation of the contract is mapped, element by element",
        contracts.mapped,
        always=True,
    ),
    Rule(
        "rules",
        "every field names a rule of the regulation, and its register column the same",
        contracts.lawful,
        always=True,
    ),
    Rule("golden-cases", "a success and a fault of each operation are recorded", cases.recorded, always=True),
    Rule("faults", "the faults that the contract declares are among the recorded cases", cases.faults),
    Rule("retry-safety", "it is known what an unclear outcome allows", rehearsed.retry_safety),
    Rule("time-outs", "its own settings say how long a call may take", calls.time_outs),
    Rule("signed-both-ways", "requests are signed, and answers that are not are refused", rehearsed.signed),
    Rule("simulator", "a stand-in serves every operation and lies in every way", rehearsed.simulated),
    Rule("lineage", "every field is kept in a register", keeping.lineage),
    Rule("own-schema", "its tables are in a schema of its own, with its own migration", keeping.own_schema),
    Rule("quirks", "a partner's quirk is dated and names the case that shows it", cases.quirks),
    Rule(
        "runbook", "docs/systems has a page: what it is, how it fails, what an operator does", pages.runbook
    ),
    Rule("finished", "nothing is left to be decided in its files", pages.finished, always=True),
    Rule("changes-followed", "its changes are asked for on a schedule", calls.changes_followed),
    Rule("viss-profile", "it can be reached through the state integrator", rehearsed.integrated),
)


@dataclass(frozen=True, slots=True)
class Quality:
    """An adapter's answers to the quality scale, sorted by answer; `exempt` with its reasons."""

    done: list[str]
    todo: list[str]
    exempt: dict[str, str]

    @classmethod
    def of(cls, adapter: Adapter) -> Quality:
        """The answers of an adapter; what is answered otherwise is a finding, not an answer."""
        answers = adapter.quality.items()
        return cls(
            done=[rule for rule, answer in answers if answer == "done"],
            todo=[rule for rule, answer in answers if answer == "todo"],
            exempt={rule: _reason(answer) for rule, answer in answers if _reason(answer)},
        )


def findings(adapter: Adapter, house: House) -> Iterator[str]:
    """What is wrong with an adapter: rules without an answer, answers that are not true, rules there are not."""
    for rule in RULES:
        answer = adapter.quality.get(rule.name, "")
        if answer not in ("done", "todo") and not _reason(answer):
            yield f"quality rule {rule.name} is answered neither done, todo nor exempt: reason ({rule.asks})"
        if rule.always or answer == "done":
            for what in rule.check(adapter, house):
                yield f"{rule.name}: {what}"
    known = {rule.name for rule in RULES}
    for name in adapter.quality:
        if name not in known:
            yield f"quality rule {name} is not in the scale"


def _reason(answer: str) -> str:
    """The reason of an exemption, "" where it is none."""
    exempt, _, reason = answer.partition(":")
    return reason.strip() if exempt == "exempt" else ""
