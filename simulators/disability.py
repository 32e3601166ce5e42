"""Who has a disability, since when and of which kind: what VDEAVK knows and what SAIS pays for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from simulators.changes import Change
from simulators.households import SLOTS, Slot
from simulators.population import Person, Population

ADULT_GROUPS = ("I", "II", "III")
CHILD_GROUP = "CHILD"
IMPAIRMENTS = 5  # movement, vision, hearing, severe mental, other
CAUSES = ("ILLNESS", "CHILDHOOD", "WORK_ACCIDENT", "OCCUPATIONAL_DISEASE", "ACCIDENT", "CHERNOBYL")


@dataclass(frozen=True, slots=True)
class CareOpinion:
    """An opinion on the need of special care."""

    issued_on: date
    number: str
    valid_from: date
    valid_to: date | None


@dataclass(frozen=True, slots=True)
class Disability:
    """A disability with its period; `valid_until` None is indefinite. `impairments` in the order of p8.13.5–p8.13.9."""

    determined_on: date
    group: str
    valid_until: date | None
    certificate_no: str
    impairments: tuple[bool, bool, bool, bool, bool]
    cause: str
    opinion: CareOpinion | None

    def holds(self, first: date, last: date) -> bool:
        """Whether it is in force on any day from first to last."""
        return self.determined_on <= last and (self.valid_until is None or self.valid_until >= first)


def disability(population: Population, person: Person) -> Disability | None:
    """The disability that was ever determined for a person, in force or not.

    Adults of working age have a group, children are CHILD until the day before they are 18. A trustee of every
    second community had one that ended in 2023.
    """
    draw = population.draw("disability", person.index)
    since = date(2015, 1, 1) + timedelta(days=draw % 2900)
    match person.slot:
        case Slot.DISABLED_ADULT:
            indefinite = (draw >> 20) % 5 < 3
            return _made(
                draw, since, ADULT_GROUPS[person.block % 3], None if indefinite else date(2031, 6, 30)
            )
        case Slot.WARD:
            return _made(draw, since, ADULT_GROUPS[person.block % 2], None, mental=True)
        case Slot.TRUSTEE if person.block % 2:
            return _made(draw, since - timedelta(days=900), "III", date(2023, 3, 31))
        case Slot.DISABLED_CHILD:
            since = date(2022, 1, 1) + timedelta(days=draw % 1000)
            return _made(draw, since, CHILD_GROUP, person.birthday(18) - timedelta(days=1))
    return None


def disability_changes(population: Population) -> Iterator[Change]:
    """When the data on the disability of anybody changed: as it was determined, and for half of them in 2025 again."""
    for first in range(0, len(population), SLOTS):
        for slot in (Slot.DISABLED_ADULT, Slot.WARD, Slot.TRUSTEE, Slot.DISABLED_CHILD):
            person = population.person(first + slot)
            found = disability(population, person)
            if found is not None:
                yield Change(found.determined_on, person)
                draw = population.draw("re-examined", person.index)
                if draw % 2:
                    yield Change(date(2025, 1, 1) + timedelta(days=(draw >> 8) % 365), person)


def _made(draw: int, since: date, group: str, until: date | None, *, mental: bool = False) -> Disability:
    hit = 3 if mental else (draw >> 24) % IMPAIRMENTS
    also = (draw >> 32) % (2 * IMPAIRMENTS)
    kinds = [n in (hit, also) for n in range(IMPAIRMENTS)]
    opinion = None
    if group == "I" or mental or (group == CHILD_GROUP and (draw >> 40) % 2):
        opinion = CareOpinion(since, f"IK-{(draw >> 48) % 10**6:06d}", since, until)
    return Disability(
        determined_on=since,
        group=group,
        valid_until=until,
        certificate_no=f"{(draw >> 72) % 10**7:07d}",
        impairments=(kinds[0], kinds[1], kinds[2], kinds[3], kinds[4]),
        cause="CHILDHOOD" if mental or group == CHILD_GROUP else CAUSES[(draw >> 56) % len(CAUSES)],
        opinion=opinion,
    )
