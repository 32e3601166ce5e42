"""One invented population, the same for every simulator that has the same size and seed.

A person is computed from its index when asked for, so a million persons cost nothing to begin with; a personal code
leads back to the index without a table. Facts hold from 2025 to 2030 and do not depend on the day of the run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from simulators import names, person_codes
from simulators.addresses import AddressRegister, Place, address_register
from simulators.households import FAMILY, OPPOSITE, PARTS, SLOTS, Relation, Slot

LARGEST = 2_000_000  # the shortest span of birth dates has no more serial numbers
NEW_FORM_SINCE = date(2017, 7, 1)
# What those have for a passport who are not citizens of any country that would give them one.
_PASSPORTS = {"NON_CITIZEN": "ALIEN_PASSPORT", "STATELESS": "TRAVEL_DOCUMENT", "REFUGEE": "TRAVEL_DOCUMENT"}


@dataclass(frozen=True, slots=True)
class Person:
    """A resident. `previous_code` is the old-form code of somebody who changed it; it still finds the person."""

    index: int
    slot: Slot
    block: int
    code: str
    previous_code: str | None
    given_names: tuple[str, ...]
    family_name: str
    birth_date: date
    sex: str
    nationality: str
    nationality_kind: str
    died_on: date | None
    capacity_review: date | None

    @property
    def status(self) -> str:
        """ACTIVE, PASSIVE (left the country) or DECEASED."""
        if self.died_on is not None:
            return "DECEASED"
        left = self.slot is Slot.PARTNER_OF_GUARDIAN and self.block % 7 == 6
        return "PASSIVE" if left else "ACTIVE"

    def birthday(self, age: int) -> date:
        """The day on which the person reaches an age; 1 March for those born on 29 February."""
        year = self.birth_date.year + age
        try:
            return self.birth_date.replace(year=year)
        except ValueError:
            return date(year, 3, 1)


@dataclass(frozen=True, slots=True)
class IdentityDocument:
    """A passport, identity card or residence permit."""

    kind: str
    number: str
    issued_on: date
    valid_to: date
    country: str
    authority: str


class Population:
    """`size` invented persons from a seed, in communities of twenty.

    The last community is always whole: those of it beyond `size` are relatives that a code still finds.
    """

    def __init__(self, size: int, seed: int = 1, register: AddressRegister | None = None) -> None:
        if not 1 <= size <= LARGEST:
            raise ValueError(f"a population has 1 to {LARGEST} persons")
        self.size = size
        self.seed = seed
        self._blocks = -(-size // SLOTS)
        self._places = (register or address_register()).resolvable()
        self._new_forms = person_codes.new_forms(self.draw("new-form"))
        self._born = {
            slot: person_codes.BirthDates.between(part.first, part.last, slot, SLOTS, self.draw("born", slot))
            for slot, part in PARTS.items()
        }
        self._cached = lru_cache(maxsize=4096)(self._made)

    def draw(self, *what: object) -> int:
        """A large number that depends on the seed and on nothing but what is named."""
        text = "|".join(map(str, (self.seed, *what)))
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest())

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[Person]:
        return (self.person(index) for index in range(self.size))

    def person(self, index: int) -> Person:
        """The person at an index from 0 to the end of the last community.

        Raises: IndexError.
        """
        if not 0 <= index < self._blocks * SLOTS:
            raise IndexError(index)
        return self._cached(index)

    def member(self, person: Person, slot: Slot) -> Person:
        """The person in another slot of the same community."""
        return self.person(person.block * SLOTS + slot)

    def other(self, person: Person) -> Person:
        """Somebody else: the one in the same slot of the next community, or the next person where there is one only."""
        step = SLOTS if self._blocks > 1 else 1
        return self.person((person.index + step) % (self._blocks * SLOTS))

    def by_code(self, code: str) -> Person | None:
        """The person with this code, the present one or the one before a change; None for an unknown code."""
        index = person_codes.read_new_form(code, self._new_forms)
        if index is None:
            index = self._index_of_old_form(code)
        if index is None or not 0 <= index < self._blocks * SLOTS:
            return None
        person = self.person(index)
        return person if code in (person.code, person.previous_code) else None

    def _index_of_old_form(self, code: str) -> int | None:
        read = person_codes.read_old_form(code)
        if read is None:
            return None
        born, serial = read
        slot = Slot(serial // (person_codes.SERIALS // SLOTS))
        block = self._born[slot].block(born, serial)
        return None if block is None or block >= self._blocks else block * SLOTS + slot

    def _made(self, index: int) -> Person:
        block, place = divmod(index, SLOTS)
        slot = Slot(place)
        born, serial = self._born[slot].born(block)
        old, new = person_codes.old_form(born, serial), person_codes.new_form(index, self._new_forms)
        always_new = born >= NEW_FORM_SINCE or slot in (Slot.FOREIGNER, Slot.CHILD_OF_FOREIGNER)
        changed = not always_new and self.draw("changed", index) % 11 == 0
        nationality, kind = self._nationality(slot, block)
        sex = self._sex(slot, block)
        return Person(
            index=index,
            slot=slot,
            block=block,
            code=new if always_new or changed else old,
            previous_code=old if changed else None,
            given_names=self._given_names(slot, block, sex, nationality),
            family_name=self._family_name(slot, block, sex, nationality, kind),
            birth_date=born,
            sex=sex,
            nationality=nationality,
            nationality_kind=kind,
            died_on=self._day("died", block, date(2019, 1, 1), 1800) if slot is Slot.DECEASED else None,
            capacity_review=self._day("review", block, date(2027, 1, 1), 1000) if slot is Slot.WARD else None,
        )

    def _day(self, what: str, key: int, first: date, days: int) -> date:
        return first + timedelta(days=self.draw(what, key) % days)

    def _sex(self, slot: Slot, block: int) -> str:
        if slot in OPPOSITE:
            return "M" if self._sex(OPPOSITE[slot], block) == "F" else "F"
        return PARTS[slot].sex or ("F", "M")[self.draw("sex", block, slot) % 2]

    def _nationality(self, slot: Slot, block: int) -> tuple[str, str]:
        if slot in (Slot.FOREIGNER, Slot.CHILD_OF_FOREIGNER):
            kinds = (
                ("UKR", "ALTERNATIVE_STATUS"),
                ("LTU", "FOREIGNER"),
                ("EST", "FOREIGNER"),
                ("DEU", "FOREIGNER"),
                ("SYR", "REFUGEE"),
                ("XXA", "STATELESS"),
            )
            return kinds[self.draw("nationality", block) % len(kinds)]
        if slot is Slot.LONE_PENSIONER and self.draw("nationality", block, slot) % 3 == 0:
            return "LVA", "NON_CITIZEN"
        return "LVA", "CITIZEN"

    def _given_names(self, slot: Slot, block: int, sex: str, nationality: str) -> tuple[str, ...]:
        draw = self.draw("given", block, slot)
        lists = names.ABROAD[nationality][:2] if nationality in names.ABROAD else (names.WOMEN, names.MEN)
        choice = lists[0] if sex == "F" else lists[1]
        first = choice[draw % len(choice)]
        second = choice[(draw >> 32) % len(choice)]
        return (first, second) if (draw >> 64) % 6 == 0 and second != first else (first,)

    def _family_name(self, slot: Slot, block: int, sex: str, nationality: str, kind: str) -> str:
        # The grandparents of household 2 bear the name of their son's household.
        household = 0 if PARTS[slot].household == 2 else PARTS[slot].household
        draw = self.draw("family", block, household)
        if nationality in names.ABROAD:
            return names.ABROAD[nationality][2][draw % len(names.ABROAD[nationality][2])]
        choice = names.FAMILY_OF_NON_CITIZENS if kind == "NON_CITIZEN" else names.FAMILY
        return choice[draw % len(choice)][0 if sex == "M" else 1]

    def home(self, person: Person) -> Place:
        """The declared address: one for each household."""
        return self._places[self.draw("home", person.block, PARTS[person.slot].household) % len(self._places)]

    def place(self, *what: object) -> Place:
        """An address for anything else that is named: an institution, a foster family."""
        return self._places[self.draw("place", *what) % len(self._places)]

    def family(self, person: Person) -> tuple[tuple[Relation, Person], ...]:
        """Family members: spouse, parents, children, brothers and sisters."""
        return tuple((relation, self.member(person, slot)) for relation, slot in FAMILY[person.slot])

    def documents(self, person: Person) -> tuple[IdentityDocument, ...]:
        """An identity card or residence permit for everybody, a passport for most."""
        draw = self.draw("documents", person.index)
        office = names.DEPARTMENTS[draw % len(names.DEPARTMENTS)]
        authority = f"PMLP {office} nodaļa"
        abroad = person.nationality != "LVA"
        card = "RESIDENCE_PERMIT" if abroad else "EID"
        issued = self._day("card", person.index, max(date(2019, 1, 1), person.birth_date), 1500)
        years = 5 if abroad or person.birth_date.year > 2005 else 10
        found = [
            IdentityDocument(card, f"PA{draw % 10**7:07d}", issued, _plus(issued, years), "LVA", authority)
        ]
        if (draw >> 40) % 4:
            issued = self._day("passport", person.index, max(date(2018, 1, 1), person.birth_date), 1500)
            kind = _PASSPORTS.get(person.nationality_kind, "PASSPORT")
            country = person.nationality if kind == "PASSPORT" else "LVA"
            by = authority if country == "LVA" else f"{country} MFA"
            number = f"{country[:2]}{(draw >> 64) % 10**7:07d}"
            found.append(IdentityDocument(kind, number, issued, _plus(issued, 10), country, by))
        return tuple(found)


def _plus(day: date, years: int) -> date:
    return day + timedelta(days=round(365.25 * years) - 1)
