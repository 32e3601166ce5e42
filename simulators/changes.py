"""What changes in the data of the invented population and when: PMLP tells it of those who are followed, VDEAVK of all.

The day of a change depends on seed and person alone, so that two simulators of one population tell the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from simulators.population import Person, Population

FIRST = date(2025, 1, 1)
_DAYS = 500


@dataclass(frozen=True, slots=True)
class Change:
    """Data of a person that changed on a day, at PMLP by their sets; `previous_code` where the code itself did."""

    changed_on: date
    person: Person
    data_sets: tuple[str, ...] = ()
    previous_code: str | None = None

    @property
    def cursor(self) -> str:
        """Where a list that is sorted by it goes on: day and person, and what changed first of one day."""
        return f"{self.changed_on:%Y%m%d}-{self.person.index:07d}-{'b' if self.previous_code else 'a'}"


def changes(population: Population, person: Person) -> Iterator[Change]:
    """Every change in a person's data from 2025 on: a move of every third, a code that was exchanged."""
    draw = population.draw("changes", person.index)
    moved = FIRST + timedelta(days=draw % _DAYS)
    if draw % 3 == 0:
        yield Change(moved, person, ("ADDRESSES",))
    if person.previous_code is not None:
        exchanged = FIRST + timedelta(days=(draw >> 32) % _DAYS)
        yield Change(exchanged, person, ("NAME_AND_CODE", "DOCUMENTS"), person.previous_code)


def behind(every: Iterable[Change], cursor: str, until: date) -> list[Change]:
    """The changes behind a cursor and up to a day, oldest first."""
    found = (change for change in every if change.cursor > cursor and change.changed_on <= until)
    return sorted(found, key=lambda change: change.cursor)
