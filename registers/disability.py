"""The register of disability, as VDEAVK determines it. Source: p8.13.1–p8.13.12, p17.1."""

from __future__ import annotations

from datetime import date

from sqlalchemy import Boolean, Connection, Date, Text, select

from exchange import Arguments, Provenance
from mappings.codes import DISABILITY_CAUSE, DISABILITY_GROUP
from mappings.vdeavk import Disability, DisabilityChange, DisabilityChanges, DisabilityStatus
from registers.history import Fed, Values, field, recorded, replace, versioned
from registers.persons import person_by_code, person_of
from registers.reading import Register
from registers.taken import Taken, taken

DISABILITY = versioned(
    "vdeavk",
    "disability",
    field("determined_on", Date(), rule="p8.13.1"),
    field("group", Text(), rule="p8.13.2", codes=DISABILITY_GROUP),
    field("valid_until", Date(), rule="p8.13.3", optional=True),
    field("certificate_no", Text(), rule="p8.13.4"),
    field("movement_impairment", Boolean(), rule="p8.13.5"),
    field("vision_impairment", Boolean(), rule="p8.13.6"),
    field("hearing_impairment", Boolean(), rule="p8.13.7"),
    field("severe_mental_impairment", Boolean(), rule="p8.13.8"),
    field("other_impairment", Boolean(), rule="p8.13.9"),
    field("cause", Text(), rule="p8.13.10", codes=DISABILITY_CAUSE),
    field("special_care", Boolean(), rule="p8.13.11"),
    field("opinion_issued_on", Date(), rule="p8.13.12", optional=True),
    field("opinion_number", Text(), rule="p8.13.12", optional=True),
    field("opinion_valid_from", Date(), rule="p8.13.12", optional=True),
    field("opinion_valid_to", Date(), rule="p8.13.12", optional=True),
)

CHANGE = versioned("vdeavk", "change", field("changed_on", Date(), rule="p8.13"))

REGISTERS = (
    Register(
        name="disability",
        table=DISABILITY,
        source="vdeavk",
        criteria={
            name: DISABILITY.c[name]
            for name in ("determined_on", "group", "valid_until", "certificate_no", "special_care")
        },
        valid=("determined_on", "valid_until"),
        order=("determined_on",),
    ),
    Register(
        name="disability-changes",
        table=CHANGE,
        source="vdeavk",
        criteria={"changed_on": CHANGE.c.changed_on},
        order=("changed_on",),
    ),
)


def feed_disability(connection: Connection, status: DisabilityStatus, provenance: Provenance) -> Fed:
    """Keep the disability in force on the day asked about.

    A determination that the register holds as in force on that day, and that VDEAVK does not name, is superseded;
    determinations of other times were not asked about and stay.
    """
    owner = {"person_id": person_of(connection, status.person_code, provenance)}
    rows = [_values(status.disability)] if status.disability else []

    def asked(row: Values) -> bool:
        begin, end = row["determined_on"], row["valid_until"]
        started = isinstance(begin, date) and begin <= status.on_date
        return started and (not isinstance(end, date) or end >= status.on_date)

    key = ("determined_on", "certificate_no")
    return replace(connection, DISABILITY, owner, rows, provenance, key=key, within=asked)


def _values(disability: Disability) -> Values:
    opinion = disability.opinion
    return {
        "determined_on": disability.determined_on,
        "group": disability.group.code,
        "valid_until": disability.valid_until,
        "certificate_no": disability.certificate_no,
        "movement_impairment": disability.movement_impairment,
        "vision_impairment": disability.vision_impairment,
        "hearing_impairment": disability.hearing_impairment,
        "severe_mental_impairment": disability.severe_mental_impairment,
        "other_impairment": disability.other_impairment,
        "cause": disability.cause.code,
        "special_care": disability.special_care,
        "opinion_issued_on": opinion.issued_on if opinion else None,
        "opinion_number": opinion.number if opinion else None,
        "opinion_valid_from": opinion.valid_from if opinion else None,
        "opinion_valid_to": opinion.valid_to if opinion else None,
    }


def feed_changes(connection: Connection, page: DisabilityChanges, provenance: Provenance) -> Fed:
    """Keep whose disability changed and when; of persons whom no register knows nothing is kept."""
    fed = Fed()
    for change in sorted(page.changes, key=lambda one: (one.person_code, one.changed_on)):
        if person_by_code(connection, change.person_code) is not None:
            owner = {"person_id": person_of(connection, change.person_code, provenance)}
            row: Values = {"changed_on": change.changed_on}
            fed += replace(
                connection, CHANGE, owner, [row], provenance, key=("changed_on",), within=lambda _row: False
            )
    return fed


def taken_changes(connection: Connection, page: DisabilityChanges) -> Taken:
    """How many changes of a page are kept, once it was fed. VDEAVK tells those of everybody: most are strangers'."""

    def held(change: DisabilityChange) -> bool | None:
        person_id = person_by_code(connection, change.person_code)
        if person_id is None:
            return None
        kept = select(CHANGE.c.version_id).where(
            CHANGE.c.person_id == person_id, CHANGE.c.changed_on == change.changed_on, recorded(CHANGE)
        )
        return connection.execute(kept.limit(1)).first() is not None

    return taken(page.changes, held)


def changed_disabilities(connection: Connection, page: DisabilityChanges) -> tuple[Arguments, ...]:
    """What to ask anew after a page: the disability of each person of whom a register held one before."""
    codes = sorted({change.person_code for change in page.changes})
    return tuple({"person_code": code} for code in codes if _held(connection, code))


def _held(connection: Connection, code: str) -> bool:
    kept = select(DISABILITY.c.version_id).where(DISABILITY.c.person_id == person_by_code(connection, code))
    return connection.execute(kept.limit(1)).first() is not None


FEEDS = {DisabilityStatus: feed_disability, DisabilityChanges: feed_changes}
