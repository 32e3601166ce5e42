"""The register of reports on children in out-of-family care, written by SPOLIS core.

The same child, institution and first day of the period are the same report: what is written again corrects it, and
NPAIS is told of it anew. Source: p10.11; P9, P10 of the processes.
"""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import JSON, Connection, Date, Row, Text, select

from errors import Busy, InvalidRequest
from exchange import Json, Provenance, new_id
from mappings.contact_reports import CONTACT, CONTACT_REPORT, ContactReport, problem
from registers.history import Change, Fed, Values, field, recorded, replace, versioned
from registers.persons import person_by_code, person_of
from registers.reading import Register
from registers.writing import Writable

REPORT = versioned(
    "childcare",
    "report",
    field("institution", Text(), rule="p10.11"),
    field("period_from", Date(), rule="p10.11"),
    field("period_to", Date(), rule="p10.11"),
    field("made_on", Date(), rule="p10.11"),
    field("author", Text(), rule="p10.11"),
    field("contacts", JSON(), rule="p10.11"),
    field("cooperation", Text(), rule="p10.11"),
    field("physical_development", Text(), rule="p10.11"),
    field("psychosocial_development", Text(), rule="p10.11"),
    one_per=("person_id", "institution", "period_from"),
)

_KEY = ("institution", "period_from")

REGISTERS = (
    Register(
        name="contact-reports",
        table=REPORT,
        source="spolis",
        criteria={
            name: REPORT.c[name] for name in ("institution", "period_from", "period_to", "made_on", "author")
        },
        valid=("period_from", "period_to"),
        order=("period_from", "institution"),
    ),
)


def find_report(connection: Connection, report: ContactReport) -> uuid.UUID | None:
    """The id of a report that is kept already, or was: of the same child, institution and first day."""
    found: uuid.UUID | None = connection.execute(
        select(REPORT.c.id)
        .where(
            REPORT.c.person_id == person_by_code(connection, report.person_code),
            REPORT.c.institution == report.institution,
            REPORT.c.period_from == report.period_from,
        )
        .order_by(REPORT.c.superseded_at.is_not(None), REPORT.c.recorded_at.desc())
        .limit(1)
    ).scalar()
    return found


def write_report(
    connection: Connection, report: ContactReport, provenance: Provenance, *, report_id: uuid.UUID
) -> Fed:
    """Keep a report under its id, and tell of it where it is new or differs.

    Raises: InvalidRequest when it contradicts itself; Busy when the same report was kept meanwhile under another id.
    """
    wrong = problem(report)
    if wrong:
        raise InvalidRequest(wrong)
    person_id = person_of(connection, report.person_code, provenance)
    before = connection.execute(
        select(REPORT).where(
            REPORT.c.person_id == person_id,
            REPORT.c.institution == report.institution,
            REPORT.c.period_from == report.period_from,
            recorded(REPORT),
        )
    ).first()
    fed = replace(
        connection,
        REPORT,
        {"person_id": person_id},
        [_values(report)],
        provenance,
        key=_KEY,
        within=lambda _row: False,
        make_id=lambda: report_id,
    )
    if find_report(connection, report) != report_id:
        raise Busy("the same report is being written", retry_after=1)
    known = None if before is None else report_of(report.person_code, before)
    return fed + Fed(changes=(Change(known, report),)) if fed.written else fed


def feed_report(connection: Connection, report: ContactReport, provenance: Provenance) -> Fed:
    """Keep a report, as `write_report` does, under the id that it has or a new one."""
    return write_report(connection, report, provenance, report_id=find_report(connection, report) or new_id())


def _values(report: ContactReport) -> Values:
    contacts: list[Json] = [CONTACT.json(contact) for contact in report.contacts]
    return {
        "institution": report.institution,
        "period_from": report.period_from,
        "period_to": report.period_to,
        "made_on": report.made_on,
        "author": report.author,
        "contacts": contacts,
        "cooperation": report.cooperation,
        "physical_development": report.physical_development,
        "psychosocial_development": report.psychosocial_development,
    }


def report_of(person_code: str, row: Row[Any]) -> ContactReport:
    """A row as the canonical record, under the code that is used for the child now."""
    kept = {name: getattr(row, name) for name in CONTACT_REPORT.mandatory if name != "person_code"}
    return CONTACT_REPORT.from_json({**kept, "contacts": row.contacts, "person_code": person_code})


FEEDS = {ContactReport: feed_report}
WRITES = {
    "contact-reports": Writable(
        table=CONTACT_REPORT,
        rule="p10.11",
        find=find_report,
        write=lambda connection, report, provenance, row_id: write_report(
            connection, report, provenance, report_id=row_id
        ),
        identity="the same child, institution and first day of the period are the same report",
    )
}
