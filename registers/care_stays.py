"""The register of stays in long-term care, written by SPOLIS core or handed in by the institutions.

A person is in one place: stays of one person share a day at most, the day of moving from one to the next.
Source: p12.8.12–p12.8.14, p15^1.1.
"""

from __future__ import annotations

import uuid
from datetime import date
from typing import Any

from sqlalchemy import Connection, Date, Row, Text, exists, or_, select

from errors import Busy, InvalidRequest
from exchange import Provenance, new_id
from mappings.care_stays import CARE_STAY as RECORD
from mappings.care_stays import CareStay, problem
from mappings.codes import END_REASON, FUNDING_SOURCE, INSTITUTION_KIND
from registers.history import Change, Fed, Values, field, recorded, replace, versioned
from registers.persons import person_by_code, person_of
from registers.reading import Register
from registers.writing import Writable

CARE_STAY = versioned(
    "spolis",
    "care_stay",
    field("institution", Text(), rule="p15^1.1"),
    field("institution_address", Text(), rule="p15^1.1"),
    field("institution_kind", Text(), rule="p15^1.1", codes=INSTITUTION_KIND),
    field("region", Text(), rule="p15^1.1", optional=True),
    field("entered_on", Date(), rule="p12.8.13"),
    field("funding_source", Text(), rule="p12.8.12", codes=FUNDING_SOURCE),
    field("ended_on", Date(), rule="p12.8.13", optional=True),
    field("end_reason", Text(), rule="p12.8.14", codes=END_REASON, optional=True),
    one_per=("person_id", "institution", "entered_on"),
)

_KEY = ("institution", "entered_on")

REGISTERS = (
    Register(
        name="care-stays",
        table=CARE_STAY,
        source="spolis",
        criteria={
            name: CARE_STAY.c[name]
            for name in (
                "institution",
                "institution_kind",
                "region",
                "entered_on",
                "funding_source",
                "ended_on",
                "end_reason",
            )
        },
        valid=("entered_on", "ended_on"),
        order=("entered_on", "institution"),
    ),
)


def find_care_stay(connection: Connection, stay: CareStay) -> uuid.UUID | None:
    """The id of a stay that is kept already, or was: of the same person, institution and first day."""
    table = CARE_STAY
    found: uuid.UUID | None = connection.execute(
        select(table.c.id)
        .where(
            table.c.person_id == person_by_code(connection, stay.person_code),
            table.c.institution == stay.institution,
            table.c.entered_on == stay.entered_on,
        )
        .order_by(table.c.superseded_at.is_not(None), table.c.recorded_at.desc())
        .limit(1)
    ).scalar()
    return found


def write_care_stay(
    connection: Connection, stay: CareStay, provenance: Provenance, *, stay_id: uuid.UUID
) -> Fed:
    """Keep a stay under its id; the same person, institution and first day are the same stay.

    Raises: InvalidRequest when the stay ends before it begins, has a reason without an end, or covers days of
    another stay of the person; Busy when the same stay was kept meanwhile under another id.
    """
    wrong = problem(stay)
    if wrong:
        raise InvalidRequest(wrong)
    person_id = person_of(connection, stay.person_code, provenance)
    table, before = CARE_STAY, None
    others = connection.execute(
        select(table).where(table.c.person_id == person_id, recorded(table)).order_by(table.c.entered_on)
    ).all()
    for other in others:
        same = (other.institution, other.entered_on) == (stay.institution, stay.entered_on)
        if same:
            before = _stay(stay.person_code, other)
        elif overlap((other.entered_on, other.ended_on), (stay.entered_on, stay.ended_on)):
            raise InvalidRequest("the person has another stay on these days; end that one first")
    fed = replace(
        connection,
        table,
        {"person_id": person_id},
        [_values(stay)],
        provenance,
        key=_KEY,
        within=lambda _row: False,
        make_id=lambda: stay_id,
    )
    if find_care_stay(connection, stay) != stay_id:
        raise Busy("the same stay is being written", retry_after=1)
    return fed + Fed(changes=(Change(before, stay),)) if fed.written else fed


def feed_care_stay(connection: Connection, stay: CareStay, provenance: Provenance) -> Fed:
    """Keep a stay, as `write_care_stay` does, under the id that it has or a new one."""
    return write_care_stay(connection, stay, provenance, stay_id=find_care_stay(connection, stay) or new_id())


def delete_care_stay(
    connection: Connection, person_code: str, institution: str, entered_on: date, provenance: Provenance
) -> Fed:
    """End the record of a stay that never was; its versions stay. Nothing happens where there is none."""
    owner = {"person_id": person_of(connection, person_code, provenance)}
    key = (institution, entered_on)
    stays = select(CARE_STAY).where(
        CARE_STAY.c.person_id == owner["person_id"],
        CARE_STAY.c.institution == institution,
        CARE_STAY.c.entered_on == entered_on,
        recorded(CARE_STAY),
    )
    before = connection.execute(stays).first()
    fed = replace(
        connection,
        CARE_STAY,
        owner,
        [],
        provenance,
        key=_KEY,
        within=lambda row: (row["institution"], row["entered_on"]) == key,
    )
    return fed if before is None else fed + Fed(changes=(Change(_stay(person_code, before), None),))


def open_stay(connection: Connection, person_code: str, on_date: date) -> bool:
    """Whether the person is in a care institution on a day, the first and the last day of a stay included.

    Source: p12.8.13; SAIS gives payments only for such persons.
    """
    person_id = person_by_code(connection, person_code)
    table = CARE_STAY
    stays = exists().where(
        table.c.person_id == person_id,
        recorded(table),
        table.c.entered_on <= on_date,
        or_(table.c.ended_on.is_(None), table.c.ended_on >= on_date),
    )
    return person_id is not None and bool(connection.execute(select(stays)).scalar())


def overlap(one: tuple[date, date | None], other: tuple[date, date | None]) -> bool:
    """Whether two stays share more than the day of moving, the last of one and the first of the other."""
    return one[0] < (other[1] or date.max) and other[0] < (one[1] or date.max)


def _stay(person_code: str, row: Row[Any]) -> CareStay:
    """A row as the canonical record, under the code that is used for the person now."""
    return CareStay(
        person_code=person_code,
        institution=row.institution,
        institution_address=row.institution_address,
        institution_kind=INSTITUTION_KIND[row.institution_kind],
        region=row.region,
        entered_on=row.entered_on,
        funding_source=FUNDING_SOURCE[row.funding_source],
        ended_on=row.ended_on,
        end_reason=END_REASON[row.end_reason] if row.end_reason else None,
    )


def _values(stay: CareStay) -> Values:
    return {
        "institution": stay.institution,
        "institution_address": stay.institution_address,
        "institution_kind": stay.institution_kind.code,
        "region": stay.region,
        "entered_on": stay.entered_on,
        "funding_source": stay.funding_source.code,
        "ended_on": stay.ended_on,
        "end_reason": stay.end_reason.code if stay.end_reason else None,
    }


FEEDS = {CareStay: feed_care_stay}
WRITES = {
    "care-stays": Writable(
        table=RECORD,
        rule="p12.8.13",
        find=find_care_stay,
        write=lambda connection, stay, provenance, row_id: write_care_stay(
            connection, stay, provenance, stay_id=row_id
        ),
        identity="the same person, institution and first day are the same stay",
    )
}
