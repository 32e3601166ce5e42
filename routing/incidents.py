"""Incidents: what is wrong now and was before, one at a time of each kind and subject over all processes.

    seen for the first time ──▶ open ──seen again: one count more; graver: told again──▶ open
    open ──nobody has seen it for a while──▶ closed

Whoever watches says what he sees; nobody says that something is over, since another host may still see it. `stage`
counts what operators are to hear of an incident: 1 that it is open, each step above that it has become graver,
`CLOSED` that it is over. Each channel keeps the stage that it has told.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    RowMapping,
    String,
    Table,
    case,
    delete,
    func,
    or_,
    select,
    text,
    update,
)

from exchange import new_id
from storage import Instant, database_now, identifier, metadata, upsert

CLOSED = 100
# A channel that fails is tried again after so many seconds, by how often it failed; the last from then on.
_PAUSES = (5, 10, 30, 60, 300)
_KEPT = timedelta(days=400)
# What could not be told of a closed incident for so long is no news any more.
_NEWS = timedelta(days=1)
_OPEN = text("closed_at IS NULL")

incidents = Table(
    "routing_incidents",
    metadata,
    Column("id", identifier(), primary_key=True),
    Column("kind", String(50), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("detail", String(200), nullable=False),
    Column("stage", Integer, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("seen", Integer, nullable=False),
    Column("closed_at", Instant),
    Column("webhook_told", Integer, nullable=False),
    Column("mail_told", Integer, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("try_at", Instant, nullable=False),
    Column("holder", String(200)),
    Index(
        "uq_routing_incidents_open",
        "kind",
        "subject",
        unique=True,
        postgresql_where=_OPEN,
        sqlite_where=_OPEN,
    ),
    schema="routing",
)


class Channel(StrEnum):
    """How operators are told."""

    WEBHOOK = "webhook"
    MAIL = "mail"


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong at this moment: of which kind, with what, facts as `name=value`, and how grave from 0 up.

    Nothing in it is of a person.
    """

    kind: str
    subject: str
    detail: str = ""
    grade: int = 0

    @property
    def stage(self) -> int:
        """The stage of an incident of it."""
        return min(1 + self.grade, CLOSED - 1)


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident, open as long as `closed_at` is None; `told` is the stage that each channel has told."""

    id: uuid.UUID
    kind: str
    subject: str
    detail: str
    stage: int
    opened_at: datetime
    seen_at: datetime
    seen: int
    closed_at: datetime | None
    told: Mapping[Channel, int]

    def next_stage(self, channel: Channel) -> int | None:
        """What a channel is to tell next; None when it has told all. What was never told as open is that first."""
        told = self.told[channel]
        if told >= self.stage:
            return None
        return 1 if told == 0 and self.stage == CLOSED else self.stage


def see(
    connection: Connection,
    finding: Finding,
    *,
    since: datetime | None = None,
    told: Mapping[Channel, int] | None = None,
) -> None:
    """Open the incident of a finding, or count it once more where one is open.

    `since` and `told` are of one that began, and was told of, while the table could not be written.
    """
    now = database_now(connection)
    told = told or {}
    new = upsert(connection, incidents).values(
        id=new_id(now),
        kind=finding.kind,
        subject=finding.subject[:200],
        detail=finding.detail[:200],
        stage=finding.stage,
        opened_at=now if since is None else since,
        seen_at=now,
        seen=1,
        webhook_told=told.get(Channel.WEBHOOK, 0),
        mail_told=told.get(Channel.MAIL, 0),
        tries=0,
        try_at=now,
    )
    connection.execute(
        new.on_conflict_do_update(
            index_elements=["kind", "subject"],
            index_where=_OPEN,
            set_={
                "detail": new.excluded.detail,
                "stage": _greater(incidents.c.stage, new.excluded.stage),
                "opened_at": case(
                    (new.excluded.opened_at < incidents.c.opened_at, new.excluded.opened_at),
                    else_=incidents.c.opened_at,
                ),
                "seen_at": now,
                "seen": incidents.c.seen + 1,
                "webhook_told": _greater(incidents.c.webhook_told, new.excluded.webhook_told),
                "mail_told": _greater(incidents.c.mail_told, new.excluded.mail_told),
            },
        )
    )


def close_unseen(connection: Connection, quiet: timedelta) -> int:
    """Close the open incidents that nobody has seen for so long, and say how many; old ones are forgotten."""
    now = database_now(connection)
    closed = connection.execute(
        update(incidents)
        .where(incidents.c.closed_at.is_(None), incidents.c.seen_at < now - quiet)
        .values(closed_at=now, stage=CLOSED, try_at=now, tries=0)
    )
    connection.execute(delete(incidents).where(incidents.c.closed_at < now - _KEPT))
    return int(closed.rowcount)


def any_to_close(connection: Connection, quiet: timedelta) -> bool:
    """Whether `close_unseen` would find something."""
    unseen = incidents.c.seen_at < database_now(connection) - quiet
    return (
        connection.execute(
            select(incidents.c.id).where(incidents.c.closed_at.is_(None), unseen).limit(1)
        ).first()
        is not None
    )


def any_to_tell(connection: Connection, channels: Collection[Channel]) -> bool:
    """Whether `claim` would find something."""
    wanted = _to_tell(channels, database_now(connection))
    return connection.execute(select(incidents.c.id).where(*wanted).limit(1)).first() is not None


def claim(
    connection: Connection, holder: str, channels: Collection[Channel], *, seconds: float
) -> Incident | None:
    """Take one incident of which a channel has something to tell; for so long nobody else does.

    The oldest first. Whoever claimed one and died leaves it to the others after that time.
    """
    now = database_now(connection)
    row = connection.execute(
        select(incidents)
        .where(*_to_tell(channels, now))
        .order_by(incidents.c.opened_at, incidents.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).first()
    if row is None:
        return None
    connection.execute(
        update(incidents)
        .where(incidents.c.id == row.id)
        .values(holder=holder, try_at=now + timedelta(seconds=seconds))
    )
    return _incident(row._mapping)


def told(connection: Connection, incident: Incident, holder: str, done: Mapping[Channel, int]) -> None:
    """Note which channels have told which stage of a claimed incident; what is left is tried again, later and later.

    Nothing is noted when it is another's by now.
    """
    now = database_now(connection)
    after = dict(incident.told) | dict(done)
    failed = not done
    tries = incidents.c.tries + 1 if failed else 0
    before = connection.execute(select(incidents.c.tries).where(incidents.c.id == incident.id)).scalar() or 0
    pause = _PAUSES[min(before, len(_PAUSES) - 1)] if failed else 0
    connection.execute(
        update(incidents)
        .where(incidents.c.id == incident.id, incidents.c.holder == holder)
        .values(
            webhook_told=after[Channel.WEBHOOK],
            mail_told=after[Channel.MAIL],
            tries=tries,
            try_at=now + timedelta(seconds=pause),
            holder=None,
        )
    )


def listed(
    connection: Connection, *, closed: bool = False, kind: str = "", subject: str = "", limit: int = 100
) -> list[Incident]:
    """The open incidents, the newest first, of a kind or subject where one is named; with `closed` past ones too."""
    wanted: list[ColumnElement[bool]] = [] if closed else [incidents.c.closed_at.is_(None)]
    wanted += [incidents.c.kind == kind] if kind else []
    wanted += [incidents.c.subject == subject] if subject else []
    rows = connection.execute(
        select(incidents)
        .where(*wanted)
        .order_by(incidents.c.opened_at.desc(), incidents.c.id.desc())
        .limit(limit)
    )
    return [_incident(row._mapping) for row in rows]


def open_counts(connection: Connection) -> dict[str, int]:
    """How many incidents are open, by kind."""
    rows = connection.execute(
        select(incidents.c.kind, func.count())
        .where(incidents.c.closed_at.is_(None))
        .group_by(incidents.c.kind)
    )
    return {row[0]: row[1] for row in rows}


def _to_tell(channels: Collection[Channel], now: datetime) -> list[Any]:
    behind = [incidents.c[f"{channel.value}_told"] < incidents.c.stage for channel in channels]
    news = or_(incidents.c.closed_at.is_(None), incidents.c.closed_at > now - _NEWS)
    return [or_(False, *behind), incidents.c.try_at <= now, news]


def _greater(ours: Any, theirs: Any) -> Any:
    """The greater of two columns; SQLite and PostgreSQL have no common function for it."""
    return case((theirs > ours, theirs), else_=ours)


def _incident(row: RowMapping) -> Incident:
    values = {name: row[name] for name in Incident.__dataclass_fields__ if name != "told"}
    return Incident(**values, told={channel: row[f"{channel.value}_told"] for channel in Channel})
