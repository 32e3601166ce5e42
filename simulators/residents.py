"""What PMLP knows of the invented residents beside themselves: who represents them, where they live."""

from __future__ import annotations

from simulators import names
from simulators.care import Care, care, institution
from simulators.households import Slot
from simulators.population import Person, Population


def representatives(population: Population, person: Person) -> tuple[tuple[str, Person], ...]:
    """Who represents a person, with the kind: the guardian or foster family of a child, the trustee of a ward."""
    guardian = population.member(person, Slot.GUARDIAN)
    match care(person):
        case Care.INSTITUTION | Care.GUARDIAN:
            return (("GUARDIAN", guardian),)
        case Care.FOSTER_FAMILY:
            return (("FOSTER_FAMILY", guardian),)
    if person.slot is Slot.WARD:
        return (("TRUSTEE", population.member(person, Slot.TRUSTEE)),)
    return ()


def addresses(population: Population, person: Person) -> tuple[tuple[str, str | None, str], ...]:
    """Kind, VARIS code (None abroad) and text of a person's addresses: the declared one, then where it differs."""
    home = population.home(person)
    found: list[tuple[str, str | None, str]] = [("DECLARED", home.code, home.text)]
    lives = None
    match care(person):
        case Care.INSTITUTION:
            lives = population.place(institution(population, person))
        case Care.FOSTER_FAMILY | Care.GUARDIAN:
            lives = population.home(population.member(person, Slot.GUARDIAN))
    if person.slot is Slot.WARD:
        lives = population.place("care home", person.block)
        found.append(("REGISTERED", lives.code, lives.text))
    elif lives is not None:
        found.append(("INDICATED", lives.code, lives.text))
    if person.nationality in names.CITIES_ABROAD:
        found.append(("INDICATED", None, names.CITIES_ABROAD[person.nationality]))
    return tuple(found)
