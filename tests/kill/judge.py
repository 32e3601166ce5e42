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
class Verdict:
    """What was found. `recovered` are deliveries that needed more than one attempt."""

    acknowledged: int
    lost: tuple[str, ...]
    duplicated: tuple[str, ...]
    unresolved: tuple[str, ...]
    disordered: tuple[str, ...]
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
        f"{row.id} {row.state} {row.last_error}" for row in known.values() if row.state != "delivered"
    ]
    lost, doubled, disordered = [], [], []
    entered: dict[str, int] = {}
    for write in sorted(acknowledged, key=lambda write: write.leaves):
        queued = by_cause.get(write.exchange_id, [])
        if not queued:
            lost.append(f"{write.exchange_id}: acknowledged, and nothing queued")
            continue
        if len(queued) > 1:
            doubled.append(f"{write.exchange_id}: queued {len(queued)} times")
        message = _message(queued[0])
        if not times[message] and queued[0].state == "delivered":
            lost.append(f"{message}: delivered by the outbox, and no effect")
        if message in position:
            if not write.leaves:
                entered[write.person] = position[message]
            elif position[message] < entered.get(write.person, position[message] + 1):
                disordered.append(f"{message}: left before it was told to have entered")
    doubled += [f"{message}: took effect {count} times" for message, count in times.items() if count > 1]
    lost += [f"{message}: took effect, and was never queued" for message in times if message not in known]
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
