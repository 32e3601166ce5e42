"""How calendars of children, alerts and hand-overs are printed."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import click
from sqlalchemy import Row

from commands import print_json
from commands.rendering import print_rows
from exchange import Json
from questions.children import waited_for
from registers.child_alerts import ALERT
from registers.child_calendar import Period
from registers.child_stays import ChildStay
from registers.history import business_columns


def listed_stays(stays: Iterable[ChildStay], due_before: date | None) -> list[dict[str, Json]]:
    """The newest overdue report and the one of the present period of each stay, the first due first.

    `missing` counts all overdue ones of the stay.
    """
    return [
        _stay(one.stay) | _period(one.period) | {"missing": one.missing}
        for one in waited_for(stays, due_before)
    ]


def periods_told(stays: Iterable[ChildStay], due_before: date | None) -> list[dict[str, Json]]:
    """Every period of a child's stays."""
    return [
        _stay(stay) | _period(period)
        for stay in stays
        for period in stay.periods
        if due_before is None or period.due_on < due_before
    ]


def alert_told(row: Row[Any], codes: Mapping[uuid.UUID, str]) -> dict[str, Json]:
    """An alert as it is printed; the personal code where it is to be seen, else the internal id alone."""
    head: dict[str, Json] = {"id": str(row.id), "person_id": str(row.person_id)}
    if row.person_id in codes:
        head["person_code"] = codes[row.person_id]
    return head | {name: _plain(getattr(row, name)) for name in business_columns(ALERT)}


def print_listed(rows: Sequence[Mapping[str, Any]], *, as_json: bool, nothing: str) -> None:
    """Print rows of one form, or say that there are none."""
    if as_json:
        print_json([dict(row) for row in rows])
    elif not rows:
        click.echo(nothing)
    else:
        heads = list(rows[0])
        cells = [[_cell(row[head]) for head in heads] for row in rows]
        print_rows([head.replace("_", " ") for head in heads], cells)


def _stay(stay: ChildStay) -> dict[str, Json]:
    return {
        "person_id": str(stay.person_id),
        "institution": stay.institution,
        "municipality": stay.municipality,
        "entered_on": stay.entered_on.isoformat(),
        "stopped_on": _plain(stay.stopped_on),
        "in_care_since": stay.in_care_since.isoformat(),
    }


def _period(period: Period) -> dict[str, Json]:
    return {
        "period_from": period.first.isoformat(),
        "period_to": period.last.isoformat(),
        "due_on": period.due_on.isoformat(),
        "state": period.state.value,
        "months": period.months,
        "age_known": period.age_known,
    }


def _plain(value: date | str | int | None) -> Json:
    return value.isoformat() if isinstance(value, date) else value


def _cell(value: Json) -> str:
    if value is None:
        return "-"
    if isinstance(value, dict):
        return " ".join(f"{name}={one}" for name, one in value.items())
    return str(value)
