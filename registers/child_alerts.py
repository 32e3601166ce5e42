"""The register of alerts on children in institutions: a report due soon or overdue, a stay of a certain length.

Each is made once for child, stay, term and recipient, whoever computes it and how often. It is settled when its reason
is gone, and acknowledged when somebody took it up; a settled one is not made again. Of overdue reports of a stay the
newest is alerted, of lengths passed at once the longest: what is looked at for the first time late makes no flood.
Source: P9 of the processes; p10.11.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

from sqlalchemy import Connection, Date, Integer, Row, Text, select

from errors import InvalidRequest, NotFound
from exchange import Provenance
from mappings.codes import code_list
from registers.child_calendar import PeriodState, months_after
from registers.child_rules import AlertKind, AlertRule, Recipient, alert_rules, rules_on
from registers.child_stays import ChildStay
from registers.history import Fed, Values, business_columns, field, recorded, replace, versioned
from registers.reading import Register

ALERT = versioned(
    "childcare",
    "alert",
    field("kind", Text(), rule="p10.11", codes=code_list("child_alert_kind")),
    field("recipient", Text(), rule="p10.11", codes=code_list("child_alert_recipient")),
    field("municipality", Text(), rule="p10.11", optional=True),
    field("institution", Text(), rule="p10.11"),
    field("since", Date(), rule="p10.11.1"),
    field("due_on", Date(), rule="p10.11"),
    field("months", Integer(), rule="p10.11", optional=True),
    field("made_on", Date(), rule="p10.11"),
    field("settled_on", Date(), rule="p10.11", optional=True),
    field("acknowledged_on", Date(), rule="p10.11", optional=True),
    one_per=("person_id", "kind", "recipient", "institution", "since", "due_on"),
)

_KEY = ("kind", "recipient", "institution", "since", "due_on")

REGISTERS = (
    Register(
        name="child-alerts",
        table=ALERT,
        source="spolis",
        criteria={
            name: ALERT.c[name]
            for name in (
                "kind",
                "recipient",
                "municipality",
                "institution",
                "due_on",
                "made_on",
                "settled_on",
                "acknowledged_on",
            )
        },
        order=("made_on", "due_on"),
    ),
)

_WAITED_FOR = frozenset({PeriodState.LATER, PeriodState.WARNED, PeriodState.OVERDUE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """An alert that is wanted: `since` is the first day of the stay, or of the time in care where its length counts.

    `due_on` is the term of the report, or the day on which the stay became so many `months` long.
    """

    kind: AlertKind
    recipient: Recipient
    municipality: str | None
    institution: str
    since: date
    due_on: date
    months: int | None


@dataclass(frozen=True, slots=True)
class News:
    """What is to be written of a child: alerts that are wanted and not there, and rows whose reason is gone."""

    wanted: tuple[Alert, ...]
    settled: tuple[Row[Any], ...]

    def __bool__(self) -> bool:
        return bool(self.wanted or self.settled)


def wanted(
    stays: Iterable[ChildStay], today: date, lines: Sequence[AlertRule] | None = None
) -> Iterator[Alert]:
    """What is to be alerted of a child today, whether or not it was before."""
    lines = lines or alert_rules()
    for stay in stays:
        if not stay.is_open(today):
            continue
        for kind, state in (
            (AlertKind.REPORT_DUE, PeriodState.WARNED),
            (AlertKind.REPORT_OVERDUE, PeriodState.OVERDUE),
        ):
            period = max((p for p in stay.periods if p.state is state), key=lambda p: p.due_on, default=None)
            if period is not None:
                for rule in rules_on(today, kind, lines):
                    yield from _to_each(rule, stay, stay.entered_on, period.due_on)
        yield from _lengths(stay, today, lines)


def _lengths(stay: ChildStay, today: date, lines: Sequence[AlertRule]) -> Iterator[Alert]:
    longest: dict[Recipient, Alert] = {}
    for rule in rules_on(today, AlertKind.STAY_LENGTH, lines):
        reached = months_after(stay.in_care_since, rule.months)
        if reached <= today:
            for alert in _to_each(rule, stay, stay.in_care_since, reached):
                longest[alert.recipient] = alert
    yield from longest.values()


def _to_each(rule: AlertRule, stay: ChildStay, since: date, due_on: date) -> Iterator[Alert]:
    for recipient in rule.recipients:
        yield Alert(
            kind=rule.kind,
            recipient=recipient,
            municipality=stay.municipality,
            institution=stay.institution,
            since=since,
            due_on=due_on,
            months=rule.months or None,
        )


def kept(connection: Connection, persons: Sequence[uuid.UUID] | None = None) -> Sequence[Row[Any]]:
    """The alerts of some children, or of all, as they stand now."""
    query = select(ALERT).where(recorded(ALERT))
    if persons is not None:
        query = query.where(ALERT.c.person_id.in_(persons))
    return connection.execute(query.order_by(ALERT.c.made_on, ALERT.c.due_on, ALERT.c.id)).all()


def news(
    stays: Sequence[ChildStay],
    rows: Iterable[Row[Any]],
    today: date,
    lines: Sequence[AlertRule] | None = None,
) -> News:
    """What is to be written of one child, given its stays and the alerts that there are."""
    there = list(rows)
    fresh: dict[tuple[object, ...], Alert] = {}
    for alert in wanted(stays, today, lines):
        if not any(_told(alert, row) for row in there):
            fresh.setdefault(_once(alert), alert)
    gone = tuple(row for row in there if row.settled_on is None and not _stands(row, stays, today))
    return News(tuple(fresh.values()), gone)


def write(
    connection: Connection, person_id: uuid.UUID, made: News, today: date, provenance: Provenance
) -> Fed:
    """Keep what is new of a child. The caller holds the person and computed `made` since."""
    new: list[Values] = [
        {
            **{one.name: getattr(alert, one.name) for one in fields(alert)},
            "kind": alert.kind.value,
            "recipient": alert.recipient.value,
            "made_on": today,
            "settled_on": None,
            "acknowledged_on": None,
        }
        for alert in made.wanted
    ]
    settled: list[Values] = [{**_values(row), "settled_on": today} for row in made.settled]
    return _keep(connection, person_id, new + settled, provenance)


def one(connection: Connection, alert_id: uuid.UUID) -> Row[Any]:
    """An alert by its id.

    Raises: NotFound.
    """
    row = connection.execute(select(ALERT).where(ALERT.c.id == alert_id, recorded(ALERT))).first()
    if row is None:
        raise NotFound("alert")
    return row


def acknowledge(connection: Connection, alert_id: uuid.UUID, today: date, provenance: Provenance) -> None:
    """Note that somebody took an alert up. The caller holds the person.

    Raises: NotFound; InvalidRequest when somebody did before.
    """
    row = one(connection, alert_id)
    if row.acknowledged_on is not None:
        raise InvalidRequest(f"the alert was acknowledged on {row.acknowledged_on}")
    _keep(connection, row.person_id, [{**_values(row), "acknowledged_on": today}], provenance)


def _keep(connection: Connection, person_id: uuid.UUID, rows: list[Values], provenance: Provenance) -> Fed:
    owner = {"person_id": person_id}
    return replace(connection, ALERT, owner, rows, provenance, key=_KEY, within=lambda _row: False)


def _values(row: Row[Any]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in business_columns(ALERT)}


def _once(alert: Alert) -> tuple[object, ...]:
    """What makes two alerts the same: where the child is when a stay becomes long is no part of it."""
    where = None if alert.kind is AlertKind.STAY_LENGTH else alert.institution
    return alert.kind, alert.recipient, where, alert.since, alert.due_on


def _told(alert: Alert, row: Row[Any]) -> bool:
    """Whether a row is the alert already; of a stay's length, also that it was told of a greater one."""
    if (row.kind, row.recipient, row.since) != (alert.kind, alert.recipient, alert.since):
        return False
    if alert.kind is AlertKind.STAY_LENGTH:
        return bool(row.due_on >= alert.due_on)
    return bool(row.institution == alert.institution and row.due_on == alert.due_on)


def _stands(row: Row[Any], stays: Iterable[ChildStay], today: date) -> bool:
    """Whether the reason of an alert is still there."""
    if row.kind == AlertKind.STAY_LENGTH:
        return any(stay.is_open(today) and stay.in_care_since == row.since for stay in stays)
    return any(
        period.due_on == row.due_on and period.state in _WAITED_FOR
        for stay in stays
        if (stay.institution, stay.entered_on) == (row.institution, row.since)
        for period in stay.periods
    )
