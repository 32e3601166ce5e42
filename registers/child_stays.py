"""Children's stays in institutions as they count, with birth day, municipality and the calendar of reports.

A stay is NPAIS's or the municipality's telling of it; where both tell it, the one that `precedence.tsv` puts first for
its first day. A child's age is known by PMLP's birth day, else by a personal code of the old form.
Source: p10.11.1, p10.11.2; P9, P10.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import CompoundSelect, Connection, Row, Select, Table, select, union

from mappings.person_code import birth_date
from registers.child_calendar import Period, PeriodState, Reported, in_care_since, periods
from registers.contact_reports import REPORT
from registers.history import recorded
from registers.municipal_placements import PLACEMENT as MUNICIPAL
from registers.persons import PARTICULARS, PERSON, PERSON_CODE
from registers.placement_conflicts import Placed, institution_key, placed, same_stays
from registers.placements import PLACEMENT
from registers.precedence import sources_of

NPAIS, SPOLIS = "npais", "spolis"

# Persons, as a query that gives their ids.
Of = Select[Any] | CompoundSelect[Any]
_IN_CARE = union(
    select(PLACEMENT.c.person_id).where(recorded(PLACEMENT)),
    select(MUNICIPAL.c.person_id).where(recorded(MUNICIPAL)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildStay:
    """A child's stay in one institution: its days, since when the child is in care, and the periods up to today.

    `municipality` is the ATVK code of the social service that is told, None where no municipality has told of it.
    """

    person_id: uuid.UUID
    institution: str
    entered_on: date
    stopped_on: date | None
    in_care_since: date
    municipality: str | None
    born: date | None
    periods: tuple[Period, ...]

    def is_open(self, today: date) -> bool:
        """Whether the child is there on a day."""
        return self.entered_on <= today and (self.stopped_on is None or self.stopped_on >= today)

    @property
    def waited_for(self) -> Iterator[Period]:
        """The periods whose report has not come, the oldest first."""
        return (p for p in self.periods if p.state not in (PeriodState.DONE, PeriodState.ENDED))


def stays_of(
    connection: Connection, today: date, persons: Sequence[uuid.UUID] | None = None
) -> list[ChildStay]:
    """The stays of some children, or of all, by their first day."""
    told: dict[uuid.UUID, dict[str, list[Placed]]] = defaultdict(lambda: {NPAIS: [], SPOLIS: []})
    municipal: dict[tuple[uuid.UUID, Placed], str] = {}
    wanted = None if persons is None else select(PERSON.c.id).where(PERSON.c.id.in_(persons))
    for row in _rows(connection, PLACEMENT, wanted):
        told[row.person_id][NPAIS].append(placed(NPAIS, row))
    for row in _rows(connection, MUNICIPAL, wanted):
        one = placed(SPOLIS, row)
        told[row.person_id][SPOLIS].append(one)
        municipal[row.person_id, one] = row.municipality
    children = wanted if wanted is not None else _IN_CARE
    reports: dict[tuple[uuid.UUID, str], list[Reported]] = defaultdict(list)
    for row in _rows(connection, REPORT, children):
        key = (row.person_id, institution_key(row.institution))
        reports[key].append(Reported(row.period_from, row.period_to))
    born = _birth_days(connection, children)
    found = []
    for person_id, both in told.items():
        counting = list(_counting(both))
        spans = [(stay.entered_on, stay.stopped_on) for stay, _ in counting]
        for stay, other in counting:
            theirs = stay if stay.source == SPOLIS else other
            told_of = reports[person_id, institution_key(stay.institution)]
            if other is not None:  # the institution may report under either name
                told_of = told_of + reports[person_id, institution_key(other.institution)]
            found.append(
                ChildStay(
                    person_id=person_id,
                    institution=stay.institution,
                    entered_on=stay.entered_on,
                    stopped_on=stay.stopped_on,
                    in_care_since=in_care_since(spans, stay.entered_on),
                    municipality=None if theirs is None else municipal[person_id, theirs],
                    born=born.get(person_id),
                    periods=tuple(
                        periods(stay.entered_on, stay.stopped_on, born.get(person_id), told_of, today)
                    ),
                )
            )
    return sorted(found, key=lambda stay: (stay.entered_on, stay.person_id.int, stay.institution))


def _counting(told: Mapping[str, list[Placed]]) -> Iterator[tuple[Placed, Placed | None]]:
    """Each stay once, as the supplier that counts tells it, with what the other says of it."""
    left = [stay for stays in told.values() for stay in stays]
    for pair in same_stays(told):
        for stay in pair:
            left.remove(stay)
        order = sources_of("p10.11.1", min(stay.entered_on for stay in pair))
        first, second = sorted(pair, key=lambda stay: order.index(stay.source))
        yield first, second
    for stay in left:
        yield stay, None


def _birth_days(connection: Connection, persons: Of) -> dict[uuid.UUID, date]:
    """Birth days as PMLP gave them, else as a code of the old form names them."""
    found: dict[uuid.UUID, date] = {}
    for row in _rows(connection, PERSON_CODE, persons):
        if named := birth_date(row.code):
            found[row.person_id] = named
    for row in _rows(connection, PARTICULARS, persons):
        if row.birth_date is not None:
            found[row.person_id] = row.birth_date
    return found


def _rows(connection: Connection, table: Table, persons: Of | None) -> Sequence[Row[Any]]:
    query = select(table).where(recorded(table))
    if persons is not None:
        query = query.where(table.c.person_id.in_(persons))
    return connection.execute(query.order_by(table.c.recorded_at, table.c.version_id)).all()
