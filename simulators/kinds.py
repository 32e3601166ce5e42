"""In a few words, what a person is to the systems: for choosing persons to show."""

from __future__ import annotations

from datetime import date

from simulators.benefits import PENSION_AGE
from simulators.care import Care, care
from simulators.disability import CHILD_GROUP, disability
from simulators.households import Slot
from simulators.population import Person, Population


def kinds(population: Population, person: Person, today: date) -> tuple[str, ...]:
    """Words such as `pensioner`, `disabled`, `child_in_care`, in a fixed order; a person may be several."""
    known = disability(population, person)
    disabled = known is not None and known.holds(today, today)
    child = person.birthday(18) > today
    how = care(person)
    words = {
        "child_in_care": child and how in (Care.INSTITUTION, Care.FOSTER_FAMILY, Care.GUARDIAN),
        "left_care": how in (Care.RETURNED, Care.GROWN_UP),
        "disabled": disabled and known is not None and known.group != CHILD_GROUP,
        "disabled_child": disabled and known is not None and known.group == CHILD_GROUP,
        "pensioner": person.died_on is None and person.birthday(PENSION_AGE) <= today,
        "survivor": person.slot is Slot.SURVIVOR and child,
        "guardian": person.slot is Slot.GUARDIAN,
        "trustee": person.slot is Slot.TRUSTEE,
        "capacity_restricted": person.capacity_review is not None,
        "foreigner": person.nationality != "LVA",
        "deceased": person.died_on is not None,
        "child": child,
        "code_changed": person.previous_code is not None,
    }
    return tuple(word for word, holds in words.items() if holds)
