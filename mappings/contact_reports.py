"""Reports of institutions on a child's contacts and development (P9, P10): canonical records and mapping table.

The regulation names the child-care institution alone (10.11); the reports are modelled under the same point.
Source: p10.11.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date as day

from mappings.codes import CONTACT_KIND, CONTACT_PERSON, Code
from mappings.fields import code, date, many, nested, person_code, text
from mappings.mapping import Mapping

NAMESPACE = "urn:spolis:gateway:contact-reports:v1-0"
LONGEST = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """One contact (kontakts) of a child: with whom, of which kind, on which day. Source: p10.11."""

    with_whom: Code
    kind: Code
    held_on: day
    remark: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactReport:
    """What an institution reports of a child (ziņojums par bērna saskarsmi un attīstību) over a period.

    The first and the last day are in the period. Without contacts there were none. `author` is the employee who made
    the report on the day `made_on`. Source: p10.11.
    """

    person_code: str
    institution: str
    period_from: day
    period_to: day
    made_on: day
    author: str
    contacts: tuple[Contact, ...]
    cooperation: str
    physical_development: str
    psychosocial_development: str


def problem(report: ContactReport) -> str:
    """What is wrong with a report taken by itself, or ""."""
    if report.period_to < report.period_from:
        return "period_to is before period_from"
    if report.made_on < report.period_to:
        return "made_on is before period_to: a report is made when its period is over"
    if any(not report.period_from <= contact.held_on <= report.period_to for contact in report.contacts):
        return "contacts[].held_on is outside the period"
    return ""


CONTACT = Mapping(
    Contact,
    NAMESPACE,
    "Kontakts",
    (
        code("with_whom", "ArKo", CONTACT_PERSON, rule="p10.11", column="childcare_report.contacts"),
        code("kind", "Veids", CONTACT_KIND, rule="p10.11", column="childcare_report.contacts"),
        date("held_on", "Datums", rule="p10.11", column="childcare_report.contacts"),
        text("remark", "Piezime", rule="p10.11", column="childcare_report.contacts", optional=True),
    ),
)

CONTACT_REPORT = Mapping(
    ContactReport,
    NAMESPACE,
    "Zinojums",
    (
        person_code(
            "person_code", "PersonasKods", asked=True, rule="p10.11", column="spolis_person_code.code"
        ),
        text("institution", "Iestade", rule="p10.11", column="childcare_report.institution", longest=250),
        date("period_from", "PeriodsNo", rule="p10.11", column="childcare_report.period_from"),
        date("period_to", "PeriodsLidz", rule="p10.11", column="childcare_report.period_to"),
        date("made_on", "SagatavotsDatums", rule="p10.11", column="childcare_report.made_on"),
        text("author", "Autors", rule="p10.11", column="childcare_report.author", longest=250),
        many(nested("contacts", "Kontakti/Kontakts", CONTACT), optional=True),
        text(
            "cooperation",
            "SadarbibaArIestadi",
            rule="p10.11",
            column="childcare_report.cooperation",
            longest=LONGEST,
        ),
        text(
            "physical_development",
            "FiziskaAttistiba",
            rule="p10.11",
            column="childcare_report.physical_development",
            longest=LONGEST,
        ),
        text(
            "psychosocial_development",
            "PsihosocialaAttistiba",
            rule="p10.11",
            column="childcare_report.psychosocial_development",
            longest=LONGEST,
        ),
    ),
    check=problem,
)
