"""The community of twenty that repeats through the population: who lives in it, and who is whose.

Every community holds the same parts (slots) with other people in them, so that any twenty persons in a row show every
case that the systems know: a child in care, disabled adults, pensioners, a survivor, foreigners, a deceased person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import IntEnum

SLOTS = 20


class Slot(IntEnum):
    """The parts of a community; the value is the place in it."""

    CHILD_IN_CARE = 0
    MOTHER = 1
    FATHER = 2
    SIBLING = 3
    DISABLED_ADULT = 4
    PARTNER_OF_DISABLED = 5
    PENSIONER_WOMAN = 6
    PENSIONER_MAN = 7
    WARD = 8
    TRUSTEE = 9
    GUARDIAN = 10
    PARTNER_OF_GUARDIAN = 11
    DISABLED_CHILD = 12
    SURVIVOR = 13
    DECEASED = 14
    WIDOW = 15
    FOREIGNER = 16
    CHILD_OF_FOREIGNER = 17
    LEFT_CARE = 18
    LONE_PENSIONER = 19


@dataclass(frozen=True, slots=True)
class Part:
    """What is fixed about a slot: sex (None: drawn), birth dates, household (shares address and family name)."""

    sex: str | None
    first: date
    last: date
    household: int


def _part(sex: str | None, first: int, last: int, household: int) -> Part:
    return Part(sex, date(first, 1, 1), date(last, 12, 31), household)


# Ages hold from 2025 to 2030: children stay minors, pensioners are over 65, disabled adults below.
PARTS: Mapping[Slot, Part] = {
    Slot.CHILD_IN_CARE: _part(None, 2013, 2021, 0),
    Slot.MOTHER: _part("F", 1980, 1993, 0),
    Slot.FATHER: _part("M", 1976, 1990, 0),
    Slot.SIBLING: _part(None, 2013, 2021, 0),
    Slot.DISABLED_ADULT: _part(None, 1972, 1990, 1),
    Slot.PARTNER_OF_DISABLED: _part(None, 1972, 1990, 1),
    Slot.PENSIONER_WOMAN: _part("F", 1936, 1955, 2),
    Slot.PENSIONER_MAN: _part("M", 1936, 1955, 2),
    Slot.WARD: _part(None, 1970, 1995, 3),
    Slot.TRUSTEE: _part(None, 1970, 1995, 4),
    Slot.GUARDIAN: _part("F", 1968, 1990, 5),
    Slot.PARTNER_OF_GUARDIAN: _part("M", 1968, 1990, 5),
    Slot.DISABLED_CHILD: _part(None, 2013, 2021, 1),
    Slot.SURVIVOR: _part(None, 2013, 2021, 6),
    Slot.DECEASED: _part("M", 1970, 1982, 6),
    Slot.WIDOW: _part("F", 1970, 1982, 6),
    Slot.FOREIGNER: _part("F", 1975, 1993, 7),
    Slot.CHILD_OF_FOREIGNER: _part(None, 2013, 2021, 7),
    Slot.LEFT_CARE: _part(None, 2000, 2006, 6),
    Slot.LONE_PENSIONER: _part(None, 1930, 1957, 8),
}

# Whose household a drawn sex depends on: partners are a man and a woman here.
OPPOSITE = {Slot.PARTNER_OF_DISABLED: Slot.DISABLED_ADULT}

SPOUSES = (
    (Slot.MOTHER, Slot.FATHER),
    (Slot.DISABLED_ADULT, Slot.PARTNER_OF_DISABLED),
    (Slot.PENSIONER_WOMAN, Slot.PENSIONER_MAN),
    (Slot.GUARDIAN, Slot.PARTNER_OF_GUARDIAN),
    (Slot.WIDOW, Slot.DECEASED),
)
PARENTS: Mapping[Slot, tuple[Slot, ...]] = {
    Slot.CHILD_IN_CARE: (Slot.MOTHER, Slot.FATHER),
    Slot.SIBLING: (Slot.MOTHER, Slot.FATHER),
    Slot.FATHER: (Slot.PENSIONER_WOMAN, Slot.PENSIONER_MAN),
    Slot.DISABLED_CHILD: (Slot.DISABLED_ADULT, Slot.PARTNER_OF_DISABLED),
    Slot.SURVIVOR: (Slot.WIDOW, Slot.DECEASED),
    Slot.LEFT_CARE: (Slot.WIDOW, Slot.DECEASED),
    Slot.CHILD_OF_FOREIGNER: (Slot.FOREIGNER,),
}
# Brothers and sisters whose parents are not in the community.
SIBLINGS = ((Slot.WARD, Slot.TRUSTEE),)


class Relation(IntEnum):
    """How a family member stands to a person, in the order in which they are listed."""

    SPOUSE = 0
    PARENT = 1
    CHILD = 2
    SIBLING = 3


def family_of(slot: Slot) -> tuple[tuple[Relation, Slot], ...]:
    """The family of a slot: spouse, parents, children, then brothers and sisters."""
    found: set[tuple[Relation, Slot]] = set()
    for pair in SPOUSES:
        if slot in pair:
            found.add((Relation.SPOUSE, pair[1 - pair.index(slot)]))
    for parent in PARENTS.get(slot, ()):
        found.add((Relation.PARENT, parent))
    for child, parents in PARENTS.items():
        if slot in parents:
            found.add((Relation.CHILD, child))
        if child != slot and set(parents) & set(PARENTS.get(slot, ())):
            found.add((Relation.SIBLING, child))
    for pair in SIBLINGS:
        if slot in pair:
            found.add((Relation.SIBLING, pair[1 - pair.index(slot)]))
    return tuple(sorted(found))


FAMILY: Mapping[Slot, tuple[tuple[Relation, Slot], ...]] = {slot: family_of(slot) for slot in Slot}
