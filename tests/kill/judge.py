"""The judge: what was acknowledged against what took effect, by the simulator's own journal."""

from __future__ import annotations

import json
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.kill.load import Acknowledged

EFFECT = "write:NotifyCareStay"


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the outbox."""

    id: uuid.UUID
    cause: uuid.UUID
    state: str
    attempts: int
    last_error: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong, and the write that it goes back to; None where there is none."""

    what: str
    cause: uuid.UUID | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found. `recovered` are deliveries that needed more than one attempt."""

    acknowledged: int
    lost: tuple[Finding, ...]
    duplicated: tuple[Finding, ...]
    unresolved: tuple[Finding, ...]
    disordered: tuple[Finding, ...]
    effects: int
    recovered: int

    @property
    def holds(self) -> bool:
        """Whether nothing was lost, doubled or out of order."""
        return not (self.lost or self.duplicated or self.disordered)


def effects(journal: Path) -> list[str]:
    """The message ids that took effect, in order, one entry for each time."""
    found = []
    with journal.open(encoding="utf-8") as lines:
        for line in lines:
            seen = json.loads(line)
            if seen["effect"] == EFFECT:
                found.append(str(seen["message_id"]))
    return found


def judge(acknowledged: Sequence[Acknowledged], rows: Iterable[Row], took_effect: Sequence[str]) -> Verdict:
    """Compare. A write is lost when its notice took no effect; doubled when it took two, or was queued twice."""
    by_cause: Mapping[uuid.UUID, list[Row]] = defaultdict(list)
    known: dict[str, Row] = {}
    for row in rows:
        by_cause[row.cause].append(row)
        known[_message(row)] = row
    times = Counter(took_effect)
    position = {message: number for number, message in reversed(list(enumerate(took_effect)))}
    # A row that is not delivered yet, or left to a person, is no loss: it is there, and it is counted apart.
    unresolved = [
        Finding(f"{row.id} {row.state} {row.last_error}", row.cause)
        for row in known.values()
        if row.state != "delivered"
    ]
    lost: list[Finding] = []
    doubled: list[Finding] = []
    disordered: list[Finding] = []
    entered: dict[str, int] = {}
    for write in sorted(acknowledged, key=lambda write: write.leaves):
        cause = write.exchange_id
        queued = by_cause.get(cause, [])
        if not queued:
            lost.append(Finding(f"{cause}: acknowledged, and nothing queued", cause))
            continue
        if len(queued) > 1:
            doubled.append(Finding(f"{cause}: queued {len(queued)} times", cause))
        message = _message(queued[0])
        if not times[message] and queued[0].state == "delivered":
            lost.append(Finding(f"{message}: delivered by the outbox, and no effect", cause))
        if message in position:
            if not write.leaves:
                entered[write.person] = position[message]
            elif position[message] < entered.get(write.person, position[message] + 1):
                disordered.append(Finding(f"{message}: left before it was told to have entered", cause))
    for message, count in times.items():
        if message not in known:
            lost.append(Finding(f"{message}: took effect, and was never queued", None))
        elif count > 1:
            doubled.append(Finding(f"{message}: took effect {count} times", known[message].cause))
    recovered = sum(row.state == "delivered" and row.attempts > 1 for row in known.values())
    return Verdict(
        len(acknowledged),
        tuple(lost),
        tuple(doubled),
        tuple(unresolved),
        tuple(disordered),
        len(took_effect),
        recovered,
    )


def _message(row: Row) -> str:
    return f"urn:uuid:{row.id}"
