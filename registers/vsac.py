"""What care centres and contract organisations hand in: stays under their numbers, and the care that is set.

The stay itself is kept in the register of care stays, whoever hands it in; here is under whose number it came.
Source: p12.8.10–p12.8.15, p17.13.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Boolean, Connection, Date, Text, select

from errors import InvalidRequest
from exchange import Provenance
from mappings.institution_care import CARE_LEVEL, IMPAIRMENT, MENTAL_HEALTH, CareSet, StayRecord
from mappings.long_term_care import DELETION_REASON, VSAC_RECORD, CareRecordDeletion
from registers import supplied
from registers.care_stays import delete_care_stay, feed_care_stay
from registers.history import Fed, Texts, Value, field, recorded
from registers.persons import person_by_code
from registers.reading import Register

_SCHEMA = "vsac"

# Institution and first day name the stay in the register of care stays.
STAY = supplied.supplied(
    _SCHEMA,
    "stay",
    field("institution", Text(), rule="p15^1.1"),
    field("entered_on", Date(), rule="p12.8.13"),
)

CARE = supplied.supplied(
    _SCHEMA,
    "care",
    field("care_level", Text(), rule="p12.8.10", codes=CARE_LEVEL, optional=True),
    field("impairments", Texts(), rule="p12.8.11", codes=IMPAIRMENT),
    field("mental_health", Text(), rule="p12.8.11", codes=MENTAL_HEALTH, optional=True),
    field("half_way_resident", Boolean(), rule="p12.8.15", optional=True),
    field("half_way_began_on", Date(), rule="p12.8.15", optional=True),
    field("half_way_ended_on", Date(), rule="p12.8.15", optional=True),
)

DELETION = supplied.supplied(
    _SCHEMA,
    "deletion",
    field("kind", Text(), rule="p20", codes=VSAC_RECORD),
    field("reason", Text(), rule="p20", codes=DELETION_REASON),
    one_per=("person_id", "supplier", "kind", "record_no"),
)

# By the code list of the records that an institution may delete.
_TABLES = {"STAY": STAY, "CARE": CARE}

REGISTERS = (
    Register(
        name="care-stay-records",
        table=STAY,
        source=_SCHEMA,
        criteria={name: STAY.c[name] for name in ("case_no", "record_no")},
        order=("case_no", "record_no"),
    ),
    Register(
        name="care-set",
        table=CARE,
        source=_SCHEMA,
        criteria={
            name: CARE.c[name]
            for name in ("case_no", "record_no", "care_level", "mental_health", "half_way_resident")
        },
        valid=("half_way_began_on", "half_way_ended_on"),
        order=("case_no", "record_no"),
    ),
    Register(
        name="care-set-deletions",
        table=DELETION,
        source=_SCHEMA,
        criteria={name: DELETION.c[name] for name in ("case_no", "record_no", "kind", "reason")},
        order=("kind", "record_no"),
    ),
)


def feed_stay(connection: Connection, record: StayRecord, provenance: Provenance) -> Fed:
    """Keep a stay under its number; one whose institution or first day is corrected takes the place of the other.

    Raises: InvalidRequest when the stay was handed in under another number, and what keeping a stay raises.
    """
    stay = record.stay
    supplied.hold(connection, STAY, record)
    before = supplied.current(connection, STAY, record)
    values: Mapping[str, Value] = {"institution": stay.institution, "entered_on": stay.entered_on}
    fed = supplied.keep(connection, STAY, record, stay.person_code, values, provenance)
    others = select(STAY.c.id).where(
        STAY.c.person_id == person_by_code(connection, stay.person_code),
        STAY.c.institution == stay.institution,
        STAY.c.entered_on == stay.entered_on,
        recorded(STAY),
    )
    if len(connection.execute(others).all()) > 1:
        raise InvalidRequest("the stay was handed in under another number")
    if before is not None and (before.institution, before.entered_on) != (stay.institution, stay.entered_on):
        fed += delete_care_stay(
            connection, stay.person_code, before.institution, before.entered_on, provenance
        )
    return fed + feed_care_stay(connection, stay, provenance)


def feed_care(connection: Connection, record: CareSet, provenance: Provenance) -> Fed:
    """Keep the care that is set for a person."""
    house = record.half_way_house
    values: Mapping[str, Value] = {
        "care_level": record.care_level.code if record.care_level else None,
        "impairments": tuple(one.code for one in record.impairments),
        "mental_health": record.mental_health.code if record.mental_health else None,
        "half_way_resident": house.resident if house else None,
        "half_way_began_on": house.began_on if house else None,
        "half_way_ended_on": house.ended_on if house else None,
    }
    return supplied.keep(connection, CARE, record, record.person_code, values, provenance)


def feed_deletion(connection: Connection, record: CareRecordDeletion, provenance: Provenance) -> Fed:
    """End a record that was handed in wrongly, and keep why; a stay ends in the register of care stays too.

    Raises: NotFound when the supplier has no such record of the person.
    """
    table = _TABLES[record.kind.code]
    supplied.hold(connection, table, record)
    before = supplied.current(connection, table, record)
    fed = supplied.delete(connection, table, DELETION, record, provenance)
    if table is STAY and before is not None:
        fed += delete_care_stay(
            connection, record.person_code, before.institution, before.entered_on, provenance
        )
    return fed


FEEDS = {StayRecord: feed_stay, CareSet: feed_care, CareRecordDeletion: feed_deletion}
