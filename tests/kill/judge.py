"""The judge: what was acknowledged against the register, the outbox, the exchange log and the simulator's own journal.

Every list is read from where it is kept; nothing that the gateway says of itself stands in for another.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from sqlalchemy import Connection, select

from audit.leaf import Kind, normalised
from audit.tables import log_records
from exchange import Outcome
from registers.care_stays import CARE_STAY
from registers.history import recorded
from registers.persons import PERSON_CODE
from routing.outbox import outbox
from tests.kill.load import Acknowledged, Write

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
class Ended:
    """An outcome in the exchange log; `request_id` is that of the context, None where none could be read."""

    exchange_id: uuid.UUID
    outcome: str
    request_id: uuid.UUID | None


@dataclass(frozen=True, slots=True)
class Stay:
    """A version of a stay in the register; one that was superseded is not `current`."""

    person: str
    ended_on: date | None
    current: bool = True


@dataclass(frozen=True, slots=True)
class Kept:
    """What the gateway's database holds at the end."""

    rows: Sequence[Row]
    outcomes: Sequence[Ended]
    stays: Sequence[Stay]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong, and the write that it goes back to; None where there is none."""

    what: str
    cause: uuid.UUID | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found. `contradicted`: the log tells two ends of one exchange, or another than its caller was told.

    `recovered` are deliveries that needed more than one attempt.
    """

    acknowledged: int
    lost: tuple[Finding, ...]
    duplicated: tuple[Finding, ...]
    unresolved: tuple[Finding, ...]
    disordered: tuple[Finding, ...]
    contradicted: tuple[Finding, ...]
    effects: int
    recovered: int

    @property
    def holds(self) -> bool:
        """Whether nothing was lost, doubled, out of order or told in two ways."""
        return not (self.lost or self.duplicated or self.disordered or self.contradicted)


def read(connection: Connection) -> Kept:
    """What is to be judged, from the tables themselves."""
    columns = (outbox.c.id, outbox.c.cause, outbox.c.state, outbox.c.attempts, outbox.c.last_error)
    rows = [Row(*row) for row in connection.execute(select(*columns).where(outbox.c.cause.is_not(None)))]
    leaves = connection.execute(select(log_records.c.leaf).where(log_records.c.kind == Kind.OUTCOME.value))
    stays = connection.execute(
        select(PERSON_CODE.c.code, CARE_STAY.c.ended_on, CARE_STAY.c.superseded_at.is_(None))
        .join_from(CARE_STAY, PERSON_CODE, CARE_STAY.c.person_id == PERSON_CODE.c.person_id)
        .where(recorded(PERSON_CODE))
    )
    return Kept(
        rows,
        [_ended(leaf) for leaf in leaves.scalars()],
        [Stay(normalised(code), *rest) for code, *rest in stays],
    )


def effects(journal: Path) -> list[str]:
    """The message ids that took effect, in order, one entry for each time."""
    found = []
    with journal.open(encoding="utf-8") as lines:
        for line in lines:
            seen = json.loads(line)
            if seen["effect"] == EFFECT:
                found.append(str(seen["message_id"]))
    return found


def judge(
    attempted: Mapping[uuid.UUID, Write],
    acknowledged: Sequence[Acknowledged],
    kept: Kept,
    took_effect: Sequence[str],
) -> Verdict:
    """Compare. `attempted` are all writes by their request id, also those that nobody ever answered."""
    writes = _by_exchange(attempted, acknowledged, kept.outcomes)
    known = {_message(row): row for row in kept.rows}
    # A row that is not delivered yet, or left to a person, is no loss: it is there, and it is counted apart.
    unresolved = [
        Finding(f"{row.id} {row.state} {row.last_error}", row.cause)
        for row in kept.rows
        if row.state != "delivered"
    ]
    lost, doubled = [], []
    for found_lost, found_doubled in (
        _in_outbox(writes, acknowledged, kept.rows),
        _at_partner(writes, known, took_effect),
        _in_register(attempted, acknowledged, kept.stays),
    ):
        lost += found_lost
        doubled += found_doubled
    return Verdict(
        len(acknowledged),
        tuple(lost),
        tuple(doubled),
        tuple(unresolved),
        tuple(_out_of_order(writes, known, took_effect)),
        tuple(_contradictions(acknowledged, kept.outcomes)),
        len(took_effect),
        sum(row.state == "delivered" and row.attempts > 1 for row in kept.rows),
    )


def _by_exchange(
    attempted: Mapping[uuid.UUID, Write], acknowledged: Sequence[Acknowledged], outcomes: Sequence[Ended]
) -> dict[uuid.UUID, Write]:
    """The write that each exchange carried out: as its client was told, or as the log has it by the request id."""
    told = {one.exchange_id: one.write for one in acknowledged}
    logged = {
        one.exchange_id: attempted[one.request_id]
        for one in outcomes
        if one.request_id is not None and one.request_id in attempted
    }
    return logged | told


def _in_outbox(
    writes: Mapping[uuid.UUID, Write], acknowledged: Sequence[Acknowledged], rows: Sequence[Row]
) -> tuple[list[Finding], list[Finding]]:
    """Each acknowledged write queued one notice, every other one at most; nothing else queued any."""
    told = {one.write.request_id: one.exchange_id for one in acknowledged}
    of: Mapping[uuid.UUID, list[Row]] = defaultdict(list)
    doubled = []
    for row in rows:
        write = writes.get(row.cause)
        if write is None:
            doubled.append(
                Finding(f"{row.id}: queued by an exchange that is no write of a client", row.cause)
            )
        else:
            of[write.request_id].append(row)
    for request_id, queued in of.items():
        right = [row for row in queued if row.cause == told.get(request_id, queued[0].cause)]
        doubled += [
            Finding(f"{row.id}: queued once more for the same write", row.cause)
            for row in queued
            if row not in right[:1]
        ]
    causes = {row.cause for row in rows}
    lost = [
        Finding(f"{one.exchange_id}: acknowledged, and nothing queued", one.exchange_id)
        for one in acknowledged
        if one.exchange_id not in causes
    ]
    return lost, doubled


def _at_partner(
    writes: Mapping[uuid.UUID, Write], known: Mapping[str, Row], took_effect: Sequence[str]
) -> tuple[list[Finding], list[Finding]]:
    """Each delivered notice took effect, each message once, and each person entered once and left once."""
    times = Counter(took_effect)
    lost = [
        Finding(f"{message}: delivered by the outbox, and no effect", row.cause)
        for message, row in known.items()
        if row.state == "delivered" and not times[message]
    ]
    doubled = []
    told: set[tuple[str, bool]] = set()
    for message, count in times.items():
        row = known.get(message)
        if row is None:
            lost.append(Finding(f"{message}: took effect, and was never queued", None))
            continue
        if count > 1:
            doubled.append(Finding(f"{message}: took effect {count} times", row.cause))
        write = writes.get(row.cause)
        if write is not None and (write.person, write.leaves) in told:
            doubled.append(Finding(f"{message}: the same person entered or left once more", row.cause))
        elif write is not None:
            told.add((write.person, write.leaves))
    return lost, doubled


def _in_register(
    attempted: Mapping[uuid.UUID, Write], acknowledged: Sequence[Acknowledged], stays: Sequence[Stay]
) -> tuple[list[Finding], list[Finding]]:
    """Each acknowledged stay is in the register once, with its end where that was acknowledged; nothing else is."""
    current = Counter(stay.person for stay in stays if stay.current)
    ended = {stay.person for stay in stays if stay.current and stay.ended_on is not None}
    versions = Counter(stay.person for stay in stays)
    tried = Counter(write.person for write in attempted.values())
    lost = []
    for one in acknowledged:
        if not current[one.write.person]:
            lost.append(
                Finding(f"{one.exchange_id}: acknowledged, and no stay in the register", one.exchange_id)
            )
        elif one.write.leaves and one.write.person not in ended:
            lost.append(
                Finding(f"{one.exchange_id}: acknowledged, and no end in the register", one.exchange_id)
            )
    cause = {one.write.person: one.exchange_id for one in acknowledged}
    # Personal codes do not stand in findings, invented ones neither.
    doubled = [
        Finding(f"{count} stays of one person in the register", cause.get(person))
        for person, count in current.items()
        if count > 1
    ]
    doubled += [
        Finding(f"{count} versions of a stay that was written {tried[person]} times", cause.get(person))
        for person, count in versions.items()
        if count > tried[person]
    ]
    return lost, doubled


def _out_of_order(
    writes: Mapping[uuid.UUID, Write], known: Mapping[str, Row], took_effect: Sequence[str]
) -> list[Finding]:
    entered: set[str] = set()
    found = []
    for message in dict.fromkeys(took_effect):
        row = known.get(message)
        write = None if row is None else writes.get(row.cause)
        if row is None or write is None:
            continue
        if not write.leaves:
            entered.add(write.person)
        elif write.person not in entered:
            found.append(Finding(f"{message}: left before it was told to have entered", row.cause))
    return found


def _contradictions(acknowledged: Sequence[Acknowledged], outcomes: Sequence[Ended]) -> list[Finding]:
    """An exchange ends once, `queued` being no end, and one that was acknowledged has ended well."""
    ends: Mapping[uuid.UUID, list[str]] = defaultdict(list)
    for one in outcomes:
        if one.outcome != Outcome.QUEUED.value:
            ends[one.exchange_id].append(one.outcome)
    found = [
        Finding(f"{exchange_id}: ended as {' and as '.join(told)}", exchange_id)
        for exchange_id, told in ends.items()
        if len(told) > 1
    ]
    found += [
        Finding(f"{one.exchange_id}: acknowledged, and not ok in the log", one.exchange_id)
        for one in acknowledged
        if Outcome.OK.value not in ends.get(one.exchange_id, ())
    ]
    return found


def _ended(leaf: str) -> Ended:
    facts = json.loads(leaf)
    request_id = facts.get("request_id")
    return Ended(
        uuid.UUID(facts["exchange"]), str(facts["outcome"]), uuid.UUID(request_id) if request_id else None
    )


def _message(row: Row) -> str:
    return f"urn:uuid:{row.id}"
