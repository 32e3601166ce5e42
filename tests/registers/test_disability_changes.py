"""Whose disability changed, kept of persons whom the registers know."""

from __future__ import annotations

from sqlalchemy import Engine

import registers
from mappings.vdeavk import DisabilityChange, DisabilityChanges
from registers import Fed
from registers.persons import person_of
from tests.registers.invented import day, person_code, provenance


def page(*changes: tuple[str, str]) -> DisabilityChanges:
    made = tuple(DisabilityChange(person_code=of, changed_on=day(on)) for of, on in changes)
    return DisabilityChanges(changes=made, cursor="c", more=False)


def test_changes_are_kept_once_and_none_takes_the_place_of_another(engine: Engine) -> None:
    known, unknown = person_code(), person_code()
    with engine.begin() as connection:
        person_of(connection, known, provenance())
        first = page((known, "2026-03-04"), (unknown, "2026-03-04"))
        assert registers.feed(connection, first, provenance(1, "vdeavk")) == Fed(1, 0)
        later = page((known, "2026-03-04"), (known, "2026-04-01"))
        assert registers.feed(connection, later, provenance(2, "vdeavk")) == Fed(1, 1)
        rows = registers.search(connection, "disability-changes", {"person_code": known})
        assert [row.values["changed_on"] for row in rows] == [day("2026-03-04"), day("2026-04-01")]
        assert registers.person_by_code(connection, unknown) is None
