"""Children in out-of-family care: decisions of orphan courts and stays in institutions, as NPAIS holds them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum

from simulators import names
from simulators.households import SLOTS, Slot
from simulators.population import Person, Population


class Care(Enum):
    """How the care of a child goes on after the first institution; each child in care has one of these."""

    INSTITUTION = "institution"
    FOSTER_FAMILY = "foster family"
    GUARDIAN = "guardian"
    RETURNED = "returned to the family"
    GROWN_UP = "until adulthood"


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision of an orphan court on a child."""

    person: Person
    number: str
    decided_on: date
    court: str
    kind: str
    effective_from: date
    effective_to: date | None


@dataclass(frozen=True, slots=True)
class Placement:
    """A stay of a child in an institution; without `stopped_on` it goes on."""

    institution: str
    entered_on: date
    stopped_on: date | None
    stop_reason: str | None


def care(person: Person) -> Care | None:
    """How a person is or was cared for outside the family; None for those who never were.

    The first child in care of the population is in an institution, so that a small one shows an open placement.
    """
    match person.slot:
        case Slot.CHILD_IN_CARE:
            return (Care.INSTITUTION, Care.FOSTER_FAMILY, Care.GUARDIAN)[person.block % 3]
        case Slot.SIBLING if person.block % 4 == 1:
            return Care.RETURNED
        case Slot.LEFT_CARE:
            return Care.GROWN_UP
    return None


def decisions(population: Population, person: Person) -> tuple[Decision, ...]:
    """The decisions on a child, oldest first."""
    kind = care(person)
    if kind is None:
        return ()
    removed, next_step = _days(population, person, kind)
    made: list[tuple[str, date, date | None]] = []
    match kind:
        case Care.INSTITUTION:
            made = [
                ("SUSPEND_CUSTODY", removed, None),
                ("PLACE_INSTITUTION", removed, None),
                ("APPOINT_GUARDIAN", next_step, None),
            ]
        case Care.FOSTER_FAMILY:
            made = [
                ("SUSPEND_CUSTODY", removed, None),
                ("PLACE_INSTITUTION", removed, next_step),
                ("PLACE_FOSTER_FAMILY", next_step, None),
            ]
        case Care.GUARDIAN:
            made = [
                ("SUSPEND_CUSTODY", removed, None),
                ("PLACE_INSTITUTION", removed, next_step),
                ("APPOINT_GUARDIAN", next_step, None),
                ("PLACE_GUARDIAN", next_step, None),
            ]
        case Care.RETURNED:
            made = [
                ("SUSPEND_CUSTODY", removed, next_step),
                ("PLACE_INSTITUTION", removed, next_step),
                ("RESTORE_CUSTODY", next_step, None),
                ("END_CARE", next_step, None),
            ]
        case Care.GROWN_UP:
            made = [
                ("SUSPEND_CUSTODY", removed, next_step),
                ("PLACE_INSTITUTION", removed, next_step),
                ("END_CARE", next_step, None),
            ]
    court = _court(population.home(person).text)
    return tuple(
        Decision(
            person=person,
            number=f"1-6/{population.draw('decision', person.index, n) % 900 + 100}-{n + 1}",
            decided_on=day - timedelta(days=2),
            court=court,
            kind=what,
            effective_from=day,
            effective_to=until,
        )
        for n, (what, day, until) in enumerate(made)
    )


def placements(population: Population, person: Person) -> tuple[Placement, ...]:
    """The stays of a child in institutions, oldest first."""
    kind = care(person)
    if kind is None:
        return ()
    entered, stopped = _days(population, person, kind)
    reason = {
        Care.INSTITUTION: None,
        Care.FOSTER_FAMILY: "OTHER",
        Care.GUARDIAN: "OTHER",
        Care.RETURNED: "RETURNED_TO_FAMILY",
        Care.GROWN_UP: "ADULTHOOD",
    }[kind]
    return (Placement(institution(population, person), entered, stopped if reason else None, reason),)


def institution(population: Population, person: Person) -> str:
    """The institution in which a child is or was."""
    choice = names.CHILD_CARE_INSTITUTIONS
    return choice[population.draw("institution", person.index) % len(choice)]


def decided_since(population: Population, day: date) -> Iterator[Decision]:
    """All decisions of a day or later, person by person; a community is looked into only if it can have one."""
    for first in range(0, len(population), SLOTS):
        for slot in (Slot.CHILD_IN_CARE, Slot.SIBLING, Slot.LEFT_CARE):
            if first + slot < len(population):
                person = population.person(first + slot)
                yield from (made for made in decisions(population, person) if made.decided_on >= day)


def _days(population: Population, person: Person, kind: Care) -> tuple[date, date]:
    """When the child was taken from the family, and when the next step followed."""
    draw = population.draw("care", person.index)
    if kind is Care.GROWN_UP:
        adult = person.birthday(18)
        return adult - timedelta(days=400 + draw % 1500), adult
    removed = date(2022, 3, 1) + timedelta(days=draw % 1000)
    return removed, removed + timedelta(days=60 + (draw >> 32) % 300)


def _court(address: str) -> str:
    """The orphan court of the municipality or city at the end of an address."""
    territory = [part for part in address.split(", ") if not part.startswith("LV-")][-1]
    if territory.endswith(" nov."):
        return f"{territory.removesuffix(' nov.')} novada bāriņtiesa"
    return f"{territory}s bāriņtiesa"
