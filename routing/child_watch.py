"""The watch over children in institutions: alerts are made and settled, each child in a transaction with its record.

It may run at any time, in any number of processes and again after a crash: what was made is not made again. Every
record of the log names the child as an erasable subject, so that who asks later who dealt with the data finds it.
Source: P9 of the processes; p10.11, p19.2.
"""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import Connection, Engine, Row

from audit import Entry, ExchangeLog, Kind
from audit.account import operating_user
from exchange import Environment, Json, Provenance, new_id, utc_now
from registers import child_alerts, codes_of
from registers.child_alerts import News
from registers.child_stays import ChildStay, stays_of
from registers.persons import hold_person
from routing.routes import OWN_SOURCE
from storage import reading

PURPOSE = "child-protection"
_VERSION = "v1-0"

Progress = Callable[[int, int | None], None]


def unseen(_done: int, _total: int | None) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True, slots=True)
class Acting:
    """Who acts, and why: a person at the command line or the console, or the scheduled job under its account's name.

    `account` is that of the operating system, "" where a person has none of it. `facts` stand in each record.
    """

    environment: Environment
    official: str = field(default_factory=operating_user)
    reason: str = ""
    account: str = field(default_factory=operating_user)
    facts: Mapping[str, Json] = field(default_factory=dict)

    def entry(self, act: str, facts: Mapping[str, Json], subjects: Sequence[str]) -> Entry:
        """The record of an act on children's data, under an id of its own."""
        typed: dict[str, Json] = {"official": self.official}
        if self.account:
            typed["account"] = self.account
        if self.reason:
            typed["reason"] = self.reason
        if subjects:
            typed["subject"] = list(subjects) if len(subjects) > 1 else subjects[0]
        return Entry(
            Kind.ADMIN,
            new_id(),
            utc_now(),
            facts={
                "environment": self.environment.value,
                "act": f"children {act}",
                "recipient": "",
                "purpose": PURPOSE,
                **self.facts,
                **facts,
            },
            personal=typed,
        )


@dataclass(frozen=True, slots=True)
class Watched:
    """A look at all children, in numbers: stays that are open, those of unknown age, and what was made and settled."""

    stays: int
    age_unknown: int
    made: Mapping[str, int]
    settled: int


def provenance_of(entry: Entry) -> Provenance:
    """Where rows come from that are written with a record."""
    return Provenance(
        exchange_id=entry.exchange_id,
        source=OWN_SOURCE,
        contract_version=_VERSION,
        mapping_version=_VERSION,
        recorded_at=entry.instant,
    )


def watch(
    engine: Engine, log: ExchangeLog, acting: Acting, today: date, progress: Progress = unseen
) -> Watched:
    """Make the alerts that are wanted today and are not there, and settle those whose reason is gone.

    Raises: LogUnavailable, Busy; what was made until then stays.
    """
    with reading(engine).begin() as connection:
        stays = stays_of(connection, today)
        rows = child_alerts.kept(connection)
    open_stays = [stay for stay in stays if stay.is_open(today)]
    children = [child for child, news in _by_child(stays, rows, today).items() if news]
    made: Counter[str] = Counter()
    settled = 0
    for number, child in enumerate(children):
        progress(number, len(children))
        written = log.commit(lambda connection, child=child: _write(connection, log, acting, child, today))  # type: ignore[misc]
        made.update(alert.kind.value for alert in written.wanted)
        settled += len(written.settled)
    progress(len(children), len(children))
    return Watched(len(open_stays), sum(stay.born is None for stay in open_stays), dict(made), settled)


def _by_child(stays: Iterable[ChildStay], rows: Iterable[Row[Any]], today: date) -> dict[uuid.UUID, News]:
    theirs: dict[uuid.UUID, tuple[list[ChildStay], list[Row[Any]]]] = defaultdict(lambda: ([], []))
    for stay in stays:
        theirs[stay.person_id][0].append(stay)
    for row in rows:
        theirs[row.person_id][1].append(row)
    return {child: child_alerts.news(own, there, today) for child, (own, there) in theirs.items()}


def _write(connection: Connection, log: ExchangeLog, acting: Acting, child: uuid.UUID, today: date) -> News:
    """Write what is new of a child, looked at again under its lock: another process may have been here meanwhile."""
    hold_person(connection, child)
    stays = stays_of(connection, today, [child])
    news = child_alerts.news(stays, child_alerts.kept(connection, [child]), today)
    if news:
        entry = acting.entry(
            "watch",
            {
                "name": "",
                "made": [f"{alert.kind.value} {alert.recipient.value}" for alert in news.wanted],
                "settled": [str(row.id) for row in news.settled],
            },
            codes_of(connection, child)[:1],
        )
        child_alerts.write(connection, child, news, today, provenance_of(entry))
        log.append(connection, entry)
    return news


def acknowledge(log: ExchangeLog, acting: Acting, alerts: Sequence[uuid.UUID], today: date) -> None:
    """Note that somebody took alerts up: all of them, or none.

    Raises: NotFound; InvalidRequest when somebody did before.
    """

    def work(connection: Connection) -> None:
        rows = [child_alerts.one(connection, alert) for alert in dict.fromkeys(alerts)]
        children = sorted({row.person_id for row in rows})
        subjects = [codes_of(connection, child)[0] for child in children]
        entry = acting.entry(
            "acknowledge", {"name": str(rows[0].id), "alerts": [str(row.id) for row in rows]}, subjects
        )
        for child in children:
            hold_person(connection, child)
        for row in rows:
            child_alerts.acknowledge(connection, row.id, today, provenance_of(entry))
        log.append(connection, entry)

    log.commit(work)
