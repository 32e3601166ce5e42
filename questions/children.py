"""Children in institutions as people see them: which reports are waited for, and how many, without a person.

Who looks at persons, and why, is put on record by whoever asks, before anything is shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from registers.child_calendar import Period, PeriodState, months_after
from registers.child_stays import ChildStay

_SOON = timedelta(days=7)
# From so many months in care on, the lengths that are counted.
LENGTHS = (0, 3, 6, 12, 24)


class Term(StrEnum):
    """When a report is due, as its list is called."""

    LATE = "late"
    WEEK = "week"  # today or within seven days
    LATER = "later"


@dataclass(frozen=True, slots=True)
class Waited:
    """A report that is waited for; `missing` counts all overdue ones of the stay."""

    stay: ChildStay
    period: Period
    missing: int

    def term(self, today: date) -> Term:
        """Whether it is late, due within a week, or later."""
        if self.period.state is PeriodState.OVERDUE:
            return Term.LATE
        return Term.WEEK if self.period.due_on <= today + _SOON else Term.LATER


@dataclass(frozen=True, slots=True)
class Counted:
    """Children in institutions, in numbers: reports by their term, the same by municipality, lengths in care.

    `lengths` counts children by the greatest of `LENGTHS` that their time in care has reached.
    """

    children: int
    age_unknown: int
    reports: Mapping[Term, int]
    municipalities: tuple[tuple[str | None, int, Mapping[Term, int]], ...]
    lengths: Mapping[int, int]


def waited_for(stays: Iterable[ChildStay], due_before: date | None = None) -> list[Waited]:
    """The newest overdue report and the one of the present period of each stay, the first due first."""
    found = []
    for stay in stays:
        overdue = [p for p in stay.waited_for if p.state is PeriodState.OVERDUE]
        present = [p for p in stay.waited_for if p.state is not PeriodState.OVERDUE]
        found += [
            Waited(stay, period, len(overdue))
            for period in (*overdue[-1:], *present)
            if due_before is None or period.due_on < due_before
        ]
    return sorted(found, key=lambda one: (one.period.due_on, str(one.stay.person_id)))


def counted(stays: Iterable[ChildStay], today: date) -> Counted:
    """The children who are in an institution today, in numbers."""
    present = [stay for stay in stays if stay.is_open(today)]
    reports: Counter[Term] = Counter()
    of_each: Counter[tuple[str | None, Term]] = Counter()
    for one in waited_for(present):
        reports[one.term(today)] += 1
        of_each[one.stay.municipality, one.term(today)] += 1
    since = {stay.person_id: stay.in_care_since for stay in present}
    children = Counter({stay.person_id: stay.municipality for stay in present}.values())
    return Counted(
        len(since),
        len({stay.person_id for stay in present if stay.born is None}),
        {term: reports[term] for term in Term},
        tuple(
            (name, children[name], {term: of_each[name, term] for term in Term})
            for name in sorted(children, key=lambda name: (name is None, name or ""))
        ),
        dict(Counter(_reached(first, today) for first in since.values())),
    )


def months_in_care(stay: ChildStay, today: date) -> int:
    """Full months since the child is in care."""
    first = stay.in_care_since
    months = (today.year - first.year) * 12 + today.month - first.month
    return months - (months_after(first, months) > today)


def _reached(first: date, today: date) -> int:
    return max(months for months in LENGTHS if months_after(first, months) <= today)
