"""The calendar of reports on a child in an institution, and how long the child has been there: dates in, dates out.

The stay in one institution is cut into periods without gap or overlap; each wants one report. A period ends at the
latest when the months of its rhythm are over, and the report is due on the day after its last day. **The rhythm is
that of the period's first day**: a period that began under three ends three months later, also when the third
birthday lies in it. Both rules say "at least every": three months satisfy either of them, whereas the rule of the age
at the end would leave the last days under three without a report for up to six months.

A report closes the period in which its last day lies: that period ends there, and the next begins on the day after.
One that reaches past the end of its period closes it late. A report that begins after the end of a period says nothing
of it: that period stays without. Months are counted from the day on which the periods last began anew, so that the
31st stays the 31st after a February. Source: P9, P10 of the processes; p10.11.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from registers.child_rules import Rhythm, rhythm_on, rhythms

_DAY = timedelta(days=1)


class PeriodState(StrEnum):
    """How a period stands on a day."""

    LATER = "later"  # not yet due, and no warning yet
    WARNED = "warned"  # due soon
    OVERDUE = "overdue"
    DONE = "done"
    ENDED = "ended"  # the child left before the report was due


@dataclass(frozen=True, slots=True)
class Reported:
    """The days that a report covers, both included."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Period:
    """A period of a stay: its days, both included, the day on which its report is due, and how it stands.

    `last` of a period that is closed is the last day of its report; of the last one of a stay that has ended, the last
    day of the stay. `months` is its rhythm; `age_known` False says that the strictest was taken for want of an age.
    """

    first: date
    last: date
    due_on: date
    warn_on: date
    months: int
    age_known: bool
    state: PeriodState
    report: Reported | None = None


def months_after(day: date, months: int) -> date:
    """The same day so many months later; where that month is shorter, its last day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def age_on(born: date, day: date) -> int:
    """Full years on a day; who was born on 29 February is a year older on 1 March where there is none."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def periods(
    entered_on: date,
    stopped_on: date | None,
    born: date | None,
    reports: Iterable[Reported],
    today: date,
    lines: Sequence[Rhythm] | None = None,
) -> Iterator[Period]:
    """The periods of a stay from its first day to the one of today, or to the end of the stay.

    `stopped_on` is the last day of the stay; `born` None: the age is unknown.
    """
    # A child who comes back has another stay, with reports of its own.
    of_stay = {report for report in reports if stopped_on is None or report.first <= stopped_on}
    waiting = sorted(of_stay, key=lambda report: (report.last, report.first))
    first = anchor = entered_on
    passed = 0
    end = today if stopped_on is None else min(stopped_on, today)
    while first <= end:
        rhythm = rhythm_on(first, age_on(born, first) if born else None, lines or rhythms())
        due = months_after(anchor, passed + rhythm.months)
        waiting = [report for report in waiting if report.last >= first]
        report = next((report for report in waiting if report.first < due), None)
        last = report.last if report else due - _DAY
        if stopped_on is not None:
            last = min(last, stopped_on)
        yield Period(
            first=first,
            last=last,
            due_on=due,
            warn_on=due - timedelta(days=rhythm.warn_days),
            months=rhythm.months,
            age_known=born is not None,
            state=_state(report, due, rhythm, stopped_on, today),
            report=report,
        )
        first = last + _DAY
        if first == due:
            passed += rhythm.months
        else:
            anchor, passed = first, 0


def _state(
    report: Reported | None, due: date, rhythm: Rhythm, stopped_on: date | None, today: date
) -> PeriodState:
    if report:
        return PeriodState.DONE
    if stopped_on is not None and stopped_on < due:
        return PeriodState.ENDED
    if today > due:
        return PeriodState.OVERDUE
    return PeriodState.WARNED if today >= due - timedelta(days=rhythm.warn_days) else PeriodState.LATER


def in_care_since(stays: Iterable[tuple[date, date | None]], entered_on: date) -> date:
    """The first day of the time in care that a stay belongs to: stays without a day between them are one.

    A move from one institution to another does not begin the time anew.
    """
    since = entered_on
    for begin, end in sorted(stays, key=lambda stay: stay[0], reverse=True):
        if begin <= since and (end is None or end >= since - _DAY):
            since = begin
    return since
