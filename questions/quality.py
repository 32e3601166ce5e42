"""The quality scale as adapters answer it: what each rule asks, and what an adapter says of itself.

Whether what is answered `done` is so, `gateway check` looks at.
"""

from __future__ import annotations

from dataclasses import dataclass

from adapters import Adapter

# What each rule asks, by its name.
SCALE = {
    "contract": "its files are those of SHA256SUMS",
    "operations": "every operation of the contract is mapped, element by element",
    "rules": "every field names a rule of the regulation, and its register column the same",
    "golden-cases": "a success and a fault of each operation are recorded",
    "faults": "the faults that the contract declares are among the recorded cases",
    "retry-safety": "it is known what an unclear outcome allows",
    "time-outs": "its own settings say how long a call may take",
    "signed-both-ways": "requests are signed, and answers that are not are refused",
    "simulator": "a stand-in serves every operation and lies in every way",
    "lineage": "every field is kept in a register",
    "own-schema": "its tables are in a schema of its own, with its own migration",
    "quirks": "a partner's quirk is dated and names the case that shows it",
    "runbook": "docs/systems has a page: what it is, how it fails, what an operator does",
    "finished": "nothing is left to be decided in its files",
    "changes-followed": "its changes are asked for on a schedule",
    "viss-profile": "it can be reached through the state integrator",
}


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
            exempt={rule: reason_of(answer) for rule, answer in answers if reason_of(answer)},
        )


def reason_of(answer: str) -> str:
    """The reason of an exemption, "" where it is none."""
    exempt, _, reason = answer.partition(":")
    return reason.strip() if exempt == "exempt" else ""
